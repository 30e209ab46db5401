"""Signals of a motion that its words are about: speeds in the body's frame, turning, heights, leaning, steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmm.clip import Clip, forward_kinematics, heading
from kmm.contacts import REST_HEIGHT, foot_contacts
from kmm.skeleton import CONTACT_JOINTS, JOINT_INDEX

Array = NDArray[np.floating]

#: Seconds: standard deviation of the Gaussian that takes the sway of single steps out of path and heading.
GAIT_SMOOTHING = 0.2


def smooth(x: Array, sigma: float) -> Array:
    """Gaussian filter along axis 0, sigma in frames; the ends are continued by point reflection, so slopes stay."""
    x = np.asarray(x, dtype=np.float64)
    reach = int(np.ceil(3 * sigma))
    if sigma <= 0 or len(x) < 2:
        return x
    reach = min(reach, len(x) - 1)
    head = 2 * x[:1] - x[reach:0:-1]
    tail = 2 * x[-1:] - x[-2 : -reach - 2 : -1]
    padded = np.concatenate([head, x, tail]).reshape(len(x) + 2 * reach, -1)
    t = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (t / sigma) ** 2)
    kernel /= kernel.sum()
    columns = [np.convolve(column, kernel, mode="valid") for column in padded.T]
    return np.stack(columns, axis=-1).reshape(x.shape)


def fastest(s: Signals) -> Array:
    """(T,) metres a second of the joint that moves fastest."""
    return np.asarray(np.linalg.norm(rate(s.joints, s.fps), axis=-1).max(-1))


def rate(x: Array, fps: float) -> Array:
    """Time derivative along axis 0, per second."""
    return np.gradient(x, axis=0) * fps if len(x) > 1 else np.zeros_like(x)


@dataclass(frozen=True)
class Signals:
    """Everything per frame (T, ...), metres, seconds, radians; the floor is z = 0.

    yaw: heading, unwrapped, positive to the left; yaw_rate its derivative, both without the sway of single steps.
    velocity (T, 2): of the pelvis along the body's forward and left. lean (T, 2): horizontal offset of the neck
    from the pelvis as a part of the trunk's length, forward and left; upright (T,): its vertical part (1 upright,
    0 lying).
    clearance (T, 2): how far left and right foot are above the floor, both ankle and toe.
    wrist (T, 2, 3): left and right wrist from the midpoint of the shoulders, forward, left, up.
    foot (T, 2, 3): ankles from the pelvis in the same axes.
    """

    fps: float
    joints: Array
    yaw: Array
    yaw_rate: Array
    velocity: Array
    speed: Array
    height: Array
    head_height: Array
    knee_height: Array
    lean: Array
    upright: Array
    clearance: Array
    wrist: Array
    foot: Array
    contacts: Array

    def __len__(self) -> int:
        return len(self.yaw)


def signals(clip: Clip) -> Signals:
    """Measure a clip of at least one frame."""
    fps = clip.fps
    joints = forward_kinematics(clip.translation, clip.rotations)[0].astype(np.float64)
    sigma = GAIT_SMOOTHING * fps
    raw_yaw = np.unwrap(heading(clip.rotations[:, 0].astype(np.float64)))
    yaw = smooth(raw_yaw, sigma)
    pelvis = joints[:, 0]
    step = rate(smooth(pelvis[:, :2], sigma), fps)
    forward = np.stack([np.sin(yaw), -np.cos(yaw)], axis=-1)
    left = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)

    def in_body(v: Array) -> Array:
        """(T, ..., 3) world vectors along forward, left, up."""
        shape = (len(yaw), *[1] * (v.ndim - 2), 2)
        f, s = forward.reshape(shape), left.reshape(shape)
        return np.stack([(v[..., :2] * f).sum(-1), (v[..., :2] * s).sum(-1), v[..., 2]], axis=-1)

    at = JOINT_INDEX
    trunk: Array = joints[:, at["neck"]] - pelvis
    trunk = in_body(trunk / np.maximum(np.linalg.norm(trunk, axis=-1, keepdims=True), 1e-9))
    shoulders = joints[:, [at["left_shoulder"], at["right_shoulder"]]].mean(1, keepdims=True)
    above = joints[:, list(CONTACT_JOINTS), 2] - REST_HEIGHT
    velocity = np.stack([(step * forward).sum(-1), (step * left).sum(-1)], axis=-1)
    return Signals(
        fps=fps,
        joints=joints,
        yaw=yaw,
        yaw_rate=rate(yaw, fps),
        velocity=velocity,
        speed=np.linalg.norm(velocity, axis=-1),
        height=pelvis[:, 2],
        head_height=joints[:, at["head"], 2],
        knee_height=joints[:, [at["left_knee"], at["right_knee"]], 2],
        lean=trunk[:, :2],
        upright=trunk[:, 2],
        clearance=np.stack([above[:, :2].min(-1), above[:, 2:].min(-1)], axis=-1),
        wrist=in_body(joints[:, [at["left_wrist"], at["right_wrist"]]] - shoulders),
        foot=in_body(joints[:, [at["left_ankle"], at["right_ankle"]]] - pelvis[:, None]),
        contacts=foot_contacts(joints, fps),
    )
