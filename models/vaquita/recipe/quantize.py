#!/usr/bin/env python3
"""GPTQ: 4 bits, groups of 32, act-order, layer after layer, written as AutoGPTQ writes it (v1, zeros stored minus one).

    python3 quantize.py --checkpoint checkpoint.pt --out ../

writes config.json, quantize_config.json, generation_config.json, model.safetensors and tokenizer.model into --out.
"""
import argparse
import json
import os
import random
import shutil

import torch
from safetensors.torch import save_file

import corpus
from load import load
from model import rope_table
from curriculum import encode

GROUP = 32


def group_scale(w):
    """Scale and zero of one group (rows: outputs), the best of some shrunken ranges; zero is 1..15 so that v1 can hold it."""
    lo, hi = w.amin(1).clamp(max=0), w.amax(1).clamp(min=0)
    best = torch.full_like(lo, float("inf"))
    scale, zero = torch.ones_like(lo), torch.ones_like(lo)
    for p in torch.linspace(1, .75, 11):
        s = ((hi - lo) * p / 15).clamp(min=1e-6).half().float()
        z = (-lo * p / s).round().clamp(1, 15)
        err = (s[:, None] * (((w / s[:, None]).round() + z[:, None]).clamp(0, 15) - z[:, None]) - w).abs().pow(2.4).sum(1)
        better = err < best
        best, scale, zero = torch.where(better, err, best), torch.where(better, s, scale), torch.where(better, z, zero)
    return scale, zero


def gptq(weight, hessian, damp):
    """weight [out, in] -> q [out, in], scales [groups, out], zeros [groups, out], g_idx [in], dequantised weight."""
    w, h = weight.clone().double(), hessian.clone().double()
    dead = h.diagonal() == 0
    h[dead, dead] = 1
    w[:, dead] = 0
    order = torch.argsort(h.diagonal(), descending=True)
    w, h = w[:, order], h[order][:, order]
    h += torch.eye(len(h)) * damp * h.diagonal().mean()
    u = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(h)), upper=True)
    n = w.shape[1]
    q, done, scales, zeros = torch.zeros_like(w), torch.zeros_like(w), [], []
    for i in range(n):
        if i % GROUP == 0:
            s, z = group_scale(w[:, i:i + GROUP].float())
            scales.append(s)
            zeros.append(z)
        q[:, i] = ((w[:, i] / s).round() + z).clamp(0, 15)
        done[:, i] = s * (q[:, i] - z)
        w[:, i:] -= ((w[:, i] - done[:, i]) / u[i, i])[:, None] * u[i, i:][None]
    back = torch.argsort(order)
    g_idx = (torch.arange(n) // GROUP)[back]
    return q[:, back].int(), torch.stack(scales), torch.stack(zeros), g_idx.int(), done[:, back].float()


def pack(x, dim):
    """nibbles -> int32 words along dim, low first"""
    x = x.long().unflatten(dim, (-1, 8))
    words = sum(x.select(dim + 1, j) << (4 * j) for j in range(8))
    return torch.where(words >= 2 ** 31, words - 2 ** 32, words).int().contiguous()


@torch.no_grad()
def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--checkpoint", default="checkpoint.pt")
    ap.add_argument("--out", required=True)
    ap.add_argument("--seed", type=int, default=99)
    ap.add_argument("--rows", type=int, default=64, help="calibration rows of 512 tokens of own text")
    ap.add_argument("--damp", type=float, default=.01)
    ap.add_argument("--threads", type=int, default=2)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    model, sp = load(a.checkpoint)
    c = model.cfg
    rng, rows = random.Random(a.seed), []
    while len(rows) < a.rows:
        x = []
        while len(x) < 512:
            x += encode(sp, corpus.sample(rng, 512))[0]
        rows.append(x[:512])
    x = model.embed_tokens(torch.tensor(rows))
    cos, sin = rope_table(c, 512)
    out = {"model.embed_tokens.weight": model.embed_tokens.weight.half(), "model.norm.weight": model.norm.weight.half()}
    for n, layer in enumerate(model.layers):
        for names in (("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), ("self_attn.o_proj",), ("mlp.gate_proj", "mlp.up_proj"),
                      ("mlp.down_proj",)):
            first, got = layer.get_submodule(names[0]), []
            hook = first.register_forward_pre_hook(lambda m, args: got.append(args[0].flatten(0, 1)))
            for b in x.split(8):
                layer(b, cos, sin)
            hook.remove()
            xs = torch.cat(got)
            hessian = 2 * (xs.T @ xs) / len(xs)
            for name in names:
                lin = layer.get_submodule(name)
                q, s, z, g, w = gptq(lin.weight, hessian, a.damp)
                err = ((w - lin.weight) @ xs[:4096].T).norm() / (lin.weight @ xs[:4096].T).norm()
                print(f"layer {n} {name}: relative error {err:.4f}", flush=True)
                lin.weight.copy_(w)
                key = f"model.layers.{n}.{name}."
                out[key + "qweight"] = pack(q.T, 0)
                out[key + "qzeros"] = pack(z - 1, 1)
                out[key + "scales"] = s.half()
                out[key + "g_idx"] = g
                out[key + "bias"] = torch.zeros(len(lin.weight), dtype=torch.float16)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            out[f"model.layers.{n}.{norm}.weight"] = layer.get_submodule(norm).weight.half()
        x = torch.cat([layer(b, cos, sin) for b in x.split(8)])
    os.makedirs(a.out, exist_ok=True)

    def write(name, value):
        with open(os.path.join(a.out, name), "w") as f:
            f.write(json.dumps(value, indent=2) + "\n")

    save_file({k: v.contiguous() for k, v in out.items()}, os.path.join(a.out, "model.safetensors"), metadata={"format": "pt"})
    os.chmod(os.path.join(a.out, "model.safetensors"), 0o644)
    write("quantize_config.json", {"bits": 4, "group_size": GROUP, "damp_percent": a.damp, "desc_act": True, "sym": False, "true_sequential": True})
    write("config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size, "num_hidden_layers": c.num_hidden_layers, "num_attention_heads": c.num_attention_heads,
        "num_key_value_heads": c.num_attention_heads, "rms_norm_eps": c.rms_norm_eps, "vocab_size": c.vocab_size,
        "max_position_embeddings": c.max_position_embeddings, "original_max_position_embeddings": c.original_max_position_embeddings,
        "rope_theta": c.rope_theta, "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float16", "use_cache": True})
    write("generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "do_sample": False})
    src = a.checkpoint if os.path.isdir(a.checkpoint) else os.path.dirname(a.checkpoint) or "."
    shutil.copyfile(os.path.join(src, "tokenizer.model"), os.path.join(a.out, "tokenizer.model"))


if __name__ == "__main__":
    main()
