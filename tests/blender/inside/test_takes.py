"""Several takes at once, and what becomes of a motion that is kept, rejected or cancelled."""

from __future__ import annotations

import importlib
from types import ModuleType

import bpy
import numpy as np
import pytest

from .helpers import frames_of, motion_of, step_until
from .install import PACKAGE

PROMPT = "a person walks forward"
request = importlib.import_module(f"{PACKAGE}.request")
planning = importlib.import_module(f"{PACKAGE}.planning")


def begin_takes(stream: ModuleType, seconds: float, takes: int) -> None:
    options = request.Options(takes=takes)
    stream.generate(bpy.context, request.single(bpy.context.scene, PROMPT, seconds, 1, options))


def begin_board(stream: ModuleType) -> None:
    """Its one block, a second long, as the button does."""
    scene = bpy.context.scene
    scene.kmm.blocks[0].seconds = 1.0
    stream.generate(bpy.context, planning.whole(scene, None))


def state(scene: bpy.types.Scene, obj: bpy.types.Object) -> dict[str, object]:
    """What a rejection must restore, and what it must not leave behind."""
    animation = obj.animation_data
    return {
        "frame": scene.frame_current,
        "action": animation.action if animation else None,
        "slot": getattr(animation, "action_slot", None) if animation else None,
        "fake user": animation.action.use_fake_user if animation and animation.action else None,
        "tracks": len(animation.nla_tracks) if animation else 0,
        "actions": set(bpy.data.actions),
        "modes": [b.rotation_mode for b in obj.pose.bones],
        "pose": [tuple(map(tuple, b.matrix_basis)) for b in obj.pose.bones],
        "blocks": [(b.action, b.made_start, b.made_frames, b.seed) for b in scene.kmm.blocks],
    }


