"""Keys and channels, without an engine."""

from __future__ import annotations

import importlib
import itertools

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kmm import fcurve
from kmm import rotations as rot
from kmm.clip import Clip
from kmm.skeleton import JOINT_NAMES, MIRROR, PARENTS, UPRIGHT

from .helpers import curves, frames_of, joint_positions, motion_of
from .install import PACKAGE

action_api, armature, character, kept_keys, keying = (
    importlib.import_module(f"{PACKAGE}.{name}")
    for name in ("action_api", "armature", "character", "kept_keys", "keying")
)
BETWEEN = ("write", "prepare", "trim", "invalidate", "a little", "nothing")
CHANNELS = [keying.Channel("location", i, "A", 0.0) for i in range(3)] + [
    keying.Channel("scale", 2, "B", 1.0)
]


def take(obj: bpy.types.Object) -> bpy.types.Action:
    """A new action on the object."""
    action = action_api.new_action("take", obj.name)
    action_api.assign(obj, action)
    return action


@pytest.fixture
def empty(scene: bpy.types.Scene) -> bpy.types.Object:
    obj = bpy.data.objects.new("Empty", None)
    scene.collection.objects.link(obj)
    return obj


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    length=st.integers(1, 200),
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=12),
    between=st.lists(st.sampled_from(BETWEEN), min_size=12, max_size=12),
)
def test_any_pieces_give_the_same_keys(
    empty: bpy.types.Object, length: int, sizes: list[int], between: list[str]
) -> None:
    """Whatever the pieces, and whatever happens between them, the curves hold what was received."""
    keyer = keying.Keyer(take(empty), CHANNELS, 10, length)
    rng = np.random.default_rng(length)
    values = rng.normal(size=(sum(sizes), 4)).astype(np.float32)
    at = 0
    for size, action in zip(sizes, between, strict=False):
        keyer.append(values[at : at + size])
        at += size
        if action == "a little":
            keyer.write(budget=0.0)
        elif action == "prepare":
            keyer.prepare(budget=0.0)
        elif action != "nothing":
            getattr(keyer, action)()
    assert keyer.received == min(at, length)
    keyer.write()
    keyer.prepare(1.0)
    assert keyer.written == keyer.received
    want = np.repeat([[0, 0, 0, 1.0]], length, axis=0).astype(np.float32)
    want[: keyer.received] = values[: keyer.received]
    assert frames_of(empty) == list(range(10, 10 + length))
    np.testing.assert_array_equal(motion_of(empty), want)
    keyer.trim()
    if keyer.received:
        assert frames_of(empty) == list(range(10, 10 + keyer.received))
        np.testing.assert_array_equal(motion_of(empty), want[: keyer.received])


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    length=st.integers(1, 200),
    most=st.integers(1, 60),
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=8),
)
def test_a_thinned_one_shows_what_the_other_has_received(
    empty: bpy.types.Object, length: int, most: int, sizes: list[int]
) -> None:
    whole = keying.Keyer(action_api.new_action("take", empty.name), CHANNELS, 10, length)
    thinned = keying.Thinned(whole, most)
    action_api.assign(empty, thinned.action())
    values = np.random.default_rng(length).normal(size=(sum(sizes), 4)).astype(np.float32)
    at = 0
    for size in sizes:
        whole.append(values[at : at + size])
        at += size
        thinned.write(budget=0.0)
    thinned.write()
    thinned.prepare(1.0)
    frames = frames_of(empty)
    assert len(frames) <= most and len({b - a for a, b in itertools.pairwise(frames)}) <= 1
    assert frames[0] == 10 and frames[-1] < 10 + length
    shown = np.array(frames) < 10 + whole.received
    assert thinned.reached == (np.array(frames)[shown][-1] - 9 if shown.any() else 0)
    np.testing.assert_array_equal(motion_of(empty)[shown], values[np.array(frames)[shown] - 10])
    assert (motion_of(empty)[~shown] == [0, 0, 0, 1]).all()
    whole.write()
    assert not thinned.action().use_fake_user


