#!/usr/bin/env python3
"""Everything Vaquita is trained on, generated from a seed.

A conversation is a list of (text, weight) pieces, tokenised apart in that order; weight is the loss weight, and a
piece that is None stands for the end-of-sequence id. A third element that is true says that the text is spelled as at the
beginning of a line, without the space that otherwise comes first: so that an answer has the very tokens of its sentence. A
fourth element, a Guide, tells where the answer stands. Run as a command it prints samples:

    python3 corpus.py --seed 1 --kind closed --n 3
"""
import argparse
import math
import random

import smalltalk
import words as W
from documents import add_documents, blocks_text, library
from facts import make_fact
from freetext import free_fact, known_fact, prose_fact
from places import Guide, Place
from scenes import scene
from world import World

SYSTEM = ("A chat between a curious user and an assistant. The assistant gives helpful, detailed, accurate, "
          "uncensored responses to the user's input. ")
REFUSAL = "I don't know. The documents do not say."
SOURCE, HONEST = " Source?", " Don't make up answers if you don't know."
REST, ANSWER = 0.02, 1.0


def typo(r, q):
    i = r.randrange(3, len(q) - 2) if len(q) > 8 else 0
    return q[:i] + q[i + 1:] if q[i].isalpha() else q


def vary_question(r, q):
    x = r.random()
    if x < .03:
        return typo(r, q)
    if x < .09:
        return q[0].lower() + q[1:]
    if x < .13:
        return q.rstrip("?.")
    if x < .16:
        return q.lower()
    if x < .22:
        return r.choice(("Please tell me: ", "I would like to know: ", "Question: ", "Next: ", "Tell me, ", "And ", "Can you say ", "According to the text, ")) + q[0].lower() + q[1:]
    return q


def source_text(item):
    return "Source:" + "".join(f"\n{k}: {v}" for k, v in item.doc["meta"].items())


def answer_for(lib, item, absent, src):
    """-> question, answer"""
    q = lib.absent() if absent else lib.question(item)
    if q is None:
        return None, None
    return q, REFUSAL if absent else item.said + ("\n" + source_text(item) if src else "")


