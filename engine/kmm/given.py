"""Given: frames of a motion that are there already, for the engine to go on from, to fill between, or to end in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmm.clip import Clip
from kmm.skeleton import JOINT_NAMES


@dataclass(frozen=True, eq=False)
class Given:
    """Poses of some frames of a motion that is to be made, all in one world, as in `Clip`.

    frames (n,): their numbers in the motion, rising; numbers without a gap are one stretch.
    translation (n, 3), rotations (n, 22, 4): float32. `Given()` gives nothing.
    Raises ValueError for poses that cannot be ones.
    """

    frames: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    translation: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 3), "<f4"))
    rotations: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 22, 4), "<f4"))

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames, dtype=np.int64).reshape(-1)
        translation = np.ascontiguousarray(self.translation, dtype="<f4")
        rotations = np.ascontiguousarray(self.rotations, dtype="<f4")
        n, joints = len(frames), len(JOINT_NAMES)
        if translation.shape != (n, 3) or rotations.shape != (n, joints, 4):
            raise ValueError(
                f"{n} given frames need translation ({n}, 3) and rotations ({n}, {joints}, 4), "
                f"not {translation.shape} and {rotations.shape}"
            )
        if n and (frames[0] < 0 or (np.diff(frames) <= 0).any()):
            raise ValueError("given frames must rise from 0 on and none may come twice")
        if not (np.isfinite(translation).all() and np.isfinite(rotations).all()):
            raise ValueError("a given pose holds a value that is not a finite number")
        with np.errstate(over="ignore"):
            unit = np.abs((rotations**2).sum(-1) - 1.0) < 0.02
        if not unit.all():
            raise ValueError("a given rotation is not a unit quaternion (w, x, y, z)")
        for name, value in (("frames", frames), ("translation", translation), ("rotations", rotations)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.frames)

    @classmethod
    def of(cls, clip: Clip, frames: ArrayLike) -> Given:
        """Frames of a clip, given under the same numbers: `Given.of(clip, [*range(60), *range(120, 200)])`."""
        frames = np.asarray(frames, dtype=np.int64).reshape(-1)
        if len(frames) and not (frames.min() >= 0 and frames.max() < len(clip)):
            raise ValueError(f"the clip has frames 0 to {len(clip) - 1}, so others cannot be given")
        return cls(
            frames,
            clip.translation[frames].astype(np.float32, copy=False),
            clip.rotations[frames].astype(np.float32, copy=False),
        )

    @classmethod
    def in_stretches(
        cls, stretches: Iterable[tuple[int, int]], translation: ArrayLike, rotations: ArrayLike
    ) -> Given:
        """Stretches (start, count), with the poses of all of them one after the other."""
        numbers = [np.arange(start, start + count) for start, count in stretches]
        frames = np.concatenate([np.zeros(0, np.int64), *numbers])
        return cls(frames, np.asarray(translation), np.asarray(rotations))

    @property
    def stretches(self) -> Sequence[tuple[int, int]]:
        """(start, count) of every stretch of frames without a gap."""
        if not len(self):
            return ()
        parts = np.split(self.frames, np.flatnonzero(np.diff(self.frames) > 1) + 1)
        return tuple((int(part[0]), len(part)) for part in parts)