@pytest.fixture
def obj(stream: ModuleType, scene: bpy.types.Scene) -> bpy.types.Object:
    """A character that has an action of its own and a pose that is not keyed."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=9)
    obj = scene.kmm.character
    obj.animation_data.action.use_fake_user = False
    scene.frame_set(3)
    obj.pose.bones["head"].rotation_mode = "ZYX"
    obj.pose.bones["head"].rotation_euler = (0.1, 0.2, 0.3)
    obj.pose.bones["left_knee"].scale = (1, 2, 1)
    return obj


def test_takes_are_what_their_seeds_make(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object
) -> None:
    """Stepped through forwards and backwards; the accepted one alone is left."""
    alone = []
    for seed in (1, 2, 3):
        bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=seed)
        alone.append(motion_of(obj))
    actions = set(bpy.data.actions)
    assert bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1, takes=3) == {"FINISHED"}
    assert stream.pending() and stream.generation.message == "Done: 3 takes of 30 frames to choose from"
    (action,) = set(bpy.data.actions) - actions
    for call, take in (
        ({}, 1),
        ({"step": 1}, 2),
        ({"step": 1}, 0),
        ({"step": -1}, 2),
        ({"take": 1}, 1),
    ):
        assert bpy.ops.kmm.take_show(**call) == {"FINISHED"}
        assert stream.generation.shown == take and obj.animation_data.action == action
        np.testing.assert_array_equal(motion_of(obj), alone[take])
    with pytest.raises(RuntimeError, match="no take 8"):
        bpy.ops.kmm.take_show(take=7)
    assert bpy.ops.kmm.take_accept() == {"FINISHED"}
    assert not stream.pending() and not bpy.ops.kmm.take_accept.poll()
    assert obj.animation_data.action == action and action.use_fake_user and action.name.startswith(PROMPT)
    if hasattr(action, "slots"):
        assert [slot.identifier for slot in action.slots] == [f"OB{obj.name}"]
    np.testing.assert_array_equal(motion_of(obj), alone[1])
    assert set(bpy.data.actions) - actions == {action}


def test_reject_restores_action_pose_and_frame(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object
) -> None:
    before, motion = state(scene, obj), motion_of(obj)
    scene.kmm.takes = 2
    bpy.ops.kmm.generate()
    assert stream.pending() and state(scene, obj) != before
    bpy.ops.kmm.take_show()
    scene.frame_set(20)
    assert bpy.ops.kmm.take_reject() == {"FINISHED"}
    assert state(scene, obj) == before and not stream.pending()
    np.testing.assert_array_equal(motion_of(obj), motion)


def wait_for_takes(stream: ModuleType) -> None:
    """Two of the storyboard's, after a step of the user's; until they wait."""
    bpy.context.preferences.edit.use_global_undo = True
    bpy.context.scene.kmm.takes = 2
    bpy.ops.ed.undo_push(message="before")
    begin_board(stream)
    step_until(stream, stream.pending)
    turn(stream)


def turn(stream: ModuleType) -> None:
    for _ in range(3):
        stream.tick()


def made() -> tuple[int, int]:
    """What the block knows: its seed, and how long its motion is."""
    block = bpy.context.scene.kmm.blocks[0]
    return block.seed, block.made_frames


def deselect_the_cube() -> None:
    bpy.data.objects["Cube"].select_set(False)
    bpy.ops.ed.undo_push(message="Select")


def test_undo_of_something_else_leaves_the_takes(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """And their own step takes them back, with the new character; redo gives them again to choose from."""
    wait_for_takes(stream)
    bpy.ops.kmm.take_show(take=1)
    motion = motion_of(scene.kmm.character)
    deselect_the_cube()
    bpy.ops.ed.undo()
    assert stream.pending() and bpy.data.objects["Cube"].select_get()
    turn(stream)
    # the step was made with the other take on the character
    np.testing.assert_array_equal(motion_of(bpy.context.scene.kmm.character), motion)
    bpy.ops.ed.undo()
    turn(stream)
    assert not stream.pending() and bpy.context.scene.kmm.character is None
    assert not bpy.data.actions and {o.name for o in bpy.data.objects} == {"Camera", "Cube", "Light"}
    bpy.ops.ed.redo()
    assert stream.pending()
    turn(stream)
    np.testing.assert_array_equal(motion_of(bpy.context.scene.kmm.character), motion)


@pytest.mark.parametrize("accept_as", ["ACTION", "STRIP"])
def test_undo_of_accepting_goes_back_to_choosing_and_redo_accepts_again(
    stream: ModuleType, scene: bpy.types.Scene, accept_as: str
) -> None:
    """In one step each, with what the blocks know of it; another can be accepted then."""
    scene.kmm.accept_as = accept_as
    wait_for_takes(stream)
    first = motion_of(scene.kmm.character)
    bpy.ops.kmm.take_show()
    chosen = motion_of(scene.kmm.character)
    bpy.ops.kmm.take_accept("EXEC_DEFAULT", True)  # with undo, as a button does
    assert made() == (2, 30) and not stream.pending()
    bpy.ops.ed.undo()
    assert stream.pending() and made() == (1, 0)
    turn(stream)
    np.testing.assert_array_equal(motion_of(bpy.context.scene.kmm.character), chosen)
    bpy.ops.ed.redo()
    turn(stream)
    assert not stream.pending() and made() == (2, 30)
    obj = bpy.context.scene.kmm.character
    assert (obj.animation_data.action is None) == (accept_as == "STRIP")
    (action,) = bpy.data.actions
    assert action.use_fake_user and action == bpy.context.scene.kmm.blocks[0].action
    bpy.ops.ed.undo()
    bpy.ops.kmm.take_show(take=0)
    bpy.ops.kmm.take_accept("EXEC_DEFAULT", True)
    assert made() == (1, 30) and not stream.pending()
    obj = bpy.context.scene.kmm.character
    if accept_as == "STRIP":
        importlib.import_module(f"{PACKAGE}.action_api").assign(obj, bpy.data.actions[0])
    np.testing.assert_array_equal(motion_of(obj), first)


def test_undo_of_accepting_what_no_block_knows(stream: ModuleType, scene: bpy.types.Scene) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    begin_takes(stream, 0.5, 2)
    step_until(stream, stream.pending)
    turn(stream)
    bpy.ops.kmm.take_accept("EXEC_DEFAULT", True)
    deselect_the_cube()
    bpy.ops.ed.undo()
    assert not stream.pending()
    bpy.ops.ed.undo()
    assert stream.pending()


def test_undo_of_rejecting_goes_back_to_choosing(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object
) -> None:
    """And what is done after a rejection can be undone without the takes coming back."""
    bpy.context.preferences.edit.use_global_undo = True
    wait_for_takes(stream)
    obj = bpy.context.scene.kmm.character
    motion = motion_of(obj)
    bpy.ops.kmm.take_reject("EXEC_DEFAULT", True)
    name, actions = obj.animation_data.action.name, len(bpy.data.actions)
    deselect_the_cube()
    bpy.ops.ed.undo()
    turn(stream)
    assert not stream.pending() and len(bpy.data.actions) == actions
    assert bpy.context.scene.kmm.character.animation_data.action.name == name
    bpy.ops.ed.undo()
    turn(stream)
    assert stream.pending()
    np.testing.assert_array_equal(motion_of(bpy.context.scene.kmm.character), motion)


def test_several_takes_again_after_a_few_undos(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """Generating anew accepts those that wait, which is a step of its own."""
    wait_for_takes(stream)
    bpy.ops.ed.undo()
    turn(stream)
    begin_board(stream)
    step_until(stream, stream.pending)
    turn(stream)
    assert len(bpy.data.actions) == 1 and len(bpy.data.armatures) == 1
    bpy.ops.ed.undo()
    turn(stream)
    assert not stream.pending() and not bpy.data.actions and not bpy.data.armatures


def test_reject_takes_back_a_new_character(stream: ModuleType, scene: bpy.types.Scene) -> None:
    before = set(bpy.data.objects), set(bpy.data.actions), set(bpy.data.armatures), set(bpy.data.meshes)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, takes=2)
    bpy.ops.kmm.take_reject()
    after = set(bpy.data.objects), set(bpy.data.actions), set(bpy.data.armatures), set(bpy.data.meshes)
    assert after == before and scene.kmm.character is None


def give_it_things(scene: bpy.types.Scene, obj: bpy.types.Object) -> dict[str, tuple]:
    """A sword in its hand, whose mesh hangs on the wall as well, and the camera; where all of them are seen."""
    sword = bpy.data.objects.new("Sword", bpy.data.meshes.new("Sword"))
    twin = bpy.data.objects.new("Sword on the wall", sword.data)
    for each in (sword, twin):
        scene.collection.objects.link(each)
    sword.parent, sword.parent_type, sword.parent_bone = obj, "BONE", "right_wrist"
    bpy.data.objects["Camera"].parent = obj
    bpy.context.view_layer.update()
    return {o.name: tuple(map(tuple, o.matrix_world)) for o in (sword, twin, bpy.data.objects["Camera"])}


@pytest.mark.parametrize("how", ["reject", "cancel"])
def test_what_the_user_gave_a_new_character_stays(
    stream: ModuleType, scene: bpy.types.Scene, how: str
) -> None:
    """Where it is seen, and without the character, of which nothing is left."""
    objects, armatures = set(bpy.data.objects), set(bpy.data.armatures)
    scene.cursor.location = (1, 2, 3)
    begin_takes(stream, 1.0 if how == "reject" else 600.0, 2)
    step_until(stream, stream.pending if how == "reject" else lambda: stream.generation.frames_done > 0)
    scene.frame_set(7)
    seen = give_it_things(scene, scene.kmm.character)
    assert bpy.ops.kmm.take_reject() if how == "reject" else bpy.ops.kmm.cancel(restore=True)
    bpy.context.view_layer.update()
    for name, place in seen.items():
        assert bpy.data.objects[name].parent is None
        np.testing.assert_allclose(bpy.data.objects[name].matrix_world, place, atol=1e-5)
    assert {o.name for o in set(bpy.data.objects) - objects} == {"Sword", "Sword on the wall"}
    assert {m.name for m in bpy.data.meshes} == {"Cube", "Sword"} and set(bpy.data.armatures) == armatures


def test_a_new_character_that_the_user_has_doubled(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """The double keeps what it shares with the one that goes."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, takes=2)
    obj = scene.kmm.character
    double = obj.copy()  # with the same data, as Alt D does
    scene.collection.objects.link(double)
    bpy.ops.kmm.take_reject()
    assert [o.name for o in bpy.data.objects if o.type == "ARMATURE"] == [double.name]
    assert double.data is not None and {m.name for m in bpy.data.meshes} == {"Cube"}


