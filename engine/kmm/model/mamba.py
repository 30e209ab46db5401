"""Bidirectional Mamba-2 block (arXiv 2312.00752, 2405.21060): both directions in one pass.

The two directions are two groups of heads of one state-space layer: the second group sees the sequence reversed.
So one projection, one convolution and one scan serve both, with the kernels of causal-conv1d and mamba-ssm where
they are installed and the tensors are on a GPU, else with the same sums as matrix products in plain torch.

Masked positions (padding) put nothing into the state and leave it as it is, in both directions, so a padded
sequence gives at its valid positions what the bare one gives (KMM's "unidirectional mask and padding mask").
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

try:
    from causal_conv1d import causal_conv1d_fn
    from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
except ImportError:
    causal_conv1d_fn = mamba_chunk_scan_combined = None

CHUNK = 64  #: steps a chunk, about; 64 is the fastest of 32, 64 and 128 on CPU


class RMSNorm(nn.Module):
    """Root-mean-square normalisation over the last axis."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, 1e-5)


class BidirectionalMamba(nn.Module):
    """x (B, L, width), mask (B, L) True where valid -> x plus both directions' outputs, (B, L, width)."""

    def __init__(
        self,
        width: int,
        expand: int = 2,
        head: int = 64,
        state: int = 64,
        conv: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.inner = expand * width  # channels a direction
        self.head, self.state, self.dropout = head, state, dropout
        self.heads = self.inner // head
        if self.inner % head:
            raise ValueError(f"expand * width must be a multiple of the head size {head}, got {self.inner}")
        self.norm = RMSNorm(width)
        # a direction's rows: gate z, then what is convolved (x, B, C), then dt
        self.per_direction = (self.inner, self.inner + 2 * state, self.heads)
        self.in_proj = nn.Linear(width, 2 * sum(self.per_direction), bias=False)
        channels = 2 * self.per_direction[1]
        bound = conv**-0.5
        self.conv_weight = nn.Parameter(torch.empty(channels, conv).uniform_(-bound, bound))
        self.conv_bias = nn.Parameter(torch.zeros(channels))
        # as Mamba-2 starts: dt log-uniform in [0.001, 0.1], A uniform in [1, 16]
        dt = torch.exp(torch.rand(2 * self.heads) * math.log(100) + math.log(1e-3))
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))
        self.A_log = nn.Parameter(torch.log(torch.empty(2 * self.heads).uniform_(1, 16)))
        self.D = nn.Parameter(torch.ones(2 * self.heads))
        self.out_norm = nn.Parameter(torch.ones(2, self.inner))
        self.out_proj = nn.Linear(2 * self.inner, width, bias=False)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        batch, length, _ = x.shape
        h = self.norm(x)
        if mask is not None:
            h = h * mask.unsqueeze(-1)
        z, u, dt = self.in_proj(h).view(batch, length, 2, -1).split(self.per_direction, dim=-1)
        u, dt = _reverse_second(u).flatten(2), _reverse_second(dt).flatten(2)
        dt = F.softplus(dt + self.dt_bias)
        if mask is not None:
            both = torch.stack([mask, mask.flip(1)], dim=-1)
            dt = dt * both.repeat_interleave(self.heads, dim=-1)
        u = convolve(u, self.conv_weight, self.conv_bias).view(batch, length, 2, -1)
        values, B, C = u.split([self.inner, self.state, self.state], dim=-1)
        values = values.reshape(batch, length, 2 * self.heads, self.head)
        y = scan(values, dt, -torch.exp(self.A_log), B, C) + values * self.D[:, None]
        y = _reverse_second(y.reshape(batch, length, 2, self.inner)) * F.silu(z)
        y = F.rms_norm(y, (self.inner,), eps=1e-5) * self.out_norm
        out: Tensor = x + F.dropout(self.out_proj(y.flatten(2)), self.dropout, self.training)
        return out


def _reverse_second(x: Tensor) -> Tensor:
    """(B, L, 2, C) with the second direction reversed in time."""
    return torch.stack([x[:, :, 0], x[:, :, 1].flip(1)], dim=2)


