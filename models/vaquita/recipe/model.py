"""Vaquita's network: a small Llama (RMSNorm, SwiGLU, half-rotation RoPE, tied embeddings, no biases)."""
import math
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

from attention import causal_attention


@dataclass
class Config:
    vocab_size: int = 4096
    hidden_size: int = 256
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    intermediate_size: int = 512
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    max_position_embeddings: int = 16384
    original_max_position_embeddings: int = 4096


def inv_freq(cfg):
    """RoPE frequencies under NTK-by-parts, the rule config.json asks for."""
    d = cfg.hidden_size // cfg.num_attention_heads
    base, length = cfg.rope_theta, cfg.original_max_position_embeddings
    s = cfg.max_position_embeddings // length
    i = torch.arange(d // 2, dtype=torch.float32)
    plain = base ** (-2 * i / d)
    if s == 1:
        return plain
    linear = plain / s
    ntk = (base * s ** (d / (d - 2))) ** (-2 * i / d)

    def dim(rotations):
        return d * math.log(length / (2 * math.pi * rotations)) / (2 * math.log(base))

    def mask(a, b):
        lo, hi = max(math.floor(dim(a)), 0), min(math.ceil(dim(b)), d - 1)
        hi = hi + 0.001 if lo == hi else hi
        return 1 - torch.clamp((i - lo) / (hi - lo), 0, 1)

    m1, m2 = mask(1.25, 0.75), mask(16, 2)
    f = linear * (1 - m1) + ntk * m1
    return f * (1 - m2) + plain * m2


def rope_table(cfg, positions):
    """positions: [tokens] or [rows, tokens], any numbers below max_position_embeddings."""
    t = positions.float()[..., None] * inv_freq(cfg).to(positions.device)
    t = torch.cat([t, t], -1)
    t = t[:, None] if t.dim() == 3 else t                    # a place for the heads
    return t.cos(), t.sin()


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


class Norm(nn.Module):
    """Its result is in bf16 where autocast is on, cast once for all the products that take it."""

    def __init__(self, n, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(n)), eps

    def forward(self, x):
        y = F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)
        return y.bfloat16() if torch.is_autocast_enabled(x.device.type) else y


def together(x, *layers):
    """Several linear layers of one input, as one matrix product."""
    return F.linear(x, torch.cat([layer.weight for layer in layers]))


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        h = c.hidden_size
        self.heads = c.num_attention_heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(h, h, bias=False) for _ in range(4))

    def forward(self, x, cos, sin, cache=None, look=None):
        """look: called with the queries and keys [rows, heads, tokens, dim]."""
        b, t, h = x.shape
        qkv = together(x, self.q_proj, self.k_proj, self.v_proj).view(b, t, 3 * self.heads, -1).transpose(1, 2)
        qk, v = qkv.split((2 * self.heads, self.heads), 1)
        q, k = rotate(qk, cos, sin).to(v.dtype).chunk(2, 1)
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[:] = [k, v]
        if look is not None:
            look(q, k)
        if self.training and q.device.type == "cpu" and q.dtype == torch.bfloat16:
            y = causal_attention(q, k, v)
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=t > 1)
        return self.o_proj(y.transpose(1, 2).reshape(b, t, h))


class Mlp(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, f = c.hidden_size, c.intermediate_size
        self.gate_proj, self.up_proj = nn.Linear(h, f, bias=False), nn.Linear(h, f, bias=False)
        self.down_proj = nn.Linear(f, h, bias=False)

    def forward(self, x):
        gate, up = together(x, self.gate_proj, self.up_proj).chunk(2, -1)
        return self.down_proj(F.silu(gate) * up)


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = Norm(c.hidden_size, c.rms_norm_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = Norm(c.hidden_size, c.rms_norm_eps)
        self.mlp = Mlp(c)

    def forward(self, x, cos, sin, cache=None, look=None):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, cache, look)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.cfg = c
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.num_hidden_layers))
        self.norm = Norm(c.hidden_size, c.rms_norm_eps)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(p, std=0.02 if name.startswith("embed") else
                                p.shape[1] ** -0.5 / (math.sqrt(2 * c.num_hidden_layers) if deep else 1))

    def forward(self, ids, caches=None, positions=None, wanted=None, looks={}):
        """Logits; with `wanted` (indices into rows * tokens) only for these, which saves most of the work. looks: by layer, what is to be
        called with its queries and keys."""
        if positions is None:
            start = caches[0][0].shape[2] if caches and caches[0] else 0
            positions = torch.arange(start, start + ids.shape[1], device=ids.device)
        cos, sin = rope_table(self.cfg, positions)
        if torch.is_autocast_enabled(ids.device.type):
            cos, sin = cos.bfloat16(), sin.bfloat16()
        x = self.embed_tokens(ids)
        for n, layer in enumerate(self.layers):
            x = layer(x, cos, sin, caches[n] if caches is not None else None, looks.get(n))
        if wanted is not None:
            x = x.flatten(0, 1)[wanted]
        return F.linear(self.norm(x), self.embed_tokens.weight)


@torch.no_grad()
def greedy(model, ids, eos, limit=120):
    """Plain greedy decoding with a cache; returns the new ids without the EOS."""
    caches = [[] for _ in model.layers]
    out, x = [], torch.tensor([ids])
    while len(out) < limit:
        n = int(model(x, caches)[0, -1].argmax())
        if n == eos:
            break
        out.append(n)
        x = torch.tensor([[n]])
    return out
