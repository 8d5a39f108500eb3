#!/usr/bin/env python3
"""Train Vaquita on generated conversations (see corpus.py). Resumable: run it again with the same --out.

The length of the run is given in minutes of training time or in tokens; the curriculum and the learning rate follow the
share of it that is done. Matrices are stepped with Muon, embeddings and norms with AdamW; an average of the weights
(EMA) is what gets exported.
"""
import argparse
import math
import os
import random
import time

import sentencepiece as spm
import torch
import torch.nn.functional as F

import corpus
from model import Config, Llama

BOS, EOS = 1, 2


def encode(sp, pieces):
    ids, weights = [BOS], [corpus.REST]
    for p in pieces:
        if p is None:
            ids.append(EOS)
            weights.append(corpus.ANSWER)
        else:
            new = sp.encode(p[0])
            ids += new
            weights += [p[1]] * len(new)
    return ids, weights


def batch(sp, seed, step, progress, tokens):
    """Rows of packed conversations; rows are short first, longer once copying works."""
    rng = random.Random(seed * 1000003 + step)
    room = 384 if progress < .28 else 640 if progress < .55 or step % 2 else 1152
    rows, weights = [], []
    for _ in range(tokens // room):
        x, w = [], []
        while len(x) < room + 1:
            i, v = encode(sp, corpus.sample(rng, progress, room))
            x += i
            w += v
        rows.append(x[:room + 1])
        weights.append(w[:room + 1])
    return torch.tensor(rows), torch.tensor(weights)


def orthogonal(g):
    """Newton-Schulz iteration of Muon."""
    x = g.bfloat16()
    turned = x.shape[0] > x.shape[1]
    x = x.T if turned else x
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.T if turned else x).float()


def main():
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--tokenizer", default="tokenizer.model")
    ap.add_argument("--out", default="checkpoint.pt")
    ap.add_argument("--minutes", type=float, default=0, help="training time; or give --tokens")
    ap.add_argument("--tokens", type=float, default=0, help="tokens to train on, in millions")
    ap.add_argument("--batch", type=int, default=6144, help="tokens a step")
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--average", type=float, default=.997, help="decay of the averaged weights")
    ap.add_argument("--threads", type=int, default=2)
    a = ap.parse_args()
    if not a.minutes and not a.tokens:
        ap.error("--minutes or --tokens")
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    sp = spm.SentencePieceProcessor(model_file=a.tokenizer)
    model = Llama(Config(vocab_size=sp.get_piece_size()))
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and not n.startswith("embed")]
    others = [p for n, p in model.named_parameters() if p.dim() != 2 or n.startswith("embed")]
    adam = torch.optim.AdamW(others, lr=a.lr, betas=(.9, .95), weight_decay=0, fused=True)
    momenta = [torch.zeros_like(p) for p in matrices]
    ema = {n: p.detach().clone() for n, p in model.named_parameters()}
    step, seen, spent = 0, 0, 0.0
    if os.path.exists(a.out):
        s = torch.load(a.out)
        model.load_state_dict(s["model"])
        adam.load_state_dict(s["adam"])
        momenta, ema, step, seen, spent = s["momenta"], s["ema"], s["step"], s["seen"], s["spent"]
        print(f"resumed at step {step}, {seen / 1e6:.2f}M tokens")
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, vocabulary {sp.get_piece_size()}", flush=True)

    def save():
        torch.save({"model": model.state_dict(), "ema": ema, "adam": adam.state_dict(), "momenta": momenta, "step": step, "seen": seen,
                    "spent": spent, "config": vars(model.cfg)}, a.out + ".tmp")
        os.replace(a.out + ".tmp", a.out)

    last_save, answers, rest, count = spent, 0.0, 0.0, 0
    while True:
        progress = spent / 60 / a.minutes if a.minutes else seen / 1e6 / a.tokens
        if progress >= 1:
            break
        t = time.time()
        lr = a.lr * min(1, (step + 1) / 100) * (.03 + .97 * .5 * (1 + math.cos(math.pi * progress)))
        x, w = batch(sp, a.seed, step, progress, a.batch)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(x[:, :-1])
        w = w[:, 1:].reshape(-1)
        ce = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), x[:, 1:].reshape(-1), reduction="none")
        ((ce * w).sum() / w.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.param_groups[0]["lr"] = lr
        adam.step()
        with torch.no_grad():
            for p, m in zip(matrices, momenta):
                m.lerp_(p.grad, .05)
                p.mul_(1 - .05 * lr)
                p.add_(orthogonal(p.grad.lerp(m, .95)), alpha=-lr * .2 * max(p.shape) ** .5)
            keep = min(a.average, (step + 1) / (step + 10))
            for n, p in model.named_parameters():
                ema[n].lerp_(p, 1 - keep)
            is_answer = w == corpus.ANSWER
            answers += ce[is_answer].mean().item()
            rest += ce[~is_answer].mean().item()
            count += 1
        model.zero_grad(set_to_none=True)
        step += 1
        seen += x.shape[0] * (x.shape[1] - 1)
        spent += time.time() - t
        if step % 50 == 0:
            print(f"step {step} {seen / 1e6:.2f}M tokens {spent / 60:.1f} min lr {lr:.5f} answers {answers / count:.3f} rest {rest / count:.3f} "
                  f"{seen / spent:.0f} tokens/s", flush=True)
            answers, rest, count = 0.0, 0.0, 0
        if spent - last_save > 120:
            last_save = spent
            save()
    save()


if __name__ == "__main__":
    main()