def convolve(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """SiLU of a causal depthwise convolution: x (B, L, C), weight (C, K)."""
    if causal_conv1d_fn is not None and x.is_cuda:
        out: Tensor = causal_conv1d_fn(x.transpose(1, 2), weight, bias, activation="silu").transpose(1, 2)
        return out
    length, taps = x.shape[1], weight.shape[1]
    padded = F.pad(x, (0, 0, taps - 1, 0))
    total = bias.expand_as(x)
    for k in range(taps):
        total = torch.addcmul(total, padded[:, k : k + length], weight[:, k])
    return F.silu(total)


def scan(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """The state-space recurrence over time, in parallel.

    x (b, L, H, P), dt (b, L, H) >= 0, A (H) < 0, B and C (b, L, G, N) with H a multiple of G -> (b, L, H, P):
    h_t = exp(dt_t A) h_{t-1} + dt_t B_t x_t,  y_t = C_t h_t  (2405.21060, Eq. 1 and section 6).
    """
    if mamba_chunk_scan_combined is not None and x.is_cuda:
        out: Tensor = mamba_chunk_scan_combined(x, dt, A, B, C, chunk_size=CHUNK)
        return out
    return ssd(x, dt, A, B, C)


def ssd(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, chunk: int = CHUNK) -> Tensor:
    """`scan` as matrix products: exact within a chunk, states carried between chunks (SSD)."""
    length, heads = x.shape[1:3]
    # equal chunks of about that size, so that little is padded
    chunk = -(-length // max(1, round(length / chunk)))
    pad = -length % chunk
    if pad:
        x, B, C = (F.pad(t, (0, 0, 0, 0, 0, pad)) for t in (x, B, C))
        dt = F.pad(dt, (0, 0, 0, pad))
    share = heads // B.shape[2]
    # (b, chunks, H or G, step, channel)
    x, B, C = (t.unflatten(1, (-1, chunk)).transpose(2, 3) for t in (x, B, C))
    dt = dt.unflatten(1, (-1, chunk)).transpose(2, 3)
    total = (dt * A[:, None]).cumsum(-1)  # log of the decay from the chunk's start, (b, chunks, H, step)
    causal = torch.ones(chunk, chunk, dtype=torch.bool, device=x.device).tril()
    decay = (total.unsqueeze(-1) - total.unsqueeze(-2)).masked_fill(~causal, -torch.inf).exp()
    weights = (C @ B.transpose(-1, -2)).repeat_interleave(share, dim=2) * decay * dt.unsqueeze(-2)
    y = weights @ x
    if x.shape[1] > 1:
        B, C = (t.repeat_interleave(share, dim=2) for t in (B, C))
        to_end = (total[..., -1:] - total).exp() * dt
        states = (B * to_end.unsqueeze(-1)).transpose(-1, -2) @ x  # (b, chunks, H, N, P) put in by each chunk
        y = y + (C * total.exp().unsqueeze(-1)) @ _states_before(states, total[..., -1])
    return y.transpose(2, 3).flatten(1, 2)[:, :length]


def _states_before(states: Tensor, log_decay: Tensor) -> Tensor:
    """State at the start of each chunk from what each put in (b, c, H, N, P) and its decay (b, c, H)."""
    count = states.shape[1]
    total = F.pad(log_decay.transpose(1, 2).cumsum(-1), (1, 0))  # (b, H, c + 1)
    earlier = torch.ones(count, count, dtype=torch.bool, device=states.device).tril(-1)
    between = (total[..., :-1, None] - total[..., None, 1:]).masked_fill(~earlier, -torch.inf).exp()
    return torch.einsum("bhij,bjhnp->bihnp", between, states)


def scan_reference(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """`scan` as it is defined, one step after the other: slow, for tests."""
    share = x.shape[2] // B.shape[2]
    B, C = (t.repeat_interleave(share, dim=2) for t in (B, C))
    h = x.new_zeros(x.shape[0], x.shape[2], B.shape[-1], x.shape[-1])
    out = []
    for t in range(x.shape[1]):
        h = h * (dt[:, t] * A).exp()[..., None, None]
        h = h + torch.einsum("bh,bhn,bhp->bhnp", dt[:, t], B[:, t], x[:, t])
        out.append(torch.einsum("bhn,bhnp->bhp", C[:, t], h))
    return torch.stack(out, dim=1)
