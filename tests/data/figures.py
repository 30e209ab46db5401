"""Procedural figures to read captions from: feet planted where a walking body would plant them, by leg IK.

Paths are functions of time in seconds, so a test says what the body does and nothing about frames.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from kmm import rotations as rot
from kmm.clip import FPS, Clip
from kmm.skeleton import JOINT_INDEX, REST_OFFSETS, UPRIGHT

Path = Callable[[np.ndarray], np.ndarray]
HEIGHT = 0.95  #: pelvis of the standing figure: a little less than straight legs
ANKLE, HIP_WIDTH = 0.085, 0.09


def constant(value: float) -> Path:
    return lambda t: np.full_like(t, value)


ZERO, HANGING, STANDING = constant(0.0), constant(-75.0), constant(HEIGHT)


def ramp(start: float, end: float, first: float, last: float) -> Path:
    """From `start` before time `first` to `end` after time `last`, smoothly."""

    def path(t: np.ndarray) -> np.ndarray:
        s = np.clip((t - first) / (last - first), 0, 1)
        return start + (end - start) * s * s * (3 - 2 * s)

    return path


def bump(value: float, first: float, last: float, rest: float = 0.0) -> Path:
    """`rest`, with one smooth hill up to `value` between times `first` and `last`."""

    def path(t: np.ndarray) -> np.ndarray:
        s = np.clip((t - first) / (last - first), 0, 1)
        return rest + (value - rest) * np.sin(np.pi * s) ** 2

    return path


def figure(
    seconds: float,
    *,
    forward: Path = ZERO,
    left: Path = ZERO,
    yaw: Path = ZERO,
    along_yaw: bool = False,
    height: Path = STANDING,
    lift: Path = ZERO,
    step_rate: float = 1.8,
    stance: float = 0.6,
    lean: Path = ZERO,
    left_arm: Path = HANGING,
    right_arm: Path = HANGING,
) -> Clip:
    """A clip of a body whose pelvis is `forward` and `left` metres away at each time, facing `yaw` degrees left.

    along_yaw: `forward` is the length of a path that follows the heading. lift: metres both feet are off the floor.
    stance: part of a gait cycle that a foot stands (above 0.5 walks, below runs). lean and arms in degrees (an arm
    hangs at -90 and points up at 90).
    """
    t = np.arange(round(seconds * FPS)) / FPS

    def place(time: np.ndarray) -> np.ndarray:
        """(N, 2) pelvis on the floor: +X is the body's left at yaw 0, -Y its front."""
        if not along_yaw:
            return np.stack([left(time), -forward(time)], axis=-1)
        fine = np.arange(-1.0, seconds + 1.0, 1 / 600)
        heading = np.radians(yaw(fine))
        step = np.gradient(forward(fine))
        path = np.cumsum(step[:, None] * np.stack([np.sin(heading), -np.cos(heading)], axis=-1), axis=0)
        path -= path[np.searchsorted(fine, 0.0)]
        return np.stack([np.interp(time, fine, path[:, k]) for k in (0, 1)], axis=-1)

    def spot(time: np.ndarray, side: float) -> np.ndarray:
        angle = np.radians(yaw(time))
        return place(time) + side * HIP_WIDTH * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    turn = rot.from_rotvec(np.radians(yaw(t))[:, None] * np.array([0, 0, 1.0]))
    rotations = np.tile(rot.IDENTITY, (len(t), 22, 1))
    rotations[:, 0] = rot.multiply(turn, np.array(UPRIGHT))
    translation = np.concatenate([place(t), (height(t) + lift(t))[:, None]], axis=-1)
    period = 2.0 / step_rate
    for name, side, delay in (("left", 1.0, 0.0), ("right", -1.0, 0.5)):
        cycle = np.floor(t / period - delay)
        since = t / period - delay - cycle
        middle = (cycle + delay + stance / 2) * period  # the foot stands where the body is in mid-stance
        here, there = spot(middle, side), spot(middle + period, side)
        s = np.clip((since - stance) / (1 - stance), 0, 1)[:, None]
        floor = here + (there - here) * s * s * (3 - 2 * s)
        moved = np.linalg.norm(there - here, axis=-1)
        up = np.where(moved > 0.02, 0.12 * np.sin(np.pi * s[:, 0]), 0.0) + lift(t)
        ankle = np.concatenate([floor, (ANKLE + up)[:, None]], axis=-1)
        _leg(rotations, name, rot.apply(rot.inv(rotations[:, 0]), ankle - translation))
    rotations[:, JOINT_INDEX["spine1"]] = rot.from_rotvec(
        np.radians(lean(t))[:, None] * np.array([1.0, 0, 0])
    )
    for name, sign, arm in (("left", 1.0, left_arm), ("right", -1.0, right_arm)):
        angle = sign * np.radians(arm(t))[:, None] * np.array([0, 0, 1.0])
        rotations[:, JOINT_INDEX[f"{name}_shoulder"]] = rot.from_rotvec(angle)
    return Clip(translation, rotations, FPS)


