"""Joints that are turned further than a body allows: faults of the recording, mended so that nobody learns them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import Clip
from kmm.skeleton import JOINT_NAMES

#: Degrees from rest that a joint cannot reach: the head on its neck, the foot on its shin.
LIMITS = {"head": 100.0, "left_ankle": 120.0, "right_ankle": 120.0}
MARGIN = 5  # frames beside an impossible one that are on their way to it


def repaired(clip: Clip) -> tuple[Clip, list[str]]:
    """The clip with impossible rotations bridged from the frames around them (at rest where there are none).

    Also what was mended, a sentence a joint; nothing mended gives the clip itself.
    """
    mended: list[str] = []
    rotations = clip.rotations
    for name, limit in LIMITS.items():
        joint = JOINT_NAMES.index(name)
        angle = np.degrees(rot.magnitude(rotations[:, joint]))
        bad = angle > limit
        if not bad.any():
            continue
        if rotations is clip.rotations:
            rotations = clip.rotations.copy()
        rotations[:, joint] = _bridged(rotations[:, joint], _widened(bad))
        mended.append(f"{name} turned by more than {limit:g} degrees in {int(bad.sum())} frames, mended")
    return (replace(clip, rotations=rotations) if mended else clip), mended


def _widened(bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.convolve(bad, np.ones(2 * MARGIN + 1), mode="same") > 0


def _bridged(q: NDArray[np.floating], bad: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Quaternions (T, 4) with those in `bad` interpolated between the good ones around them."""
    good = np.flatnonzero(~bad)
    if not len(good):
        return np.broadcast_to(np.array([1.0, 0, 0, 0], q.dtype), q.shape).copy()
    at = np.arange(len(q))
    after = np.clip(np.searchsorted(good, at), 0, len(good) - 1)
    before = np.clip(np.searchsorted(good, at, side="right") - 1, 0, len(good) - 1)
    a, b = good[before], good[after]
    share = np.where(b > a, (at - a) / np.maximum(b - a, 1), 0.0)
    return np.where(bad[:, None], rot.slerp(q[a], q[b], share), q).astype(q.dtype)