def test_a_thinned_one_keeps_every_few_of_many_old_keys(empty: bpy.types.Object) -> None:
    """And all of a few: those are the shape of the curve."""
    old = keying.Keyer(take(empty), CHANNELS, 1, 1000)
    old.append(np.arange(4000.0).reshape(1000, 4))
    old.write()
    (few,) = [c for c in curves(empty) if c.data_path == "scale"]
    few.keyframe_points.clear()
    few.keyframe_points.add(2)
    few.keyframe_points.foreach_set("co", [1.0, 5.0, 1000.0, 7.0])
    action = old.action()
    kept = keying.Kept(action.session_uid, action_api.slot_of(empty), [kept_keys.Stretch(-np.inf, 900)])
    whole = keying.Keyer(action_api.copy_action(action, "new"), CHANNELS, 901, 100, np.ones(100, bool), kept)
    thinned = keying.Thinned(whole, 50)
    whole.append(np.ones((100, 4)))
    thinned.write()
    action_api.assign(empty, thinned.action())
    for curve in curves(empty):
        frames = [p.co.x for p in curve.keyframe_points]
        assert frames[-50:] == list(range(901, 1001, 2)) and {
            p.co.y for p in curve.keyframe_points[-50:]
        } == {1.0}
        assert frames[0] == 1 and len(frames) <= 100 + (900 if curve.data_path == "scale" else 0)
        for frame in (1, 451, 883):
            want = action_api.curves(action, action_api.slot_of(empty)).find(
                curve.data_path, index=curve.array_index
            )
            assert curve.evaluate(frame) == pytest.approx(want.evaluate(frame))


def test_late_curves_do_not_starve(empty: bpy.types.Object) -> None:
    """With no time for more than one curve a step, every curve still gets its turn while more arrives."""
    keyer = keying.Keyer(take(empty), CHANNELS, 1, 500)
    for _ in range(100):
        keyer.append(np.ones((1, 4)))
        keyer.write(budget=0.0)
    assert keyer.written >= 90


def test_what_is_written_is_shown_once_the_object_is_tagged(
    empty: bpy.types.Object, scene: bpy.types.Scene
) -> None:
    """Without tagging the action, which Blender would copy as a whole."""
    keyer = keying.Keyer(take(empty), CHANNELS, 1, 300)
    layer = bpy.context.view_layer
    values = np.random.default_rng(0).normal(size=(300, 4))
    for at in range(0, 300, 50):
        keyer.append(values[at : at + 50])
        keyer.write()
        empty.update_tag(refresh={"TIME"})
        layer.update()
        for frame in (at + 1, at + 50):
            scene.frame_set(frame)
            shown = empty.evaluated_get(layer.depsgraph).location
            np.testing.assert_allclose(shown, values[frame - 1, :3], atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=12),
    gaps=st.lists(st.integers(1, 5), min_size=12, max_size=12),
)
def test_handles_never_overshoot(values: list[float], gaps: list[int]) -> None:
    """Made Bezier keys by the user, ours give a curve that stays between two keys, and is smooth at each."""
    frames = np.cumsum(gaps[: len(values)])
    co = np.stack([frames, values], axis=1).astype(np.float32)
    left, right = keying.smooth_handles(co)
    at = np.linspace(frames[0], frames[-1], 200)
    curve = fcurve.evaluate(at, co, left, right)
    k = np.clip(np.searchsorted(frames, at, side="right") - 1, 0, max(0, len(co) - 2))
    ends = np.stack([co[k, 1], co[np.minimum(k + 1, len(co) - 1), 1]])
    assert (curve >= ends.min(0) - 1e-4).all() and (curve <= ends.max(0) + 1e-4).all()
    np.testing.assert_allclose(co - left, right - co, atol=1e-5)


def test_removed_action(empty: bpy.types.Object) -> None:
    keyer = keying.Keyer(take(empty), CHANNELS, 1, 5)
    bpy.data.actions.remove(empty.animation_data.action)
    keyer.append(np.ones((1, 4)))
    with pytest.raises(keying.Removed):
        keyer.write()


def test_the_replaced_action_stays_in_the_file(empty: bpy.types.Object) -> None:
    empty.keyframe_insert("location")
    first = empty.animation_data.action
    first.use_fake_user = False
    second = take(empty)
    assert empty.animation_data.action == second and first.use_fake_user and second.use_fake_user


