"""Motions that play as strips of the NLA: read where they play, whatever the frames of their actions are."""

from __future__ import annotations

import importlib
from types import ModuleType

import bpy
import numpy as np
import pytest
from kmm.clip import heading

from .helpers import joint_positions
from .install import PACKAGE
from .test_parts import poses
from .test_storyboard import board

PROMPT = "a person walks forward"
MOVED = 100
action_api = importlib.import_module(f"{PACKAGE}.action_api")


def tracks(obj: bpy.types.Object) -> list[bpy.types.NlaTrack]:
    return list(obj.animation_data.nla_tracks)


def move(strip: bpy.types.NlaStrip, frames: float) -> None:
    """As dragging it does."""
    for end in ("frame_end", "frame_start") if frames > 0 else ("frame_start", "frame_end"):
        setattr(strip, end, getattr(strip, end) + frames)


@pytest.fixture
def obj(stream: ModuleType, scene: bpy.types.Scene) -> bpy.types.Object:
    """A character with a storyboard of two seconds, kept as a strip that plays from frame 101 to 160."""
    board(scene, (PROMPT, 1.0), ("a person sits down", 1.0))
    for block in scene.kmm.blocks:
        block.transition = 0.2
    scene.kmm.accept_as = "STRIP"
    bpy.ops.kmm.generate()
    obj = scene.kmm.character
    (strip,) = tracks(obj)[0].strips
    move(strip, MOVED)
    assert (strip.frame_start, strip.frame_end, strip.scale) == (101, 160, 1)
    return obj


