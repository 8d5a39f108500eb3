"""What is shown when: the lengths of rows, the shares of the kinds of text, and the positions that the tokens get.

Rows are short until copying works, then longer and longer. Position-skipping: a row is cut into a few stretches that stand
far apart, so that the far rotations are seen at the price of a short row.
"""
import math
import random

import torch

import corpus
from corpus import ANSWER, REST

BOS, EOS = 1, 2
SAMPLED = .10                # of what is not an answer, so many tokens are predicted; they weigh more for it
SPAN = 16384
FOUND = 4.0                  # the weight of an answer's first two tokens, in which it shows whether it was found

# up to so many million tokens: the shares of copying exercises, of finding exercises and of talk, and the most facts a conversation has
KINDS = [(2.0, .7, 0, .04, 3), (3.0, .35, .35, .03, 3), (7.4, .1, .5, .04, 4), (18.0, .05, .6, .03, 4), (20.0, .05, .3, .05, 12),
         (23.0, .05, .1, .08, 60), (1e9, .04, .03, .1, 999)]

# up to so many million tokens: {row length: share of the steps}
LENGTHS = [
    (3.0, {384: 1}),
    (18.0, {512: 1}),
    (20.0, {512: .6, 1024: .4}),
    (24.0, {512: .35, 1024: .4, 2048: .25}),
    (34.0, {512: .2, 1024: .3, 2048: .35, 4096: .15}),
    (50.0, {512: .15, 1024: .25, 2048: .3, 4096: .27, 8192: .03}),
    (1e9, {512: .15, 1024: .2, 2048: .25, 4096: .3, 8192: .08, 16384: .02}),
]


def draw(rng, shares):
    return rng.choices(list(shares), list(shares.values()))[0]


def ids_of(sp, piece):
    if len(piece) > 2 and piece[2]:
        return sp.encode("\n" + piece[0])[2:]
    return sp.encode(piece[0])


def encode(sp, pieces):
    """-> ids, loss weights"""
    ids, weights = [BOS], [0.0]
    for p in pieces:
        if p is None:
            ids.append(EOS)
            weights.append(ANSWER)
        else:
            new = ids_of(sp, p)
            ids += new
            weights += [p[1] * FOUND] * min(2, len(new)) + [p[1]] * (len(new) - 2) if p[1] == ANSWER else [p[1]] * len(new)
    return ids, weights


def positions(rng, n, seen):
    """Of n tokens: 0, 1, 2 ... or, for about half of the rows once copying works, with gaps up to SPAN."""
    if seen < 8 or n >= SPAN or rng.random() < .45:
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


def batch(sp, rng, seen, budget, step):
    """-> ids and weights [rows, length + 1], positions [rows, length]; seen in millions. The length is the same for all workers."""
    length = draw(random.Random(step), next(s for top, s in LENGTHS if seen < top))
    kinds = next(k[1:] for k in KINDS if seen < k[0])
    ids, weights, places = [], [], []
    for _ in range(max(1, budget // length)):
        x, w = [], []
        while len(x) < length + 1:
            i, v = encode(sp, corpus.sample(rng, length, *kinds))
            x += i
            w += v
        share = REST / SAMPLED
        ids.append(x[:length + 1])
        weights.append([v if v >= ANSWER else share if v and rng.random() < SAMPLED else 0.0 for v in w[:length + 1]])
        places.append(positions(rng, length, seen))
    return torch.tensor(ids), torch.tensor(weights), torch.tensor(places)


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
            cut = len(ids_of(sp, (p[0].split("\nSource:")[0], *p[1:]))) if not p[0].startswith("Source:") else 0
            if cut:
                spans.append(("r" if p[0] == corpus.REFUSAL else "a", len(ids), len(ids) + cut))
            if cut < len(new):
                spans.append(("s", len(ids) + cut, len(ids) + len(new)))
        ids += new
    return ids, spans
