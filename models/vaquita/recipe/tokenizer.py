#!/usr/bin/env python3
"""Train Vaquita's SentencePiece tokenizer (BPE, byte fallback, split digits, no normalisation) on generated text and plain words."""
import argparse
import os
import random

import sentencepiece as spm

import corpus
import smalltalk
import words


def plain_words(rng):
    """Lines of the words of the lists, in sentence and title case, so that each gets a piece or two."""
    lists = [v for v in vars(words).values() if isinstance(v, list) and v and isinstance(v[0], str)]
    verbs = [f(v) for v in words.VERBS for f in (str, words.third, words.past, words.participle, words.gerund)]
    every = sorted({w for v in lists for w in v} | set(verbs) | {w + "s" for w in words.NOUNS + words.ITEMS})
    for _ in range(12):
        rng.shuffle(every)
        yield from (" ".join(every[i:i + 12]) for i in range(0, len(every), 12))


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--chars", type=int, default=5000000)
    ap.add_argument("--vocab", type=int, default=4096)
    ap.add_argument("--out", default="tokenizer.model")
    a = ap.parse_args()
    rng, lines, n = random.Random(a.seed), [], 0
    while n < a.chars:
        for p in corpus.sample(rng, 512):
            if p:
                lines += [p[0]] if p[0].strip() else []
                n += len(p[0])
    prose = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "prose.txt"), encoding="utf-8").read().splitlines()
    lines += prose * 12 + list(plain_words(rng)) + [a for q, b in smalltalk.TALK for a in q + (b or [])] * 4
    lines += ["".join(chr(c) for c in range(33, 127))] * 20
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=open(a.out, "wb"), model_type="bpe", vocab_size=a.vocab, byte_fallback=True,
        split_digits=True, normalization_rule_name="identity", add_dummy_prefix=True, remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, character_coverage=1.0, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
        pretokenization_delimiter="\n", max_sentence_length=20000, num_threads=2, minloglevel=1)
    sp = spm.SentencePieceProcessor(model_file=a.out)
    ids = sum(len(sp.encode(x)) for x in lines)
    print(f"{a.out}: {sp.get_piece_size()} pieces, {sum(map(len, lines)) / ids:.2f} characters a token")


if __name__ == "__main__":
    main()
