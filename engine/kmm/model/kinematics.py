"""Forward kinematics on feature tensors, differentiable: what the tokenizer's losses are measured on.

Everything is in the heading frame (features.py): the pelvis above the origin, so poses compare without drift.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kmm.model import features as ft
from kmm.skeleton import PARENTS, REST_OFFSETS


def matrices(features: Tensor) -> Tensor:
    """(..., 22, 3, 3) rotation matrices of (..., 140) features, by Gram-Schmidt."""
    d = features[..., ft.ROTATIONS].unflatten(-1, (22, 6))
    x = torch.nn.functional.normalize(d[..., :3], dim=-1, eps=1e-6)
    b = d[..., 3:] - (x * d[..., 3:]).sum(-1, keepdim=True) * x
    y = torch.nn.functional.normalize(b, dim=-1, eps=1e-6)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def _levels() -> list[list[int]]:
    """Joints grouped by depth below the pelvis, so that one level is one batched product."""
    depth = [0] * len(PARENTS)
    for joint, parent in list(enumerate(PARENTS))[1:]:
        depth[joint] = depth[parent] + 1
    return [[j for j, d in enumerate(depth) if d == level] for level in range(1, max(depth) + 1)]


_LEVELS = _levels()


def positions(features: Tensor) -> Tensor:
    """Joint positions (..., 22, 3) in the heading frame, metres, z up from the floor."""
    local = matrices(features)
    offsets = torch.tensor(REST_OFFSETS.tolist(), dtype=features.dtype, device=features.device)
    height = features[..., ft.HEIGHT]
    position: list[Tensor] = [torch.empty(0)] * len(PARENTS)
    world: list[Tensor] = [torch.empty(0)] * len(PARENTS)
    position[0] = torch.cat([torch.zeros_like(height), torch.zeros_like(height), height], dim=-1)
    world[0] = local[..., 0, :, :]
    for level in _LEVELS:
        parents = [PARENTS[j] for j in level]
        above = torch.stack([world[p] for p in parents], dim=-3)
        turned = (above @ offsets[level].unsqueeze(-1)).squeeze(-1)
        here = above @ local[..., level, :, :]
        for i, joint in enumerate(level):
            position[joint] = position[parents[i]] + turned[..., i, :]
            world[joint] = here[..., i, :, :]
    return torch.stack(position, dim=-2)


def velocities(features: Tensor, joints: Tensor) -> Tensor:
    """World velocities (..., T-1, 22, 3) in metres a frame, seen in the heading frame of the later frame.

    features (..., T, 140) and their positions (..., T, 22, 3). A foot that stays put has velocity zero here.
    """
    turn = features[..., 1:, 0, None]
    cos, sin = torch.cos(turn), torch.sin(turn)
    before = joints[..., :-1, :, :]
    x = cos * before[..., 0] + sin * before[..., 1]
    y = -sin * before[..., 0] + cos * before[..., 1]
    step = features[..., 1:, ft.STEP]
    moved = joints[..., 1:, :, :] - torch.stack([x, y, before[..., 2]], dim=-1)
    return moved + torch.nn.functional.pad(step, (0, 1)).unsqueeze(-2)


def path(features: Tensor) -> Tensor:
    """(..., T, 3) heading and position on the floor integrated from the first frame on: drift shows here."""
    yaw = torch.cumsum(features[..., 0], dim=-1)
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    dx, dy = features[..., 1], features[..., 2]
    x = torch.cumsum(cos * dx - sin * dy, dim=-1)
    y = torch.cumsum(sin * dx + cos * dy, dim=-1)
    return torch.stack([yaw, x, y], dim=-1)
