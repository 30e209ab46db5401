"""Feet that stand carry the body: the pelvis' steps over the floor are set right by the feet in contact.

The decoder gives legs and the pelvis' way each with a small error, and a foot on the floor slides by their sum. While
a foot is in contact its own velocity is that error, so it is taken off the step of the whole body. A frame needs
nothing but itself and the one before, so a stream stays a stream. What is left (two feet that disagree) is small, and
`kmm.foot_lock` takes it off where all frames are there.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from kmm.model import features as ft
from kmm.model import kinematics as kin
from kmm.skeleton import CONTACT_JOINTS

SURE, UNSURE = 0.8, 0.4  #: contacts from which on a foot stands in earnest, and below which it does not
MOST = 0.03  #: metres a frame that are taken off at most: a foot that moves faster does not stand


@torch.inference_mode()
def plant(features: NDArray[np.float32], before: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Features (T, 140) with the pelvis' steps set right; `before` (140,) is the frame before the first, if any.

    Without it the first frame stays as it is. Only the steps (features 1 and 2) change.
    """
    known = before is not None
    x = torch.from_numpy(features if before is None else np.concatenate([before[None], features]))
    if len(x) < 2:
        return features
    velocity = kin.velocities(x, kin.positions(x))[:, list(CONTACT_JOINTS), :2]
    weight = ((x[1:, ft.CONTACTS] - UNSURE) / (SURE - UNSURE)).clamp(0, 1).unsqueeze(-1)
    slide = (weight * velocity).sum(1) / weight.sum(1).clamp(min=1e-6) * weight.amax(1)
    slide = slide * (MOST / slide.norm(dim=-1, keepdim=True).clamp(min=MOST))
    out = features.copy()
    out[0 if known else 1 :, ft.STEP] -= slide.numpy()
    return out
