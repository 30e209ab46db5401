"""The action of the user's and its slot are given back as they were, also where no slot was assigned."""

from __future__ import annotations

import importlib
from types import ModuleType

import bpy
import pytest

from .helpers import begin, step_until
from .install import PACKAGE

action_api = importlib.import_module(f"{PACKAGE}.action_api")
PROMPT = "a person walks forward"

pytestmark = pytest.mark.skipif(not hasattr(bpy.types, "ActionSlot"), reason="slots came with Blender 4.4")


def without_slots(action: bpy.types.Action) -> None:
    pass


def for_a_material(action: bpy.types.Action) -> None:
    action.slots.new(id_type="MATERIAL", name="Paint")


def for_somebody_else(action: bpy.types.Action) -> None:
    slot = action.slots.new(id_type="OBJECT", name="Someone Else")
    bag = action.layers.new("Layer").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    for path in ("location", 'pose.bones["pelvis"].location'):
        bag.fcurves.new(path, index=0).keyframe_points.insert(1, 5.0)


@pytest.fixture(params=[without_slots, for_a_material, for_somebody_else])
def obj(stream: ModuleType, scene: bpy.types.Scene, request: pytest.FixtureRequest) -> bpy.types.Object:
    """A character with an action of which no slot is assigned to it."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=9)
    obj = scene.kmm.character
    action = bpy.data.actions.new("mine")
    request.param(action)
    obj.animation_data.action = action
    obj.animation_data.action_slot = None
    return obj


def worn(obj: bpy.types.Object) -> tuple[object, ...]:
    animation = obj.animation_data
    return (
        animation.action,
        animation.action_slot,
        animation.action.use_fake_user,
        len(animation.action.slots),
    )


@pytest.mark.parametrize("how", ["reject", "cancel"])
def test_no_slot_before_is_no_slot_after(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object, how: str
) -> None:
    before, place = worn(obj), tuple(obj.location)
    if how == "reject":
        bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, takes=2)
        assert obj.animation_data.action_slot is not None
        assert bpy.ops.kmm.take_reject() == {"FINISHED"}
    else:
        begin(stream, PROMPT, 600.0, 1)
        step_until(stream, lambda: stream.generation.frames_done > 0)
        assert obj.animation_data.action_slot is not None
        assert bpy.ops.kmm.cancel(restore=True) == {"FINISHED"}
        step_until(stream, lambda: not stream.engine.client.status().busy)
    assert worn(obj) == before
    scene.frame_set(2)
    assert tuple(obj.location) == place


def test_what_does_not_play_is_not_read(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """Somebody else's motion in the same action is not the character's."""
    before = worn(obj)
    scene.kmm.place = "CONTINUE"
    with pytest.raises(RuntimeError, match="no keys to go on from"):
        bpy.ops.kmm.generate()
    with pytest.raises(RuntimeError, match="no keys"):
        bpy.ops.kmm.in_between(prompt=PROMPT)
    assert worn(obj) == before


def test_for_a_while_another_action(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    before = worn(obj)
    with action_api.wearing(obj, action_api.new_action("other", obj.name)):
        assert obj.animation_data.action_slot is not None
    assert worn(obj) == before
