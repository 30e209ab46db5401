"""MMCP's constraints: poses that are given to the engine, and what a motion that is made is led along and to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from motionmcp import GenerateRequest
from motionmcp import ProtocolError as Refusal

from kmm import rotations as rot
from kmm.clip import Clip
from kmm.effectors import LIMBS, lead
from kmm.formats.axes import turn
from kmm.given import Given
from kmm.path_editing import follow
from kmm.rotations import Array
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES

NEAR = 0.01  #: metres within which two places are the same, and a target is met
STRETCHED = (0.75, 1.25)  #: times the way that was made: a path that is shorter or longer is worth a word

_WORLD = rot.inv(turn("y"))  # from MMCP's world to ours


def given(request: GenerateRequest, at_engine: Callable[[float], int]) -> Given | None:
    """Poses at frames of the engine's; MMCP's pose keyframes must be whole ones here. Raises Refusal."""
    poses: dict[int, tuple[Array, Array]] = {}
    for constraint in sorted(_of(request, "pose_keyframe"), key=lambda c: c.frame):
        missing = [name for name in JOINT_NAMES if name not in constraint.joint_rotations]
        if missing and constraint.fill_mode == "generate":
            raise _refusal(
                f"this model takes whole poses: the keyframe at {constraint.frame} has no rotation for "
                f"{missing[0]!r}; send all {len(JOINT_NAMES)} joints, or fill_mode 'rest'"
            )
        if constraint.root_position is None:
            raise _refusal(f"the keyframe at {constraint.frame} needs a root_position for this model")
        rotations = np.tile(rot.IDENTITY, (len(JOINT_NAMES), 1))
        for joint, name in enumerate(JOINT_NAMES):
            if name in constraint.joint_rotations:
                x, y, z, w = constraint.joint_rotations[name]
                rotations[joint] = (w, x, y, z)
        if not (np.linalg.norm(rotations, axis=-1) > 1e-6).all():
            raise _refusal(f"the keyframe at {constraint.frame} has a rotation of no length")
        at = np.array(constraint.root_position, dtype=float)
        poses[at_engine(constraint.frame)] = at, rot.normalize(rotations)
    if not poses:
        return None
    translation = rot.apply(_WORLD, np.stack([at for at, _ in poses.values()]))
    rotations = np.stack([pose for _, pose in poses.values()])
    rotations[:, 0] = rot.multiply(_WORLD, rotations[:, 0])
    return Given(np.array(list(poses)), translation, rotations)


class Leading:
    """Leads a take, at the request's rate, along its root paths and to its targets.

    Making one raises Refusal for what cannot be; `notes` tells afterwards where it was too much for the motion.
    """

    def __init__(self, request: GenerateRequest) -> None:
        self.notes: list[str] = []
        self._fixed = {c.frame: c.root_position for c in _of(request, "pose_keyframe")}
        self._path = self._root_path(_of(request, "root_path"))
        self._targets = _targets(_of(request, "effector_target"), self._fixed)
        if (self._path or self._targets) and request.options is not None and request.options.loop:
            raise _refusal("a loop of this model cannot be led along a path or to targets")

    def _root_path(self, constraints: Sequence[Any]) -> dict[int, tuple[Array, float]]:
        """Frame -> place on the floor and heading, in our world; without frames whose poses are given."""
        path: dict[int, tuple[Array, float]] = {}
        for c in constraints:
            for frame, (x, z), heading in zip(
                c.frames, c.positions_xz, c.heading_radians or [np.nan] * len(c.frames), strict=True
            ):
                place = rot.apply(_WORLD, np.array([x, 0.0, z]))[:2]
                if frame in path:
                    raise _refusal(f"the root path is given twice at frame {frame}")
                if frame in self._fixed:
                    x, _, z = self._fixed[frame] or (x, 0.0, z)
                    if np.linalg.norm(rot.apply(_WORLD, np.array([x, 0.0, z]))[:2] - place) > NEAR:
                        raise _refusal(f"the keyframe and the root path at frame {frame} are apart")
                    continue
                path[frame] = place, heading
        return dict(sorted(path.items()))

    def __call__(self, clip: Clip) -> Clip:
        """The take, led."""
        fixed = sorted(self._fixed)
        if self._path:
            frames = np.array(list(self._path))
            places, headings = (np.array(values) for values in zip(*self._path.values(), strict=True))
            self._judge_path(clip, frames, places)
            clip = follow(clip, frames, places, headings, fixed)
        for joint, (frames, positions, rotations) in self._targets.items():
            clip = lead(clip, joint, frames, positions, rotations, fixed)
            missed = np.linalg.norm(clip.joints()[frames, JOINT_INDEX[joint]] - positions, axis=-1)
            if missed.max() > NEAR:
                self.notes.append(
                    f"{joint} is {100 * missed.max():.0f} cm short of its target at frame {frames[missed.argmax()]}: "
                    "the limb is not longer; lead the body there by a root_path"
                )
        return clip

    def _judge_path(self, clip: Clip, frames: Array, places: Array) -> None:
        made, asked = (
            float(np.linalg.norm(np.diff(way, axis=0), axis=-1).sum())
            for way in (clip.translation[frames, :2], places)
        )
        low, high = STRETCHED
        if len(frames) > 1 and not low * made - NEAR <= asked <= high * made + NEAR:
            self.notes.append(
                f"the root path is {asked:.1f} m long, and what was made goes {made:.1f} m: feet may slide; "
                "say in the prompt how fast to go, or change the duration"
            )


def _targets(
    constraints: Sequence[Any], fixed: dict[int, Any]
) -> dict[str, tuple[Array, Array, Array | None]]:
    """Joint -> frames, positions and rotations in our world."""
    targets: dict[str, tuple[Array, Array, Array | None]] = {}
    for joint in dict.fromkeys(c.joint for c in constraints):
        own = [c for c in constraints if c.joint == joint]
        if joint not in LIMBS:
            raise _refusal(
                f"targets of {joint!r} are not for this model; it takes those of {', '.join(LIMBS)}"
            )
        frames = np.array([frame for c in own for frame in c.frames])
        if len(np.unique(frames)) != len(frames):
            raise _refusal(f"a frame has two targets of {joint!r}")
        if both := sorted(set(frames.tolist()) & set(fixed)):
            raise _refusal(f"frame {both[0]} has a keyframe and a target of {joint!r}")
        if len({c.rotations is None for c in own}) > 1:
            raise _refusal(f"targets of {joint!r} need rotations all, or none")
        order = np.argsort(frames)
        positions = rot.apply(_WORLD, np.array([p for c in own for p in c.positions], dtype=float))[order]
        rotations = None
        if own[0].rotations is not None:
            turned = np.array([q for c in own for q in c.rotations], dtype=float)[:, [3, 0, 1, 2]]
            if not (np.linalg.norm(turned, axis=-1) > 1e-6).all():
                raise _refusal(f"a target of {joint!r} has a rotation of no length")
            rotations = rot.multiply(_WORLD, rot.normalize(turned))[order]
        targets[joint] = frames[order], positions, rotations
    return targets


def _of(request: GenerateRequest, kind: str) -> list[Any]:
    return [c for c in request.constraints if c.type == kind]


def _refusal(sentence: str) -> Refusal:
    return Refusal("invalid_request", sentence)
