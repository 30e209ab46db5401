"""Clip: a motion of the SMPL body in the world, and what can be done with it in plain numpy.

World: metres, Z up, right-handed; a clip normally starts at the origin facing -Y (Blender's front view).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmm import rotations as rot
from kmm.skeleton import LEVELS, MIRROR, PARENTS, REST_OFFSETS, UPRIGHT

FPS = 30.0  #: frames per second inside the engine; other rates only at the edges

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Segment:
    """A stretch [start, end) of frames of a clip and the text it was made from."""

    prompt: str
    start: int
    end: int


@dataclass(frozen=True)
class Clip:
    """T frames of SMPL poses.

    translation (T, 3): world position of the pelvis joint, metres.
    rotations (T, 22, 4): unit quaternions (w, x, y, z) local to the parent; joint 0 is the world's.
    contacts (T, 4): probability that left ankle, left foot, right ankle, right foot touch the floor, or None.
    """

    translation: Array
    rotations: Array
    fps: float = FPS
    contacts: Array | None = None
    segments: tuple[Segment, ...] = field(default=())

    def __post_init__(self) -> None:
        t = len(self.translation)
        joints = len(PARENTS)
        if self.translation.shape != (t, 3) or self.rotations.shape != (t, joints, 4):
            raise ValueError(
                f"a clip of {t} frames needs translation ({t}, 3) and rotations ({t}, {joints}, 4), "
                f"got {self.translation.shape} and {self.rotations.shape}"
            )
        if self.contacts is not None and self.contacts.shape != (t, 4):
            raise ValueError(f"contacts must be ({t}, 4), got {self.contacts.shape}")
        if not self.fps > 0:
            raise ValueError(f"fps must be positive, got {self.fps}")

    def __len__(self) -> int:
        return len(self.translation)

    @property
    def seconds(self) -> float:
        return len(self) / self.fps

    def joints(self, offsets: ArrayLike = REST_OFFSETS) -> Array:
        """World positions (T, 22, 3) of the joints, metres."""
        return forward_kinematics(self.translation, self.rotations, offsets)[0]

    def slice(self, start: int, stop: int) -> Clip:
        """Frames [start, stop); segments are cut to fit and shifted."""
        start, stop, _ = slice(start, stop).indices(len(self))
        segments = tuple(
            Segment(s.prompt, max(s.start, start) - start, min(s.end, stop) - start)
            for s in self.segments
            if max(s.start, start) < min(s.end, stop)
        )
        return replace(
            self,
            translation=self.translation[start:stop],
            rotations=self.rotations[start:stop],
            contacts=None if self.contacts is None else self.contacts[start:stop],
            segments=segments,
        )

    def resample(self, fps: float) -> Clip:
        """The same motion at another rate: slerp for rotations, linear for the rest.

        Frame k of the result is the motion at k / fps seconds; the result ends at or before the last frame.
        """
        if fps == self.fps or len(self) == 0:
            return replace(self, fps=float(fps))
        count = resampled_length(len(self), self.fps, fps)
        translation, rotations, contacts = sample(self, np.arange(count) * (self.fps / fps))
        scale = fps / self.fps
        segments = tuple(
            Segment(s.prompt, round(s.start * scale), min(count, round(s.end * scale))) for s in self.segments
        )
        return Clip(translation, rotations, float(fps), contacts, segments)

    def mirror(self) -> Clip:
        """Left and right exchanged (reflection in the plane x = 0)."""
        order = list(MIRROR)
        return replace(
            self,
            translation=self.translation * np.array([-1, 1, 1], dtype=self.translation.dtype),
            rotations=self.rotations[:, order] * np.array([1, 1, -1, -1], dtype=self.rotations.dtype),
            contacts=None if self.contacts is None else self.contacts[:, [2, 3, 0, 1]],
        )

    def transform(self, yaw: float, offset: ArrayLike = (0.0, 0.0, 0.0)) -> Clip:
        """Turned about the world's Z axis by `yaw` radians, then moved by `offset` metres."""
        turn = rot.from_rotvec(np.array([0.0, 0.0, yaw]))
        rotations = self.rotations.copy()
        rotations[:, 0] = rot.multiply(turn, rotations[:, 0])
        return replace(
            self, translation=rot.apply(turn, self.translation) + np.asarray(offset), rotations=rotations
        )

    def canonical(self) -> Clip:
        """Moved so that the first frame's pelvis is at x = y = 0 and faces -Y."""
        yaw = -float(heading(self.rotations[0, 0]))
        turned = self.transform(yaw)
        x, y, _ = turned.translation[0]
        return turned.transform(0.0, (-x, -y, 0.0))


def forward_kinematics(
    translation: ArrayLike, rotations: ArrayLike, offsets: ArrayLike = REST_OFFSETS
) -> tuple[Array, Array]:
    """World positions (..., 22, 3) and world rotations (..., 22, 4) of the joints.

    translation (..., 3), rotations (..., 22, 4) local to the parent, offsets (22, 3) from the parent at rest.
    """
    rotations, offsets, translation = np.asarray(rotations), np.asarray(offsets), np.asarray(translation)
    positions = np.empty((*rotations.shape[:-1], 3), np.result_type(translation, rotations, offsets))
    world = np.empty_like(rotations)
    positions[..., 0, :], world[..., 0, :] = translation, rotations[..., 0, :]
    for joints, parents in LEVELS:
        turned = world[..., parents, :]
        positions[..., joints, :] = positions[..., parents, :] + rot.apply(turned, offsets[joints])
        world[..., joints, :] = rot.multiply(turned, rotations[..., joints, :])
    return positions, world


def heading(root: ArrayLike) -> Array:
    """Yaw (...) in [-pi, pi) of pelvis world rotations (..., 4): the turn about world Z away from facing -Y.

    Positive is counter-clockwise seen from above, which is the body's own left. It is the twist about Z, so
    it stays defined when the body leans or bows, up to upside down.
    """
    relative = rot.multiply(np.asarray(root), rot.inv(np.array(UPRIGHT)))
    yaw = 2.0 * np.arctan2(relative[..., 3], relative[..., 0])
    return np.asarray((yaw + np.pi) % (2 * np.pi) - np.pi)


def resampled_length(frames: int, source_fps: float, target_fps: float) -> int:
    """How many frames `Clip.resample` makes of `frames` frames."""
    return int(np.floor((frames - 1) * target_fps / source_fps + 1e-9)) + 1 if frames else 0


def sample(clip: Clip, frames: ArrayLike) -> tuple[Array, Array, Array | None]:
    """Translation, rotations and contacts at fractional frame numbers (N,), held outside the clip."""
    at = np.clip(np.asarray(frames, dtype=float), 0, len(clip) - 1)
    low = np.minimum(np.floor(at + 1e-9).astype(int), len(clip) - 1)
    high = np.minimum(low + 1, len(clip) - 1)
    t = np.clip(at - low, 0.0, 1.0)

    def linear(values: Array) -> Array:
        return np.asarray(values[low] + (values[high] - values[low]) * t[:, None].astype(values.dtype))

    rotations = rot.slerp(clip.rotations[low], clip.rotations[high], t[:, None].astype(clip.rotations.dtype))
    return linear(clip.translation), rotations, None if clip.contacts is None else linear(clip.contacts)