def _leg(rotations: np.ndarray, name: str, ankle: np.ndarray) -> None:
    """Hip, knee and ankle rotations that bring the ankle to `ankle` (T, 3) in the pelvis' frame, the foot flat."""
    hip, thigh, shin = (REST_OFFSETS[JOINT_INDEX[f"{name}_{j}"]] for j in ("hip", "knee", "ankle"))
    a, b = np.linalg.norm(thigh), np.linalg.norm(shin)
    reach = ankle - hip
    d = np.clip(np.linalg.norm(reach, axis=-1, keepdims=True), 0.2, 0.999 * (a + b))
    axis = reach / np.linalg.norm(reach, axis=-1, keepdims=True)
    along = (a * a - b * b + d * d) / (2 * d)
    pole = np.array([0.0, 0, 1.0]) - axis * axis[:, 2:]
    pole /= np.linalg.norm(pole, axis=-1, keepdims=True)
    knee = axis * along + pole * np.sqrt(np.maximum(a * a - along**2, 0))
    upper = rot.shortest_arc(np.broadcast_to(thigh, knee.shape), knee)
    lower = rot.shortest_arc(np.broadcast_to(shin, knee.shape), axis * d - knee)
    rotations[:, JOINT_INDEX[f"{name}_hip"]] = upper
    rotations[:, JOINT_INDEX[f"{name}_knee"]] = rot.multiply(rot.inv(upper), lower)
    rotations[:, JOINT_INDEX[f"{name}_ankle"]] = rot.inv(lower)


def walk(speed: float = 1.2, seconds: float = 4.0, turn: float = 0.0, **changes: object) -> Clip:
    """Walking ahead at `speed` m/s, turning left by `turn` degrees a second all the time."""
    return figure(seconds, forward=lambda t: speed * t, yaw=lambda t: turn * t, along_yaw=True, **changes)  # type: ignore[arg-type]


def run(speed: float = 3.0, seconds: float = 3.0, turn: float = 0.0) -> Clip:
    return figure(
        seconds,
        forward=lambda t: speed * t,
        yaw=lambda t: turn * t,
        along_yaw=True,
        step_rate=2.8,
        stance=0.35,
        height=constant(0.9),
        lift=lambda t: 0.06 * np.maximum(0, np.sin(2 * np.pi * 2.8 * t)),
    )


def jump(rise: float = 0.35, ahead: float = 0.0, yaw: Path = ZERO, bent: float = 0.4) -> Clip:
    """One jump between 1.0 and 1.55 s, bending the knees for `bent` seconds before and after."""

    def lift(t: np.ndarray) -> np.ndarray:
        s = np.clip((t - 1.0) / 0.55, 0, 1)
        return 4 * rise * s * (1 - s)

    def height(t: np.ndarray) -> np.ndarray:
        return HEIGHT - bump(0.2, 1.0 - bent, 1.0)(t) - bump(0.2, 1.55, 1.6 + bent)(t)

    def forward(t: np.ndarray) -> np.ndarray:
        return ahead * np.clip((t - 1.0) / 0.55, 0, 1)

    return figure(3.0, forward=forward, height=height, lift=lift, yaw=yaw, step_rate=50.0)
