"""What is generated goes onto rigs while it comes: one that is selected performs, the other targets follow."""

from __future__ import annotations

from contextlib import suppress

import bpy
from kmm.clip import Clip

from .. import action_api, performer
from ..keying import Keyer, Removed
from ..request import Request, UserError
from ..snapshot import Snapshot
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
    """All targets but the character itself, of a motion that is made as a whole. Raises UserError."""
    settings = scene.kmm_retargeting
    if not settings.live or request.base is not None:
        return []
    others = [obj for obj in settings.used() if obj != character]
    targets = [_from_clips(scene, obj) for obj in others]  # before anything is made for one of them
    return [Following(scene, obj, target, request) for obj, target in zip(others, targets, strict=True)]


class Following:
    """See `performer.Follower`."""

    def __init__(
        self, scene: bpy.types.Scene, obj: bpy.types.Object, target: FromClips, request: Request
    ) -> None:
        self._scene_uid, self._object_uid = scene.session_uid, obj.session_uid
        self._snapshot = Snapshot(scene, obj)
        self._first, self._target = request.first_frame, target
        action = action_api.new_action(f"{request.name} ({obj.name})", obj.name)
        self._keyer = Keyer(action, target.channels, request.first_frame, request.frames)
        self._on = False

    def append(self, clip: Clip) -> None:
        self._keyer.append(self._target(clip))

    def replace(self, clip: Clip) -> None:
        obj, scene = self._object(), self._scene()
        if obj is not None and scene is not None:
            with suppress(UserError):  # the user has changed the map meanwhile
                self._target = _from_clips(scene, obj)
                values = self._target(clip)
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
            self._target.begin(action, self._first)
            action_api.assign(obj, action)
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
