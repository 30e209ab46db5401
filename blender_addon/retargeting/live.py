"""What is generated goes onto rigs while it comes: one that is selected performs, the other targets follow."""

from __future__ import annotations

import bpy

from .. import action_api, performer, planning, playing
from ..performance import Performance
from ..request import Request, UserError
from .writing import FromClips


def is_target(scene: bpy.types.Scene, obj: bpy.types.Object | None) -> bool:
    """Whether the user has put the armature on the scene's list of targets, to be keyed while generating."""
    if obj is None or obj.type != "ARMATURE":
        return False
    settings = scene.kmm_retargeting
    return settings.live and obj in settings.used()


def maker(scene: bpy.types.Scene, obj: bpy.types.Object) -> performer.Make:
    """Performers by the map that the scene has for the object, and the scene's options."""
    bone_map, options = scene.kmm_retargeting.table_of(obj), scene.kmm_retargeting.options()

    def make(obj: bpy.types.Object) -> performer.Performer:
        try:
            target = FromClips(obj, bone_map, options)
        except ValueError as error:
            raise UserError(str(error)) from error

        def prepare(worn: bpy.types.Object) -> None:
            action = worn.animation_data.action
            target.begin(action, int(action.frame_range[0]), action_api.slot_of(worn))

        return performer.Performer(target.channels, target, prepare, follow=target.follow)

    return make


def followers(scene: bpy.types.Scene, character: bpy.types.Object, request: Request) -> list[Performance]:
    """All targets but the character itself. Raises UserError.

    Where a part of a motion is made anew, those that wear the whole of it follow.
    """
    settings = scene.kmm_retargeting
    if not settings.live:
        return []
    others = [obj for obj in settings.used() if obj != character]
    if request.base is not None:
        others = [obj for obj in others if _wears(obj, action_api.find_action(request.base.action_uid))]
    following: list[Performance] = []
    try:
        for obj in others:
            base, source = request.base, playing.action_of(obj)
            if base is not None and source is not None:
                base = planning.base(obj, source, base.stretches, base.shift)
            name = f"{request.name} ({obj.name})"
            following.append(Performance(scene, obj, maker(scene, obj), request, name, base))
    except UserError:
        for performance in following:
            performance.discard()
        raise
    return following


def _wears(obj: bpy.types.Object, motion: bpy.types.Action | None) -> bool:
    """Whether the object has an action of the same frames as this motion."""
    action = playing.action_of(obj)
    return (
        action is not None and motion is not None and tuple(action.frame_range) == tuple(motion.frame_range)
    )


KIND = performer.Kind(is_target, maker)


def register() -> None:
    performer.KINDS.append(KIND)
    performer.FOLLOWERS.append(followers)


def unregister() -> None:
    performer.FOLLOWERS.remove(followers)
    performer.KINDS.remove(KIND)
