"""Reducing the keys of an action, and locking its feet: only keys of ours change, the user's own are left alone.

Ours are those of keyframe type GENERATED, on the channels of the character's bones. A stretch of them between two of
the user's keys is replaced as a whole; its first and last key stay, so the curves around the user's keys do too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from kmm import rotations as rot
from kmm.clip import Clip
from kmm.foot_lock import lock_feet
from kmm.skeleton import JOINT_NAMES, PARENTS, REST_OFFSETS, UPRIGHT
from kmm.sparse import SparseKeys, points, reduce_keys
from numpy.typing import NDArray

from . import action_api, armature, kept_keys, reading
from .kept_keys import ALIGNED, FREE, PARTS, Keys
from .performer import Performer, performer_for, usable
from .request import Request, UserError
from .takes import runs

Array = NDArray[np.floating]

GENERATED = PARTS["type"][2]
BEZIER = kept_keys.KEYFRAME["interpolation"].enum_items["BEZIER"].value
MILLIMETRE = 1e-3


@dataclass(frozen=True)
class Report:
    """Keys in the range, on all channels, before and after; the largest error or move of a joint, metres."""

    before: int
    after: int
    largest: float


@dataclass(frozen=True)
class _Curve:
    """One channel's F-curve and its keys."""

    curve: bpy.types.FCurve
    keys: Keys

    @property
    def ours(self) -> NDArray[np.bool_]:
        return self.keys["type"] == GENERATED

    @property
    def frames(self) -> Array:
        return self.keys["co"][:, 0]


class _Motion:
    """What an action has an armature do in a range of frames, and the keys that hold it."""

    def __init__(
        self, obj: bpy.types.Object, action: bpy.types.Action, first: int | None, last: int | None
    ) -> None:
        """Raises UserError."""
        self.obj, self.action = obj, action
        self.performer = _performer(obj)
        self.fps = _rate()
        if action.library is not None:
            raise UserError(f"{action.name} is linked from another file; make it local first")
        there = {(c.data_path, c.array_index): c for c in action_api.curves_of(action, obj)}
        found = {i: there.get((c.data_path, c.index)) for i, c in enumerate(self.performer.channels)}
        self.curves = {
            i: _Curve(c, kept_keys.read(c))
            for i, c in found.items()
            if c is not None and len(c.keyframe_points)
        }
        frames = [c.frames[c.ours] for c in self.curves.values()]
        generated = np.concatenate([f for f in frames if len(f)] or [np.zeros(0)])
        if not len(generated):
            raise UserError(f"{action.name} has no generated keys for {obj.name}")
        self.first = int(np.ceil(generated.min() if first is None else max(first, generated.min())))
        self.last = int(np.floor(generated.max() if last is None else min(last, generated.max())))
        if self.last < self.first:
            raise UserError(f"{action.name} has no generated keys from frame {first} to {last}")
        frames_there = [f for c in self.curves.values() for f in (c.frames.min(), c.frames.max())]
        #: whether the action goes on before and after the range
        self.goes_on = min(frames_there) < self.first, max(frames_there) > self.last
        self.values = reading.values(obj, action, self.performer.channels, range(self.first, self.last + 1))

    def count(self) -> int:
        """Keys of the channels in the range."""
        return sum(
            int(((f >= self.first) & (f <= self.last)).sum())
            for f in (kept_keys.read(c.curve)["co"][:, 0] for c in self.curves.values())
        )

    def users(self) -> NDArray[np.bool_]:
        """(T,) frames of the range with a key of the user's on any channel, or one beside them between frames."""
        flags = np.zeros(self.last - self.first + 1, bool)
        for curve in self.curves.values():
            own = curve.frames[~curve.ours] - self.first
            for at in (np.floor(own), np.ceil(own)):
                flags[at[(at >= 0) & (at < len(flags))].astype(int)] = True
        return flags

    def stretches(self) -> Iterator[tuple[int, int]]:
        """[start, stop) of the frames, counted from the range's first, that only keys of ours hold."""
        frames = np.unique(np.concatenate([c.frames[c.ours] for c in self.curves.values()])) - self.first
        for start, stop in runs(~self.users()):
            inside = frames[(frames >= start) & (frames <= stop - 1)]
            if len(inside) > 2:
                yield int(np.ceil(inside[0])), int(np.floor(inside[-1])) + 1

    def write(self, channel: int, start: int, stop: int, new: Keys) -> None:
        """Put keys in place of ours in the frames [start, stop), counted from the range's first."""
        curve = self.curves[channel]
        keys = kept_keys.read(curve.curve)
        frames = keys["co"][:, 0] - self.first
        gone = (keys["type"] == GENERATED) & (frames >= start) & (frames <= stop - 1)
        kept_keys.write(curve.curve, kept_keys.join([kept_keys.chosen(keys, ~gone), new]))

    def finish(self) -> None:
        """Let Blender know."""
        for curve in self.curves.values():
            curve.curve.update()
        self.action.update_tag()


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
    motion = _Motion(obj, action, first, last)
    before, error = motion.count(), 0.0
    positions = _positions(motion)
    for start, stop in motion.stretches():
        values = _unflipped(motion, motion.values[start:stop])
        sparse = reduce_keys(values, positions, tolerance, interpolation)
        error = max(error, sparse.error)
        for channel, curve in motion.curves.items():
            motion.write(channel, start, stop, _new_keys(curve, start + motion.first, sparse, channel))
    motion.finish()
    return Report(before, motion.count(), error)


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
    motion = _Motion(obj, action, first, last)
    if contacts is not None and len(contacts) != len(motion.values):
        raise UserError(f"There are contacts for {len(contacts)} frames, but keys for {len(motion.values)}")
    before = motion.count()
    clip = motion.performer.read(motion.values, motion.fps)
    clip = Clip(clip.translation, clip.rotations, clip.fps, contacts)
    fixed = motion.users()
    fixed[0] |= motion.goes_on[0]
    fixed[-1] |= motion.goes_on[1]
    offsets = _offsets(obj)
    locked = lock_feet(clip, offsets, fixed)
    performer = _performer(obj)
    performer.follow(motion.values[0])
    values = performer.convert(locked)
    changed = np.abs(locked.rotations - clip.rotations).max((1, 2)) > 1e-7
    turned = _turned(motion, values, changed)
    for start, stop in motion.stretches():
        frames = np.arange(start, stop) + motion.first
        for channel in turned:
            keys = kept_keys.new_keys(frames, values[start:stop, channel])
            motion.write(channel, start, stop, _going_on(motion.curves[channel], keys))
    motion.finish()
    moved = np.linalg.norm(locked.joints(offsets) - clip.joints(offsets), axis=-1)
    return Report(before, motion.count(), float(moved.max(initial=0.0)))