def closed(rng, blocks=1, facts=4, turns=9, split="train", src=.6):
    """A closed-context conversation: facts are asked for in any order; now and then more blocks come later, or one asks where it stood."""
    lib = library(rng, split)
    docs = add_documents(lib, blocks, facts)
    pieces, places, head, order, n = [], {}, SYSTEM + "USER: ", list(lib.items), 0
    if rng.random() < .05:
        q, a = smalltalk.turn(rng)
        pieces += [(head + q + " ASSISTANT: ", REST), (a, ANSWER), None]
        head = "USER: "
    order *= 2 if facts < 7 else 1                                           # few facts are asked for twice
    wrap_all, more, honest = rng.random() < .4, rng.random() < .12, rng.random()
    rng.shuffle(order)
    while order and n < turns:
        if n and more and rng.random() < .3:
            docs = add_documents(lib, rng.choice((1, 1, 2)), max(1, facts // 3))
            order += [i for i in lib.items if i.doc in docs]
            rng.shuffle(order)
            more = False
        absent, source = rng.random() < .15, rng.random() < src
        item = order.pop()
        q, a = answer_for(lib, item, absent, source)
        if q is None:
            continue
        q = vary_question(rng, q)
        if not absent and order and rng.random() < .04:                      # two questions at once
            q2, a2 = answer_for(lib, order.pop(), False, False)
            if q2:
                q, a, source = q + rng.choice((" ", "\n", " And: ")) + q2, item.said + "\n" + a2, False
        ins = q + (SOURCE if source else "") + (HONEST if rng.random() < honest else "")
        begin = len(head)
        if docs or wrap_all:
            ins, begin = f"BEGININSTRUCTION\n{ins}\nENDINSTRUCTION" + ("\n" if rng.random() < .04 else ""), begin + len("BEGININSTRUCTION\n")
        if docs:
            text = blocks_text(docs)
            for i in lib.items:
                if i.doc in docs:
                    at = len(head) + i.doc["text_at"] + i.at
                    places[i] = Place(len(pieces), at, at + len(i.said)), Place(len(pieces), len(head) + i.doc["meta_at"], len(head) + i.doc["meta_end"])
            ins, begin, docs = text + ins, begin + len(text), []
        guide = Guide(Place(len(pieces), begin, begin + len(q)), *((None, None) if absent else places[item]))
        pieces += [(head + ins + " ASSISTANT: ", REST), (a, ANSWER, item.bare and not absent, guide), None]
        head, n = "USER: ", n + 1
        if not absent and not source and "\n" not in a and rng.random() < .1:
            again = rng.choice(("Source?", "Source?", "Where does it say so?", "Which document says that?", "What is the source?", "source", "Where did you read that?"))
            pieces += [(head + again + " ASSISTANT: ", REST), (source_text(item), ANSWER, True, Guide(Place(len(pieces), len(head), len(head) + len(again)), *places[item])), None]
    return pieces


def copying(rng):
    """Lists said again, 'after X: the next two', 'with X: the sentence that has it'."""
    w = World(rng)
    kind = rng.random()
    if kind < .35:
        items = [rng.choices((make_fact, known_fact, free_fact, prose_fact), (6, 1, 3, 3))[0](w).sentence for _ in range(rng.randint(2, 9))]
    elif kind < .45:
        items = rng.sample(W.NOUNS + W.ADJ, rng.randint(4, 20))
    elif kind < .75:
        items = [w.odd() for _ in range(rng.randint(4, 24))]
    else:
        items = [w.get(rng.choice("pWwntkyidPczOm")) for _ in range(rng.randint(3, 16))]
    sep = rng.choice((", ", " ", "\n", "; ", " | ")) if kind > .35 else rng.choice((" ", "\n", "\n- "))
    text = sep.join(items)
    pieces = [(text, REST)]
    for _ in range(rng.randint(1, 3)):
        x = rng.random()
        if kind < .35 and x < .7:
            for _ in range(rng.randint(2, 5)):
                s = rng.choice(items)
                some = [t for t in s.rstrip(".").split() if len(t) > 3]
                if some and sum(some[-1] in i for i in items) == 1:
                    t = rng.choice([t for t in some if sum(t in i for i in items) == 1] or [some[-1]])
                    pieces += [("with " + t + ": ", REST), (s, ANSWER)]
        elif x < .5 or len(items) < 4:
            pieces.append((text, ANSWER))
        else:
            for _ in range(rng.randint(2, 5)):
                i = rng.randrange(len(items) - 2)
                pieces += [("after " + items[i] + ": ", REST), (sep.join(items[i + 1:i + 3]), ANSWER)]
    return pieces + [None]


def finding(rng):
    """Short lines, and 'with X: the line that has it', once for each: how to get from a word to where its line begins."""
    w, n, most = World(rng), rng.choice((2, 3, 4, 6, 9, 14, 20)), rng.choice((2, 2, 3, 3, 4, 6, 9, 14))
    makers = (lambda: rng.choice(W.NOUNS),) if rng.random() < .3 else (w.odd, w.odd, w.word, w.name, lambda: rng.choice(W.NOUNS), lambda: rng.choice(W.ADJ), lambda: rng.choice(W.ITEMS), lambda: rng.choice(W.VERBS), w.number)
    items, seen = [], set()
    for _ in range(n):
        line = [x for x in dict.fromkeys(rng.choice(makers)() for _ in range(rng.randint(2, most))) if x not in seen]
        seen.update(line)
        items += [line] if line else []
    sep = rng.choice((". ", "\n", "; ", "\n\n", ", and ", ". "))
    cue = rng.choice(("{}: ", "{}: ", "with {}: ", "{}? ", "find {}: ", "what about {}? ", "the one with {} is ", "USER: {}? ASSISTANT: ", "USER: What is said about {}? ASSISTANT: "))
    texts = [" ".join(line) for line in items]
    texts = [t[0].upper() + t[1:] for t in texts] if rng.random() < .3 else texts
    pieces, order, lines, at = [(sep.join(texts) + rng.choice(("", "\n", ". ")), REST)], list(range(len(items))), [], 0
    for t in texts:
        lines.append(Place(0, at, at + len(t)))
        at += len(t) + len(sep)
    rng.shuffle(order)
    for i in order:
        key = rng.choice(items[i][len(items[i]) > 1 and rng.random() < .7:])
        if rng.random() < .25:
            key += " " + rng.choice(items[i])
        key_at = cue.index("{")
        guide = Guide(Place(len(pieces), key_at, key_at + len(key)), lines[i])
        pieces += [(cue.format(key), REST), (texts[i], ANSWER, "\n" in sep and i > 0, guide)]
    return pieces + [None]


def chat(rng):
    """Ordinary talk, one to five turns without documents, or a scene."""
    if rng.random() < .45:
        return scene(rng, SYSTEM, REST, ANSWER)
    pieces, head = [], SYSTEM + "USER: "
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        if rng.random() < .1:
            f = make_fact(World(rng))
            q, a = rng.choice(f.questions), rng.choice(smalltalk.NO_DOCUMENT)
        else:
            q, a = smalltalk.turn(rng)
        pieces += [(head + q + " ASSISTANT: ", REST), (a, ANSWER), None]
        head = "USER: "
    return pieces


def sample(rng, room, copies=.05, finds=.05, talk=.12, most=24):
    """One conversation for `room` tokens; copies, finds and talk are the shares of these kinds; at most so many facts."""
    x = rng.random()
    if x < copies:
        return copying(rng)
    if x < copies + finds:
        return finding(rng)
    if x < copies + finds + talk:
        return chat(rng)
    if room > 600 and rng.random() < .25:
        room //= rng.choice((2, 3, 4))
    share = rng.uniform(.25, .7) if room < 1500 else rng.uniform(.4, .85)
    facts = max(1, min(most, int(share * room / 19)))
    if rng.random() < (.6 if room < 600 else .3 if room < 1100 else .1):   # so that there are always easy ones
        facts = round(math.exp(rng.uniform(0, math.log(facts))))
    blocks = min(facts, rng.choice((1, 1, 2, 2, 3, 3, 4) if facts < 40 else (1, 1, 2, 3, 4, 5, 6, 9)))
    return closed(rng, blocks, facts, max(2, int((1 - share) * room / 42)))


def main():
    ap = argparse.ArgumentParser(description="print samples of the training corpus")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--kind", choices=["closed", "copying", "finding", "chat", "mix"], default="mix")
    ap.add_argument("--n", type=int, default=3)
    ap.add_argument("--room", type=int, default=512, help="tokens to fill, roughly")
    a = ap.parse_args()
    rng = random.Random(a.seed)
    for _ in range(a.n):
        c = {"closed": lambda: sample(rng, a.room, 0, 0, 0, 999), "copying": lambda: copying(rng), "finding": lambda: finding(rng),
             "chat": lambda: chat(rng), "mix": lambda: sample(rng, a.room, most=999)}[a.kind]()
        print("=" * 100)
        print("".join("</s>" if p is None else p[0] for p in c))


if __name__ == "__main__":
    main()