@pytest.mark.parametrize("restore", [True, False])
def test_cancel_restores_or_keeps_as_chosen(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object, restore: bool
) -> None:
    before, motion = state(scene, obj), motion_of(obj)
    begin_takes(stream, 600.0, 1)
    step_until(stream, lambda: stream.generation.frames_done > 0)
    assert 0 < stream.generation.progress < 1
    scene.frame_set(50)
    assert bpy.ops.kmm.cancel(restore=restore) == {"FINISHED"}
    if restore:
        assert state(scene, obj) == before and stream.generation.message == "Cancelled"
        np.testing.assert_array_equal(motion_of(obj), motion)
    else:
        assert frames_of(obj)[0] == 3 and "frames are kept" in stream.generation.message
    step_until(stream, lambda: not stream.engine.client.status().busy)


def test_a_storyboard_learns_which_take_it_was(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object
) -> None:
    """The seeds become those of the take that was accepted: the same again without choosing."""
    bpy.ops.kmm.block_add(prompt="a person sits down")
    for number, block in enumerate(scene.kmm.blocks):
        block.seconds, block.seed = 1.0, 10 * (number + 1)
    scene.kmm.takes = 3
    bpy.ops.kmm.generate()
    bpy.ops.kmm.take_show(take=2)
    bpy.ops.kmm.take_accept()
    chosen = motion_of(obj)
    assert [b.seed for b in scene.kmm.blocks] == [12, 22]
    scene.kmm.takes = 1
    bpy.ops.kmm.generate()
    np.testing.assert_array_equal(motion_of(obj), chosen)


