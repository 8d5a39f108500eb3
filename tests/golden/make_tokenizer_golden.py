#!/usr/bin/env python3
"""Golden ids and decoded text for tests/unit/test_tokenizer.c, made by the SentencePiece library.

    python tests/golden/make_tokenizer_golden.py            every vocabulary
    python tests/golden/make_tokenizer_golden.py --only vaquita

Needs the sentencepiece package; neither building nor testing airo does. Run it again when
models/vaquita/tokenizer.model is made anew. The other vocabularies are made here, from text of our
own, and written beside their goldens in tests/golden/tokenizer/:

    squeezed    trained; remove_extra_whitespaces, no byte fallback, user-defined symbols
    ties        written by hand; equal and positive scores, unused pieces, byte fallback, no dummy
                prefix, squeezed spaces
    small       trained; 320 pieces with byte fallback, spaces kept, user-defined symbols

For each: NAME.golden, COUNT records of three little-endian 32-bit hashes (the ids of string i, the
text they decode to, the text that random id list i decodes to), and NAME.json, a few strings with
their ids in the open. The strings come from splitmix64 and words.txt; test_tokenizer.c makes the
same ones (make_string there is `string` here, statement for statement).
"""
import argparse
import json
import pathlib
import random
import struct

import sentencepiece as spm

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "tokenizer"
VAQUITA = HERE.parent.parent / "models/vaquita/tokenizer.model"
COUNT = 10000
MASK = (1 << 64) - 1


class Rng:
    """splitmix64 (Steele, Lea, Flood 2014)."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, n):
        return self.next() % n


RANGES = [(0x20, 0x7F), (0xA0, 0x250), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE00), (0x2000, 0x2070),
          (0x2580, 0x25A0), (0x3000, 0x3100), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0xE000, 0xF8FF),
          (0xFE00, 0xFFFE), (0x1F300, 0x1F700), (0x1F900, 0x1FA00), (0x20000, 0x20100), (0xE0000, 0xE01F0)]
ODD = [0, 9, 10, 13, 27, 0x7F, 11, 12]


def code_point(rng):
    if rng.below(4) == 0:
        code = rng.below(0x110000)
        return code if not 0xD800 <= code < 0xE000 else 0xFFFD
    low, high = RANGES[rng.below(len(RANGES))]
    return low + rng.below(high - low)


def part(rng, words):
    kind = rng.below(12)
    if kind < 4:
        return words[rng.below(len(words))]
    if kind < 6:
        return b" " * (1 + rng.below(4))
    if kind == 6:
        return bytes(33 + rng.below(94) for _ in range(1 + rng.below(8)))
    if kind == 7:
        return bytes([ODD[rng.below(len(ODD))]])
    if kind == 8:
        return b"".join(chr(code_point(rng)).encode() for _ in range(1 + rng.below(4)))
    if kind == 9:
        return bytes(128 + rng.below(128) for _ in range(1 + rng.below(4)))
    if kind == 10:
        unit = chr(code_point(rng)).encode() if rng.below(2) else bytes([97 + rng.below(3)])
        return unit * (1 + rng.below(200 if rng.below(8) == 0 else 12))
    return bytes(97 + rng.below(4) for _ in range(1 + rng.below(12)))


def string(index, words):
    rng = Rng(index)
    return b"".join(part(rng, words) for _ in range(rng.below(13)))


def id_list(index, size):
    rng = Rng(index ^ 0x5555555555555555)
    return [rng.below(size) for _ in range(rng.below(17))]


def hash32(data):
    """FNV-1a, folded to 32 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return (value ^ (value >> 32)) & 0xFFFFFFFF


READABLE = ["", " ", "  ", "Hello, world!", " Hello", "Hello  world ", "a\nb", "\n", "\t\ttabs", "</s>", "<s>[INST] x [/INST]</s>",
            "<0x41>", "<unk>", "USER: who? ASSISTANT: ", "BEGININPUT\nBEGINCONTEXT\nurl: https://web.site/1\nENDCONTEXT\n",
            "1234567890", "na\u00efve caf\u00e9", "\u65e5\u672c\u8a9e", "\U0001F42C\U0001F9D1\u200d\U0001F692", "\u2581x\u2581\u2581y", "aaaaaaaaaaaaaaaa",
            "abcabcabc abcab", "<tool>a b<tool>>", "  <tool>  ", "\u00c4\u00d6\u00c4\u00d6x", "\0", "end\r\n"]


