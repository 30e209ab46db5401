"""Key frames of a token sequence by density peaks: the "key frame mask" of KMM (Eq. 4, 9, 10, 11).

Distances are divided by their mean over the sequence, or the exponential of Eq. 4 underflows in many dimensions
(the paper does not say how it scales). Well defined everywhere: of equally dense tokens the earlier one counts as
denser, equal Gamma is ordered by time, a constant sequence has Gamma zero throughout, padding never takes part.
"""

from __future__ import annotations

import torch
from torch import Tensor


def gamma(x: Tensor, mask: Tensor) -> Tensor:
    """Density parameter (B, T) of latents x (B, T, dim); -inf at padding (mask False).

    d_i = sum_j exp(-D_ij^2)                      local density                (Eq. 4)
    S_i = min over denser j of D_ij; the densest: max_j D_ij                   (Eq. 9)
    Gamma_i = d_i S_i                                                          (Eq. 10)
    """
    pair = mask.unsqueeze(-1) & mask.unsqueeze(-2)
    # exact differences, not the matrix-product form, so that equal tokens have distance zero
    distance = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") * pair
    count = mask.sum(-1)
    mean = distance.sum((-1, -2)) / (count * (count - 1)).clamp(min=1)
    distance = distance / mean.clamp(min=1e-12)[:, None, None]
    density = ((-distance.square()).exp() * pair).sum(-1)
    index = torch.arange(x.shape[1], device=x.device)
    d_i, d_j = density.unsqueeze(-1), density.unsqueeze(-2)
    denser = ((d_j > d_i) | ((d_j == d_i) & (index[None, :] < index[:, None]))) & pair
    nearest = distance.masked_fill(~denser, torch.inf).amin(-1)
    separation = torch.where(denser.any(-1), nearest, distance.amax(-1))
    return (density * separation).masked_fill(~mask, -torch.inf)


def key_frames(gamma: Tensor, count: Tensor) -> Tensor:
    """(B, T) True for the `count` (B,) tokens of largest Gamma (Eq. 11); never more than there are valid ones."""
    order = gamma.sort(dim=-1, descending=True, stable=True).indices
    rank = torch.empty_like(order).scatter_(
        -1, order, torch.arange(gamma.shape[-1], device=gamma.device).expand_as(order)
    )
    return (rank < count.unsqueeze(-1)) & (gamma > -torch.inf)
