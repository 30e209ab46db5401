"""Fewer keys and locked feet on the action of a character, and what they must not touch."""

from __future__ import annotations

import importlib
from types import ModuleType

import bpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import fcurve
from kmm import rotations as rot
from kmm.clip import Clip
from kmm.foot_lock import standing
from kmm.skeleton import JOINT_INDEX, STANDING_HEIGHT, UPRIGHT

from .helpers import begin, curves, joint_positions, step_until
from .install import PACKAGE

action_api, armature, character, edit_keys, kept_keys, keying, request = (
    importlib.import_module(f"{PACKAGE}.{name}")
    for name in ("action_api", "armature", "character", "edit_keys", "kept_keys", "keying", "request")
)
FRAMES = 60
TOES = [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]
LEGS = [JOINT_INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("knee", "ankle", "foot")]


def sliding_steps() -> Clip:
    """A body that sways and marches on the spot with little lifts of its feet, while the floor slides by."""
    time = np.arange(FRAMES) / 30
    rotations = np.tile(rot.IDENTITY, (FRAMES, 22, 1))
    rotations[:, 0] = UPRIGHT

    def turn(name: str, angle: np.ndarray, axis: tuple[float, float, float] = (1.0, 0, 0)) -> None:
        rotations[:, JOINT_INDEX[name]] = rot.from_rotvec(angle[:, None] * np.array(axis))

    for side, shift in (("left", 0.0), ("right", np.pi)):
        lift = 0.6 * np.maximum(np.sin(2 * np.pi * 0.8 * time + shift), 0.0) ** 2 + 0.15
        turn(f"{side}_hip", -lift)
        turn(f"{side}_knee", 2 * lift)
        turn(f"{side}_ankle", -lift)
        turn(f"{side}_shoulder", 0.4 * np.sin(2 * np.pi * 0.8 * time + shift), (0, 1.0, 0))
    translation = np.zeros((FRAMES, 3))
    translation[:, 1] = -0.12 * time
    translation[:, 2] = STANDING_HEIGHT - 0.02 + 0.01 * np.sin(time * 5)
    return Clip(translation, rotations)


@pytest.fixture
def obj(scene: bpy.types.Scene) -> bpy.types.Object:
    """A character with that motion keyed at every frame from 11 on."""
    made = character.create(bpy.context)
    action = action_api.new_action("take", made.name)
    keyer = keying.Keyer(action, armature.channels(), 11, FRAMES)
    keyer.append(armature.PoseConverter(made.data)(sliding_steps()))
    keyer.write()
    action_api.assign(made, action)
    armature.use_quaternions(made)
    scene.kmm.character = made
    return made


def keys(obj: bpy.types.Object) -> dict[tuple[str, int], kept_keys.Keys]:
    return {(c.data_path, c.array_index): kept_keys.read(c) for c in curves(obj)}


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 7),
    reach=st.floats(0.0, 2.0),
    kind=st.sampled_from(["BEZIER", "LINEAR", "CONSTANT", "MIXED"]),
)
def test_our_evaluation_of_curves_is_blenders(seed: int, count: int, reach: float, kind: str) -> None:
    """Any handles, overlapping ones too, at any part of a frame."""
    rng = np.random.default_rng(seed)
    frames = np.cumsum(rng.uniform(1.0, 12.0, count)).astype(np.float32)
    spans = np.diff(frames, prepend=frames[0] - 5, append=frames[-1] + 5) * reach
    action = action_api.new_action("curves", "any")
    curve = action_api.new_curve(action_api.curves(action), "location", 0, "any")
    new = kept_keys.new_keys(frames, rng.normal(size=count).astype(np.float32))
    new["handle_left"] = (new["co"] + np.stack([-spans[:-1], rng.normal(size=count)], 1)).astype(np.float32)
    new["handle_right"] = (new["co"] + np.stack([spans[1:], rng.normal(size=count)], 1)).astype(np.float32)
    for side in ("handle_left_type", "handle_right_type"):
        new[side][:] = kept_keys.FREE
    names = list(fcurve.INTERPOLATIONS)
    chosen = [names[i] for i in rng.integers(0, 3, count)] if kind == "MIXED" else [kind] * count
    new["interpolation"][:] = [kept_keys.KEYFRAME["interpolation"].enum_items[n].value for n in chosen]
    kept_keys.write(curve, new)
    at = np.concatenate([frames, rng.uniform(frames[0] - 4, frames[-1] + 4, 40).astype(np.float32)])
    found = fcurve.evaluate(at, new["co"], new["handle_left"], new["handle_right"], chosen)
    np.testing.assert_allclose(found, [curve.evaluate(float(frame)) for frame in at], atol=2e-4)
    bpy.data.actions.remove(action)


