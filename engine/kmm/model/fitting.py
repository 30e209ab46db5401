"""Fitting: made motion bent so that it meets the poses that are given, and a motion's end so that it meets its start.

A given frame comes out as it was given. What the model made of it differs a little; that offset is carried on into
the made frames around it and dies away (inertialization, as in `kmm.editing`), with the slope that it had, so that
pose and velocity go on over the seam. The root is another matter, since its features are velocities: what is left
over in heading and place between two given frames is spread over all frames between them, most where the body
travels fastest, so that it does not slide where it stands. Pure numpy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kmm import rotations as rot
from kmm.clip import FPS, Array, Clip, heading
from kmm.editing import fade
from kmm.given import Given
from kmm.model import features as ft

TRANSITION_FRAMES = 12  #: bent on each side of a seam where nobody says how many
#: Metres a frame that a body is taken to travel at least: where it stands, all frames are bent alike.
_SLOWEST = 0.002
#: Radians a frame. An offset that seems to turn faster is half a turn off and has only changed its sign.
_FASTEST = 1.0


class Fit:
    """Features in, frames of the motion out, in the world of what is given. Feed it in order, from frame 0 on."""

    def __init__(self, features: Array, given: Given, transition: int = TRANSITION_FRAMES) -> None:
        """features (n, 140): of the frames up to the last given one, at least."""
        self._given, self._transition = given, transition
        at, count = given.frames, int(given.frames[-1]) + 1
        self._size = count + transition + 1
        head = np.asarray(features[:count], dtype=np.float64)
        yaw = heading(given.rotations[:, 0].astype(np.float64))
        pose = _without_heading(given.rotations.astype(np.float64), yaw)
        turns = rot.as_rotvec(rot.multiply(pose, rot.inv(_poses(head[at]))))
        self._turns = self._dying(at, turns)
        self._height = self._dying(at, given.translation[:, 2] - head[at, 3])

        weight = np.hypot(head[:, 1], head[:, 2]) + _SLOWEST
        self._yaw: Array = np.zeros(self._size)
        self._floor: Array = np.zeros((self._size, 2))
        self._yaw = self._led(at, np.unwrap(yaw - np.cumsum(head[:, 0])[at]), weight)
        self._floor = self._led(
            at, given.translation[:, :2] - self._path(head, 0, ft.RootState())[0][at], weight
        )
        self._state, self._next = ft.RootState(), 0

    def __call__(self, features: Array) -> Clip:
        """The next frames, float32: as many as there are features."""
        features = np.asarray(features, dtype=np.float64)
        frames = np.arange(self._next, self._next + len(features))
        rows = np.minimum(frames, self._size - 1)
        floor, yaw, self._state = self._path(features, self._next, self._state)
        self._next += len(features)
        rotations = rot.multiply(rot.from_rotvec(self._turns[rows]), _poses(features))
        rotations[:, 0] = rot.multiply(ft.about_z(yaw), rotations[:, 0])
        height = features[:, 3] + self._height[rows]
        translation = np.concatenate([floor + self._floor[rows], height[:, None]], axis=-1)
        clip = Clip(
            translation.astype(np.float32),
            rotations.astype(np.float32),
            FPS,
            np.clip(features[:, ft.CONTACTS], 0.0, 1.0),
        )
        _, mine, theirs = np.intersect1d(frames, self._given.frames, return_indices=True)
        clip.translation[mine], clip.rotations[mine] = (
            self._given.translation[theirs],
            self._given.rotations[theirs],
        )
        return clip

    def _path(self, features: Array, start: int, state: ft.RootState) -> tuple[Array, Array, ft.RootState]:
        """Place on the floor (n, 2) before it is mended, heading (n,), and the unmended state afterwards."""
        made = state.yaw + np.cumsum(features[:, 0])
        yaw = made + self._yaw[np.minimum(np.arange(start, start + len(made)), self._size - 1)]
        cos, sin = np.cos(yaw), np.sin(yaw)
        left, back = features[:, 1], features[:, 2]
        floor = np.array([state.x, state.y]) + np.cumsum(
            np.stack([cos * left - sin * back, sin * left + cos * back], axis=-1), axis=0
        )
        if len(floor):
            state = ft.RootState(float(made[-1]), float(floor[-1, 0]), float(floor[-1, 1]))
        return floor, yaw, state

    def _dying(self, at: NDArray[np.int64], values: Array) -> Array:
        """Offsets (size, ...) that are `values` at frames `at` and die away within the transition."""
        slopes = _slopes(at, values, self._transition)
        out = np.zeros((self._size, *values.shape[1:]))
        out[at] = values
        ends = [
            (None, 0),
            *((k, k + 1) for k in range(len(at) - 1) if at[k + 1] > at[k] + 1),
            (len(at) - 1, None),
        ]
        for left, right in ends:
            low = 0 if left is None else int(at[left]) + 1
            high = self._size if right is None else int(at[right])
            width = high - low + 1
            if left is None or right is None or width > 2 * self._transition:
                width = self._transition
            frames = np.arange(low, high)
            if width and left is not None:
                s = np.minimum((frames - at[left]) / width, 1.0)
                out[low:high] += fade(s, values[left], slopes[left] * width)
            if width and right is not None:
                s = np.minimum((at[right] - frames) / width, 1.0)
                out[low:high] += fade(s, values[right], -slopes[right] * width)
        return out

    def _led(self, at: NDArray[np.int64], values: Array, weight: Array) -> Array:
        """Offsets (size, ...) that lead from one of `values` to the next, most where `weight` (n,) is large."""
        slopes = _slopes(at, values, None)
        out = np.zeros((self._size, *values.shape[1:]))
        out[at] = values
        column = (slice(None), *(None,) * (values.ndim - 1))
        first, last = int(at[0]), int(at[-1])
        out[:first] = values[0] - slopes[0] * _dies(first - np.arange(first), self._transition)[column]
        after = np.arange(last + 1, self._size)
        out[last + 1 :] = values[-1] + slopes[-1] * _dies(after - last, self._transition)[column]
        for k in np.flatnonzero(np.diff(at) > 1):
            a, b = int(at[k]), int(at[k + 1])
            n = min(self._transition, (b - a) // 2)
            frames = np.arange(a, b + 1)
            from_left = slopes[k] * _dies(frames - a, n)[column]
            from_right = slopes[k + 1] * (_dies(np.array([b - a]), n) - _dies(b - frames, n))[column]
            rest = values[k + 1] - values[k] - from_left[-1] - from_right[-1]
            near = np.minimum(frames - a, b - frames + 1)
            share = np.cumsum(weight[a : b + 1] * np.clip(near / (n + 1), 0.0, 1.0))
            out[a + 1 : b] = (values[k] + from_left + from_right + rest * (share / share[-1])[column])[1:-1]
        return out


def close(tail: Clip, head: Clip) -> Clip:
    """All but the last two frames of `tail`, bent so that they lead into `head`.

    head: the two frames that the motion begins with; tail: the frames to bend, and the two that would follow them.
    Pose, height, and the velocities of heading and floor position meet, not heading and place themselves.
    """
    made, wanted = (ft.encode(clip).astype(np.float64) for clip in (tail, head))
    made, beyond = made[:-2], made[-2:]
    n = len(made)
    s = np.arange(n, 0, -1) / (n + 1)  # from the last frame that stays as it is, 1, to the seam, 0

    def meet(wanted: Array, made: Array) -> Array:
        slope = _slopes(np.array([0, 1]), wanted - made, None)[0]
        return fade(s, (wanted - made)[0], -slope * (n + 1))

    turns = rot.as_rotvec(rot.multiply(_poses(wanted), rot.inv(_poses(beyond))))
    bent = rot.multiply(rot.from_rotvec(meet(turns, np.zeros_like(turns))), _poses(made))
    made[:, ft.ROTATIONS] = rot.as_6d(bent).reshape(n, -1)
    made[:, 3] += meet(wanted[:, 3], beyond[:, 3])
    made[:, :3] += fade(s, wanted[1, :3] - beyond[1, :3], np.zeros(3))
    return ft.decode(made)[0]


def _poses(features: Array) -> Array:
    """Rotations (n, 22, 4) of features (n, 140), the pelvis with the heading taken out."""
    return rot.from_6d(features[:, ft.ROTATIONS].reshape(-1, 22, 6))


def _without_heading(rotations: Array, yaw: Array) -> Array:
    rotations = rotations.copy()
    rotations[:, 0] = rot.multiply(ft.about_z(-yaw), rotations[:, 0])
    return rotations


def _dies(frames: NDArray[Any], within: int) -> Array:
    """How far a surplus velocity of 1 leads in so many frames while it dies away `within` some."""
    if within == 0:
        return np.zeros(len(frames))
    return np.asarray(within / 3 * (1 - (1 - np.minimum(frames / within, 1.0)) ** 3))


def _slopes(at: NDArray[np.int64], values: Array, zero_after: int | None) -> Array:
    """Slope a frame of values (k, ...) at frames `at`: within a stretch its own, at a lone frame that between its
    neighbours, where a neighbour that is far away counts as zero, `zero_after` frames away (None: as none)."""
    slopes = np.zeros(values.shape)
    for k in range(len(at)):
        joined_before = k > 0 and at[k] - at[k - 1] == 1
        joined_after = k + 1 < len(at) and at[k + 1] - at[k] == 1
        if joined_before:
            slopes[k] = values[k] - values[k - 1]
        elif joined_after:
            slopes[k] = values[k + 1] - values[k]
        else:
            before = _neighbour(at, values, k, -1, zero_after)
            after = _neighbour(at, values, k, 1, zero_after)
            if before and after:
                slopes[k] = (after[1] - before[1]) / (after[0] - before[0])
    if values.ndim > 1:
        slopes[np.linalg.norm(slopes, axis=-1) > _FASTEST] = 0.0
    return slopes


def _neighbour(
    at: NDArray[np.int64], values: Array, k: int, side: int, zero_after: int | None
) -> tuple[int, Array] | None:
    other = k + side
    if 0 <= other < len(at) and (zero_after is None or abs(at[other] - at[k]) <= 2 * zero_after):
        return int(at[other]), values[other]
    return (int(at[k]) + side * zero_after, np.zeros(values.shape[1:])) if zero_after else None
