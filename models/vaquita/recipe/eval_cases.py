#!/usr/bin/env python3
"""Write closed-context test cases as JSON lines: documents, a question, what must occur in the reply, the source.

Made by the rules of the training text with invented names that training never uses; `airo eval` has harder cases of its own.
About one case in ten asks for what the documents do not say.
"""
import argparse
import json
import random
import sys

import corpus
from documents import add_documents, library


def cases(seed, n, absent=.1, most=10):
    rng = random.Random(f"eval {seed}")
    while n:
        lib = library(rng, "eval")
        blocks = rng.choice((1, 2, 3))
        add_documents(lib, blocks, max(blocks, rng.randint(1, most)))
        item, gone = rng.choice(lib.items), rng.random() < absent
        q = lib.absent() if gone else lib.question(item)
        if q is None:
            continue
        n -= 1
        yield {"documents": lib.docs, "question": q, "answer": corpus.REFUSAL if gone else item.said.rstrip("."), "source": None if gone else item.doc["meta"]}


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--seed", type=int, default=777)
    ap.add_argument("--n", type=int, default=100)
    ap.add_argument("--absent", type=float, default=.1, help="share of questions the documents do not answer")
    ap.add_argument("--facts", type=int, default=10, help="at most so many in the documents of a case")
    ap.add_argument("--out", default="-")
    a = ap.parse_args()
    out = sys.stdout if a.out == "-" else open(a.out, "w", encoding="utf-8")
    for c in cases(a.seed, a.n, a.absent, a.facts):
        out.write(json.dumps(c, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
