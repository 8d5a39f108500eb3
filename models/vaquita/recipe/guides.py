"""Where attention is to look while training: what turns 'finding' from a plateau of many hours into minutes.

By layer (from 0), heads are asked to look
  1  from each token of a sentence to its first and to its second; from each token of sentence and question to the few right
     before it, alike; from a sentence's first token to those further before, which tell it from other sentences that begin like
     it; from a block's metadata to all of it so far, alike, and from right after it to its last token
  2  from where an answer begins, and from where its last words leave open how it goes on, to its question: one head to any
     of it, one to the end of the longest run of tokens that it shares with the sentence, by which a name is told from others
     that have a piece of it; from a sentence to its first token again (which knows by now what came before), to what follows its
     block's metadata, and to all of itself so far, alike
  3  from an answer to the sentence that it says again, and there to the end of that same run (to the beginning-of-text token
     where there is none)
  4  (and 5) to the very token that comes next: in that sentence, in the metadata and, after the last of it, at its end; of a
     scene, to a name in the list of characters, or to what is talked of; one more head to the sentence as far as it has been said
Where an answer begins or its own words do not tell how it goes on ("find", "start") is counted by itself: the rest is easy.
The loss is minus the logarithm of the attention that falls there, added to the loss of the text with a weight that falls
with time. Nothing of it is left in the model, which is a Llama like any other.
"""
import bisect

import torch

# kind: (layer, head) of each that it guides
HEADS = {
    "line": ((1, 0),), "gather": ((1, 1),), "near": ((1, 1),), "next": ((1, 2),), "tail": ((1, 3),), "before": ((1, 3),),
    "same": ((2, 0),), "ask": ((2, 1),), "block": ((2, 2),), "word": ((2, 3),), "bag": ((2, 3),),
    "find": ((3, 0), (3, 1)), "match": ((3, 0), (3, 1)), "keep": ((3, 0), (3, 1)),
    "where": ((4, 1),), **{kind: ((4, 0), (5, 0)) for kind in ("start", "point", "cite", "stop", "name")}}
SPREAD = ("gather", "near", "before", "bag")  # to look at the whole span alike
ASKED = 12                   # of an answer's tokens, so many ask again
NEAR = 4                     # tokens right before a token
AFTER = 3                    # tokens right after the metadata
KINDS = tuple(HEADS)
MOST = 384                   # tokens a row and kind that look; of long rows a third


class Spelling:
    """How many bytes of text each id stands for."""

    def __init__(self, sp):
        self.bytes = [1 if sp.is_byte(i) else len(sp.id_to_piece(i).replace("\u2581", " ").encode()) for i in range(sp.get_piece_size())]

    def starts(self, ids, spare):
        """The byte at which each token begins; spare: bytes that come before the text."""
        out, at = [], -spare
        for i in ids:
            out.append(at)
            at += self.bytes[i]
        return out


class Piece:
    """A tokenised piece of a conversation: its place in the ids, and the way from characters to tokens."""

    def __init__(self, text, first, starts):
        self.text, self.first, self.starts = text, first, starts

    def offset(self, character):
        return character if self.text.isascii() else len(self.text[:character].encode())

    def tokens(self, begin, end):
        """The tokens that hold characters begin to end."""
        begin, end = self.offset(begin), self.offset(end)
        return self.first + max(0, bisect.bisect_right(self.starts, begin) - 1), self.first + bisect.bisect_left(self.starts, end)


def shared(ids, a, b):
    """The longest run of tokens that is in both spans a and b -> where its last two tokens begin in a and in b, from their beginnings on,
    and its length; of several the last."""
    best, row = (0, 0, 0), [0] * (b[1] - b[0] + 1)
    for i in range(a[0], a[1]):
        last, row = row, [0] * len(row)
        for j in range(b[0], b[1]):
            if ids[i] == ids[j]:
                n = row[j - b[0] + 1] = last[j - b[0]] + 1
                if n >= best[2]:
                    best = (i - a[0] - 1, j - b[0] - 1, n)
    return best


