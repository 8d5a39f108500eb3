#!/usr/bin/env python3
"""Golden results of quantisation for tests/golden/test_gptq.c: GPTQ as the paper has it (arXiv 2210.17323), in float64,
one column after the other, with the inverse of the Hessian written out; sharing nothing with the C code.

    python tests/golden/make_gptq_golden.py

Needs numpy, torch, safetensors and sentencepiece; neither building nor testing airo does. Writes to tests/golden/gptq/:

CASE.gptq for single matrices whose weights and inputs both sides draw from splitmix64(seed), and MODEL.gptq for all
matrices of a model of tests/golden/models, calibrated on tests/golden/text.txt: for each matrix, in the order of the
layers, little-endian i32 qweight [in/8][out], i32 qzeros [groups][out/8], f16 scales [groups][out], i32 g_idx [in].
"""
import pathlib

import numpy as np
import sentencepiece as spm
import torch

from make_tokenizer_golden import Rng
from reference import Llama

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "gptq"
TOKENS = 300

# name: in, out, seed, group size (0: all), act-order, static groups, symmetric, search, damp; as in test_gptq.c
CASES = {
    "act-order": (96, 24, 1, 32, 1, 0, 0, 0, .01),
    "in-order": (96, 24, 2, 32, 0, 0, 0, 0, .01),
    "symmetric": (64, 16, 3, 16, 1, 0, 1, 0, .01),
    "column": (320, 8, 4, 0, 1, 0, 0, 0, .05),
    "wide-group": (384, 72, 5, 192, 1, 0, 0, 0, .01),
    "uneven": (112, 16, 6, 48, 1, 0, 0, 0, .01),
    "static": (256, 16, 7, 64, 1, 1, 0, 0, .01),
    "search": (160, 136, 8, 32, 1, 0, 0, 1, .01),
    "search-symmetric": (160, 16, 9, 32, 0, 0, 1, 1, .1),
}
MODELS = ("fp16-sharded", "bf16", "fp32")


def find_range(w, symmetric, search):
    """Scale and zero of one group of one output."""
    low, high = min(w.min(), 0.), max(w.max(), 0.)
    if low == 0 and high == 0:
        low, high = -1., 1.
    if symmetric:
        high = max(high, -low)
        low = -high
    elif np.rint(-low * 15 / (high - low)) < 1:  # zero is stored minus one, so it is never 0
        high *= 15 / 14
    best = None
    for step in range(11 if search else 1):
        share = 1 - .25 * step / 10
        scale = np.float64(np.float16(np.float32((high - low) * share / 15)))
        scale = max(scale, 2. ** -24)
        zero = 8. if symmetric else np.clip(np.rint(-low * share / scale), 1, 15)
        error = (np.abs(scale * (np.clip(np.rint(w / scale) + zero, 0, 15) - zero) - w) ** 2.4).sum()
        if best is None or error < best[0]:
            best = error, scale, zero
    return best[1:]


