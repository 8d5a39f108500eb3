#!/usr/bin/env python3
"""Greedy answers of a checkpoint or an exported directory on closed-context cases and on small talk."""
import argparse
import json
import random
import time

import torch

import corpus
import documents
import scenes
import smalltalk
from load import load
from model import greedy

HELLO = ["hi", "hello", "Hello there!", "HELLO", "hey :)", "what can you do?", "Who are you?", "whats your name", "tell me a joke", "thanks", "Thank you!",
         "how do I add a document?", "how do i quit", "How can I stop a reply?", "bye", "help", "How are you", "what is airo",
         "What is the capital of Peru?", "Tell me a riddle.", "What has a neck but no head?"]
GREEN = ([({"date": "2021-01-01", "url": "https://web.site/123"},
           "In a shocking turn of events, blueberries are now green, but will be sticking with the same name.")], "What color are bluberries?")


def ask(model, sp, text, limit=120):
    ids = [1] + sp.encode(text)
    return sp.decode(greedy(model, ids, 2, limit)), len(ids)


def prompt(case, source=True, honest=True):
    q = case["question"] + (corpus.SOURCE if source else "") + (corpus.HONEST if honest else "")
    return f"{corpus.SYSTEM}USER: {documents.blocks_text(case['documents'])}BEGININSTRUCTION\n{q}\nENDINSTRUCTION ASSISTANT: "


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--model", required=True, help="checkpoint.pt or a model directory")
    ap.add_argument("--cases", default="../eval/closed_context.jsonl")
    ap.add_argument("--n", type=int, default=100)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--show", type=int, default=5, help="wrong answers to print")
    ap.add_argument("--talk", action="store_true", help="also print answers to small talk, and score all of it")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    model, sp = load(a.model)
    t = time.time()
    score = {}

    def tally(k, ok):
        x = score.setdefault(k, [0, 0])
        x[0] += bool(ok)
        x[1] += 1

    shown = 0
    for c in [json.loads(x) for x in open(a.cases, encoding="utf-8")][:a.n]:
        reply, length = ask(model, sp, prompt(c))
        absent = c["answer"] == corpus.REFUSAL
        ok = c["answer"].lower() in reply.lower()
        tally("right", ok)
        tally(f"{len(c['documents'])} block(s)", ok)
        tally(f"prompt {'<' if length < 250 else '>='} 250 tokens", ok)
        tally("absent, refused" if absent else "present, right", ok)
        if not absent:
            tally("present, refused wrongly", corpus.REFUSAL in reply)
            said = reply.split("\nSource:\n")[1] if "\nSource:\n" in reply else ""
            tally("source right", said.strip() == "\n".join(f"{k}: {v}" for k, v in c["source"].items()))
        if not ok and shown < a.show:
            shown += 1
            print(f"WRONG ({length} tokens)\n  Q: {c['question']}\n  A: {c['answer']}\n  reply: {reply!r}")
    for k in sorted(score):
        print(f"{k}: {score[k][0]} of {score[k][1]}")
    print(f"{time.time() - t:.0f} s", flush=True)
    if a.talk:
        case = {"documents": [{"meta": m, "text": x} for m, x in GREEN[0]], "question": GREEN[1]}
        print("green:", repr(ask(model, sp, prompt(case))[0]))
        for q in HELLO:
            print(f"{q!r} -> {ask(model, sp, corpus.SYSTEM + 'USER: ' + q + ' ASSISTANT: ')[0]!r}")
        rng, good, n = random.Random("talk"), 0, 0
        for questions, answers in smalltalk.TALK:
            q = smalltalk.vary(rng, rng.choice(questions))
            reply = ask(model, sp, corpus.SYSTEM + "USER: " + q + " ASSISTANT: ")[0]
            ok = reply in (answers or smalltalk.NO_DOCUMENT)
            good, n = good + ok, n + 1
            if not ok:
                print(f"other: {q!r} -> {reply!r}")
        print(f"small talk: {good} of {n}")
        print(ask(model, sp, "".join(p[0] for p in scenes.scene(random.Random(3), corpus.SYSTEM, 0, 0)[:1]))[0])


if __name__ == "__main__":
    main()