@pytest.mark.parametrize(("interpolation", "tolerance"), [("BEZIER", 5.0), ("BEZIER", 1.0), ("LINEAR", 5.0)])
def test_fewer_keys_and_every_joint_where_it_was(
    scene: bpy.types.Scene, obj: bpy.types.Object, interpolation: str, tolerance: float
) -> None:
    frames = range(11, 11 + FRAMES)
    before, count = joint_positions(scene, obj, frames), sum(len(k["co"]) for k in keys(obj).values())
    assert bpy.ops.kmm.reduce_keys(tolerance=tolerance, interpolation=interpolation) == {"FINISHED"}
    after = keys(obj)
    moved = np.linalg.norm(joint_positions(scene, obj, frames) - before, axis=-1).max()
    assert 0 < moved <= tolerance * 1e-3 + 1e-5
    left = sum(len(k["co"]) for k in after.values())
    assert left * (3 if interpolation == "BEZIER" else 1) < count
    times = {tuple(k["co"][:, 0]) for k in after.values()}
    assert len(times) == 1 and {11, 10 + FRAMES} <= set(next(iter(times)))
    assert all((k["type"] == kept_keys.PARTS["type"][2]).all() for k in after.values())
    if interpolation == "BEZIER":
        assert all((k["handle_left_type"][1:-1] == kept_keys.ALIGNED).all() for k in after.values())
    for curve in curves(obj):  # handles that Blender computes anew stay where they are
        curve.update()
    np.testing.assert_allclose(joint_positions(scene, obj, frames), before, atol=tolerance * 1e-3 + 1e-5)