# --- vocabularies ----------------------------------------------------------------------------------

def sentences(seed, count):
    rng = random.Random(seed)
    things = ("porpoise river lantern harbour kettle meadow engine violin copper window letter orchard "
              "context question answer source document page model token").split()
    deeds = "holds follows carries answers names reads finds keeps remembers crosses".split()
    kinds = "small quiet green seventh broken patient northern old curious bright".split()
    ends = "naïve here gone café weiß".split()
    for _ in range(count):
        a, b = rng.choice(things), rng.choice(things)
        yield (f"The {rng.choice(kinds)} {a} {rng.choice(deeds)} the {rng.choice(kinds)} {b}, "
               f"{rng.choice(['and', 'but', 'so'])} {rng.randrange(10000)} of them (see page {rng.randrange(900)}) "
               f"were {rng.choice(ends)}.")


def train(name, size, **settings):
    with open(OUT / f"{name}.model", "wb") as out:
        spm.SentencePieceTrainer.train(
            sentence_iterator=sentences(7, 3000), model_writer=out, model_type="bpe", vocab_size=size,
            normalization_rule_name="identity", character_coverage=1.0, num_threads=1, minloglevel=2, **settings)


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, value):
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def write_ties():
    """Pieces over a small alphabet with few different scores, so that ties decide nearly everything,
    and with unused pieces inside others, so that resegmentation does the rest."""
    rng = random.Random(11)
    pieces = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3)]
    pieces += [(f"<0x{i:02X}>", 0.0, 6) for i in range(256)]
    pieces += [(c, -9.0, 1) for c in "abcdexyz\u2581\u00c4\u00d6\u65e5\u672c"]
    pieces += [("<tool>", 0.0, 4), ("<tool>>", 0.0, 4), ("<to", -2.0, 4), ("ol", -1.0, 1), ("to", -1.0, 1)]
    seen = {p[0] for p in pieces}
    while len(pieces) < 512:
        text = "".join(rng.choice("abc\u2581d\u65e5") for _ in range(rng.choice([2, 2, 2, 3, 3, 4, 5, 8])))
        if text not in seen:
            seen.add(text)
            pieces.append((text, float(rng.choice([-3, -2, -1, -1, 0, 1])), 5 if rng.random() < 0.2 else 1))
    data = b"".join(field(1, field(1, t.encode()) + field(2, s) + field(3, k)) for t, s, k in pieces)
    data += field(2, field(3, 2) + field(35, 1))
    data += field(3, field(1, b"identity") + field(3, 0) + field(4, 1) + field(5, 1))
    (OUT / "ties.model").write_bytes(data)


def make_squeezed():
    train("squeezed", 400, byte_fallback=False, remove_extra_whitespaces=True, hard_vocab_limit=False,
          user_defined_symbols=["<tool>", "<tool>>", "a b", "  ", "\u00c4\u00d6"])


def make_small():
    train("small", 352, byte_fallback=True, remove_extra_whitespaces=False, split_digits=True,
          allow_whitespace_only_pieces=True, user_defined_symbols=["<tool>", "\n\n", "   "])


VOCABULARIES = {"vaquita": None, "squeezed": make_squeezed, "ties": write_ties, "small": make_small}


def golden(name):
    if VOCABULARIES[name]:
        VOCABULARIES[name]()
    path = VAQUITA if name == "vaquita" else OUT / f"{name}.model"
    sp = spm.SentencePieceProcessor(model_file=str(path))
    words = (OUT / "words.txt").read_bytes().rstrip(b"\n").split(b"\n")
    records = b""
    for i in range(COUNT):
        ids = sp.encode(string(i, words))
        lists = id_list(i, sp.vocab_size())
        records += struct.pack("<III", hash32(struct.pack(f"<{len(ids)}i", *ids)), hash32(sp.decode(ids).encode()),
                               hash32(sp.decode(lists).encode()))
    (OUT / f"{name}.golden").write_bytes(records)
    rows = [{"text": t, "ids": sp.encode(t), "decoded": sp.decode(sp.encode(t))} for t in READABLE if "\0" not in t]
    text = "[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n"
    (OUT / f"{name}.json").write_text(text)
    print(f"{name}: {sp.vocab_size()} pieces, {COUNT} strings")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", choices=VOCABULARIES)
    only = parser.parse_args().only
    for name in [only] if only else VOCABULARIES:
        golden(name)


if __name__ == "__main__":
    main()