@pytest.mark.parametrize("takes", [1, 2])
def test_kept_as_a_strip(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object, takes: int
) -> None:
    """On a track of its own, at full influence, at the frames of its keys; it plays as the action did."""
    scene.kmm.accept_as = "STRIP"
    scene.frame_set(11)
    before = set(bpy.data.actions)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=1, takes=takes)
    if takes > 1:
        bpy.ops.kmm.take_accept()
    (action,) = set(bpy.data.actions) - before
    animation = obj.animation_data
    # the action that was active would hide it, and is a strip below
    assert animation.action is None and len(animation.nla_tracks) == 2
    (below,), (strip,) = (track.strips for track in animation.nla_tracks)
    assert {below.action} == before and animation.nla_tracks[1].name == "KMM"
    assert strip.action == action and strip.influence == 1.0
    assert (strip.frame_start, strip.frame_end) == (11, 40) == tuple(strip.action.frame_range)
    found = []
    for on_strip in (True, False):
        if not on_strip:
            animation.use_nla = False
            importlib.import_module(f"{PACKAGE}.action_api").assign(obj, action)
        scene.frame_set(1)
        poses = []
        for frame in range(11, 41):
            scene.frame_set(frame)
            poses.append(
                [
                    tuple(obj.pose.bones["left_knee"].rotation_quaternion),
                    tuple(obj.pose.bones["pelvis"].location),
                ][0]
            )
        found.append(poses)
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


def test_generating_again_keeps_the_take_that_is_shown(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object
) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, takes=2)
    bpy.ops.kmm.take_show()
    shown, action = motion_of(obj), obj.animation_data.action
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5)
    assert not stream.pending() and action in set(bpy.data.actions) and obj.animation_data.action != action
    obj.animation_data.action = action
    np.testing.assert_array_equal(motion_of(obj), shown)


def test_takes_end_with_what_they_were_keyed_on(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object
) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, takes=2)
    bpy.data.actions.remove(obj.animation_data.action)
    with pytest.raises(RuntimeError, match="gone"):
        bpy.ops.kmm.take_show()
    assert not stream.pending()


def test_another_file_ends_the_takes(
    stream: ModuleType, scene: bpy.types.Scene, obj: bpy.types.Object
) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, takes=2)
    bpy.ops.wm.read_homefile(use_factory_startup=True)
    assert not stream.pending() and not bpy.ops.kmm.take_reject.poll()
