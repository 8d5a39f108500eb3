"""What is shown when: the lengths of rows, the shares of the kinds of text, and the positions that the tokens get.

Rows are short until copying works, then longer and longer. Position-skipping: a row is cut into a few stretches that stand
far apart, so that the far rotations are seen at the price of a short row.
"""
import math
import random

import torch

import corpus
import guides
import world
from corpus import ANSWER, REST

BOS, EOS = 1, 2
SAMPLED = .10                # of what is not an answer, so many tokens are predicted; they weigh more for it
SPAN = 16384
FOUND = 4.0                  # the weight of an answer's first two tokens, in which it shows whether it was found, and of its end
METADATA = 11.0              # until so many million tokens a sentence may look at any of its block's metadata
FORK = 2.0                   # and of the tokens that the two before leave open: of several sentences, or sources, alike so far, which

# up to so many million tokens: the shares of copying exercises, of finding exercises and of talk, and the most facts a conversation has
KINDS = [(1.5, .5, .3, .02, 3), (3.0, .2, .4, .03, 4), (6.0, .08, .3, .05, 8), (8.0, .08, .12, .08, 20), (10.0, .08, .08, .1, 60),
         (1e9, .05, .05, .12, 999)]

# up to so many million tokens: {row length: share of the steps}
LENGTHS = [
    (2.0, {384: 1}),
    (5.0, {512: 1}),
    (7.0, {512: .5, 1024: .5}),
    (10.0, {512: .3, 1024: .4, 2048: .3}),
    (16.0, {512: .2, 1024: .3, 2048: .3, 4096: .2}),
    (22.0, {512: .2, 1024: .25, 2048: .25, 4096: .25, 8192: .05}),
    (1e9, {512: .15, 1024: .2, 2048: .26, 4096: .28, 8192: .09, 16384: .02}),
]


def guidance(seen):
    """The weight of the loss of attention: whole until finding works, then less and less."""
    return .3 * min(1, max(.6, (24 - seen) / 8))


def draw(rng, shares):
    return rng.choices(list(shares), list(shares.values()))[0]


def ids_of(sp, piece):
    if len(piece) > 2 and piece[2]:
        return sp.encode("\n" + piece[0])[2:]
    return sp.encode(piece[0])


def source_cut(sp, p, ids):
    """How many of an answer's ids come before its source."""
    if p[0].startswith("Source:"):
        return 0
    return len(ids_of(sp, (p[0].split("\nSource:")[0], *p[1:]))) if "\nSource:" in p[0] else len(ids)


def prepare(sp):
    """Makes the vocabulary known to those that make text; -> what `batch` wants to know of it."""
    world.know_pieces(sp)
    return guides.Spelling(sp)


class Followers:
    """Which ids came after each pair of ids."""

    def __init__(self):
        self.of = {}

    def read(self, ids, first):
        for a, b, c in zip(ids[first - 2:], ids[first - 1:], ids[first:]):
            self.of.setdefault((a, b), set()).add(c)

    def forks(self, ids):
        """The places in an answer where the two ids before leave more than one to come."""
        return {j for j in range(2, len(ids)) if len(self.of.get((ids[j - 2], ids[j - 1]), ())) > 1}


