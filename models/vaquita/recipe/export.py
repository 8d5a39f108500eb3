#!/usr/bin/env python3
"""A training checkpoint -> what `airo quantize` takes: a directory in fp16, and calibration text.

    python3 export.py --checkpoint checkpoint.pt --out fp16 --calibration calibration.jsonl
"""
import argparse
import json
import os
import random
import shutil

import torch
from safetensors.torch import save_file

import corpus
import curriculum
from load import load


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        f.write(json.dumps(value, indent=2) + "\n")


def config_of(c):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "hidden_size": c.hidden_size,
        "intermediate_size": c.intermediate_size, "num_hidden_layers": c.num_hidden_layers,
        "num_attention_heads": c.num_attention_heads, "num_key_value_heads": c.num_attention_heads,
        "rms_norm_eps": c.rms_norm_eps, "vocab_size": c.vocab_size, "max_position_embeddings": c.max_position_embeddings,
        "original_max_position_embeddings": c.original_max_position_embeddings, "rope_theta": c.rope_theta,
        "tie_word_embeddings": True, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float16", "use_cache": True}


def write_calibration(path, sp, seed, tokens):
    """Conversations of the kind it was trained on, a line each, until there are so many tokens."""
    curriculum.prepare(sp)
    rng, left = random.Random(seed), tokens
    with open(path, "w", encoding="utf-8") as f:
        while left > 0:
            text = " ".join(p[0] for p in corpus.sample(rng, 512) if p is not None)
            left -= 1 + len(sp.encode(text))
            f.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--checkpoint", default="checkpoint.pt")
    ap.add_argument("--out", required=True)
    ap.add_argument("--calibration", required=True)
    ap.add_argument("--tokens", type=int, default=262144, help="of calibration text")
    ap.add_argument("--seed", type=int, default=99)
    a = ap.parse_args()
    model, sp = load(a.checkpoint)
    os.makedirs(a.out, exist_ok=True)
    tensors = {"model." + name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(tensors, os.path.join(a.out, "model.safetensors"), metadata={"format": "pt"})
    write_json(os.path.join(a.out, "config.json"), config_of(model.cfg))
    write_json(os.path.join(a.out, "generation_config.json"), {"bos_token_id": 1, "eos_token_id": 2, "do_sample": False})
    source = a.checkpoint if os.path.isdir(a.checkpoint) else os.path.dirname(a.checkpoint) or "."
    shutil.copyfile(os.path.join(source, "tokenizer.model"), os.path.join(a.out, "tokenizer.model"))
    write_calibration(a.calibration, sp, a.seed, a.tokens)


if __name__ == "__main__":
    main()
