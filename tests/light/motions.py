"""Clips to test with: a procedural walk, and hypothesis strategies for arbitrary ones."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip, Segment
from kmm.skeleton import JOINT_INDEX, STANDING_HEIGHT, UPRIGHT


def walk(
    frames: int = 60, fps: float = 30.0, turn: float = 0.0, speed: float = 1.2, stride: float = 1.0
) -> Clip:
    """A plausible walk at `speed` m/s from the origin facing -Y, turning left by `turn` radians a second."""
    time = np.arange(frames) / fps
    phase = 2 * np.pi * time * 0.9 * stride
    rotations = np.tile(rot.IDENTITY, (frames, 22, 1))

    def bend(name: str, x: np.ndarray, z: float = 0.0) -> None:
        angles = np.stack([np.full(frames, z), np.broadcast_to(x, frames)], axis=-1)
        q = rot.from_rotvec(angles[:, :1] * np.array([0, 0, 1.0]))
        rotations[:, JOINT_INDEX[name]] = rot.multiply(
            rot.from_rotvec(angles[:, 1:] * np.array([1.0, 0, 0])), q
        )

    for side, shift, out in (("left", 0.0, -1.25), ("right", np.pi, 1.25)):
        swing = np.sin(phase + shift)
        bend(f"{side}_hip", -0.45 * swing)
        bend(f"{side}_knee", 0.35 + 0.35 * np.cos(phase + shift))
        bend(f"{side}_ankle", -0.1 + 0.15 * swing)
        bend(f"{side}_shoulder", 0.35 * swing, out)
        bend(f"{side}_elbow", np.zeros(1), 0.2 * np.sign(out))
    yaw = turn * time
    rotations[:, 0] = rot.multiply(rot.from_rotvec(yaw[:, None] * np.array([0, 0, 1.0])), np.array(UPRIGHT))
    velocity = speed / fps * np.stack([np.sin(yaw), -np.cos(yaw), np.zeros(frames)], axis=-1)
    translation = np.cumsum(velocity, axis=0) - velocity[:1]
    translation[:, 2] = STANDING_HEIGHT - 0.03 + 0.02 * np.cos(2 * phase)
    contacts = np.clip(np.stack([np.sin(phase + s) for s in (0.0, 0.2, np.pi, np.pi + 0.2)], -1) * 2, 0, 1)
    return Clip(translation, rotations, fps, contacts, (Segment("a person walks", 0, frames),))


def random_clip(
    frames: int, seed: int, fps: float = 30.0, dtype: type = np.float64, contacts: bool = True
) -> Clip:
    """Every joint at a random rotation in every frame, anywhere within ten metres."""
    rng = np.random.default_rng(seed)
    half = frames // 2
    return Clip(
        rng.uniform(-10, 10, (frames, 3)).astype(dtype),
        rot.normalize(rng.normal(size=(frames, 22, 4))).astype(dtype),
        fps,
        rng.uniform(0, 1, (frames, 4)).astype(dtype) if contacts else None,
        (Segment('first, "quoted" \u00e9', 0, half), Segment("second", half, frames)) if half else (),
    )


def clips(min_frames: int = 1, max_frames: int = 20) -> st.SearchStrategy[Clip]:
    return st.builds(
        random_clip,
        st.integers(min_frames, max_frames),
        st.integers(0, 2**32 - 1),
        st.sampled_from([24.0, 25.0, 30.0, 30 / 1.001, 60.0, 120.0]),
        st.sampled_from([np.float32, np.float64]),
        st.booleans(),
    )
