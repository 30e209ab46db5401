"""The one place that knows how Blender stores F-curves: flat in 4.2 and 4.3, in layers and slots since 4.4.

`Action.fcurves` is gone in 5.0, so from 4.4 on only the layered way is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

LAYERED = hasattr(bpy.types, "ActionSlot")


@dataclass(frozen=True)
class Assigned:
    """Which action an object has, in a form that outlives an undo."""

    animated: bool  #: the object has animation data at all
    action_uid: int | None
    slot_handle: int | None
    fake_user: bool


def assigned(obj: bpy.types.Object) -> Assigned:
    """What the object has now, for `restore`."""
    animation = obj.animation_data
    action = animation.action if animation else None
    slot = animation.action_slot if action is not None and LAYERED else None
    return Assigned(
        animated=animation is not None,
        action_uid=action.session_uid if action is not None else None,
        slot_handle=slot.handle if slot is not None else None,
        fake_user=action is not None and action.use_fake_user,
    )


def restore(obj: bpy.types.Object, before: Assigned) -> None:
    """Give the object back the action that it had, and remove the one that it has now."""
    animation = obj.animation_data_create()
    action = animation.action
    previous = find_action(before.action_uid)
    animation.action = previous
    if previous is not None:
        if LAYERED:
            animation.action_slot = next((s for s in previous.slots if s.handle == before.slot_handle), None)
        if previous.library is None:
            previous.use_fake_user = before.fake_user
    elif not before.animated:
        obj.animation_data_clear()
    if action is not None:
        bpy.data.actions.remove(action)


def find_action(uid: int | None) -> bpy.types.Action | None:
    """The action with this session_uid, if it (still) exists."""
    return next((a for a in bpy.data.actions if a.session_uid == uid), None)


def assign_new(obj: bpy.types.Object, name: str) -> bpy.types.Action:
    """A new, empty action on the object; the one that it had until now stays in the file."""
    animation = obj.animation_data_create()
    if animation.action is not None and animation.action.library is None:
        animation.action.use_fake_user = True  # without a user Blender would drop it when the file is saved
    action = bpy.data.actions.new(name)
    action.use_fake_user = True  # a take is worth keeping when the next one replaces it
    animation.action = action
    if LAYERED:
        slot = action.slots.new(id_type="OBJECT", name=obj.name)
        action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
        animation.action_slot = slot
    return action


def curves(action: bpy.types.Action) -> Any:
    """The collection of F-curves of an action made by `assign_new`: new(), find(), remove()."""
    if not LAYERED:
        return action.fcurves
    return action.layers[0].strips[0].channelbag(action.slots[0], ensure=True).fcurves


def new_curve(collection: Any, data_path: str, index: int, group: str) -> bpy.types.FCurve:
    """A new F-curve in such a collection, in a channel group of the given name."""
    if LAYERED:
        return collection.new(data_path, index=index, group_name=group)
    return collection.new(data_path, index=index, action_group=group)