def encode(sp, pieces, spelling=None, early=False):
    """-> ids, loss weights, marks (guides.py; empty without a spelling)"""
    ids, weights, marks, places, met, followers = [BOS], [0.0], guides.Marks(early), {}, set(), Followers()
    for n, p in enumerate(pieces):
        if p is None:
            ids.append(EOS)
            weights.append(ANSWER * FOUND)
            continue
        new, first = ids_of(sp, p), len(ids)
        ids += new
        if p[1] == ANSWER:
            forks = followers.forks(new)
            weights += [ANSWER * (FOUND if j < 2 else FORK if j in forks else 1) for j in range(len(new))]
        else:
            followers.read(ids, max(2, first))
            weights += [p[1]] * len(new)
        if spelling:
            places[n] = guides.Piece(p[0], first, spelling.starts(new, 1))
        guide = p[3] if len(p) > 3 else None
        if not spelling or guide is None:
            continue
        if guide.names:
            for at, place in guide.names:
                marks.name(places[n], at, places[place.piece], place)
            continue
        tokens = lambda place: place and places[place.piece].tokens(place.begin, place.end)
        question = tokens(guide.question)
        if guide.sentence is None:
            marks.nowhere(first, question)
            continue
        span, source = tokens(guide.sentence), tokens(guide.source)
        if source and source not in met:
            met.add(source)
            marks.metadata(source)
        if span not in met:
            met.add(span)
            marks.sentence(span, source)
        marks.answer(ids, first, span, source_cut(sp, p, new), source, forks, question)
    return ids, weights, marks.lists


def positions(rng, n, seen):
    """Of n tokens: 0, 1, 2 ... or, for about half of the rows once copying works, with gaps up to SPAN."""
    if seen < 3 or n >= SPAN or rng.random() < .45:
        return list(range(n))
    slack = int(math.exp(rng.uniform(math.log(64), math.log(SPAN - n))))
    cuts = sorted(rng.sample(range(1, n), rng.choice((1, 1, 2, 3, 4))))
    marks = sorted(rng.randint(0, slack) for _ in cuts)
    start = 0 if rng.random() < .5 else rng.randint(0, slack - marks[-1])
    out, i = [], 0
    for at in range(n):
        while i < len(cuts) and at >= cuts[i]:
            i += 1
        out.append(start + at + (marks[i - 1] if i else 0))
    return out


def batch(sp, rng, seen, budget, step, spelling):
    """-> ids and weights [rows, length + 1], positions [rows, length], marks of each row; seen in millions. The length is the same for all
    workers."""
    length = draw(random.Random(step), next(s for top, s in LENGTHS if seen < top))
    kinds = next(k[1:] for k in KINDS if seen < k[0])
    ids, weights, places, marks = [], [], [], []
    for _ in range(max(1, budget // length)):
        x, w, found = [], [], {k: [] for k in guides.KINDS}
        while len(x) < length + 1:
            i, v, m = encode(sp, corpus.sample(rng, length, *kinds), spelling, seen < METADATA)
            for k in found:
                found[k] += [(a + len(x), b + len(x), c + len(x)) for a, b, c in m[k]]
            x += i
            w += v
        share = REST / SAMPLED
        ids.append(x[:length + 1])
        weights.append([v if v >= ANSWER else share if v and rng.random() < SAMPLED else 0.0 for v in w[:length + 1]])
        places.append(positions(rng, length, seen))
        marks.append(guides.cut_to(found, length, rng))
    return torch.tensor(ids), torch.tensor(weights), torch.tensor(places), marks


def held_out(sp, rng, length):
    """A conversation about documents of invented names never used in training, of at most `length` tokens: ids, and the spans to
    judge as (kind, begin, end): a for answers, s for their sources, r for refusals."""
    for facts in range(length // (36 if length < 1000 else 26), 0, -max(1, length // 400)):
        ids, spans = spans_of(sp, corpus.closed(rng, min(facts, rng.choice((1, 2, 3))), facts, 4 + length // 150, split="eval"))
        if spans and spans[3 if len(spans) > 3 else -1][2] <= length:
            break
    return ids[:length], [s for s in spans if s[2] <= length]


def spans_of(sp, pieces):
    ids, spans = [BOS], []
    for p in pieces:
        if p is None:
            ids.append(EOS)
            continue
        new = ids_of(sp, p)
        if p[1] == ANSWER:
            cut = source_cut(sp, p, new)
            if cut:
                spans.append(("r" if p[0] == corpus.REFUSAL else "a", len(ids), len(ids) + cut))
            if cut < len(new):
                spans.append(("s", len(ids) + cut, len(ids) + len(new)))
        ids += new
    return ids, spans
