"""Keys that stay when a part of a motion is made anew: outside that part the motion is the same to the bit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

KEYFRAME = bpy.types.Keyframe.bl_rna.properties
LINEAR = KEYFRAME["interpolation"].enum_items["LINEAR"].value
FREE = KEYFRAME["handle_left_type"].enum_items["FREE"].value
ALIGNED = KEYFRAME["handle_left_type"].enum_items["ALIGNED"].value

#: What makes up a key: the name for foreach_get, numbers of it, its type, and what a key of ours has.
PARTS: dict[str, tuple[int, type, float]] = {
    "co": (2, np.float32, 0.0),
    "handle_left": (2, np.float32, 0.0),
    "handle_right": (2, np.float32, 0.0),
    "handle_left_type": (1, np.int32, KEYFRAME["handle_left_type"].enum_items["AUTO_CLAMPED"].value),
    "handle_right_type": (1, np.int32, KEYFRAME["handle_right_type"].enum_items["AUTO_CLAMPED"].value),
    "interpolation": (1, np.int32, LINEAR),
    "easing": (1, np.int32, KEYFRAME["easing"].enum_items["AUTO"].value),
    "type": (1, np.int32, KEYFRAME["type"].enum_items["GENERATED"].value),
    "back": (1, np.float32, 1.70158),
    "amplitude": (1, np.float32, 0.8),
    "period": (1, np.float32, 4.1),
}

Keys = dict[str, NDArray]  #: for each of `PARTS` the values of n keys, in the order of their frames


class Stretch(NamedTuple):
    """Frames [first, last] of the old action that stay as they are, and by how many frames they move in time."""

    first: float
    last: float
    shift: int = 0


def source_frame(frame: float, stretches: Iterable[Stretch]) -> float:
    """The frame of the old action that comes to lie at a frame of the new one."""
    moved = ((frame - s.shift, s) for s in stretches)
    return next((at for at, s in moved if s.first <= at <= s.last), frame)


def new_keys(
    frames: NDArray[np.floating], values: NDArray[np.floating] | float, names: Iterable[str] = tuple(PARTS)
) -> Keys:
    """Linear keys as we make them; of their parts, those named."""
    keys = {}
    for name in names:
        size, dtype, value = PARTS[name]
        keys[name] = np.full((len(frames), size) if size > 1 else len(frames), value, dtype)
        if size > 1:
            keys[name][:, 0], keys[name][:, 1] = frames, values
    return keys


def read(curve: bpy.types.FCurve) -> Keys:
    """All keys of a curve."""
    keys = new_keys(np.zeros(len(curve.keyframe_points)), 0.0)
    for name, values in keys.items():
        curve.keyframe_points.foreach_get(name, values.ravel())
    return keys


def write(curve: bpy.types.FCurve, keys: Keys) -> None:
    """Let the curve hold exactly these keys; of points that are there already, what is not named stays."""
    points = curve.keyframe_points
    if len(points) != len(keys["co"]):
        points.clear()
        points.add(len(keys["co"]))
    for name, values in keys.items():
        points.foreach_set(name, values.ravel())


def move(curve: bpy.types.FCurve, frames: int) -> None:
    """Let all keys of the curve come so many frames later."""
    keys = read(curve)
    for name in ("co", "handle_left", "handle_right"):
        keys[name][:, 0] += frames
    write(curve, keys)
    curve.update()


def join(parts: Sequence[Keys], names: Iterable[str] = tuple(PARTS)) -> Keys:
    """The keys of all parts in the order of their frames; what is named, "co" among it."""
    joined = {name: np.concatenate([part[name] for part in parts]) for name in names}
    return chosen(joined, np.argsort(joined["co"][:, 0], kind="stable"))


def chosen(keys: Keys, which: NDArray) -> Keys:
    return {name: values[which] for name, values in keys.items()}


def thinned(keys: Keys, most: int) -> Keys:
    """At most about so many of the keys, evenly; of keys that are so dense, straight lines show the motion."""
    step = math.ceil(len(keys["co"]) / most)
    if step < 2:
        return keys
    few = chosen(keys, np.arange(0, len(keys["co"]), step))
    few["interpolation"][:] = LINEAR
    return few


def kept(curve: bpy.types.FCurve | None, stretches: Iterable[Stretch]) -> Keys:
    """The keys of the curve that hold its shape within the stretches."""
    nothing = new_keys(np.zeros(0), 0.0)
    if curve is None or not len(curve.keyframe_points):
        return nothing
    keys = read(curve)
    return join([nothing, *(_within(curve, keys, stretch) for stretch in stretches)])


def _within(curve: bpy.types.FCurve, keys: Keys, stretch: Stretch) -> Keys:
    """The keys of one stretch, which end at its very limits.

    A curve goes from key to key: where the next key outside is to go, every frame up to the limit gets a key of its
    own, and the last key inside may no longer follow its neighbour.
    """
    frames = keys["co"][:, 0]
    inside = np.flatnonzero((frames >= stretch.first) & (frames <= stretch.last))
    result = chosen(keys, inside)
    edges = []
    first = frames[inside[0]] if len(inside) else math.inf
    last = frames[inside[-1]] if len(inside) else -math.inf
    if not len(inside):
        if math.isfinite(stretch.first) and math.isfinite(stretch.last):
            edges.append(_every_frame(curve, stretch.first, stretch.last))
    else:
        if stretch.first < first and math.isfinite(stretch.first):
            edges.append(_every_frame(curve, stretch.first, first - 1e-3))
            _set_free(result, 0)
        if stretch.last > last and math.isfinite(stretch.last):
            edges.append(_every_frame(curve, last + 1e-3, stretch.last))
            result["interpolation"][-1] = LINEAR
        for limit, end in ((stretch.first, 0), (stretch.last, -1)):
            if math.isfinite(limit):
                _set_free(result, end)
    result = join([result, *edges])
    for name in ("co", "handle_left", "handle_right"):
        result[name][:, 0] += stretch.shift
    return result


def _every_frame(curve: bpy.types.FCurve, first: float, last: float) -> Keys:
    frames = np.arange(math.ceil(first), math.floor(last) + 1)
    return new_keys(frames, np.array([curve.evaluate(frame) for frame in frames.tolist()], np.float32))


def _set_free(keys: Keys, at: int) -> None:
    """Let a key keep its handles where they are, whoever its neighbours are."""
    for name in ("handle_left_type", "handle_right_type"):
        if keys[name][at] != ALIGNED:
            keys[name][at] = FREE
