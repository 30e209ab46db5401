"""Characters whose bones do not turn by quaternions: their keys stay in force, and new ones are of the same kind."""

from __future__ import annotations

import importlib
from types import ModuleType

import bpy
import numpy as np
import pytest
from kmm import rotations as rot
from kmm.skeleton import JOINT_NAMES

from .helpers import curves, joint_positions
from .install import PACKAGE
from .test_reading import apart
from .test_storyboard import board
from .test_takes import state

performer, reading = (importlib.import_module(f"{PACKAGE}.{name}") for name in ("performer", "reading"))
PROMPT = "a person walks forward"
KEYED = ((1, 0.2), (20, -0.3), (40, 0.5), (60, -0.6), (80, 0.9))
MODES = ("XYZ", "ZXY", "AXIS_ANGLE", "QUATERNION")


def turn(bone: bpy.types.PoseBone, angle: float) -> str:
    """Turn the bone about its X axis; gives the name of the property that holds it in the bone's mode."""
    if bone.rotation_mode == "QUATERNION":
        bone.rotation_quaternion = (np.cos(angle / 2), np.sin(angle / 2), 0, 0)
        return "rotation_quaternion"
    if bone.rotation_mode == "AXIS_ANGLE":
        bone.rotation_axis_angle = (angle, 1, 0, 0)
        return "rotation_axis_angle"
    bone.rotation_euler = (angle, 0, 0)
    return "rotation_euler"


@pytest.fixture(params=["XYZ", "mixed"])
def obj(stream: ModuleType, scene: bpy.types.Scene, request: pytest.FixtureRequest) -> bpy.types.Object:
    """A character that an animator has keyed by hand, all bones in one mode, or each in another."""
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=0.5, seed=9)
    obj = scene.kmm.character
    obj.animation_data.action = None
    for number, bone in enumerate(obj.pose.bones):
        bone.rotation_mode = MODES[number % 4] if request.param == "mixed" else "XYZ"
        for frame, angle in KEYED:
            bone.keyframe_insert(turn(bone, angle), frame=frame)
    for frame, angle in KEYED:
        obj.pose.bones["pelvis"].location = (angle, 0, 0)
        obj.pose.bones["pelvis"].keyframe_insert("location", frame=frame)
    scene.frame_set(25)
    return obj


def modes(obj: bpy.types.Object) -> list[str]:
    return [bone.rotation_mode for bone in obj.pose.bones]


def in_between() -> set[str]:
    return bpy.ops.kmm.in_between(frame_start=20, frame_end=40, prompt=PROMPT, seed=1)


def go_on() -> set[str]:
    bpy.context.scene.kmm.place = "CONTINUE"
    return bpy.ops.kmm.generate()


@pytest.mark.parametrize(
    ("call", "kept"), [(in_between, (1, 10, 20, 40, 60, 70, 80)), (go_on, (1, 10, 70, 80))]
)
def test_keys_that_stay_play_as_before(
    scene: bpy.types.Scene, obj: bpy.types.Object, call: object, kept: tuple[int, ...]
) -> None:
    before, turned = joint_positions(scene, obj, kept), modes(obj)
    new = range(21, 40) if call is in_between else range(81, 121)
    assert call() == {"FINISHED"}
    assert modes(obj) == turned
    np.testing.assert_allclose(joint_positions(scene, obj, kept), before, atol=1e-5)
    joints = joint_positions(scene, obj, [new[0] - 1, *new])
    steps = np.abs(np.diff(joints, axis=0)).max(axis=(1, 2))
    assert steps.min() > 1e-5 and steps[0] < 3 * steps[1:].max()  # it moves, and does not begin with a jump
    paths = {curve.data_path for curve in curves(obj)}
    assert len(paths) == 23  # a rotation in one mode for each bone, and the pelvis' location


