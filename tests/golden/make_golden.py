#!/usr/bin/env python3
"""Golden log probabilities for tests/golden/test_golden.c, from reference.py.

    python tests/golden/make_golden.py                  the tiny models and all goldens
    python tests/golden/make_golden.py --only vaquita   when models/vaquita was made anew

Needs torch, safetensors and sentencepiece; neither building nor testing airo does. Writes the tiny
models, random weights under a fixed seed, to tests/golden/models/NAME/, and NAME.golden beside them:

    "AIROGLD1", then little-endian u32: tokens, seed, positions, rows, vocab
    i32 tokens [tokens], only where seed is 0; otherwise splitmix64(seed), 3 + next % (vocab - 3)
    u32 position [positions]; f32 log P(token[position + 1] | token[..position]) [positions]
    u32 position [rows];      f32 log P(. | token[..position]) [rows][vocab]
"""
import argparse
import json
import pathlib
import shutil
import struct

import sentencepiece as spm
import torch
from safetensors.torch import save_file

from make_tokenizer_golden import Rng
from reference import Llama, rope

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "models"
VAQUITA = HERE.parent.parent / "models/vaquita"
VOCAB = 352  # of tokenizer/small.model
FAR = 16384


# --- the tiny models ------------------------------------------------------------------------------

def pack(values, dim):
    """4-bit values -> int32 words of eight along `dim`, the first in the low bits."""
    shape = list(values.shape)
    shape[dim:dim + 1] = [shape[dim] // 8, 8]
    parts = values.long().view(shape)
    words = sum(parts.select(dim + 1, j) << 4 * j for j in range(8))
    return torch.where(words >= 2 ** 31, words - 2 ** 32, words).to(torch.int32)


class Builder:
    def __init__(self, spec, seed):
        self.spec, self.random = spec, torch.Generator().manual_seed(seed)
        self.tensors = {}

    def normal(self, *shape):
        return torch.randn(*shape, generator=self.random)

    def order(self, rows, size):
        """g_idx of one linear layer."""
        kind = self.spec.get("order", "act")
        plain = torch.arange(rows) // size
        if kind == "zero":
            return torch.zeros(rows, dtype=torch.int32)
        if kind == "act":
            plain = plain[torch.randperm(rows, generator=self.random)]
        return plain.to(torch.int32)

    def gptq(self, name, rows, out, gain, order):
        spec = self.spec
        size = spec["group"] if spec["group"] > 0 else rows
        groups = rows // size
        q = torch.randint(0, 16, (rows, out), generator=self.random)
        low, high = spec.get("zeros", (5, 10))  # as stored
        zeros = torch.randint(low, high, (groups, out), generator=self.random)
        spread = 0.5 + torch.rand(groups, out, generator=self.random)
        self.tensors |= {name + ".qweight": pack(q, 0), name + ".qzeros": pack(zeros, 1),
                         name + ".scales": (spread * gain / (4.6 * rows ** 0.5)).half(), name + ".g_idx": order}
        bias = self.normal(out) * 0.3 if spec.get("bias") else torch.zeros(out)
        self.tensors[name + ".bias"] = bias.half()

    def linear(self, name, rows, out, gain, order):
        if "group" in self.spec:
            self.gptq(name, rows, out, gain, order)
        else:
            self.tensors[name + ".weight"] = self.normal(out, rows) * gain / rows ** 0.5

    def layer(self, i, c):
        prefix, hidden, ffn = f"model.layers.{i}.", c["hidden_size"], c["intermediate_size"]
        d = c["head_dim"]
        wide, narrow = c["num_attention_heads"] * d, c["num_key_value_heads"] * d
        size = self.spec.get("group", 32)
        fresh = (lambda rows: self.order(rows, size if size > 0 else rows))
        shared = fresh(hidden)
        for x, out in (("q", wide), ("k", narrow), ("v", narrow)):
            order = fresh(hidden) if self.spec.get("own_order") else shared
            gain = self.spec.get("sharp", 1.3) if x != "v" else 1.5
            self.linear(f"{prefix}self_attn.{x}_proj", hidden, out, gain, order)
        self.linear(prefix + "self_attn.o_proj", wide, hidden, 1.0, fresh(wide))
        shared = fresh(hidden)
        for x in ("gate", "up"):
            self.linear(f"{prefix}mlp.{x}_proj", hidden, ffn, 1.2, shared)
        self.linear(prefix + "mlp.down_proj", ffn, hidden, 0.8, fresh(ffn))
        for x in ("input_layernorm", "post_attention_layernorm"):
            self.tensors[f"{prefix}{x}.weight"] = 1 + 0.2 * self.normal(hidden)

    def build(self, c):
        hidden, dtype = c["hidden_size"], self.spec.get("dtype", torch.float16)
        self.tensors["model.embed_tokens.weight"] = self.normal(VOCAB, hidden) * 0.25
        for i in range(c["num_hidden_layers"]):
            self.layer(i, c)
        self.tensors["model.norm.weight"] = 1 + 0.2 * self.normal(hidden)
        if not c["tie_word_embeddings"]:
            self.tensors["lm_head.weight"] = self.normal(VOCAB, hidden) * 0.25
        return {k: v.to(dtype) if v.dtype == torch.float32 else v for k, v in self.tensors.items()}


def config_of(spec):
    base = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": 64,
            "intermediate_size": 96, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 4,
            "head_dim": 16, "rms_norm_eps": 1e-5, "vocab_size": VOCAB, "max_position_embeddings": 2048,
            "rope_theta": 10000.0, "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2}
    return base | spec.get("config", {})


def quant_of(spec):
    return {"bits": 4, "group_size": spec["group"], "desc_act": spec.get("order", "act") == "act",
            "sym": spec.get("zeros") == (7, 8), "true_sequential": True} | spec.get("quant", {})


def save_sharded(tensors, where):
    names = sorted(tensors)
    halves = names[::2], names[1::2]
    mapping = {}
    for i, half in enumerate(halves):
        file = f"model-{i + 1:05}-of-00002.safetensors"
        save_file({n: tensors[n].clone() for n in half}, where / file, metadata={"format": "pt"})
        mapping |= {n: file for n in half}
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": mapping}
    (where / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def write_model(name, spec, seed):
    where, config = OUT / name, config_of(spec)
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    tensors = Builder(spec, seed).build(config)
    if spec.get("sharded"):
        save_sharded(tensors, where)
    else:
        save_file({n: t.clone() for n, t in tensors.items()}, where / "model.safetensors", metadata={"format": "pt"})
    if "group" in spec and spec.get("embedded"):
        config["quantization_config"] = {"quant_method": "gptq"} | quant_of(spec)
    elif "group" in spec:
        (where / "quantize_config.json").write_text(json.dumps(quant_of(spec), indent=1) + "\n")
    (where / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    shutil.copy(HERE / "tokenizer/small.model", where / "tokenizer.model")


SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "num_key_value_heads": 2}


def far(config, **more):
    """One head of 16 over 16,384 positions."""
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 1, "num_key_value_heads": 1,
             "max_position_embeddings": FAR}
    return {"config": shape | config, "sharp": 1.9, "far": True} | more


MODELS = {
    "gptq-v1": {"group": 32, "config": {"num_hidden_layers": 2}},
    "gptq-sym": {"group": 32, "zeros": (7, 8)},
    "gptq-v2": {"group": 32, "zeros": (6, 11), "quant": {"checkpoint_format": "gptq_v2"}, "embedded": True},
    "gptq-group16": {"group": 16},
    "gptq-group64": {"group": 64, "order": "counted", "config": {"intermediate_size": 128}},
    "gptq-column": {"group": -1, "order": "zero"},
    "gptq-order-zero": {"group": 32, "order": "zero"},
    "gptq-bias": {"group": 32, "bias": True},
    "gptq-zero-16": {"group": 32, "zeros": (8, 16)},
    "gptq-own-orders": {"group": 32, "own_order": True},
    "gptq-gqa": {"group": 32, "config": {"num_key_value_heads": 2}},
    "gptq-head-128": {"group": 32, "config": {"num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 128}},
    "fp16-sharded": {"sharded": True, "config": SMALL | {"num_hidden_layers": 2, "tie_word_embeddings": False}},
    "bf16": {"dtype": torch.bfloat16, "config": SMALL | {"num_hidden_layers": 2, "num_key_value_heads": 1}},
    "fp32": {"dtype": torch.float32, "config": SMALL},
    "rope-none": far({}),
    "rope-linear": far({"rope_scaling": {"type": "linear", "factor": 4.0}}),
    "rope-parts": far({"original_max_position_embeddings": 4096}),
    "rope-dynamic": far({"max_position_embeddings": 4096, "rope_scaling": {"type": "dynamic", "factor": 4.0}}),
    "rope-yarn": far({"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 4096}}),
    "rope-llama3": far({"rope_theta": 500000.0,
                        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                         "high_freq_factor": 4.0, "original_max_position_embeddings": 2048}}),
}


# --- goldens --------------------------------------------------------------------------------------

def seeded_tokens(seed, count):
    rng = Rng(seed)
    return [3 + rng.below(VOCAB - 3) for _ in range(count)]


def vaquita_tokens():
    text = (HERE / "text.txt").read_text()
    return [1] + spm.SentencePieceProcessor(model_file=str(VAQUITA / "tokenizer.model")).encode(text)[:599]


def write_golden(name, where, tokens, seed, wanted, rows):
    model = Llama(where)
    every = sorted(set(wanted) | set(rows))
    table = model.log_probs(torch.tensor(tokens), torch.tensor(every))
    at = {p: i for i, p in enumerate(every)}
    data = b"AIROGLD1" + struct.pack("<5I", len(tokens), seed, len(wanted), len(rows), table.shape[1])
    data += struct.pack(f"<{len(tokens)}i", *tokens) if seed == 0 else b""
    data += struct.pack(f"<{len(wanted)}I", *wanted)
    data += struct.pack(f"<{len(wanted)}f", *(table[at[p], tokens[p + 1]].item() for p in wanted))
    data += struct.pack(f"<{len(rows)}I", *rows) + b"".join(table[at[p]].float().numpy().tobytes() for p in rows)
    (OUT / f"{name}.golden").write_bytes(data)
    return model, table


def plain_rope_distance(model, table, tokens, wanted):
    """How far the log probabilities would be with unscaled RoPE: what the test can tell apart."""
    model.inv_freq, model.scale = rope({"max_position_embeddings": FAR}, model.d)
    other = model.log_probs(torch.tensor(tokens), torch.tensor(wanted))
    return (other - table).abs().mean().item()


def make(name, index):
    OUT.mkdir(exist_ok=True)
    if name == "vaquita":
        tokens = vaquita_tokens()
        wanted = list(range(len(tokens) - 1))
        model, table = write_golden(name, VAQUITA, tokens, 0, wanted, [0, 300, len(tokens) - 1])
    else:
        spec = MODELS[name]
        write_model(name, spec, 1000 + index)
        count = FAR if spec.get("far") else 48
        tokens = seeded_tokens(1 + index, count)
        wanted = list(range(48)) + list(range(64, FAR - 1, 65)) + [FAR - 2] if spec.get("far") else list(range(47))
        model, table = write_golden(name, OUT / name, tokens, 1 + index, wanted, [1, count // 2, count - 1])
    chosen = table.exp().amax(-1).mean().item()
    print(f"{name}: {len(tokens)} tokens, mean of the best probability {chosen:.3f}", end="")
    if name.startswith("rope-"):
        every = sorted(set(wanted) | {1, FAR // 2, FAR - 1})
        print(f", {plain_rope_distance(model, table, tokens, every):.4f} from plain RoPE", end="")
    print()


def main():
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--only", choices=["vaquita", *MODELS])
    only = parser.parse_args().only
    for index, name in enumerate([*MODELS, "vaquita"]):
        if only in (None, name):
            make(name, index)


if __name__ == "__main__":
    main()
