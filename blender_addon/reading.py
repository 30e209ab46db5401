"""Reading back what an action has a character do, without playing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import bpy
import numpy as np
from kmm.clip import Clip
from numpy.typing import NDArray

from . import action_api
from .kept_keys import Stretch, source_frame
from .keying import Channel
from .performer import Performer
from .takes import runs

QUATERNION = ".rotation_quaternion"


def motion(
    obj: bpy.types.Object, performer: Performer, action: bpy.types.Action, frames: Iterable[float], fps: float
) -> Clip | None:
    """The motion at the given frames as SMPL poses in the armature's space, or None for what cannot be read."""
    if performer.read is None:
        return None
    return performer.read(values(obj, action, performer.channels, frames), fps)


def values(
    obj: bpy.types.Object,
    action: bpy.types.Action | None,
    channels: Sequence[Channel],
    frames: Iterable[float],
) -> NDArray[np.float64]:
    """(T, channels) values of the channels at the frames; where there are no keys, as the pose is now."""
    curves = action_api.curves_of(action, obj) if action is not None else []
    keyed = {(c.data_path, c.array_index): c for c in curves if len(c.keyframe_points)}
    frames = list(frames)
    result = np.empty((len(frames), len(channels)))
    for i, channel in enumerate(channels):
        curve = keyed.get((channel.data_path, channel.index))
        now = obj.path_resolve(channel.data_path)[channel.index] if curve is None else 0.0
        result[:, i] = [now if curve is None else curve.evaluate(frame) for frame in frames]
    return result


def before_runs(
    obj: bpy.types.Object,
    action: bpy.types.Action | None,
    channels: Sequence[Channel],
    made: NDArray[np.bool_],
    first_frame: int,
    stretches: Sequence[Stretch],
) -> dict[int, NDArray[np.float64]]:
    """For each run of made frames, the first of all being `first_frame`, the channels' values at the frame before.

    stretches: what of the action stays.
    """
    starts = [start for start, _ in runs(made)]
    frames = [source_frame(first_frame + start - 1, stretches) for start in starts]
    return dict(zip(starts, values(obj, action, channels, frames), strict=True))


def moves_bones(obj: bpy.types.Object, action: bpy.types.Action) -> bool:
    """Whether a bone has a key. Panels ask this whenever they are drawn, so the first one settles it."""
    return next(_bone_curves(obj, action), None) is not None


def span(obj: bpy.types.Object, action: bpy.types.Action) -> tuple[float, float]:
    """The first and the last frame at which a bone has a key. One must have."""
    ranges = [tuple(curve.range()) for curve in _bone_curves(obj, action)]
    return min(r[0] for r in ranges), max(r[1] for r in ranges)


def _bone_curves(obj: bpy.types.Object, action: bpy.types.Action) -> Iterator[bpy.types.FCurve]:
    """Those with keys."""
    curves = action_api.curves_of(action, obj)
    return (c for c in curves if c.data_path.startswith("pose.bones") and len(c.keyframe_points))


def key_frames(obj: bpy.types.Object, action: bpy.types.Action, selected: bool = False) -> list[int]:
    """The whole frames at which a bone has a key, or a selected one."""
    found: set[int] = set()
    for curve in _bone_curves(obj, action):
        found.update(round(p.co.x) for p in curve.keyframe_points if not selected or p.select_control_point)
    return sorted(found)
