"""Few keys in place of one a frame: curves that stay within some millimetres of the motion at every frame.

All channels share their key frames, as animators pose: each key is a whole pose. (Keys for each bone by itself
come to no fewer: one bone's error adds to that of the bones it hangs on, so each must be far more exact.) Between
keys run Blender's F-curves, each channel by itself, a quaternion's four too, normalised afterwards as Blender does.

Given the key frames, values and slopes at the keys are those of least squares (`kmm.spline`); Bezier handles a third
of the way to the neighbours make Blender's curve the same cubic. Which frames get keys is searched: keys are put in
where the error is too large, then every key is tried to do without, moving its neighbours for it, and making frames
weigh the more in the fit the larger their error (Lawson's way from least squares to the least largest error).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kmm import fcurve
from kmm import rotations as rot
from kmm.clip import Array, Clip, forward_kinematics
from kmm.skeleton import JOINT_INDEX, REST_OFFSETS
from kmm.spline import Frames, basis, fit

#: The joints that no other joint hangs on. That they turn shows in points so many metres away along each axis.
ENDS = [JOINT_INDEX[n] for n in ("head", "left_foot", "right_foot", "left_wrist", "right_wrist")]
REACH = 0.1

FIRST_SPACING = 8  #: frames between the keys that the search begins with
APART = 5  #: every so many keys one is tried at a time, so that trials do not touch each other
ROUNDS = 2  #: in which the neighbours of a key that is tried may move, by each of these frames
SHIFTS = (-1, 1)
#: Times that frames are weighed anew for a key that is tried; more make little better, and are slow. How much a frame
#: without error still weighs, and keys beside the one that is tried between which frames are weighed.
WEIGHINGS, LEAST, AROUND = 4, 0.05, 2
ENOUGH = 0.98  #: a sweep that leaves more than this share of the keys was the last

Positions = Callable[[Array], Array]
Result = TypeVar("Result")
Steps = Generator[None, None, Result]  #: work that stops for a moment at each of its steps


@dataclass(frozen=True)
class SparseKeys:
    """Keys of C channels at K shared frames.

    frames (K,) whole numbers from 0; values (K, C); slopes (K, C) a frame, zero for linear ones; interpolation
    "BEZIER" or "LINEAR"; error: how far a point of the body is from where it was, at most, metres.
    """

    frames: Frames
    values: Array
    slopes: Array
    interpolation: str
    error: float

    def handles(self) -> tuple[Array, Array]:
        """Left and right handles (K, C, 2): frame and value. Those at the ends are a third of a frame long."""
        spans = np.diff(self.frames).astype(float) / 3
        found = []
        for step in (-np.concatenate([[1 / 3], spans]), np.concatenate([spans, [1 / 3]])):
            at = np.broadcast_to((self.frames + step)[:, None], self.values.shape)
            found.append(np.stack([at, self.values + step[:, None] * self.slopes], axis=-1))
        return found[0], found[1]

    def evaluate(self, frames: ArrayLike) -> Array:
        """Values (T, C) at frames (T,), as Blender evaluates them."""
        left, right = self.handles()
        columns = [
            fcurve.evaluate(
                frames, np.stack([self.frames, column], axis=1), left[:, i], right[:, i], self.interpolation
            )
            for i, column in enumerate(self.values.T)
        ]
        return np.stack(columns, axis=1)


def channels(clip: Clip) -> Array:
    """(T, 91) translation and the 22 quaternions one after the other, of signs that are safe to interpolate."""
    rotations = rot.unflip(np.asarray(clip.rotations, float))
    return np.concatenate([np.asarray(clip.translation, float), rotations.reshape(len(clip), 88)], axis=1)


def points(translation: ArrayLike, rotations: ArrayLike, offsets: ArrayLike = REST_OFFSETS) -> Array:
    """(T, 37, 3) by which a pose is judged: the joints, and for `ENDS` three points each that show their turn."""
    joints, world = forward_kinematics(translation, rotations, offsets)
    axes = rot.apply(world[:, ENDS, None], REACH * np.eye(3))
    return np.concatenate([joints, (joints[:, ENDS, None] + axes).reshape(len(joints), -1, 3)], axis=1)


def body_points(values: Array) -> Array:
    """`points` of (T, 91) `channels`, whose quaternions need not be of unit length."""
    rotations = rot.normalize(values[:, 3:].reshape(len(values), -1, 4))
    return points(values[:, :3], rotations)


def reduce_clip(clip: Clip, tolerance: float = 0.005, interpolation: str = "BEZIER") -> SparseKeys:
    """Keys of `channels(clip)`; see `reduce_keys`."""
    return reduce_keys(channels(clip), body_points, tolerance, interpolation)


def reduce_keys(
    values: Array, positions: Positions, tolerance: float = 0.005, interpolation: str = "BEZIER"
) -> SparseKeys:
    """As few keys as are found for (T, C) channels that keep all points within `tolerance` metres at every frame.

    positions: from (n, C) channels the (n, P, 3) points of the body, metres. The first and the last frame are keyed,
    and exact. ValueError for a tolerance or interpolation that cannot be, and for values that are not finite.
    """
    return finished(reduction(values, positions, tolerance, interpolation))


def finished(steps: Steps[Result]) -> Result:
    """What steps come to, done one after the other."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result


