"""The one place that knows how Blender stores F-curves: flat in 4.2 and 4.3, in layers and slots since 4.4.

`Action.fcurves` is gone in 5.0, so from 4.4 on only the layered way is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
from bpy.app.translations import pgettext_rpt as _

LAYERED = hasattr(bpy.types, "ActionSlot")


def new_action(name: str, slot_name: str) -> bpy.types.Action:
    """A new, empty action for an object; it is not yet on any."""
    action = bpy.data.actions.new(name)
    action.use_fake_user = True  # a take is worth keeping when the next one replaces it
    if LAYERED:
        slot = action.slots.new(id_type="OBJECT", name=slot_name)
        action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    return action


def copy_action(source: bpy.types.Action, name: str) -> bpy.types.Action:
    """A copy under another name, to be changed in part; it is not yet on any object."""
    action = source.copy()
    action.name = name
    action.use_fake_user = True
    return action


def assign(obj: bpy.types.Object, action: bpy.types.Action, slot: str = "") -> None:
    """Put an action on the object, in the slot of this identifier or else the first.

    The action that it had until now stays in the file.
    """
    _put(obj, action, _slot(action, slot) if LAYERED else None)


def put_back(obj: bpy.types.Object, action: bpy.types.Action, slot: str) -> None:
    """Put an action on the object as it was when `slot_of` gave this: "" is no slot at all."""
    found = (s for s in action.slots if s.identifier == slot) if LAYERED else ()
    _put(obj, action, next(iter(found), None))


def _put(obj: bpy.types.Object, action: bpy.types.Action, slot: Any) -> None:
    animation = obj.animation_data_create()
    if animation.action is not None and animation.action.library is None:
        animation.action.use_fake_user = True  # without a user Blender would drop it when the file is saved
    animation.action = action
    if LAYERED:
        animation.action_slot = slot  # Blender itself assigns one that seems to fit


def tweaked(obj: bpy.types.Object) -> str:
    """Why no action can be put on the object, if it is in the NLA's tweak mode; else ""."""
    if obj.animation_data is None or not obj.animation_data.use_tweak_mode:
        return ""
    return _("{} is in the NLA editor's tweak mode; leave it (Tab) first").format(obj.name)


def leave_tweak_mode(obj: bpy.types.Object) -> None:
    """Let the object have its own action again, and not that of a strip, if it is in the NLA's tweak mode."""
    if tweaked(obj):
        obj.animation_data.use_tweak_mode = False


def find_action(uid: int) -> bpy.types.Action | None:
    """The action with this session_uid, if it (still) exists."""
    return next((a for a in bpy.data.actions if a.session_uid == uid), None)


def evaluated(action: bpy.types.Action) -> list[bpy.types.Action]:
    """The copies of the action that Blender evaluates for what the windows show, as far as there are any now."""
    windows = bpy.context.window_manager.windows
    layers = [window.view_layer for window in windows] or [bpy.context.view_layer]
    graphs = [layer.depsgraph for layer in layers if layer is not None and layer.depsgraph is not None]
    copies = [action.evaluated_get(graph) for graph in graphs]
    return [c for c in copies if c.is_evaluated and (not LAYERED or len(c.layers))]


def curves(action: bpy.types.Action, slot: str = "") -> Any:
    """The collection of F-curves of an action with one layer: new(), find(), remove().

    slot: the identifier of the slot they are in; else they are in the first, as `new_action` makes it.
    """
    if not LAYERED:
        return action.fcurves
    return action.layers[0].strips[0].channelbag(_slot(action, slot), ensure=True).fcurves


def slot_of(obj: bpy.types.Object) -> str:
    """Identifier of the slot that the object's action has for it; "" if it has none, as before 4.4."""
    animation = obj.animation_data
    slot = getattr(animation, "action_slot", None) if animation is not None else None
    return slot.identifier if slot is not None else ""


def _slot(action: bpy.types.Action, identifier: str) -> Any:
    return next((s for s in action.slots if s.identifier == identifier), action.slots[0])


def new_curve(collection: Any, data_path: str, index: int, group: str) -> bpy.types.FCurve:
    """A new F-curve in such a collection, in a channel group of the given name."""
    if not LAYERED:
        return collection.new(data_path, index=index, action_group=group)
    if "group_name" in collection.bl_rna.functions["new"].parameters:
        return collection.new(data_path, index=index, group_name=group)
    curve = collection.new(data_path, index=index)  # 4.4 and 4.5
    groups = collection.data.groups
    curve.group = groups.get(group) or groups.new(group)
    return curve


def curves_of(action: bpy.types.Action, obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of any action that move the object if it wears the action."""
    if not LAYERED:
        return list(action.fcurves)
    slot = slot_for(action, obj)
    bags = [strip.channelbag(slot) for layer in action.layers for strip in layer.strips] if slot else []
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def slot_for(action: bpy.types.Action, obj: bpy.types.Object) -> Any:
    """The action's slot for the object, or None: of the action that it has the one that is assigned.

    Of another action the one of the object's name, else the first for objects.
    """
    animation = obj.animation_data
    if animation is not None and animation.action == action:
        return animation.action_slot
    fitting = [slot for slot in action.slots if slot.target_id_type in ("OBJECT", "UNSPECIFIED")]
    named = [slot for slot in fitting if slot.name_display == obj.name]
    return next(iter(named or fitting), None)


@contextmanager
def wearing(obj: bpy.types.Object, action: bpy.types.Action) -> Iterator[None]:
    """For a while, this action is all that animates the object."""
    had_none = obj.animation_data is None
    animation = obj.animation_data_create()
    before = animation.action, animation.use_nla, animation.action_slot if LAYERED else None
    slot = slot_for(action, obj) if LAYERED else None
    try:
        animation.use_nla = False
        animation.action = action
        if LAYERED:
            animation.action_slot = slot
        yield
    finally:
        animation.action, animation.use_nla = before[:2]
        if LAYERED and before[0] is not None:
            animation.action_slot = before[2]
        if had_none:
            obj.animation_data_clear()
