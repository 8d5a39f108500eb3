#!/usr/bin/env python3
"""Train Vaquita on generated conversations (see curriculum.py). Resumable: run it again with the same --out.

    python3 train.py --tokenizer tokenizer.model --out checkpoint.pt --tokens 40

One process per CPU core (--workers), each on its own rows with one thread; gradients are summed in shared memory, every
worker steps its share of the weights. On a GPU one worker does it all, in larger steps; the curriculum is stretched with
them, so that each part of it has about as many steps as on a CPU. Matrices are stepped with Muon, embeddings and
norms with Adam; an average of the weights (EMA) is what gets exported. The rows of a step follow from the seed, the step
and the worker alone, so a resumed run goes on as if it had not stopped. SIGTERM saves and ends.

--start takes the weights of a model, such as the shipped one, in place of random ones, and begins in the last part of the
curriculum.
"""
import argparse
import os
import random
import signal
import time

import sentencepiece as spm
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F

import curriculum
import guides
from load import load
from model import Config, Llama

START = 38.0                 # where in the curriculum a run begins that has weights, in millions of tokens
STATE = ("weights", "first", "second", "average")  # flat: weights, momentum, Adam's second moment, EMA


def orthogonal(g):
    """Newton-Schulz iteration of Muon, on a stack of matrices."""
    x = g.bfloat16()
    turned = x.shape[1] > x.shape[2]
    x = x.mT if turned else x
    x = x / (x.float().norm(dim=(1, 2), keepdim=True) + 1e-7).bfloat16()
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if turned else x).float()


def shown(a, seen):
    """How far the curriculum is, in millions of tokens of steps of at most 4,096."""
    return a.begins + seen / 1e6 * min(1, 4096 / a.batch)


def learning_rate(a, seen):
    """Warm-up, level, then down to 2% over the last share of the run."""
    done = seen / a.tokens
    warm = min(1, (shown(a, seen) - a.begins + 1e-6) / .6)
    return a.lr * warm * min(1, max(.02, (1 - done) / a.decay))


class Optimiser:
    """Steps this worker's share of the parameters, which are views of one flat tensor."""

    def __init__(self, model, state, rank, workers):
        self.state, self.spans, at = state, [], 0
        for name, p in model.named_parameters():
            self.spans.append((name, at, p.numel(), p.shape))
            at += p.numel()
        matrices = [s for s in self.spans if len(s[3]) == 2 and not s[0].startswith("embed")]
        shapes = {}
        for n, s in enumerate(sorted(matrices, key=lambda s: s[2])):
            if n % workers == rank:
                shapes.setdefault(s[3], []).append(s)
        self.stacks = list(shapes.values())
        self.others = [s for s in self.spans if s not in matrices] if rank == workers - 1 else []

    def view(self, name, span):
        return self.state[name][span[1]:span[1] + span[2]].view(span[3])

    @torch.no_grad()
    def step(self, grad, lr, step, keep):
        for stack in self.stacks:
            moved = []
            for s in stack:
                g, m = grad[s[1]:s[1] + s[2]].view(s[3]), self.view("first", s)
                m.lerp_(g, .05)
                moved.append(g.lerp(m, .95))
            for s, u in zip(stack, orthogonal(torch.stack(moved))):
                w = self.view("weights", s)
                w.mul_(1 - .05 * lr).add_(u, alpha=-lr * .2 * max(s[3]) ** .5)
                self.view("average", s).lerp_(w, 1 - keep)
        for s in self.others:
            g, m, v, w = grad[s[1]:s[1] + s[2]].view(s[3]), self.view("first", s), self.view("second", s), self.view("weights", s)
            m.lerp_(g, .1)
            v.mul_(.95).addcmul_(g, g, value=.05)
            c1, c2 = 1 - .9 ** (step + 1), 1 - .95 ** (step + 1)
            w.addcdiv_(m, (v / c2).sqrt_().add_(1e-8), value=-lr / c1)
            self.view("average", s).lerp_(w, 1 - keep)


