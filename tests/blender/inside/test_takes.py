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


def test_undo_takes_back_the_accepted_take_and_redo_gives_it_again(
    stream: ModuleType, scene: bpy.types.Scene
) -> None:
    """In one step each, with what the blocks know of it."""
    bpy.context.preferences.edit.use_global_undo = True
    scene.kmm.takes = 2
    bpy.ops.ed.undo_push(message="before")
    begin_board(stream)
    step_until(stream, stream.pending)
    for _ in range(3):
        stream.tick()
    bpy.ops.kmm.take_show()
    bpy.ops.kmm.take_accept("EXEC_DEFAULT", True)  # with undo, as a button does
    motion, seed = motion_of(scene.kmm.character), scene.kmm.blocks[0].seed
    assert seed == 2 and scene.kmm.blocks[0].made_frames == 30
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert scene.kmm.character is None and not bpy.data.actions
    assert (scene.kmm.blocks[0].seed, scene.kmm.blocks[0].made_frames) == (1, 0)
    bpy.ops.ed.redo()
    scene = bpy.context.scene
    np.testing.assert_array_equal(motion_of(scene.kmm.character), motion)
    assert scene.kmm.blocks[0].seed == seed and scene.kmm.blocks[0].action is not None


def test_reject_takes_back_a_new_character(stream: ModuleType, scene: bpy.types.Scene) -> None:
    before = set(bpy.data.objects), set(bpy.data.actions), set(bpy.data.armatures), set(bpy.data.meshes)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, takes=2)
    bpy.ops.kmm.take_reject()
    after = set(bpy.data.objects), set(bpy.data.actions), set(bpy.data.armatures), set(bpy.data.meshes)
    assert after == before and scene.kmm.character is None


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