def gptq(w, x, group, act_order, static, symmetric, search, damp):
    """w [out, in], x [tokens, in] -> codes [out, in], scales and zeros [groups, out], g_idx [in], what they stand for"""
    w = w.copy()
    rows, n = w.shape
    group = group or n
    h = 2 / len(x) * (x.T @ x)
    dead = np.diag(h) == 0
    h[dead, dead] = 1
    w[:, dead] = 0
    order = np.argsort(-np.diag(h), kind="stable") if act_order else np.arange(n)
    mean = np.diag(h).mean()
    h = h[np.ix_(order, order)] + damp * mean * np.eye(n)
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    groups = -(-n // group)
    scales, zeros = np.zeros((groups, rows)), np.zeros((groups, rows))
    place = order if static else np.arange(n)
    if static:
        for g in range(groups):
            for r in range(rows):
                scales[g, r], zeros[g, r] = find_range(w[r, g * group:(g + 1) * group], symmetric, search)
    w, g_idx = w[:, order], np.zeros(n, np.int32)
    codes, values = np.zeros((rows, n)), np.zeros((rows, n))
    for i in range(n):
        g = place[i] // group
        g_idx[order[i]] = g
        if not static and i % group == 0:
            for r in range(rows):
                scales[g, r], zeros[g, r] = find_range(w[r, i:i + group], symmetric, search)
        code = np.clip(np.rint(w[:, i] / scales[g]) + zeros[g], 0, 15)
        value = scales[g] * (code - zeros[g])
        w[:, i:] -= np.outer((w[:, i] - value) / u[i, i], u[i, i:])
        codes[:, order[i]], values[:, order[i]] = code, value
    return codes, scales, zeros, g_idx, values


def pack(x, axis):
    """codes -> words of eight along the axis, the first in the low bits"""
    x = np.moveaxis(x.astype(np.uint32), axis, 0)
    words = sum(x[j::8] << np.uint32(4 * j) for j in range(8))
    return np.ascontiguousarray(np.moveaxis(words, 0, axis)).astype("<u4").tobytes()


def layer_bytes(codes, scales, zeros, g_idx):
    return pack(codes.T, 0) + pack(zeros - 1, 1) + scales.astype("<f2").tobytes() + g_idx.astype("<i4").tobytes()


def draw(seed, rows, cols, tokens):
    """Weights that fp16 holds; inputs that hang together, some stronger than others, input 5 always 0. Exact in fp32."""
    rng = Rng(seed)

    def number():
        return rng.below(4096) - 2048

    w = np.array([number() for _ in range(rows * cols)], dtype=np.float64).reshape(rows, cols) / 32768
    x = np.array([number() for _ in range(tokens * cols)], dtype=np.float64).reshape(tokens, cols)
    strength = 2. ** (np.arange(cols) * 7 % 4)
    x = (x + 2 * x[:, np.arange(cols) % 7]) * strength / 8192
    x[:, 5] = 0
    return w, x


class Stop(Exception):
    pass


class Watched(Llama):
    """Gathers the inputs of one matrix, and ends there."""
    wanted, inputs = None, None

    def apply(self, layer, name, x):
        if (layer, name) == self.wanted:
            self.inputs.append(x.numpy().copy())
            raise Stop
        return super().apply(layer, name, x)


def model_bytes(name, length=64, samples=12, group=16, damp=.01):
    model = Watched(HERE / "models" / name)
    text = (HERE / "text.txt").read_text()
    ids = [1] + spm.SentencePieceProcessor(model_file=str(HERE / "models" / name / "tokenizer.model")).encode(text)
    pieces = len(ids) // length
    rows = [ids[i * pieces // samples * length:][:length] for i in range(samples)]
    out = b""
    for layer in range(len(model.layers)):
        for names in (("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), ("self_attn.o_proj",),
                      ("mlp.gate_proj", "mlp.up_proj"), ("mlp.down_proj",)):
            model.wanted, model.inputs = (layer, names[0]), []
            for row in rows:
                try:
                    model.log_probs(torch.tensor(row), torch.arange(length))
                except Stop:
                    pass
            model.wanted = None
            x = np.concatenate(model.inputs)
            for n in names:
                weight, bias = model.layers[layer][n]
                *parts, values = gptq(weight.T.numpy(), x, group, True, False, False, True, damp)
                model.layers[layer][n] = torch.tensor(values.T), bias
                out += layer_bytes(*parts)
    return out


def main():
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    for name, (cols, rows, seed, *settings) in CASES.items():
        w, x = draw(seed, rows, cols, TOKENS)
        *parts, values = gptq(w, x, *settings)
        (OUT / f"{name}.gptq").write_bytes(layer_bytes(*parts))
        print(f"{name}: {np.linalg.norm((values - w) @ x.T) / np.linalg.norm(w @ x.T):.4f}")
    for name in MODELS:
        (OUT / f"{name}.gptq").write_bytes(model_bytes(name))
        print(name)


if __name__ == "__main__":
    main()
