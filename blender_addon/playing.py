"""What plays on a character: the action that it has, or a strip of its NLA, and where on the timeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import bpy
from bpy.app.translations import pgettext_rpt as _

from . import reading
from .kept_keys import Stretch
from .request import UserError

INFINITY = float("inf")


@dataclass(frozen=True)
class Playing:
    """An action, and by how many frames it plays later than its keys say.

    first, last: of the action's frames those that play; before and after them it holds.
    """

    action: bpy.types.Action
    shift: int = 0
    first: float = -INFINITY
    last: float = INFINITY

    def keys(self, obj: bpy.types.Object, selected: bool = False) -> list[int]:
        """The frames of the timeline at which a bone has a key, or a selected one."""
        keys = reading.key_frames(obj, self.action, selected)
        return [key + self.shift for key in keys if self.first <= key <= self.last]

    def at(self, frame: float) -> float:
        """The action's frame that plays at one of the timeline."""
        return min(max(frame - self.shift, self.first), self.last)

    def stretches(self, kept: Iterable[Stretch]) -> Iterator[Stretch]:
        """What plays of stretches of the timeline, as stretches of the action."""
        for stretch in kept:
            first, last = (
                max(stretch.first - self.shift, self.first),
                min(stretch.last - self.shift, self.last),
            )
            if first <= last:
                yield Stretch(first, last, stretch.shift + self.shift)


def playing(obj: bpy.types.Object | None, frame: float) -> Playing | None:
    """What moves the bones at a frame of the timeline, or, where nothing does, last of all. Raises UserError."""
    found = _at(obj, frame)
    return None if obj is None or found is None else _read(obj, found)


def playing_action(obj: bpy.types.Object, action: bpy.types.Action) -> Playing | None:
    """This action, if the character has it, or the topmost strip of it. Raises UserError."""
    found = _of_action(obj, action)
    return None if found is None else _read(obj, found)


def plays(obj: bpy.types.Object, action: bpy.types.Action) -> bool:
    """Whether the object has the action, or a strip of it."""
    return _of_action(obj, action) is not None


def action_of(obj: bpy.types.Object | None) -> bpy.types.Action | None:
    """The action that moves the bones in the end, the character's own or that of a strip."""
    found = _at(obj, INFINITY)
    return found.action if isinstance(found, bpy.types.NlaStrip) else found


def _of_action(
    obj: bpy.types.Object, action: bpy.types.Action
) -> bpy.types.Action | bpy.types.NlaStrip | None:
    animation = obj.animation_data
    if animation is not None and animation.action == action:
        return action
    strips = [strip for track in _tracks(obj) for strip in track if strip.action == action]
    return strips[-1] if strips else None


def _at(obj: bpy.types.Object | None, frame: float) -> bpy.types.Action | bpy.types.NlaStrip | None:
    animation = obj.animation_data if obj is not None else None
    if obj is None or animation is None:
        return None
    if animation.action is not None and reading.moves_bones(obj, animation.action):
        return animation.action
    tracks = list(_tracks(obj))
    there = [strip for strip in (_strip_at(track, frame) for track in tracks) if strip is not None]
    there = there or sorted((strip for track in tracks for strip in track), key=lambda s: s.frame_end)
    return there[-1] if there else None


def _tracks(obj: bpy.types.Object) -> Iterator[list[bpy.types.NlaStrip]]:
    """From the lowest track to the topmost, without what is muted: the strips that move bones, in order."""
    animation = obj.animation_data
    if animation is None or not animation.use_nla:
        return
    solo = any(track.is_solo for track in animation.nla_tracks)
    for track in animation.nla_tracks:
        if track.mute or (solo and not track.is_solo):
            continue
        strips = [
            s
            for s in track.strips
            if not s.mute and s.action is not None and reading.moves_bones(obj, s.action)
        ]
        if strips:
            yield strips


def _strip_at(track: list[bpy.types.NlaStrip], frame: float) -> bpy.types.NlaStrip | None:
    """The strip of a track that plays at a frame, or holds."""
    begun = [strip for strip in track if strip.frame_start <= frame]
    if not begun:
        return track[0] if track[0].extrapolation == "HOLD" else None
    return begun[-1] if frame <= begun[-1].frame_end or begun[-1].extrapolation != "NOTHING" else None


def _read(obj: bpy.types.Object, found: bpy.types.Action | bpy.types.NlaStrip) -> Playing:
    if isinstance(found, bpy.types.Action):
        return Playing(found)
    strip, span = found, reading.span(obj, found.action)
    shift = strip.frame_start - strip.action_frame_start
    plain = strip.scale == 1 and strip.repeat == 1 and not strip.use_reverse and not strip.use_animated_time
    if not plain or shift != round(shift):
        raise UserError(
            _(
                'The strip "{}" is scaled, repeated, reversed or between frames, and cannot be worked on; set it '
                "back, or bake it to an action"
            ).format(strip.name)
        )
    first, last = strip.action_frame_start, strip.action_frame_end
    return Playing(
        strip.action,
        round(shift),
        first if first > span[0] else -INFINITY,  # what is there as a whole stays as a whole
        last if last < span[1] else INFINITY,
    )
