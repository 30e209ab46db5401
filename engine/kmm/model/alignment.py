"""Text-motion alignment: a contrastive loss between segments and their own texts (Eq. 13 and 14)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Alignment(nn.Module):
    """Pools text latents and motion latents into one space and compares them there.

    The text latents are those that the generator reads, so this loss trains them ("fine-grained": a pair is one
    segment of a longer motion and its own text).
    """

    def __init__(self, width: int, motion_dim: int, dim: int = 128) -> None:
        super().__init__()
        self.text = nn.Linear(width, dim)
        self.motion_conv = nn.Conv1d(motion_dim, width, 3, padding=1)
        self.motion = nn.Linear(2 * width, dim)
        self.log_temperature = nn.Parameter(torch.tensor(0.1).log())

    def embed_text(self, latents: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors (B, dim) of text latents (B, N, width)."""
        return F.normalize(self.text(_mean(latents, mask)), dim=-1)

    def embed_motion(self, latents: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors (B, dim) of motion latents (B, T, motion_dim) of one segment each."""
        h = F.silu(self.motion_conv((latents * mask.unsqueeze(-1)).transpose(1, 2)).transpose(1, 2))
        peak = h.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)
        return F.normalize(self.motion(torch.cat([_mean(h, mask), peak], dim=-1)), dim=-1)

    def loss(self, text: Tensor, motion: Tensor, same: Tensor | None = None) -> Tensor:
        """CE(sim, y) + CE(sim^T, y) with sim_ij = T_i M_j / tau, y_i = i (Eq. 13, 14; lambda is the caller's).

        `same` (B, B) marks pairs that say the same thing: those off the diagonal are no negatives.
        """
        sim = text @ motion.T / self.log_temperature.exp().clamp(min=0.01)
        if same is not None:
            eye = torch.eye(len(sim), dtype=torch.bool, device=sim.device)
            sim = sim.masked_fill(same & ~eye, -torch.inf)
        target = torch.arange(len(sim), device=sim.device)
        return F.cross_entropy(sim, target) + F.cross_entropy(sim.T, target)


def _mean(x: Tensor, mask: Tensor) -> Tensor:
    weight = mask.unsqueeze(-1).to(x.dtype)
    return (x * weight).sum(1) / weight.sum(1).clamp(min=1)
