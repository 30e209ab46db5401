"""What is generated goes onto rigs while it comes: one that is selected performs, the other targets follow."""

from __future__ import annotations

from contextlib import suppress

import bpy
import numpy as np
from kmm.clip import Clip

from .. import action_api, performer, planning, reading
from ..keying import Kept, Keyer, Removed
from ..request import Request, UserError
from ..snapshot import Snapshot
from ..takes import Channels
from .writing import FromClips


def is_target(obj: bpy.types.Object | None) -> bool:
    """Whether the user has put the armature on the list of targets, to be keyed while generating."""
    if obj is None or obj.type != "ARMATURE":
        return False
    settings = bpy.context.scene.kmm_retargeting
    return settings.live and obj in settings.used()


def _from_clips(scene: bpy.types.Scene, obj: bpy.types.Object) -> FromClips:
    """Raises UserError."""
    settings = scene.kmm_retargeting
    try:
        return FromClips(obj, settings.table_of(obj), settings.options())
    except ValueError as error:
        raise UserError(str(error)) from error


def perform(obj: bpy.types.Object) -> performer.Performer:
    """Raises UserError."""
    target = _from_clips(bpy.context.scene, obj)

    def prepare(worn: bpy.types.Object) -> None:
        action = worn.animation_data.action
        target.begin(action, int(action.frame_range[0]), action_api.slot_of(worn))

    return performer.Performer(target.channels, target, prepare)


def followers(
    scene: bpy.types.Scene, character: bpy.types.Object, request: Request
) -> list[performer.Follower]:
    """All targets but the character itself. Raises UserError.

    Where a part of a motion is made anew, those that wear the whole of it follow.
    """
    settings = scene.kmm_retargeting
    if not settings.live:
        return []
    others = [obj for obj in settings.used() if obj != character]
    if request.base is not None:
        others = [obj for obj in others if _wears(obj, action_api.find_action(request.base.action_uid))]
    targets = [_from_clips(scene, obj) for obj in others]  # before anything is made for one of them
    return [Following(scene, obj, target, request) for obj, target in zip(others, targets, strict=True)]


def _wears(obj: bpy.types.Object, motion: bpy.types.Action | None) -> bool:
    """Whether the object has an action of the same frames as this motion."""
    action = planning.action_of(obj)
    return (
        action is not None and motion is not None and tuple(action.frame_range) == tuple(motion.frame_range)
    )


class Following:
    """See `performer.Follower`."""

    def __init__(
        self, scene: bpy.types.Scene, obj: bpy.types.Object, target: FromClips, request: Request
    ) -> None:
        self._scene_uid, self._object_uid = scene.session_uid, obj.session_uid
        self._snapshot = Snapshot(scene, obj)
        self._target, self._request = target, request
        action, kept = self._new_action(obj)
        self._slot = kept.slot if kept is not None else ""
        self._channels = self._convert()
        self._keyer = Keyer(action, target.channels, request.first_frame, request.frames, request.made, kept)
        self._on = False

    def _new_action(self, obj: bpy.types.Object) -> tuple[bpy.types.Action, Kept | None]:
        request, name = self._request, f"{self._request.name} ({obj.name})"
        self._before: dict[int, np.ndarray] = {}
        source = planning.action_of(obj)
        if request.base is None or request.made is None or source is None:
            return action_api.new_action(name, obj.name), None
        channels = self._target.channels
        self._before = reading.before_runs(obj, source, channels, request.made, request.first_frame)
        base = planning.base(obj, source, request.base.stretches)
        return action_api.copy_action(source, name), Kept(base.action_uid, base.slot, base.stretches)

    def _convert(self) -> Channels:
        target = self._target
        performed = performer.Performer(target.channels, target, follow=target.follow)
        return Channels(performed, self._request.made, self._before)

    def append(self, clip: Clip) -> None:
        self._keyer.append(self._channels(clip))

    def replace(self, clip: Clip) -> None:
        obj, scene = self._object(), self._scene()
        if obj is not None and scene is not None:
            with suppress(UserError):  # the user has changed the map meanwhile
                self._target = _from_clips(scene, obj)
                values = self._convert()(clip)
                if len(values) == self._keyer.length:
                    self._keyer.replace(values)

    def write(self, budget: float) -> bool:
        try:
            return self._keyer.write(budget)
        except Removed:
            return True

    def put_on(self) -> None:
        obj = self._object()
        if obj is None:
            return
        if self._on:
            obj.update_tag(refresh={"TIME"})
            return
        with suppress(Removed):
            action = self._keyer.action()
            self._target.begin(action, self._request.first_frame, self._slot)
            action_api.assign(obj, action, self._slot)
            self._on = True

    def end(self) -> None:
        if self._keyer.received == 0:
            self.discard()
        else:
            self.trim()
            self.put_on()

    def discard(self) -> None:
        if self._on:
            self._snapshot.restore()
        with suppress(Removed):
            bpy.data.actions.remove(self._keyer.action())

    def trim(self) -> None:
        with suppress(Removed):
            self._keyer.trim()

    def invalidate(self) -> None:
        self._keyer.invalidate()

    def _object(self) -> bpy.types.Object | None:
        return next((o for o in bpy.data.objects if o.session_uid == self._object_uid), None)

    def _scene(self) -> bpy.types.Scene | None:
        return next((s for s in bpy.data.scenes if s.session_uid == self._scene_uid), None)


KIND = performer.Kind(is_target, perform)


def register() -> None:
    performer.KINDS.append(KIND)
    performer.FOLLOWERS.append(followers)


def unregister() -> None:
    performer.FOLLOWERS.remove(followers)
    performer.KINDS.remove(KIND)
