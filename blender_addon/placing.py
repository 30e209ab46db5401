"""From the engine's world to the character's: where it starts, which way it faces, mirrored, on the spot, looped.

Pure numpy. The engine starts at the origin facing -Y, or, when poses were given, goes on in their world.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from kmm import rotations as rot
from kmm.clip import Clip, heading
from numpy.typing import NDArray

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Start:
    """A spot on the floor, metres, and a heading, radians from facing -Y; both in the armature's space."""

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0

    @classmethod
    def of(cls, pose: Clip) -> Start:
        """Where the character stands in the first frame, and the way it faces."""
        x, y, _ = pose.translation[0]
        return cls(float(x), float(y), float(heading(pose.rotations[0, 0])))


class Placing:
    """Places a motion piece by piece; the pieces must come in order."""

    def __init__(self, start: Start | None = None, mirror: bool = False, in_place: bool = False) -> None:
        self._start, self._mirror, self._in_place = start, mirror, in_place
        self._spot: Array | None = None
        self._move: tuple[float, tuple[float, float, float]] | None = None

    def __call__(self, clip: Clip) -> Clip:
        """The next frames of the engine, where they belong."""
        if not len(clip):
            return clip
        if self._mirror:
            clip = clip.mirror()
        if self._in_place:
            if self._spot is None:
                self._spot = clip.translation[0, :2].copy()
            translation = clip.translation.copy()
            translation[:, :2] = self._spot
            clip = replace(clip, translation=translation)
        if self._start is None:
            return clip
        if self._move is None:  # the first frame says how the engine's motion begins
            first, here = Start.of(clip), self._start
            yaw = here.yaw - first.yaw
            x, y, _ = rot.apply(rot.from_rotvec(np.array([0.0, 0.0, yaw])), np.array([first.x, first.y, 0.0]))
            self._move = yaw, (here.x - x, here.y - y, 0.0)
        return clip.transform(*self._move)

    def for_engine(self, clip: Clip) -> Clip:
        """Poses that are there, as the engine must see them."""
        return clip.mirror() if self._mirror else clip


def meet(clip: Clip, frames: NDArray[np.integer], poses: Clip, reach: int) -> Clip:
    """The clip bent so that it has these poses at these frames, exactly.

    frames (n,), rising; poses: n frames. What is missing at a frame is added to it, and less and less to the frames
    on both sides: nothing beyond `reach` frames, nor beyond the next of `frames`.
    """
    if not len(frames):
        return clip
    moved = np.asarray(poses.translation - clip.translation[frames], dtype=float)
    turned = rot.as_rotvec(rot.multiply(poses.rotations, rot.inv(clip.rotations[frames])).astype(float))
    at = np.arange(len(clip))
    after = np.searchsorted(frames, at, side="right")
    translation = np.asarray(clip.translation, dtype=float).copy()
    turns = np.zeros((len(clip), *turned.shape[1:]))
    for known, other in ((after - 1, after), (after, after - 1)):
        there = (known >= 0) & (known < len(frames))
        k = known[there]
        gap = np.abs(frames[np.clip(other[there], 0, len(frames) - 1)] - frames[k])
        gap = np.where((other[there] >= 0) & (other[there] < len(frames)), gap, reach + 1)
        far = np.abs(at[there] - frames[k]) / np.maximum(1, np.minimum(gap, reach + 1))
        weight = _fade(np.minimum(far, 1.0))
        translation[there] += weight[:, None] * moved[k]
        turns[there] += weight[:, None, None] * turned[k]
    rotations = rot.multiply(rot.from_rotvec(turns), clip.rotations)
    bent = replace(clip, translation=translation, rotations=rot.normalize(rotations))
    bent.translation[frames], bent.rotations[frames] = poses.translation, poses.rotations
    return bent


def _fade(s: Array) -> Array:
    """From 1 at s = 0 to 0 at s = 1, straight and without a jerk at both ends."""
    return np.asarray(1 - s**3 * (10 - 15 * s + 6 * s**2))
