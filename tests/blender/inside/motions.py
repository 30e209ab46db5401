"""Motions to retarget, made from sines."""

from __future__ import annotations

import numpy as np
from kmm import rotations as rot
from kmm.clip import Clip, Segment
from kmm.skeleton import JOINT_INDEX, UPRIGHT


def stroll(frames: int = 60, fps: float = 30.0) -> Clip:
    """A walk along a curve that swings arms, trunk and head, from the origin and facing -Y; feet near the floor."""
    time = np.arange(frames) / fps
    phase = 2 * np.pi * 0.9 * time
    rotations = np.tile(rot.IDENTITY, (frames, 22, 1))

    def turn(joint: str, axis: tuple[float, float, float], angle: np.ndarray | float) -> None:
        step = rot.from_rotvec(np.broadcast_to(angle, frames)[:, None] * np.array(axis))
        rotations[:, JOINT_INDEX[joint]] = rot.multiply(step, rotations[:, JOINT_INDEX[joint]])

    for side, out, shift in (("left", 1.0, 0.0), ("right", -1.0, np.pi)):
        swing = np.sin(phase + shift)
        turn(f"{side}_hip", (1, 0, 0), -0.45 * swing)
        turn(f"{side}_knee", (1, 0, 0), 0.35 + 0.35 * np.cos(phase + shift))
        turn(f"{side}_ankle", (1, 0, 0), -0.1 + 0.15 * swing)
        turn(f"{side}_collar", (0, 0, 1), 0.1 * np.sin(phase))
        turn(f"{side}_shoulder", (0, 0, 1), -1.0 * out + 0.3 * np.cos(0.7 * phase))
        turn(f"{side}_shoulder", (1, 0, 0), 0.5 * swing)
        turn(f"{side}_elbow", (0, 1, 0), -out * (0.8 + 0.6 * np.sin(1.3 * phase)))
        turn(f"{side}_wrist", (1, 0, 0), 0.4 * np.sin(0.8 * phase))
    for joint in ("spine1", "spine2", "spine3", "neck", "head"):
        turn(joint, (0, 1, 0), 0.1 * np.sin(0.5 * phase))
        turn(joint, (1, 0, 0), 0.06 * np.sin(phase + 1.0))
    heading = 0.6 * time
    turned = rot.from_rotvec(heading[:, None] * np.array([0, 0, 1.0]))
    rotations[:, 0] = rot.multiply(turned, np.array(UPRIGHT))
    step = 1.2 / fps * np.stack([np.sin(heading), -np.cos(heading), np.zeros(frames)], axis=-1)
    translation = np.cumsum(step, axis=0) - step[:1]
    clip = Clip(translation, rotations, fps, segments=(Segment("a person strolls", 0, frames),))
    # the lower ankle as high as it is in SMPL's rest pose
    joints = clip.joints()
    ankles = joints[:, [JOINT_INDEX["left_ankle"], JOINT_INDEX["right_ankle"]], 2].min(axis=1)
    translation[:, 2] = ANKLE - ankles
    return Clip(translation, rotations, fps, segments=clip.segments)


ANKLE = 0.08  #: of SMPL that stands, metres