def reduction(
    values: Array, positions: Positions, tolerance: float = 0.005, interpolation: str = "BEZIER"
) -> Steps[SparseKeys]:
    """`reduce_keys` in many short steps, for whoever has something else to do in between."""
    if not tolerance > 0:
        raise ValueError(f"the tolerance must be more than 0 m, got {tolerance:g}")
    if interpolation not in ("BEZIER", "LINEAR"):
        raise ValueError(f"the interpolation must be BEZIER or LINEAR, got {interpolation}")
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        raise ValueError("the motion has values that are not numbers")
    if len(values) < 3:
        frames = np.arange(len(values))
        return SparseKeys(frames, values, np.zeros_like(values), interpolation, 0.0)
    search = _Search(values, positions, tolerance, interpolation)
    return search.result((yield from search.run()))


class _Search:
    """For the frames at which keys are needed."""

    def __init__(self, values: Array, positions: Positions, tolerance: float, interpolation: str) -> None:
        self.values, self.positions = values, positions
        # a little is left for single precision, in which Blender holds the keys
        self.tolerance, self.interpolation = 0.998 * tolerance, interpolation
        self.target = positions(values)
        self.slopes = np.gradient(values, axis=0)
        self.weights = np.ones(len(values))  # of the frames

    def run(self) -> Steps[Frames]:
        last = len(self.values) - 1
        keys = np.unique(np.linspace(0, last, last // FIRST_SPACING + 2).round().astype(int))
        keys = yield from self.insert(keys)
        while True:
            before = len(keys)
            for first in range(1, 1 + APART):
                keys = yield from self.insert((yield from self.thin(keys, first)))
            if len(keys) > ENOUGH * before:
                return keys

    def result(self, keys: Frames) -> SparseKeys:
        values, slopes = fit(self.values, self.slopes, keys, self.interpolation, self.weights)
        values[[0, -1]] = self.values[[0, -1]]
        found = SparseKeys(keys, values.astype(np.float32), slopes, self.interpolation, 0.0)
        shown = found.evaluate(np.arange(len(self.values)))
        return replace(found, error=float(self._distance(self.positions(shown)).max()))

    def errors(self, keys: Frames) -> Array:
        """(T,) how far the farthest point is away at each frame, metres."""
        values, slopes = fit(self.values, self.slopes, keys, self.interpolation, self.weights)
        i, share = basis(len(self.values), keys, self.interpolation)
        shown = share[0] * values[i] + share[1] * slopes[i]
        shown += share[2] * values[i + 1] + share[3] * slopes[i + 1]
        return self._distance(self.positions(shown))

    def _distance(self, points: Array) -> Array:
        squares = (points - self.target) ** 2
        return np.asarray(np.sqrt(squares.sum(-1).max(-1)))

    def insert(self, keys: Frames) -> Steps[Frames]:
        """Keys added until the error is nowhere too large."""
        while True:
            yield
            errors = self.errors(keys)
            wrong = np.flatnonzero(errors > self.tolerance)
            # a key's own frame belongs to the stretches on both sides
            touched = np.searchsorted(keys, wrong, side="right") - 1
            touched = np.union1d(touched, touched[keys[touched] == wrong] - 1)
            stretches = [(int(keys[i]), int(keys[i + 1])) for i in touched if 0 <= i < len(keys) - 1]
            new = [
                min(max(a + int(np.argmax(errors[a : b + 1])), a + 1), b - 1)
                for a, b in stretches
                if b - a > 1
            ]
            if not new:
                return keys
            keys = np.union1d(keys, new)

    def thin(self, keys: Frames, first: int) -> Steps[Frames]:
        """Do without every `APART`th key where the error allows, with keys beside it moved or frames weighed anew."""
        tried = np.arange(first, len(keys) - 1, APART)
        if not len(tried):
            return keys
        at, stays = keys.copy(), np.ones(len(keys), bool)
        stays[tried] = False
        weights = self.weights.copy()
        start, stop = keys[np.maximum(tried - 3, 0)], keys[np.minimum(tried + 3, len(keys) - 1)] + 1

        def excess(at: Frames) -> Array:
            """For each key that is tried, by how much the error around it is too large."""
            over = np.maximum(self.errors(at[stays]) - self.tolerance, 0.0) ** 2
            total = np.concatenate([[0.0], np.cumsum(over)])
            return np.asarray(total[stop] - total[start])

        def near(k: np.intp) -> slice:
            """The frames around a key that is tried, which are weighed for it alone."""
            ends = max(tried[k] - AROUND, 0), min(tried[k] + AROUND, len(keys) - 1)
            return slice(int(keys[ends[0]]), int(keys[ends[1]]) + 1)

        found = yield from self._moved(at, stays, tried, excess)
        for _ in range(WEIGHINGS):
            if not (found > 0).any():
                break
            errors = self.errors(at[stays])
            for k in np.flatnonzero(found > 0):
                again = self.weights[near(k)] * (LEAST + errors[near(k)] / self.tolerance)
                self.weights[near(k)] = again / again.mean()
            yield
            found = excess(at)
        while (wrong := (found > 0) & ~stays[tried]).any():  # these are needed
            for k in np.flatnonzero(wrong):
                i = tried[k]
                stays[i] = True
                at[i - 1 : i + 2] = keys[i - 1 : i + 2]
                self.weights[near(k)] = weights[near(k)]
            yield
            found = excess(at)
        return at[stays]

    def _moved(
        self, at: Frames, stays: NDArray[np.bool_], tried: Frames, excess: Callable[[Frames], Array]
    ) -> Steps[Array]:
        """Move keys in `at` beside those that are tried where that lessens the excess, which comes back."""
        found = excess(at)
        for _ in range(ROUNDS):
            before = found
            for side in (-1, 1):
                for shift in SHIFTS:
                    beside = tried + side
                    moves = (found > 0) & (beside > 0) & (beside < len(at) - 1)
                    trial = at.copy()
                    trial[beside[moves]] += shift
                    # a key keeps its place in the order: the one that is tried is not in the way
                    order = np.flatnonzero(stays)
                    clash = np.flatnonzero(np.diff(trial[order]) < 1)
                    moves &= ~np.isin(beside, np.concatenate([order[clash], order[clash + 1]]))
                    trial = at.copy()
                    trial[beside[moves]] += shift
                    if not moves.any():
                        continue
                    yield
                    now = excess(trial)
                    better = moves & (now < found)
                    at[beside[better]] += shift
                    found = np.where(better, now, found)
            yield
            found = excess(at)
            if not (found < before).any():
                break
        return found
