"""What the keys of an action have a character do in a range of frames, and writing other keys in place of ours.

Ours are those of keyframe type GENERATED, on the channels of the character's bones; all others are the user's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from bpy.app.translations import pgettext_rpt as _
from kmm import rotations as rot
from kmm.skeleton import JOINT_NAMES, PARENTS, REST_OFFSETS, UPRIGHT
from kmm.sparse import points
from numpy.typing import NDArray

from . import action_api, armature, kept_keys, reading
from .kept_keys import PARTS, Keys
from .performer import Performer, performer_for, usable
from .request import UserError
from .takes import runs

Array = NDArray[np.floating]

GENERATED = PARTS["type"][2]


@dataclass(frozen=True)
class Curve:
    """One channel's F-curve and its keys."""

    curve: bpy.types.FCurve
    keys: Keys

    @property
    def ours(self) -> NDArray[np.bool_]:
        return self.keys["type"] == GENERATED

    @property
    def frames(self) -> Array:
        return self.keys["co"][:, 0]


class Motion:
    """What an action has an armature do in a range of frames, and the keys that hold it."""

    def __init__(
        self, obj: bpy.types.Object, action: bpy.types.Action, first: int | None, last: int | None
    ) -> None:
        """Raises UserError."""
        self.obj, self.action = obj, action
        self.performer = performer_of(obj)
        self.fps = _rate()
        if action.library is not None:
            raise UserError(_("{} is linked from another file; make it local first").format(action.name))
        there = {(c.data_path, c.array_index): c for c in action_api.curves_of(action, obj)}
        found = {i: there.get((c.data_path, c.index)) for i, c in enumerate(self.performer.channels)}
        self.curves = {
            i: Curve(c, kept_keys.read(c))
            for i, c in found.items()
            if c is not None and len(c.keyframe_points)
        }
        frames = [c.frames[c.ours] for c in self.curves.values()]
        generated = np.concatenate([f for f in frames if len(f)] or [np.zeros(0)])
        if not len(generated):
            raise UserError(_("{} has no generated keys for {}").format(action.name, obj.name))
        self.first = int(np.ceil(generated.min() if first is None else max(first, generated.min())))
        self.last = int(np.floor(generated.max() if last is None else min(last, generated.max())))
        if self.last < self.first:
            raise UserError(
                _("{} has no generated keys from frame {} to {}").format(action.name, first, last)
            )
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
        gone = self._ours_between(keys, start, stop)
        kept_keys.write(curve.curve, kept_keys.join([kept_keys.chosen(keys, ~gone), new]))

    def held(self, channel: int, start: int, stop: int) -> bool:
        """Whether keys of ours hold the channel in the frames [start, stop), and not only the user's around them."""
        return bool(self._ours_between(self.curves[channel].keys, start, stop).any())

    def _ours_between(self, keys: Keys, start: int, stop: int) -> NDArray[np.bool_]:
        frames = keys["co"][:, 0] - self.first
        return (keys["type"] == GENERATED) & (frames >= start) & (frames <= stop - 1)

    def finish(self) -> None:
        """Let Blender know."""
        for curve in self.curves.values():
            curve.curve.update()
        self.action.update_tag()


def performer_of(obj: bpy.types.Object) -> Performer:
    performer = performer_for(obj) if usable(obj) else None
    if performer is None or performer.read is None or performer.follow is None:
        raise UserError(
            _("The keys of {} cannot be read back as poses; choose a KMM armature").format(obj.name)
        )
    return performer


def _rate() -> float:
    render = bpy.context.scene.render
    return render.fps / render.fps_base


def unflipped(performer: Performer, values: Array) -> Array:
    """Quaternions of signs that are safe to interpolate, that of the first frame kept."""
    result = values.copy()
    for columns in _quaternions(performer):
        result[:, columns] = rot.unflip(values[:, columns])
    return result


def _quaternions(performer: Performer) -> Iterator[list[int]]:
    """The columns of each bone's quaternion."""
    columns: dict[str, list[int]] = {}
    for i, channel in enumerate(performer.channels):
        if channel.data_path.endswith(reading.QUATERNION):
            columns.setdefault(channel.data_path, []).append(i)
    yield from columns.values()


def positions_of(motion: Motion) -> Callable[[Array], Array]:
    """From values of the channels the points that a pose is judged by, in the armature's space."""
    # nothing that is Blender's, which would not outlive an undo
    offsets, read, fps = offsets_of(motion.obj), motion.performer.read, motion.fps

    def positions(values: Array) -> Array:
        clip = read(values, fps)
        return points(clip.translation, clip.rotations, offsets)

    return positions


def offsets_of(obj: bpy.types.Object) -> Array:
    """(22, 3) of the joints of this very body, in SMPL's rest frame."""
    if not armature.is_smpl(obj):
        return REST_OFFSETS
    heads = np.array([obj.data.bones[name].head_local for name in JOINT_NAMES])
    offsets = heads - heads[np.maximum(PARENTS, 0)]
    return rot.apply(rot.inv(np.array(UPRIGHT)), offsets)