class Marks:
    """For the ids of one conversation: lists of (token that looks, first and last + 1 of the tokens to look at), by kind. early: for
    its source a sentence may still look at any of the metadata."""

    def __init__(self, early=False):
        self.early = early
        self.lists = {k: [] for k in KINDS}

    def metadata(self, span):
        self.lists["gather"] += [(t, span[0], min(span[1], t + 1)) for t in range(span[0] + 1, span[1] + AFTER)]
        self.lists["tail"].append((span[1] + 1, span[1] - 1, span[1]))

    def near(self, span):
        """Each token of a span: to those right before it, alike."""
        self.lists["near"] += [(t, t - NEAR, t) for t in range(max(NEAR, span[0]), span[1])]

    def sentence(self, span, source):
        """Each token of a sentence: to the two it begins with, to all of it so far, and to its block's metadata."""
        self.near(span)
        self.lists["line"] += [(t, span[0], span[0] + 1) for t in range(*span)]
        self.lists["next"] += [(t, span[0] + 1, span[0] + 2) for t in range(span[0] + 1, span[1])]
        self.lists["before"].append((span[0], max(0, span[0] - 9), max(1, span[0] - 4)))
        self.lists["same"] += [(t, span[0], span[0] + 1) for t in range(*span)]
        self.lists["bag"] += [(t, span[0], t + 1) for t in range(span[0] + 1, span[1])]
        if source:
            self.lists["block"] += [(t, source[0 if self.early else 1], source[1] + AFTER) for t in range(*span)]

    def answer(self, ids, first, span, cut, source, forks, question):
        """An answer from token `first` on, its sentence again at `span`, `cut` tokens long, and then the source; forks: of its tokens
        those that its own last words do not tell."""
        same = 0
        while first + same < len(ids) and same < cut and span[0] + same < span[1] and ids[first + same] == ids[span[0] + same]:
            same += 1
        at, there, length = shared(ids, question, span)
        word, match = (question[0] + at, question[0] + at + 2), (span[0] + there, span[0] + there + 2)
        self.question(first, question)
        self.question(first + 1, question)
        for j in range(same):
            fork = j < 2 or j in forks
            self.lists["find" if fork else "keep"].append((first + j - 1, *span))
            if fork and length > 1:
                self.lists["match"].append((first + j - 1, *match))
                self.lists["word"].append((first + j - 1, *word))
            if fork:
                self.lists["where"].append((first + j - 1, span[0], span[0] + j + 1))
            self.lists["start" if fork else "point"].append((first + j - 1, span[0] + j, span[0] + j + 1))
            if 2 <= j < ASKED and fork:
                self.question(first + j, question)
        if source and first + cut < len(ids):
            self.lists["keep"] += [(t - 1, *span) for t in range(first + cut, len(ids))]
            begin = next((t for t in range(first + cut + 1, len(ids)) if ids[t] == ids[source[0]]), None)
            if begin is not None:
                self.point(begin, source[0], min(len(ids) - begin, source[1] - source[0]), "cite")
                self.lists["stop"].append((len(ids) - 1, source[1] + 1, source[1] + 2))

    def point(self, first, at, count, kind="point"):
        self.lists[kind] += [(first + j - 1, at + j, at + j + 1) for j in range(count)]

    def name(self, said, at, piece, place):
        """A name (or what is talked of) at character `at` of an answer, which stands at `place` of a piece; it may be cut into tokens
        otherwise there."""
        first, end = said.tokens(at, at + place.end - place.begin)
        for t in range(first, end):
            into = max(0, said.starts[t - said.first] - said.offset(at))
            there = piece.first + bisect.bisect_right(piece.starts, piece.offset(place.begin) + into) - 1
            self.lists["name"].append((t - 1, there, there + 1))

    def question(self, token, span):
        if (span[0], span[0] - NEAR, span[0]) not in self.lists["near"]:
            self.near(span)
        self.lists["ask"].append((token - 1, *span))

    def nowhere(self, first, question):
        self.lists["find"] += [(first - 1, 0, 1)] * 2
        self.question(first, question)
        self.question(first + 1, question)


def cut_to(marks, length, rng):
    """Of all marks of a row those that fit, at most MOST of a kind -> {kind: tensor [n, 3]}"""
    out = {}
    for kind, found in marks.items():
        found = [m for m in found if m[0] < length]
        most = MOST if length <= 1024 else MOST // 3
        if len(found) > most:
            found = rng.sample(found, most)
        out[kind] = torch.tensor(found, dtype=torch.int64).view(-1, 3)
    return out


def together(rows):
    """Marks of several rows [n, 3] -> [rows, most, 3], filled up with looks of the first token at itself, which cost nothing."""
    out = torch.tensor([0, 0, 1]).repeat(len(rows), max(len(r) for r in rows), 1)
    for n, r in enumerate(rows):
        out[n, :len(r)] = r
    return out


def loss(q, k, marks, spread=False):
    """q, k: [rows, heads, tokens, dim]; marks: [rows, n, 3] -> the sum of minus the logarithms of the attention that falls on the spans;
    spread: minus the mean of the logarithms."""
    t, begin, end = (marks[:, None, :, i:i + 1] for i in range(3))
    asked = q.gather(2, t.expand(-1, q.shape[1], -1, q.shape[3]))
    scores = (asked @ k.transpose(2, 3)).float() * q.shape[-1] ** -.5
    at = torch.arange(k.shape[2], device=k.device)
    scores = scores.masked_fill(at > t, float("-inf"))
    outside = (at < begin) | (at >= end)
    if spread:
        return (scores.logsumexp(-1) - scores.masked_fill(outside, 0).sum(-1) / (end - begin)[..., 0] - (end - begin)[..., 0].log()).sum()
    return (scores.logsumexp(-1) - scores.masked_fill(outside, float("-inf")).logsumexp(-1)).sum()