def rows(sp, spelling, a, step, rank, seen):
    rng = random.Random((a.seed * 1000003 + step) * 64 + rank)
    return curriculum.batch(sp, rng, shown(a, seen), a.batch // a.workers, step, spelling)


def exact(model, sp, a, dev):
    """Held-out conversations, teacher-forced: -> {length: (loss of answers, answers whole, sources whole, refusals whole)} in percent."""
    out = {}
    for length in (512, 1024, 2048, 4096):
        hits, loss, tokens = {"a": [], "s": [], "r": []}, 0.0, 0
        for n in range(max(2, 8192 // length)):
            ids, spans = curriculum.held_out(sp, random.Random(length * 1000 + n), length)
            if not spans:
                continue
            x = torch.tensor([ids], device=dev)
            at = torch.tensor([i for _, b, e in spans for i in range(b, e)], device=dev)
            with torch.no_grad(), torch.autocast(dev.type, torch.bfloat16):
                logits = model(x, wanted=at - 1).float()
            loss += F.cross_entropy(logits, x[0, at], reduction="sum").item()
            tokens += len(at)
            ok, i = (logits.argmax(-1) == x[0, at]).tolist(), 0
            for kind, b, e in spans:
                hits[kind].append(all(ok[i:i + e - b]))
                i += e - b
        share = lambda k: 100 * sum(hits[k]) / max(1, len(hits[k]))
        out[length] = (loss / max(1, tokens), share("a"), share("s"), share("r"))
    return out


class Log:
    """A line every few steps: the mean loss of answers, in all and by the length of the rows, and of the rest."""

    def __init__(self, a, seen):
        self.a, self.seen = a, seen
        self.clear()

    def clear(self):
        self.answers, self.rest, self.looked, self.mark, self.busy = {}, [], {}, time.time(), time.process_time()

    def add(self, length, ce, is_answer, looked):
        for k, v in looked.items():
            self.looked.setdefault(k, []).append(v)
        if is_answer.any():
            self.answers.setdefault(length, []).append(ce[is_answer].mean().item())
        if not is_answer.all():
            self.rest.append(ce[~is_answer].mean().item())

    def line(self, step, seen, spent):
        mean = lambda v: sum(v) / max(1, len(v))
        took = time.time() - self.mark
        looked = " ".join(f"{k} {mean(v):.2f}" for k, v in self.looked.items())
        lengths = " ".join(f"{k}: {mean(v):.3f}" for k, v in sorted(self.answers.items()))
        print(f"{time.strftime('%H:%M:%S')} step {step} {seen / 1e6:.2f}M tokens {spent / 60:.1f} min lr {learning_rate(self.a, seen):.5f} "
              f"answers {mean(sum(self.answers.values(), [])):.3f} ({lengths}) rest {mean(self.rest):.3f} {looked} "
              f"{(seen - self.seen) / took:.0f} tokens/s, {100 * (time.process_time() - self.busy) / took:.0f}% of a core", flush=True)
        self.seen = seen
        self.clear()


def look(model, state, sp, a, dev):
    """Held-out conversations under the averaged weights, on the log."""
    model.eval()
    trained = state["weights"].clone()
    state["weights"].copy_(state["average"])
    for length, r in exact(model, sp, a, dev).items():
        print(f"held out {length}: loss {r[0]:.3f} answers {r[1]:.0f}% sources {r[2]:.0f}% refusals {r[3]:.0f}%", flush=True)
    state["weights"].copy_(trained)
    model.train()


def save(a, model, state, step, seen, spent):
    kept = {k: v.cpu() for k, v in state.items()}
    torch.save({**kept, "step": step, "seen": seen, "spent": spent, "config": vars(model.cfg), "seed": a.seed, "batch": a.batch,
                "begins": a.begins}, a.out + ".tmp")
    os.replace(a.out + ".tmp", a.out)


class Looks:
    """Adds up, by kind, the losses of the attention of guided heads."""

    def __init__(self, marks, dev):
        self.counts = {k: sum(len(m[k]) for m in marks) for k in guides.KINDS}
        self.marks, self.sums = {k: guides.together([m[k] for m in marks]).to(dev) for k, n in self.counts.items() if n}, {}

    def by_layer(self):
        layers = {layer for heads in guides.HEADS.values() for layer, _ in heads}
        return {n: lambda q, k, n=n: self.take(n, q, k) for n in layers}

    def take(self, n, q, k):
        for kind, marks in self.marks.items():
            mine = [h for layer, h in guides.HEADS[kind] if layer == n]
            if mine:
                found = guides.loss(q[:, mine], k[:, mine], marks, kind in guides.SPREAD)
                self.sums[kind] = self.sums.get(kind, 0) + found / (self.counts[kind] * len(guides.HEADS[kind]))


def backward(model, x, w, positions, marks, guidance, dev):
    """-> the losses of the tokens that count, which of them are of answers, and the losses of attention by kind."""
    y, w = x[:, 1:].reshape(-1), w[:, 1:].reshape(-1)
    wanted = w.nonzero().squeeze(1)
    looks = Looks(marks, dev)
    with torch.autocast(dev.type, torch.bfloat16):
        logits = model(x[:, :-1], positions=positions, wanted=wanted, looks=looks.by_layer() if guidance else {})
    ce, w = F.cross_entropy(logits.float(), y[wanted], reduction="none"), w[wanted]
    loss = (ce * w).sum() / w.sum()
    if looks.sums:
        loss = loss + guidance * sum(looks.sums.values())
    loss.backward()
    return ce.detach(), w >= curriculum.ANSWER, {k: v.item() for k, v in looks.sums.items()}


def work(rank, a, state, grads, barrier, shared):
    """shared: step, tokens seen, seconds spent; then for each worker the tokens of its step; then whether it was told to stop."""
    dev = torch.device(a.device)
    torch.set_num_threads(1 if a.workers > 1 else max(1, a.threads))
    stop = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    sp = spm.SentencePieceProcessor(model_file=a.tokenizer)
    spelling = curriculum.prepare(sp)
    model = Llama(Config(vocab_size=sp.get_piece_size())).to(dev).train()
    at = 0
    for p in model.parameters():
        p.data = state["weights"][at:at + p.numel()].view(p.shape)
        at += p.numel()
    optimiser = Optimiser(model, state, rank, a.workers)
    step, seen, spent = int(shared[0]), float(shared[1]), float(shared[2])
    log, last_save, last_look, stopping = Log(a, seen), time.time(), spent, False
    while seen < a.tokens and not stopping:
        t = time.time()
        *tensors, marks = rows(sp, spelling, a, step, rank, seen)
        x, w, positions = (v.to(dev) for v in tensors)
        ce, is_answer, looked = backward(model, x, w, positions, marks, curriculum.guidance(shown(a, seen)), dev)
        grads[rank].copy_(torch.cat([p.grad.flatten() for p in model.parameters()]))
        model.zero_grad(set_to_none=True)
        shared[3 + rank] = x.shape[0] * (x.shape[1] - 1)
        shared[3 + a.workers + rank] = len(stop)
        barrier.wait()
        grad = grads.mean(0) if a.workers > 1 else grads[0]
        grad *= min(1, 1 / (grad.norm().item() + 1e-6))
        optimiser.step(grad, learning_rate(a, seen), step, min(a.average, (step + 1) / (step + 10)))
        stopping = shared[3 + a.workers:].sum().item() > 0
        seen += float(shared[3:3 + a.workers].sum())
        step, spent = step + 1, spent + time.time() - t
        shared[2] = spent
        barrier.wait()
        spent = float(shared[2])                            # all agree on what time it is
        if rank == 0:
            log.add(x.shape[1] - 1, ce, is_answer, looked)
        if rank == 0 and step % a.every == 0:
            log.line(step, seen, spent)
        if rank == 0 and time.time() - last_save > 150:
            last_save = time.time()
            save(a, model, state, step, seen, spent)
        if spent - last_look > a.look * 60:
            barrier.wait()
            if rank == 0:
                look(model, state, sp, a, dev)
            last_look = spent
            barrier.wait()
    if rank == 0:
        save(a, model, state, step, seen, spent)
        print(f"stopped at step {step}, {seen / 1e6:.2f}M tokens", flush=True)


def worker(rank, a, state, grads, barrier, shared):
    """As work; when it fails, the others fail at the barrier at once, instead of waiting there."""
    try:
        work(rank, a, state, grads, barrier, shared)
    except BaseException:
        barrier.abort()
        raise


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--tokenizer", default="tokenizer.model")
    ap.add_argument("--out", default="checkpoint.pt")
    ap.add_argument("--start", metavar="DIRECTORY", help="a model directory to take the weights from, fp16 or GPTQ")
    ap.add_argument("--tokens", type=float, default=0, help="tokens to train on, in millions (0: 40, on a GPU 800)")
    ap.add_argument("--decay", type=float, default=.3, help="the share of the run over which the learning rate falls")
    ap.add_argument("--batch", type=int, default=0, help="tokens a step, all workers together (0: 3072, on a GPU 32768)")
    ap.add_argument("--lr", type=float, default=3e-3)
    ap.add_argument("--average", type=float, default=.997, help="decay of the averaged weights")
    ap.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    ap.add_argument("--workers", type=int, default=0, help="processes on a CPU; 0: two. On a GPU it is one")
    ap.add_argument("--threads", type=int, default=2, help="of a single worker")
    ap.add_argument("--every", type=int, default=25, help="steps between lines of the log")
    ap.add_argument("--look", type=float, default=10, help="minutes between looks at held-out conversations")
    a = ap.parse_args()
    on_cpu = a.device == "cpu"
    a.tokens = (a.tokens or (40 if on_cpu else 800)) * 1e6
    a.batch = a.batch or (3072 if on_cpu else 32768)
    a.workers = a.workers or 2 if on_cpu else 1
    torch.manual_seed(a.seed)
    sp = spm.SentencePieceProcessor(model_file=a.tokenizer)
    a.begins = START if a.start else 0
    model = load(a.start)[0] if a.start else Llama(Config(vocab_size=sp.get_piece_size()))
    flat = torch.cat([p.detach().flatten() for p in model.parameters()])
    state = {"weights": flat, "first": torch.zeros_like(flat), "second": torch.zeros_like(flat), "average": flat.clone()}
    shared = torch.zeros(3 + 2 * a.workers, dtype=torch.float64)
    print(f"{flat.numel():,} parameters, vocabulary {sp.get_piece_size()}, {a.workers} worker(s) on {a.device}", flush=True)
    if os.path.exists(a.out):
        s = torch.load(a.out)
        if s.get("batch", a.batch) != a.batch:
            raise SystemExit(f"{a.out}: made with --batch {s['batch']}; the curriculum goes by it, so give it again")
        for k in STATE:
            state[k].copy_(s[k])
        a.begins = s.get("begins", 0)
        shared[0], shared[1], shared[2] = s["step"], s["seen"], s["spent"]
        print(f"resumed at step {s['step']}, {s['seen'] / 1e6:.2f}M tokens", flush=True)
    grads = torch.zeros(a.workers, flat.numel())
    if a.device != "cpu":
        work(0, a, {k: v.to(a.device) for k, v in state.items()}, grads.to(a.device), mp.Barrier(1), shared)
        return
    for t in (*state.values(), grads, shared):
        t.share_memory_()
    barrier = mp.Barrier(a.workers, timeout=1800)
    others = [mp.Process(target=worker, args=(r, a, state, grads, barrier, shared), daemon=True) for r in range(1, a.workers)]
    for p in others:
        p.start()
    worker(0, a, state, grads, barrier, shared)
    for p in others:
        p.join()


if __name__ == "__main__":
    main()