def test_the_report_says_how_many_and_how_exact(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    report = edit_keys.reduce_action(obj, obj.animation_data.action)
    assert report.before == 91 * FRAMES and report.after == sum(len(k["co"]) for k in keys(obj).values())
    assert 0 < report.largest <= 0.005


def own_key(obj: bpy.types.Object, frame: int, bone: str = "left_wrist") -> None:
    """The user poses a bone at a frame, keys it, and marks the key: where a key was, Blender keeps its type."""
    bpy.context.scene.frame_set(frame)
    posed = obj.pose.bones[bone]
    posed.rotation_quaternion = (0.8, 0.6, 0.0, 0.0)
    posed.keyframe_insert("rotation_quaternion")
    for curve in curves(obj):
        if curve.data_path == posed.path_from_id("rotation_quaternion"):
            (point,) = [p for p in curve.keyframe_points if p.co.x == frame]
            point.type = "EXTREME"


@pytest.mark.parametrize("operator", ["reduce_keys", "lock_feet"])
def test_the_users_own_keys_are_left_alone(
    scene: bpy.types.Scene, obj: bpy.types.Object, operator: str
) -> None:
    """To the bit, with the curve around them; other channels and objects too."""
    own_key(obj, 30)
    own_key(obj, 45, "left_hip")
    obj.keyframe_insert("scale", frame=20)
    obj.pose.bones["head"].keyframe_insert("scale", frame=25)
    before = keys(obj)
    values = {
        c.data_path + str(c.array_index): [c.evaluate(f) for f in (29, 30, 31, 44, 45, 46)]
        for c in curves(obj)
    }
    getattr(bpy.ops.kmm, operator)()
    after = keys(obj)
    for name, old in before.items():
        own = old["type"] != kept_keys.PARTS["type"][2]
        kept = after[name]["type"] != kept_keys.PARTS["type"][2]
        for part in kept_keys.PARTS:
            np.testing.assert_array_equal(old[part][own], after[name][part][kept])
    for curve in curves(obj):
        found = [curve.evaluate(f) for f in (29, 30, 31, 44, 45, 46)]
        want = values[curve.data_path + str(curve.array_index)]
        assert abs(found[1] - want[1]) < 1e-5, (curve.data_path, curve.array_index, found, want)
        assert abs(found[4] - want[4]) < 1e-5
        if operator == "reduce_keys":
            np.testing.assert_allclose(found, want, atol=1e-5)


@pytest.mark.parametrize("operator", ["reduce_keys", "lock_feet"])
def test_a_bone_that_the_user_keys_alone_gets_no_keys(
    scene: bpy.types.Scene, obj: bpy.types.Object, operator: str
) -> None:
    """Its generated keys deleted, and two of the user's own in their place: then its leg is not locked either."""
    theirs = [c for c in curves(obj) if 'bones["left_knee"]' in c.data_path]
    for curve in theirs:
        new = kept_keys.new_keys(np.array([11.0, 40.0]), np.array([1.0, 0.5]))
        new["type"][:] = 0
        kept_keys.write(curve, new)
    before = keys(obj)
    getattr(bpy.ops.kmm, operator)()
    after = keys(obj)
    for curve in theirs:
        np.testing.assert_array_equal(after[curve.data_path, curve.array_index]["co"], new["co"])
    same = all(np.array_equal(after[name]["co"], old["co"]) for name, old in before.items())
    assert same == (operator == "lock_feet")


def test_only_the_frames_that_are_asked_for(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    before = keys(obj)
    assert bpy.ops.kmm.reduce_keys(frame_start=20, frame_end=50) == {"FINISHED"}
    for name, new in keys(obj).items():
        old = before[name]
        for outside in (lambda f: f <= 20, lambda f: f >= 50):
            a, b = outside(old["co"][:, 0]), outside(new["co"][:, 0])
            np.testing.assert_array_equal(old["co"][a], new["co"][b])
        inside = (new["co"][:, 0] > 20) & (new["co"][:, 0] < 50)
        assert inside.sum() < 12
    # once more, over all, from keys that are few already
    again = edit_keys.reduce_action(obj, obj.animation_data.action)
    assert again.after < again.before and again.largest <= 0.005


def test_feet_that_stand_no_longer_slide(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    frames = range(11, 11 + FRAMES)
    clip = sliding_steps()
    planted = standing(clip.joints(), None, 30.0)[:, [1, 3]]
    both = planted[1:] & planted[:-1]
    assert both.mean() > 0.4

    def slide(joints: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(joints[:, TOES, :2], axis=0), axis=-1)[both].mean())

    before = joint_positions(scene, obj, frames)
    assert bpy.ops.kmm.lock_feet() == {"FINISHED"}
    after = joint_positions(scene, obj, frames)
    assert slide(after) < slide(before) / 4
    rest = np.setdiff1d(np.arange(22), LEGS)
    np.testing.assert_allclose(after[:, rest], before[:, rest], atol=1e-5)
    assert set(map(len, (k["co"] for k in keys(obj).values()))) == {FRAMES}
    # and few keys hold it
    assert bpy.ops.kmm.reduce_keys(tolerance=2.0) == {"FINISHED"}
    assert slide(joint_positions(scene, obj, frames)) < slide(before)


def test_locking_a_part_leads_over_to_what_is_around_it(
    scene: bpy.types.Scene, obj: bpy.types.Object
) -> None:
    frames = range(11, 11 + FRAMES)
    before = joint_positions(scene, obj, frames)
    bpy.ops.kmm.lock_feet(frame_start=25, frame_end=55)
    after = joint_positions(scene, obj, frames)
    np.testing.assert_allclose(after[: 25 - 11], before[: 25 - 11], atol=1e-5)
    np.testing.assert_allclose(after[55 - 11 :], before[55 - 11 :], atol=1e-5)
    assert np.abs(after - before).max() > 0.005
    steps = [np.linalg.norm(np.diff(j[:, TOES], n=2, axis=0), axis=-1).max() for j in (before, after)]
    assert steps[1] < 1.5 * steps[0]


def test_one_undo_takes_it_back(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    before = keys(obj)
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.kmm.reduce_keys()
    bpy.ops.ed.undo_push(message="Reduce Keys")  # as the window manager does after an operator of the user's
    bpy.ops.ed.undo()
    found = keys(bpy.context.scene.kmm.character)
    assert all(np.array_equal(old["co"], found[name]["co"]) for name, old in before.items())


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (lambda obj: setattr(obj.animation_data, "action", None), "no action"),
        (lambda obj: bpy.data.objects.remove(obj), "no action"),
    ],
)
def test_nothing_to_edit(scene: bpy.types.Scene, obj: bpy.types.Object, arrange, words: str) -> None:
    arrange(obj)
    for operator in (bpy.ops.kmm.reduce_keys, bpy.ops.kmm.lock_feet):
        assert not operator.poll()
        with pytest.raises(RuntimeError, match=words):
            operator()


@pytest.mark.parametrize("operator", ["reduce_keys", "lock_feet"])
def test_what_cannot_be_edited_is_said_and_nothing_changes(
    scene: bpy.types.Scene, obj: bpy.types.Object, operator: str
) -> None:
    before = keys(obj)
    edit = getattr(bpy.ops.kmm, operator)
    with pytest.raises(RuntimeError, match="before frame"):
        edit(frame_start=30, frame_end=20)
    with pytest.raises(RuntimeError, match="no generated keys from frame 200"):
        edit(frame_start=200, frame_end=300)
    after = keys(obj)
    for name, old in before.items():
        for part in kept_keys.PARTS:
            np.testing.assert_array_equal(old[part], after[name][part])
    for curve in curves(obj):
        for point in curve.keyframe_points:
            point.type = "KEYFRAME"
    with pytest.raises(RuntimeError, match="no generated keys"):
        edit()


def test_motions_are_refined_when_they_are_kept(stream: ModuleType, scene: bpy.types.Scene) -> None:
    bpy.ops.kmm.generate(prompt="a person walks forward", seconds=2.0, seed=1)
    plain = joint_positions(scene, scene.kmm.character, range(1, 61))
    scene.frame_set(1)
    scene.kmm.edit.lock_feet = scene.kmm.edit.reduce_keys = True
    bpy.ops.kmm.generate(prompt="a person walks forward", seconds=2.0, seed=1)
    obj = scene.kmm.character
    counts = {len(k["co"]) for k in keys(obj).values()}
    assert len(counts) == 1 and counts.pop() <= 60
    kinds = {int(v) for k in keys(obj).values() for v in k["interpolation"][:-1]}
    assert kinds == {edit_keys.BEZIER}
    moved = np.linalg.norm(joint_positions(scene, obj, range(1, 61)) - plain, axis=-1)
    rest = np.setdiff1d(np.arange(22), LEGS)
    assert moved[:, rest].max() <= 0.005 + 1e-5


def refining(stream: ModuleType, scene: bpy.types.Scene) -> None:
    """A motion that has come whole, and whose keys are being reduced."""
    scene.kmm.edit.reduce_keys = True
    begin(stream, "a person walks forward", 4.0, 1)
    step_until(stream, lambda: stream.generation.message == "Refining the keys")


def test_keys_are_reduced_in_passes_between_which_blender_goes_on(
    stream: ModuleType, scene: bpy.types.Scene
) -> None:
    refining(stream, scene)
    obj, passes = scene.kmm.character, 0
    before = len(curves(obj)[0].keyframe_points)
    while stream.running():
        assert len(curves(obj)[0].keyframe_points) == before  # all at once, in the end
        stream.tick()
        passes += 1
    assert passes > 5 and len(curves(obj)[0].keyframe_points) < before
    assert stream.generation.message.startswith("Done") and not stream.generation.failed


@pytest.mark.parametrize("meanwhile", ["undo", "edit", "delete", "stop", "cancel"])
def test_whatever_happens_while_keys_are_reduced_nothing_is_lost(
    stream: ModuleType, scene: bpy.types.Scene, meanwhile: str
) -> None:
    refining(stream, scene)
    obj = scene.kmm.character
    before = len(curves(obj)[0].keyframe_points)
    stream.tick()
    if meanwhile == "undo":  # whose handler this is: all references to Blender's data may be gone
        stream.generation.after_undo()
    elif meanwhile == "edit":
        curves(obj)[0].keyframe_points[7].co.y += 0.5
    elif meanwhile == "delete":
        bpy.data.objects.remove(obj)
    else:
        stream.cancel(restore=meanwhile == "cancel")
    step_until(stream, lambda: not stream.running())
    said = stream.generation.message
    if meanwhile == "undo":
        assert said.startswith("Done") and len(curves(obj)[0].keyframe_points) < before
    elif meanwhile == "edit":
        assert "Reduce Keys does it again" in said and len(curves(obj)[0].keyframe_points) == before
    elif meanwhile == "delete":
        assert "gone" in said
    elif meanwhile == "stop":
        assert said.startswith("Done") and len(curves(obj)[0].keyframe_points) == before
    else:
        assert not bpy.data.actions and not [o for o in bpy.data.objects if o.type == "ARMATURE"]