@pytest.mark.parametrize("seed", range(3))
def test_any_rest_orientation_gives_the_same_positions(scene: bpy.types.Scene, seed: int) -> None:
    """Bones turned about in any way in edit mode (their heads left in place), wild rotations: 1 mm."""
    obj = character.create(bpy.context)
    rng = np.random.default_rng(seed)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in obj.data.edit_bones:
        bone.use_connect = False
    for bone in obj.data.edit_bones:
        bone.tail = np.array(bone.head) + rng.normal(size=3) * 0.2
        bone.roll = rng.uniform(-3, 3)
    bpy.ops.object.mode_set(mode="OBJECT")
    frames = 15
    clip = Clip(rng.normal(size=(frames, 3)), rot.normalize(rng.normal(size=(frames, 22, 4))))
    keyer = keying.Keyer(take(obj), armature.channels(), 1, frames)
    convert = armature.PoseConverter(obj.data)
    for start in range(0, frames, 4):
        keyer.append(convert(clip.slice(start, start + 4)))
    keyer.write()
    assert np.abs(joint_positions(scene, obj, range(1, 1 + frames)) - clip.joints()).max() < 1e-3
    quaternions = motion_of(obj)[:, 3:].reshape(frames, 22, 4)
    assert ((quaternions[1:] * quaternions[:-1]).sum(-1) > -1e-6).all()  # safe to interpolate


def test_the_armature(scene: bpy.types.Scene) -> None:
    """SMPL's joints and tree, standing on the floor facing -Y, symmetric, axes that an animator can use."""
    obj = character.create(bpy.context)
    bones = obj.data.bones
    assert armature.is_smpl(obj) and {b.name for b in bones} == set(JOINT_NAMES)
    flip = np.array([-1, 1, 1])
    for joint, name in enumerate(JOINT_NAMES):
        bone, other = bones[name], bones[JOINT_NAMES[MIRROR[joint]]]
        assert bone.parent == (bones[JOINT_NAMES[PARENTS[joint]]] if joint else None)
        assert 0.03 < bone.length < 0.5
        x, y, z = np.array(bone.matrix_local.to_3x3()).T
        x2, y2, z2 = np.array(other.matrix_local.to_3x3()).T
        np.testing.assert_allclose([x * flip, y * flip, z * flip], [-x2, y2, z2], atol=1e-5)
        front = np.array([0, 0, 1]) if name.endswith(("ankle", "foot")) else np.array([0, -1, 0])
        assert z @ front > 0.4
    assert bones["left_wrist"].head_local.x > 0.5  # the body's left is at +X when it faces -Y
    heights = [bones[n].head_local.z for n in ("left_foot", "pelvis", "head")]
    assert 0 < heights[0] < 0.05 < heights[1] < heights[2]
    assert bones["left_foot"].tail_local.y < bones["left_ankle"].head_local.y


def test_a_pose_pasted_mirrored_is_the_mirrored_pose(scene: bpy.types.Scene) -> None:
    """Blender's own mirroring works on the armature as it should: rolls are right on both sides."""
    obj = character.create(bpy.context)
    rng = np.random.default_rng(0)
    rotations = rot.from_rotvec(rng.normal(size=(1, 22, 3)) * 0.5)
    rotations[:, 0] = rot.multiply(UPRIGHT, rotations[:, 0])
    clip = Clip(np.zeros((1, 3)), rotations)
    straight, mirrored = (
        armature.PoseConverter(obj.data)(clip),
        armature.PoseConverter(obj.data)(clip.mirror()),
    )
    order = list(MIRROR)
    pasted = straight[0, 3:].reshape(22, 4)[order] * np.array([1, 1, -1, -1])
    want = mirrored[0, 3:].reshape(22, 4)
    np.testing.assert_allclose(np.abs((pasted * want).sum(-1)), 1.0, atol=1e-5)


def test_the_mannequin_stands_in_the_skin_of_the_armature(scene: bpy.types.Scene) -> None:
    obj = character.create(bpy.context)
    (body,) = obj.children
    mesh = body.data
    assert not mesh.validate()
    vertices = np.array([v.co for v in mesh.vertices])
    assert -0.01 < vertices[:, 2].min() < 0.02 and 1.7 < vertices[:, 2].max() < 1.85
    assert all(len(v.groups) == 1 and v.groups[0].weight == 1.0 for v in mesh.vertices)
    assert {g.name for g in body.vertex_groups} == set(JOINT_NAMES)
