"""Clip <-> the network's features: T frames of 140 numbers that hold the joint rotations themselves.

    [0]        turn of the heading since the frame before, radians
    [1:3]      pelvis step since the frame before, metres, in the heading frame (left, back)
    [3]        pelvis height, metres
    [4:136]    22 joints x 6D rotation; the pelvis with the heading taken out, the others local to the parent
    [136:140]  contact of left ankle, left foot, right ankle, right foot with the floor, 0 to 1

Since rotations come out as they go in, a decoded motion is SMPL pose with no inverse kinematics after it. The
heading frame of a clip that faces -Y has its x axis at the body's left and its y axis at the body's back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import FPS, Clip, heading
from kmm.skeleton import MIRROR

DIM = 140
TURN, STEP, HEIGHT = slice(0, 1), slice(1, 3), slice(3, 4)
ROTATIONS, CONTACTS = slice(4, 136), slice(136, 140)

Array = NDArray[np.floating]


def rotation(joint: int) -> slice:
    """Where a joint's rotation is."""
    return slice(ROTATIONS.start + 6 * joint, ROTATIONS.start + 6 * joint + 6)


@dataclass(frozen=True)
class RootState:
    """Heading (radians) and pelvis position (metres) on the floor after the frames decoded so far."""

    yaw: float = 0.0
    x: float = 0.0
    y: float = 0.0


def encode(clip: Clip) -> Array:
    """(T, 140) float32 of a 30 fps clip; missing contacts are zero.

    The first frame's turn and step lead from the canonical origin (facing -Y) to where the clip starts, so that
    decode(encode(clip)) is the clip. They are no velocities: training must not use frame 0.
    """
    if clip.fps != FPS:
        raise ValueError(f"features are taken at {FPS:g} fps, resample the clip first (it has {clip.fps:g})")
    yaw = np.unwrap(heading(clip.rotations[:, 0]))
    turn = np.diff(yaw, prepend=0.0)
    step = np.diff(clip.translation[:, :2], axis=0, prepend=np.zeros((1, 2)))
    cos, sin = np.cos(yaw), np.sin(yaw)
    local_step = np.stack(
        [cos * step[:, 0] + sin * step[:, 1], -sin * step[:, 0] + cos * step[:, 1]], axis=-1
    )
    rotations = clip.rotations.copy()
    rotations[:, 0] = rot.multiply(about_z(-yaw), rotations[:, 0])
    contacts = np.zeros((len(clip), 4)) if clip.contacts is None else clip.contacts
    parts = [
        turn[:, None],
        local_step,
        clip.translation[:, 2:],
        rot.as_6d(rotations).reshape(len(clip), 132),
        contacts,
    ]
    return np.concatenate(parts, axis=1).astype(np.float32)


def decode(features: Array, start: RootState | None = None) -> tuple[Clip, RootState]:
    """The clip of (T, 140) features from `start` on, and the state to go on from with the frames that follow."""
    start = start or RootState()
    features = np.asarray(features, dtype=np.float64)
    count = len(features)
    yaw = start.yaw + np.cumsum(features[:, 0])
    cos, sin = np.cos(yaw), np.sin(yaw)
    step = features[:, STEP]
    x = start.x + np.cumsum(cos * step[:, 0] - sin * step[:, 1])
    y = start.y + np.cumsum(sin * step[:, 0] + cos * step[:, 1])
    rotations = rot.from_6d(features[:, ROTATIONS].reshape(count, 22, 6))
    rotations[:, 0] = rot.multiply(about_z(yaw), rotations[:, 0])
    translation = np.stack([x, y, features[:, 3]], axis=-1)
    contacts = np.clip(features[:, CONTACTS], 0.0, 1.0)
    end = RootState(float(yaw[-1]), float(x[-1]), float(y[-1])) if count else start
    return Clip(translation, rotations, FPS, contacts), end


def about_z(yaw: Array) -> Array:
    zero = np.zeros_like(yaw)
    return np.stack([np.cos(yaw / 2), zero, zero, np.sin(yaw / 2)], axis=-1)


def _mirror_tables() -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each feature of the mirrored motion: which feature it comes from, and its sign."""
    source, sign = np.arange(DIM), np.ones(DIM, dtype=np.float32)
    sign[0] = sign[1] = -1  # turn, and the step to the left
    # reflection in x of a rotation matrix, S R S with S = diag(-1, 1, 1), on its first two columns
    for joint, other in enumerate(MIRROR):
        source[4 + 6 * joint : 10 + 6 * joint] = np.arange(4 + 6 * other, 10 + 6 * other)
        sign[4 + 6 * joint : 10 + 6 * joint] = [1, -1, -1, -1, 1, 1]
    source[CONTACTS] = [138, 139, 136, 137]
    return source, sign


_SOURCE, _SIGN = _mirror_tables()


def mirror(features: Array) -> Array:
    """Features (..., 140) of the motion with left and right exchanged; equals encode(clip.mirror())."""
    return np.asarray(features[..., _SOURCE] * _SIGN)