def test_going_on_after_a_moved_strip(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    before = joint_positions(scene, obj, range(101, 161))
    scene.kmm.place = "CONTINUE"
    assert bpy.ops.kmm.generate() == {"FINISHED"}
    (strip,) = tracks(obj)[-1].strips
    assert (strip.frame_start, strip.frame_end) == (101, 220)
    after = joint_positions(scene, obj, range(101, 221))
    np.testing.assert_allclose(after[:60], before, atol=1e-5)
    assert [(b.made_start, b.made_frames) for b in scene.kmm.blocks] == [(161, 30), (191, 30)]
    steps = np.abs(np.diff(after, axis=0)).max(axis=(1, 2))
    assert steps[59] < 3 * steps[50:70].max()


@pytest.mark.parametrize("index", [0, 1])
def test_a_block_anew_in_a_moved_strip(scene: bpy.types.Scene, obj: bpy.types.Object, index: int) -> None:
    before = joint_positions(scene, obj, range(101, 161))
    assert bpy.ops.kmm.regenerate_block(index=index, new_seed=True) == {"FINISHED"}
    after = joint_positions(scene, obj, range(101, 161))
    changed = np.flatnonzero(np.abs(after - before).max(axis=(1, 2)) > 1e-5)
    low, high = (0, 36) if index == 0 else (24, 60)
    assert low <= changed.min() and changed.max() < high and len(changed) > 25
    assert [b.made_start for b in scene.kmm.blocks] == [101, 131]
    # and once more, from what lies there now
    bpy.ops.kmm.regenerate_block(index=index)
    assert [b.made_start for b in scene.kmm.blocks] == [101, 131]


def test_a_locked_block_of_a_moved_strip(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """It goes where the storyboard has it, and is the same."""
    before = joint_positions(scene, obj, range(131, 161))
    scene.kmm.blocks[1].locked = True
    scene.kmm.blocks[0].seed += 5
    assert bpy.ops.kmm.generate() == {"FINISHED"}
    np.testing.assert_allclose(joint_positions(scene, obj, range(31, 61)), before, atol=1e-5)
    assert [b.made_start for b in scene.kmm.blocks] == [1, 31]


def test_filled_between_frames_of_a_moved_strip(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    before = joint_positions(scene, obj, range(101, 161))
    bpy.ops.kmm.in_between(frame_start=120, frame_end=140, prompt=PROMPT, given="MOTION")
    after = joint_positions(scene, obj, range(101, 161))
    changed = np.flatnonzero(np.abs(after - before).max(axis=(1, 2)) > 1e-5) + 101
    assert changed.tolist() == list(range(121, 140))
    scene.frame_set(10)
    with pytest.raises(RuntimeError, match="both sides"):
        bpy.ops.kmm.in_between(prompt=PROMPT)


@pytest.mark.parametrize("frame", [130, 300])
def test_starting_where_it_stands_in_a_moved_strip(
    scene: bpy.types.Scene, obj: bpy.types.Object, frame: int
) -> None:
    """As Blender shows it: after the strip's end it holds the last pose."""
    stood = joint_positions(scene, obj, [frame])[0, 0]
    scene.kmm.place, scene.kmm.accept_as, scene.kmm.frame_start = "HERE", "ACTION", frame
    bpy.ops.kmm.generate()
    np.testing.assert_allclose(joint_positions(scene, obj, [frame])[0, 0, :2], stood[:2], atol=1e-4)
    assert np.isfinite(heading(poses(obj, [frame]).rotations[0, 0]))


def test_only_a_part_of_the_action_plays(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """What is cut off is not there, and other curves of the action move along with the motion."""
    action = scene.kmm.blocks[0].action
    curve = action_api.new_curve(action_api.curves(action), 'pose.bones["head"].scale', 0, "head")
    curve.keyframe_points.insert(1, 1.0)
    curve.keyframe_points.insert(41, 3.0)
    (strip,) = tracks(obj)[0].strips
    strip.action_frame_end = 41
    strip.frame_start, strip.frame_end = 101, 141
    assert (strip.scale, strip.repeat) == (1, 1)
    before = joint_positions(scene, obj, range(101, 142))
    scene.kmm.place = "CONTINUE"
    bpy.ops.kmm.generate()
    (made,) = tracks(obj)[-1].strips
    assert (made.frame_start, made.frame_end) == (101, 201)
    np.testing.assert_allclose(joint_positions(scene, obj, range(101, 142)), before, atol=1e-5)
    scene.frame_set(121)
    assert obj.pose.bones["head"].scale.x == pytest.approx(2.0, abs=0.2)


def test_what_is_muted_is_not_read(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    scene.kmm.frame_start = 301
    bpy.ops.kmm.generate()
    scene.kmm.place = "CONTINUE"
    lower, upper = tracks(obj)
    upper.mute = True
    bpy.ops.kmm.generate()
    assert [b.made_start for b in scene.kmm.blocks] == [161, 191]
    for track in tracks(obj)[1:]:
        track.mute = True
    lower.strips[0].mute = True
    with pytest.raises(RuntimeError, match="no keys to go on from"):
        bpy.ops.kmm.generate()


@pytest.mark.parametrize("what", ["scale", "repeat", "use_reverse", "frame_start"])
def test_a_strip_that_plays_otherwise_is_refused(
    scene: bpy.types.Scene, obj: bpy.types.Object, what: str
) -> None:
    (strip,) = tracks(obj)[0].strips
    if what == "frame_start":
        move(strip, 0.5)
    else:
        setattr(strip, what, {"scale": 2.0, "repeat": 2.0, "use_reverse": True}[what])
    actions = set(bpy.data.actions)
    scene.kmm.place = "CONTINUE"
    for call in (
        bpy.ops.kmm.generate,
        bpy.ops.kmm.regenerate_block,
        lambda: bpy.ops.kmm.in_between(frame_start=110, frame_end=120, prompt=PROMPT, given="MOTION"),
    ):
        with pytest.raises(RuntimeError, match="is scaled, repeated, reversed") as error:
            call()
        assert len(str(error.value).strip().splitlines()) == 1
    assert set(bpy.data.actions) == actions


def keyed_by_hand(obj: bpy.types.Object, path: str) -> bpy.types.Action:
    """An action of the user's own that is active."""
    target = obj.path_resolve(path.rpartition(".")[0]) if "." in path else obj
    for frame, value in ((1, 0.0), (50, 0.5)):
        setattr(target, path.rpartition(".")[2], (value, 0.2, 1.0))
        target.keyframe_insert(path.rpartition(".")[2], frame=frame)
    return obj.animation_data.action


@pytest.mark.parametrize("blend", ["REPLACE", "ADD"])
def test_an_action_that_hides_nothing_is_active_again(
    stream: ModuleType, scene: bpy.types.Scene, blend: str
) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=3)
    obj = scene.kmm.character
    want = joint_positions(scene, obj, range(1, 31)) - np.array(obj.location)
    scene.frame_set(1)
    obj.animation_data.action = None
    own = keyed_by_hand(obj, "location" if blend == "REPLACE" else 'pose.bones["head"].location')
    obj.animation_data.action_blend_type = blend
    slot = action_api.slot_of(obj)
    scene.kmm.accept_as = "STRIP"
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=3)
    assert obj.animation_data.action == own and action_api.slot_of(obj) == slot
    assert [len(track.strips) for track in tracks(obj)] == [1]
    if blend == "REPLACE":
        for frame in (1, 30):
            (joints,) = joint_positions(scene, obj, [frame])
            np.testing.assert_allclose(joints - np.array(obj.location), want[frame - 1], atol=1e-4)
    assert bpy.ops.kmm.reduce_keys.poll()


def test_an_action_that_would_hide_the_strip_goes_below_it(
    stream: ModuleType, scene: bpy.types.Scene
) -> None:
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=3)
    obj = scene.kmm.character
    want = joint_positions(scene, obj, range(1, 31))
    obj.animation_data.action = None
    own = keyed_by_hand(obj, 'pose.bones["pelvis"].location')
    before = joint_positions(scene, obj, range(1, 61))
    scene.frame_set(1)
    scene.kmm.accept_as = "STRIP"
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=3)
    assert obj.animation_data.action is None
    below, above = tracks(obj)
    assert below.strips[0].action == own and below.name == own.name and above.name == "KMM"
    np.testing.assert_allclose(joint_positions(scene, obj, range(1, 31)), want, atol=1e-4)
    above.mute = True
    for bone in obj.pose.bones:
        bone.rotation_quaternion = (1, 0, 0, 0)
    found = joint_positions(scene, obj, range(1, 61))
    np.testing.assert_allclose(found[:, 0], before[:, 0], atol=1e-5)
    # and the next one has nothing more to put below
    above.mute = False
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=4)
    assert len(tracks(obj)) == 3


@pytest.mark.parametrize("operator", ["reduce_keys", "lock_feet"])
def test_what_is_kept_as_a_strip_can_be_edited(
    scene: bpy.types.Scene, obj: bpy.types.Object, operator: str
) -> None:
    """At the frames at which it plays."""
    (strip,) = tracks(obj)[0].strips
    before = joint_positions(scene, obj, range(101, 161))
    edit = getattr(bpy.ops.kmm, operator)
    more = {"tolerance": 100.0} if operator == "reduce_keys" else {}
    assert edit.poll() and edit(frame_start=120, frame_end=140, **more) == {"FINISHED"}
    assert (strip.frame_start, strip.frame_end) == (101, 160)
    after = joint_positions(scene, obj, range(101, 161))
    changed = np.flatnonzero(np.abs(after - before).max(axis=(1, 2)) > 1e-5) + 101
    assert len(changed) or operator == "lock_feet"  # of feet that do not slide
    assert set(changed) <= set(range(120, 141))
    strip.scale = 2.0
    with pytest.raises(RuntimeError, match="is scaled, repeated, reversed"):
        edit()
    tracks(obj)[0].mute = True
    assert not edit.poll()
