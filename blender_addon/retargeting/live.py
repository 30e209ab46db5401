"""What is generated goes onto a rig while it comes: the armatures in the list of targets can perform, too."""

from __future__ import annotations

import bpy

from .. import action_api, performer
from ..request import UserError
from .writing import FromClips


def is_target(obj: bpy.types.Object | None) -> bool:
    """Whether the user has put the armature on the list of targets, to be keyed while generating."""
    if obj is None or obj.type != "ARMATURE":
        return False
    settings = bpy.context.scene.kmm_retargeting
    return settings.live and obj in settings.used()


def perform(obj: bpy.types.Object) -> performer.Performer:
    """Raises UserError."""
    settings = bpy.context.scene.kmm_retargeting
    try:
        target = FromClips(obj, settings.table_of(obj), settings.options())
    except ValueError as error:
        raise UserError(str(error)) from error

    def prepare(worn: bpy.types.Object) -> None:
        action = worn.animation_data.action
        target.begin(action, int(action.frame_range[0]), action_api.slot_of(worn))

    return performer.Performer(target.channels, target, prepare)


KIND = performer.Kind(is_target, perform)


def register() -> None:
    performer.KINDS.append(KIND)


def unregister() -> None:
    performer.KINDS.remove(KIND)
