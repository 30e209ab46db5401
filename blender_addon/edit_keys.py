"""Reducing the keys of an action, and locking its feet: only keys of ours change, the user's own are left alone.

A stretch of ours between two of the user's keys is replaced as a whole; its first and last key stay where they are,
so the curves around the user's keys do too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _
from kmm.clip import Clip
from kmm.foot_lock import lock_feet
from kmm.sparse import SparseKeys, Steps, finished, reduction
from numpy.typing import NDArray

from . import kept_keys
from .edit_motion import Array, Curve, Motion, offsets_of, performer_of, positions_of, unflipped
from .kept_keys import ALIGNED, FREE, Keys
from .request import Request, UserError
from .takes import runs

Find = Callable[[], tuple[bpy.types.Object, bpy.types.Action]]  #: what is edited, or raises that it is gone

BEZIER = kept_keys.KEYFRAME["interpolation"].enum_items["BEZIER"].value
MILLIMETRE = 1e-3


@dataclass(frozen=True)
class Report:
    """Keys in the range, on all channels, before and after; the largest error or move of a joint, metres."""

    before: int
    after: int
    largest: float


def reduce_action(
    obj: bpy.types.Object,
    action: bpy.types.Action,
    first: int | None = None,
    last: int | None = None,
    tolerance: float = 0.005,
    interpolation: str = "BEZIER",
) -> Report:
    """Replace our keys in frames first to last (None: all) by as few as keep every joint within some metres.

    interpolation: "BEZIER" or "LINEAR". Raises UserError, before anything is changed.
    """
    return finished(reduction_of(lambda: (obj, action), first, last, tolerance, interpolation))


def reduction_of(
    find: Find, first: int | None, last: int | None, tolerance: float, interpolation: str
) -> Steps[Report]:
    """`reduce_action` in many short steps, between which the user may do anything.

    So nothing of Blender's is held meanwhile, and nothing is changed before all is found.
    """
    motion = Motion(*find(), first, last)
    before, read, frames = motion.count(), motion.values, (motion.first, motion.last)
    positions, values = positions_of(motion), unflipped(motion.performer, motion.values)
    stretches = list(motion.stretches())
    del motion
    found: list[SparseKeys] = []
    for start, stop in stretches:
        found.append((yield from reduction(values[start:stop], positions, tolerance, interpolation)))
    motion = Motion(*find(), *frames)
    if list(motion.stretches()) != stretches or not np.array_equal(motion.values, read):
        raise UserError("The keys were changed while fewer were sought; Reduce Keys does it again")
    for (start, stop), sparse in zip(stretches, found, strict=True):
        for channel, curve in motion.curves.items():
            if motion.held(channel, start, stop):
                motion.write(channel, start, stop, _new_keys(curve, start + motion.first, sparse, channel))
    motion.finish()
    return Report(before, motion.count(), max((sparse.error for sparse in found), default=0.0))


def lock_action(
    obj: bpy.types.Object,
    action: bpy.types.Action,
    first: int | None = None,
    last: int | None = None,
    contacts: Array | None = None,
) -> Report:
    """Keep feet that stand from sliding in frames first to last (None: all); the legs get a key at every frame.

    contacts: (last - first + 1, 4) of those frames, or None to tell from the motion. Raises UserError, before
    anything is changed.
    """
    motion = Motion(obj, action, first, last)
    if contacts is not None and len(contacts) != len(motion.values):
        raise UserError(
            _("There are contacts for {} frames, but keys for {}").format(len(contacts), len(motion.values))
        )
    before = motion.count()
    clip = motion.performer.read(motion.values, motion.fps)
    clip = Clip(clip.translation, clip.rotations, clip.fps, contacts)
    fixed = motion.users()
    fixed[0] |= motion.goes_on[0]
    fixed[-1] |= motion.goes_on[1]
    offsets = offsets_of(obj)
    locked = lock_feet(clip, offsets, fixed)
    performer = performer_of(obj)
    performer.follow(motion.values[0])
    values = performer.convert(locked)
    changed = np.abs(locked.rotations - clip.rotations).max((1, 2)) > 1e-7
    turned = _turned(motion, values, changed)
    written = np.zeros(len(values), bool)
    for start, stop in motion.stretches():
        if not all(motion.held(channel, start, stop) for channel in turned):
            continue  # the user keys a part of a leg there, and the rest alone would not fit it
        written[start:stop] = True
        frames = np.arange(start, stop) + motion.first
        for channel in turned:
            keys = kept_keys.new_keys(frames, values[start:stop, channel])
            motion.write(channel, start, stop, _going_on(motion.curves[channel], keys))
    motion.finish()
    moved = np.linalg.norm(locked.joints(offsets) - clip.joints(offsets), axis=-1)
    return Report(before, motion.count(), float(moved[written].max(initial=0.0)))


def refine(scene: bpy.types.Scene, find: Find, request: Request, contacts: Array | None) -> Steps[str]:
    """What the scene's settings ask to be done to a motion that is kept, in many short steps; comes to "", or to a
    sentence why it cannot be done.

    contacts: (request.frames, 4), or None.
    """
    settings = scene.kmm.edit
    lock, reduce = settings.lock_feet, settings.reduce_keys
    tolerance, interpolation = settings.tolerance * MILLIMETRE, settings.interpolation
    made = np.ones(request.frames, bool) if request.made is None else request.made
    try:
        for start, stop in runs(made):
            frames = request.first_frame + start, request.first_frame + stop - 1
            if lock and not request.options.in_place:  # whose feet are to slide
                lock_action(*find(), *frames, None if contacts is None else contacts[start:stop])
            if reduce:
                yield from reduction_of(find, *frames, tolerance, interpolation)
    except UserError as error:
        return str(error)
    return ""


def _turned(motion: Motion, values: Array, changed: NDArray[np.bool_]) -> list[int]:
    """The channels of the bones that turn otherwise than they did."""
    if not changed.any():
        return []
    old = unflipped(motion.performer, motion.values)
    new = unflipped(motion.performer, values)
    channels = motion.performer.channels
    groups = {channels[i].group for i in motion.curves if np.abs(new[:, i] - old[:, i]).max() > 1e-6}
    return [i for i in motion.curves if channels[i].group in groups]


def _new_keys(curve: Curve, start: int, sparse: SparseKeys, channel: int) -> Keys:
    """The keys of one channel in a stretch that starts at a frame."""
    frames = sparse.frames + start
    keys = kept_keys.new_keys(frames, sparse.values[:, channel])
    shift = np.array([start, 0.0])
    for name, handles in zip(("handle_left", "handle_right"), sparse.handles(), strict=True):
        keys[name] = np.ascontiguousarray(handles[:, channel] + shift, dtype=np.float32)
    if sparse.interpolation == "BEZIER":
        keys["interpolation"][:] = BEZIER
        for name in ("handle_left_type", "handle_right_type"):
            keys[name][:] = ALIGNED
            keys[name][[0, -1]] = FREE  # their two handles are of different curves
    return _going_on(curve, keys)


def _going_on(curve: Curve, keys: Keys) -> Keys:
    """New keys whose first and last have the handles outwards, and so the curve, of those they take the place of."""
    old = kept_keys.chosen(curve.keys, curve.ours)
    for end, side in ((0, "handle_left"), (-1, "handle_right")):
        at = np.flatnonzero(np.abs(old["co"][:, 0] - keys["co"][end, 0]) < 1e-3)
        if len(at):
            keys[side][end], keys[f"{side}_type"][end] = old[side][at[0]], FREE
            if side == "handle_right":
                keys["interpolation"][end] = old["interpolation"][at[0]]
    return keys