def test_a_block_anew_in_euler_angles(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """Made, and made again in part: the neighbours are the same."""
    board(scene, (PROMPT, 1.0), ("a person sits down", 1.0), ("a person jumps", 1.0))
    bpy.ops.kmm.generate()
    turned, before = modes(obj), joint_positions(scene, obj, range(1, 91))
    bpy.ops.kmm.regenerate_block(index=1, new_seed=True)
    assert modes(obj) == turned
    after = joint_positions(scene, obj, range(1, 91))
    np.testing.assert_allclose(after[:20], before[:20], atol=1e-5)
    np.testing.assert_allclose(after[70:], before[70:], atol=1e-5)
    assert np.abs(after[40:50] - before[40:50]).max() > 0.01
    for curve in curves(
        obj
    ):  # safe to interpolate: what is made goes on from what is before it by the shorter way
        values = np.array([point.co.y for point in curve.keyframe_points if point.co.x <= 69])
        if "rotation_euler" in curve.data_path:
            assert np.abs(np.diff(values)).max() < 3.2


def test_the_same_motion_in_any_mode(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """Also after the bones' modes were changed while takes waited."""
    scene.frame_set(1)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=4, takes=2)
    turned = modes(obj)
    obj.pose.bones["head"].rotation_mode = "YZX"
    bpy.ops.kmm.take_show()
    bpy.ops.kmm.take_show()
    bpy.ops.kmm.take_accept()
    assert modes(obj) == turned
    found = reading.motion(obj, performer.performer_for(obj), obj.animation_data.action, range(1, 31), 30.0)
    shown = joint_positions(scene, obj, range(1, 31))
    for bone in obj.pose.bones:
        bone.rotation_mode = "QUATERNION"
    scene.frame_set(1)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0, seed=4)
    want = reading.motion(obj, performer.performer_for(obj), obj.animation_data.action, range(1, 31), 30.0)
    assert apart(found, want) < 1e-4
    np.testing.assert_allclose(joint_positions(scene, obj, range(1, 31)), shown, atol=1e-4)


def test_an_earlier_action_plays_when_it_is_put_back(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    own, slot = obj.animation_data.action, getattr(obj.animation_data, "action_slot", None)
    before = joint_positions(scene, obj, (1, 30, 60))
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=1.0)
    obj.animation_data.action = own
    if slot is not None:
        obj.animation_data.action_slot = slot
    np.testing.assert_allclose(joint_positions(scene, obj, (1, 30, 60)), before, atol=1e-6)


@pytest.mark.parametrize("call", [in_between, go_on])
def test_rejected_it_is_as_before(scene: bpy.types.Scene, obj: bpy.types.Object, call: object) -> None:
    before = state(scene, obj)
    scene.kmm.takes = 2
    call()
    bpy.ops.kmm.take_show()
    assert modes(obj) == before["modes"]
    bpy.ops.kmm.take_reject()
    assert state(scene, obj) == before


def test_few_keys_and_locked_feet_in_any_mode(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    scene.frame_set(1)
    bpy.ops.kmm.generate(prompt=PROMPT, seconds=2.0, seed=1)
    before = joint_positions(scene, obj, range(1, 61))
    count = sum(len(curve.keyframe_points) for curve in curves(obj))
    assert bpy.ops.kmm.reduce_keys(tolerance=5.0) == {"FINISHED"}
    after = joint_positions(scene, obj, range(1, 61))
    assert 0 < np.linalg.norm(after - before, axis=-1).max() < 0.005 + 1e-5
    assert sum(len(curve.keyframe_points) for curve in curves(obj)) < count
    assert bpy.ops.kmm.lock_feet() == {"FINISHED"}
    locked = joint_positions(scene, obj, range(1, 61))
    rest = [JOINT_NAMES.index(name) for name in JOINT_NAMES if not name.endswith(("knee", "ankle", "foot"))]
    np.testing.assert_allclose(locked[:, rest], after[:, rest], atol=1e-4)


def test_a_rotation_beyond_half_a_turn_goes_on(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """From the very numbers of the frame before, whole turns and signs included."""
    convert = performer.performer_for(obj)
    clip = reading.motion(obj, convert, obj.animation_data.action, range(1, 81), 30.0)
    row = convert.convert(clip.slice(0, 1))[0]
    euler = [i for i, channel in enumerate(convert.channels) if channel.data_path.endswith("rotation_euler")]
    around = row.copy()
    around[euler] += 2 * np.pi
    convert.follow(around)
    on = convert.convert(clip.slice(0, 2))
    np.testing.assert_allclose(on[0], around, atol=1e-5)
    assert np.abs(on[1] - on[0]).max() < 0.2
    found = convert.read(on, 30.0)
    turned = rot.as_rotvec(rot.multiply(found.rotations, rot.inv(clip.rotations[:2])))
    assert np.linalg.norm(turned, axis=-1).max() < 1e-4
