"""Load a training checkpoint or an exported (fp16 or GPTQ) directory into the small PyTorch model."""
import json
import os

import sentencepiece as spm
import torch
from safetensors.torch import load_file

from model import Config, Llama


def unpack(words, dim):
    """int32 words -> their eight nibbles, low first, along dim."""
    parts = [(words >> (4 * j)) & 15 for j in range(8)]
    return torch.stack(parts, dim + 1).flatten(dim, dim + 1)


def dequantise(t, name):
    q = unpack(t[name + ".qweight"], 0).float()              # [in, out]
    z = unpack(t[name + ".qzeros"], 1).float() + 1           # [groups, out]
    g = t[name + ".g_idx"].long()
    s = t[name + ".scales"].float()
    return (s[g] * (q - z[g])).T.contiguous()                # [out, in]


def load(path):
    """-> model, tokenizer"""
    if os.path.isdir(path):
        c = json.load(open(os.path.join(path, "config.json")))
        cfg = Config(**{k: c[k] for k in Config.__dataclass_fields__})
        t = load_file(os.path.join(path, "model.safetensors"))
        state = {}
        for k in t:
            if k.endswith(".qweight"):
                state[k[len("model."):-len("qweight")] + "weight"] = dequantise(t, k[:-len(".qweight")])
            elif k.endswith(".bias"):
                assert not t[k].any()
            elif k.endswith(".weight"):
                state[k[len("model."):]] = t[k].float()
        model = Llama(cfg)
        model.load_state_dict(state)
        tok = os.path.join(path, "tokenizer.model")
    else:
        s = torch.load(path)
        model = Llama(Config(**s["config"]))
        at = 0
        for p in model.parameters():             # the averaged weights, one flat tensor
            p.data = s["average"][at:at + p.numel()].view(p.shape).clone()
            at += p.numel()
        tok = os.path.join(os.path.dirname(path) or ".", "tokenizer.model")
    return model.eval(), spm.SentencePieceProcessor(model_file=tok)
