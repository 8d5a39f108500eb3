"""Llama in plain PyTorch, for golden values only: a second opinion, written from the published
descriptions and sharing nothing with the C code. Arithmetic is float64 on the weights as stored;
only what a checkpoint's authors computed in float32 (RoPE's table and angles) is float32 here.
"""
import json
import math
import pathlib

import torch
from safetensors import safe_open


class Weights:
    """The tensors of a directory, by name, whatever files they are in."""

    def __init__(self, directory):
        self.tensors = {}
        for path in sorted(pathlib.Path(directory).glob("*.safetensors")):
            with safe_open(path, "pt") as file:
                for name in file.keys():
                    self.tensors[name] = file.get_tensor(name)

    def get(self, name):
        return self.tensors[name].double()

    def linear(self, name, quant):
        """-> (weight [in, out], bias [out] or None)"""
        bias = self.tensors.get(name + ".bias")
        weight = self.get(name + ".weight").T if name + ".weight" in self.tensors else self.gptq(name, quant)
        return weight, None if bias is None else bias.double()

    def gptq(self, name, quant):
        words, zeros = (self.tensors[name + part].long() & 0xFFFFFFFF for part in (".qweight", ".qzeros"))
        scales, order = self.get(name + ".scales"), self.tensors[name + ".g_idx"].long()
        rows, out = words.shape[0] * 8, words.shape[1]
        weight = torch.empty(rows, out, dtype=torch.float64)
        offset = 0 if quant.get("checkpoint_format") == "gptq_v2" else 1
        size = quant["group_size"] if quant["group_size"] > 0 else rows
        if not order.any():
            order = torch.arange(rows) // size
        for k in range(rows):
            q = words[k // 8] >> 4 * (k % 8) & 15
            g = order[k]
            z = zeros[g].repeat_interleave(8) >> 4 * (torch.arange(out) % 8) & 15
            weight[k] = scales[g] * (q - z - offset).double()
        return weight


# --- RoPE: inv_freq [d / 2] in float32, and what cos and sin are scaled by ------------------------

def powers(base, d):
    return 1.0 / torch.as_tensor(base, dtype=torch.float32) ** (torch.arange(0, d, 2).float() / d)


def turns_index(turns, d, base, length):
    return d * math.log(length / (turns * 2 * math.pi)) / (2 * math.log(base))


def ramp(low, high, d):
    low, high = max(low, 0), min(high, d - 1)
    if low == high:
        high += 0.001
    return ((torch.arange(d // 2).float() - low) / (high - low)).clamp(0, 1)


def by_parts(d, base, length, s):
    plain = powers(base, d)
    ntk = powers(base * s ** (d / (d - 2)), d)

    def keep(fast, slow):
        return 1 - ramp(math.floor(turns_index(fast, d, base, length)), math.ceil(turns_index(slow, d, base, length)), d)

    mask = keep(1.25, 0.75)
    mixed = plain / s * (1 - mask) + ntk * mask
    mask = keep(16, 2)
    return mixed * (1 - mask) + plain * mask


def yarn(d, base, length, s, rule):
    plain = powers(base, d)
    low = math.floor(turns_index(rule.get("beta_fast", 32), d, base, length))
    high = math.ceil(turns_index(rule.get("beta_slow", 1), d, base, length))
    keep = 1 - ramp(low, high, d)
    return plain / s * (1 - keep) + plain * keep, rule.get("attention_factor", 0.1 * math.log(s) + 1)


def llama3(d, base, rule):
    out = []
    length, s = rule["original_max_position_embeddings"], rule["factor"]
    low, high = rule["low_freq_factor"], rule["high_freq_factor"]
    for f in powers(base, d).tolist():
        wave = 2 * math.pi / f
        if wave < length / high:
            out.append(f)
        elif wave > length / low:
            out.append(f / s)
        else:
            smooth = (length / wave - low) / (high - low)
            out.append((1 - smooth) * f / s + smooth * f)
    return torch.tensor(out, dtype=torch.float32)


def rope(config, d):
    base, limit = config.get("rope_theta", 10000.0), config["max_position_embeddings"]
    rule = config.get("rope_scaling") or {}
    kind = rule.get("rope_type", rule.get("type"))
    original = config.get("original_max_position_embeddings")
    if kind is None and original:
        return by_parts(d, base, original, limit // original), 1.0
    s = rule.get("factor")
    if kind == "linear":
        return powers(base, d) / s, 1.0
    if kind == "dynamic":  # the context in use is all that the rule supports: s * limit
        grown = torch.tensor(s * s - (s - 1), dtype=torch.float32) ** (d / (d - 2)) * base
        return powers(grown, d), 1.0
    if kind == "yarn":
        return yarn(d, base, rule["original_max_position_embeddings"], s, rule)
    if kind == "llama3":
        return llama3(d, base, rule), 1.0
    return powers(base, d), 1.0


# --- the decoder ----------------------------------------------------------------------------------

class Llama:
    def __init__(self, directory):
        directory = pathlib.Path(directory)
        self.config = json.loads((directory / "config.json").read_text())
        separate = directory / "quantize_config.json"
        quant = json.loads(separate.read_text()) if separate.exists() else self.config.get("quantization_config", {})
        self.weights = Weights(directory)
        c = self.config
        self.heads = c["num_attention_heads"]
        self.kv_heads = c.get("num_key_value_heads", self.heads)
        self.d = c.get("head_dim") or c["hidden_size"] // self.heads
        self.inv_freq, self.scale = rope(c, self.d)
        names = ["self_attn." + x + "_proj" for x in "qkvo"] + ["mlp." + x + "_proj" for x in ("gate", "up", "down")]
        self.layers = [{n: self.weights.linear(f"model.layers.{i}.{n}", quant) for n in names}
                       for i in range(c["num_hidden_layers"])]

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.config["rms_norm_eps"]) * self.weights.get(name)

    def apply(self, layer, name, x):
        weight, bias = self.layers[layer][name]
        return x @ weight if bias is None else x @ weight + bias

    def rotate(self, x, positions):
        """x [n, heads, d]; halves are paired."""
        angle = (positions.float()[:, None] * self.inv_freq[None]).double()[:, None]
        cos, sin = angle.cos() * self.scale, angle.sin() * self.scale
        a, b = x[..., :self.d // 2], x[..., self.d // 2:]
        return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

    def attend(self, layer, x, wanted):
        """The outputs of positions `wanted`, over all of x before them."""
        n, h = len(x), "self_attn."
        every = torch.arange(n)
        q = self.rotate(self.apply(layer, h + "q_proj", x[wanted]).view(-1, self.heads, self.d), wanted)
        k = self.rotate(self.apply(layer, h + "k_proj", x).view(n, self.kv_heads, self.d), every)
        v = self.apply(layer, h + "v_proj", x).view(n, self.kv_heads, self.d)
        out = torch.empty_like(q)
        for head in range(self.heads):
            of = head // (self.heads // self.kv_heads)
            for at in range(0, len(wanted), 256):
                some = slice(at, at + 256)
                scores = q[some, head] @ k[:, of].T / math.sqrt(self.d)
                scores.masked_fill_(every[None] > wanted[some, None], -math.inf)
                out[some, head] = scores.softmax(-1) @ v[:, of]
        return self.apply(layer, h + "o_proj", out.reshape(len(wanted), -1))

    def log_probs(self, tokens, wanted):
        """[len(wanted), vocab]: log P(. | tokens[..p]) for each position p of `wanted`."""
        table = self.weights.get("model.embed_tokens.weight")
        x, last = table[tokens], len(self.layers) - 1
        for i in range(len(self.layers)):
            prefix, rows = f"model.layers.{i}.", wanted if i == last else torch.arange(len(tokens))
            y = self.norm(x, prefix + "input_layernorm.weight")
            x = x[rows] + self.attend(i, y, rows)
            y = self.norm(x, prefix + "post_attention_layernorm.weight")
            gate = torch.nn.functional.silu(self.apply(i, "mlp.gate_proj", y))
            x = x + self.apply(i, "mlp.down_proj", gate * self.apply(i, "mlp.up_proj", y))
        head = table if self.config.get("tie_word_embeddings") else self.weights.get("lm_head.weight")
        return (self.norm(x, "model.norm.weight") @ head.T).log_softmax(-1)
