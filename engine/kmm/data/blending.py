"""Motions changed in part: a path bent so that it turns, arms taken from another motion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import Clip
from kmm.skeleton import JOINT_INDEX

ARM = ("collar", "shoulder", "elbow", "wrist")
FADE = 8  # frames in which arms go over into the other motion


def bend_path(clip: Clip, degrees: float, start: int, stop: int) -> Clip:
    """The way along the floor turned to the left by `degrees` between two frames, body and all.

    The turn starts and ends smoothly. Feet slide by about the turn in a step times half a step's length, which is
    little for gentle turns (path editing: Gleicher, "Motion Path Editing", I3D 2001).
    """
    at = np.clip((np.arange(len(clip)) - start) / max(1, stop - 1 - start), 0.0, 1.0)
    yaw = np.radians(degrees) * at * at * (3 - 2 * at)
    turns = rot.from_rotvec(yaw[:, None] * np.array([0.0, 0.0, 1.0]))
    steps = rot.apply(turns[1:], np.diff(clip.translation, axis=0))
    path = np.concatenate([clip.translation[:1], clip.translation[:1] + np.cumsum(steps, axis=0)])
    path[:, 2] = clip.translation[:, 2]
    rotations = clip.rotations.copy()
    rotations[:, 0] = rot.multiply(turns, rotations[:, 0])
    return replace(clip, translation=path, rotations=rotations)


def with_arms(clip: Clip, arms: Clip, side: str, start: int) -> Clip:
    """The clip with the left, the right or "both" arms of `arms` from frame `start` on, faded in and out."""
    frames = slice(start, start + len(arms))
    if frames.stop > len(clip):
        raise ValueError(f"{len(arms)} frames of arms do not fit into {len(clip)} frames from {start} on")
    joints = [JOINT_INDEX[f"{s}_{j}"] for s in ("left", "right") if side in (s, "both") for j in ARM]
    share = _fade(len(arms))
    rotations = clip.rotations.copy()
    own = rotations[frames][:, joints]
    rotations[start : frames.stop, joints] = rot.slerp(own, arms.rotations[:, joints], share[:, None])
    return replace(clip, rotations=rotations)


def _fade(count: int) -> NDArray[np.floating]:
    """(count,) from 0 up to 1 and back to 0, smoothly."""
    at = np.arange(count)
    s = np.clip(np.minimum(at, count - 1 - at) / FADE, 0.0, 1.0)
    return np.asarray(s * s * (3 - 2 * s))