def refine(
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    action: bpy.types.Action,
    request: Request,
    contacts: Array | None,
) -> str:
    """What the scene's settings ask to be done to a motion that is kept; "", or a sentence why it cannot be done.

    contacts: (request.frames, 4), or None.
    """
    settings = scene.kmm.edit
    made = np.ones(request.frames, bool) if request.made is None else request.made
    try:
        for start, stop in runs(made):
            frames = request.first_frame + start, request.first_frame + stop - 1
            if settings.lock_feet:
                lock_action(obj, action, *frames, None if contacts is None else contacts[start:stop])
            if settings.reduce_keys:
                tolerance = settings.tolerance * MILLIMETRE
                reduce_action(obj, action, *frames, tolerance, settings.interpolation)
    except UserError as error:
        return str(error)
    return ""


def _performer(obj: bpy.types.Object) -> Performer:
    performer = performer_for(obj) if usable(obj) else None
    if performer is None or performer.read is None or performer.follow is None:
        raise UserError(f"The keys of {obj.name} cannot be read back as poses; choose a KMM armature")
    return performer


def _rate() -> float:
    render = bpy.context.scene.render
    return render.fps / render.fps_base


def _turned(motion: _Motion, values: Array, changed: NDArray[np.bool_]) -> list[int]:
    """The channels of the bones that turn otherwise than they did."""
    if not changed.any():
        return []
    old = _unflipped(motion, motion.values)
    new = _unflipped(motion, values)
    channels = motion.performer.channels
    groups = {channels[i].group for i in motion.curves if np.abs(new[:, i] - old[:, i]).max() > 1e-6}
    return [i for i in motion.curves if channels[i].group in groups]


def _unflipped(motion: _Motion, values: Array) -> Array:
    """Quaternions of signs that are safe to interpolate, that of the first frame kept."""
    result = values.copy()
    for columns in _quaternions(motion.performer):
        result[:, columns] = rot.unflip(values[:, columns])
    return result


def _quaternions(performer: Performer) -> Iterator[list[int]]:
    """The columns of each bone's quaternion."""
    columns: dict[str, list[int]] = {}
    for i, channel in enumerate(performer.channels):
        if channel.data_path.endswith(reading.QUATERNION):
            columns.setdefault(channel.data_path, []).append(i)
    yield from columns.values()


def _new_keys(curve: _Curve, start: int, sparse: SparseKeys, channel: int) -> Keys:
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


def _going_on(curve: _Curve, keys: Keys) -> Keys:
    """New keys whose first and last have the handles outwards, and so the curve, of those they take the place of."""
    old = kept_keys.chosen(curve.keys, curve.ours)
    for end, side in ((0, "handle_left"), (-1, "handle_right")):
        at = np.flatnonzero(np.abs(old["co"][:, 0] - keys["co"][end, 0]) < 1e-3)
        if len(at):
            keys[side][end], keys[f"{side}_type"][end] = old[side][at[0]], FREE
            if side == "handle_right":
                keys["interpolation"][end] = old["interpolation"][at[0]]
    return keys


def _positions(motion: _Motion) -> Callable[[Array], Array]:
    """From values of the channels the points that a pose is judged by, in the armature's space."""
    offsets, read, fps = _offsets(motion.obj), motion.performer.read, motion.fps

    def positions(values: Array) -> Array:
        clip = read(values, fps)
        return points(clip.translation, clip.rotations, offsets)

    return positions


def _offsets(obj: bpy.types.Object) -> Array:
    """(22, 3) of the joints of this very body, in SMPL's rest frame."""
    if not armature.is_smpl(obj):
        return REST_OFFSETS
    heads = np.array([obj.data.bones[name].head_local for name in JOINT_NAMES])
    offsets = heads - heads[np.maximum(PARENTS, 0)]
    return rot.apply(rot.inv(np.array(UPRIGHT)), offsets)
