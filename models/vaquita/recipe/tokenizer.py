#!/usr/bin/env python3
"""Train Vaquita's SentencePiece tokenizer (BPE, byte fallback, split digits, no normalisation) on generated text."""
import argparse
import random

import sentencepiece as spm

import corpus


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--chars", type=int, default=6000000)
    ap.add_argument("--vocab", type=int, default=1024)
    ap.add_argument("--out", default="tokenizer.model")
    a = ap.parse_args()
    rng, lines, n = random.Random(a.seed), [], 0
    ascii_line = "".join(chr(c) for c in range(33, 127))
    while n < a.chars:
        for p in corpus.sample(rng, .9, 512):
            if p:
                lines += [x for x in p[0].split("\n") if x.strip()]
                n += len(p[0])
    lines += [ascii_line] * 20
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=open(a.out, "wb"), model_type="bpe", vocab_size=a.vocab, byte_fallback=True,
        split_digits=True, normalization_rule_name="identity", add_dummy_prefix=True, remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, character_coverage=1.0, unk_id=0, bos_id=1, eos_id=2, pad_id=-1,
        max_sentence_length=20000, num_threads=2, minloglevel=1)
    sp = spm.SentencePieceProcessor(model_file=a.out)
    ids = sum(len(sp.encode(x)) for x in lines)
    print(f"{a.out}: {sp.get_piece_size()} pieces, {sum(map(len, lines)) / ids:.2f} characters a token")


if __name__ == "__main__":
    main()
