"""Retargeting between random bodies, against Blender's rule of forward kinematics."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip, heading
from kmm.retarget import Options, Retargeter, Rig, smpl
from kmm.retarget.bone_map import named
from kmm.retarget.retargeter import ROOT_MOTIONS
from kmm.retarget.roles import FINGERS
from kmm.skeleton import JOINT_INDEX, STANDING_HEIGHT, UPRIGHT

from .humanoids import Shape, View, X, Y, Z, blender_pose, degrees, humanoid
from .motions import random_clip, walk

LIMBS = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot"))
]
SMPL = {role: chain[0] for role, chain in named("smpl").bones.items()}

AXES = [
    rot.IDENTITY,
    rot.from_rotvec(-np.pi / 2 * X),
    rot.from_rotvec(np.pi / 2 * Z),
    rot.from_rotvec(np.pi * Z),
]


@st.composite
def shapes(draw, **fixed):
    values = dict(
        seed=draw(st.integers(0, 2**32 - 1)),
        size=draw(st.sampled_from([1.0, 0.3, 100.0])),
        spine=draw(st.integers(1, 6)),
        neck=draw(st.integers(0, 3)),
        shoulders=draw(st.booleans()),
        fingers=draw(st.booleans()),
        toes=draw(st.booleans()),
        root=draw(st.booleans()),
        centre=draw(st.booleans()),
        serial=draw(st.integers(1, 3)),
        helpers=draw(st.booleans()),
        twists=draw(st.integers(0, 2)),
        arms_down=draw(st.floats(-20, 85)),
        legs_apart=draw(st.floats(0, 25)),
        axes=draw(st.sampled_from(AXES)),
        global_location=draw(st.booleans()),
    )
    return Shape(**{**values, **fixed})


def retarget(clip, body, options=None):
    rig, bone_map = smpl.rig(), named("smpl")
    retargeter = Retargeter(rig, bone_map, body.rig, body.bone_map, options)
    return retargeter(*smpl.pose(clip, retargeter.source_bones))


def t_pose(frames=1):
    rotations = np.tile(rot.IDENTITY, (frames, 22, 1))
    rotations[:, 0] = UPRIGHT
    return Clip(np.tile([0.0, 0, STANDING_HEIGHT], (frames, 1)), rotations)


@given(shapes(), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_limbs_point_as_the_source_does(shape, seed):
    clip, body = random_clip(4, seed), humanoid(shape)
    view = View(body, retarget(clip, body))
    joints = clip.joints()
    for role, to in LIMBS:
        along = joints[:, JOINT_INDEX[SMPL[to]]] - joints[:, JOINT_INDEX[SMPL[role]]]
        along /= np.linalg.norm(along, axis=-1, keepdims=True)
        assert degrees(view.direction(role, to), along).max() < 0.5, role


@given(shapes(helpers=False, serial=1, twists=0), st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_bones_that_do_not_turn_with_their_parents(shape, seed):
    """As target and as source of the way back."""
    clip, body = random_clip(4, seed), humanoid(shape)
    rng = np.random.default_rng(seed)
    body.rig = replace(body.rig, inherits_rotation=tuple(rng.random(len(body.rig.names)) < 0.5))
    keys = retarget(clip, body)
    view = View(body, keys)
    joints = clip.joints()
    for role, to in LIMBS:
        along = joints[:, JOINT_INDEX[SMPL[to]]] - joints[:, JOINT_INDEX[SMPL[role]]]
        along /= np.linalg.norm(along, axis=-1, keepdims=True)
        assert degrees(view.direction(role, to), along).max() < 0.5, role
    rotations, heads = body.rig.pose(
        {name: keys.rotations[:, i] for i, name in enumerate(keys.bones)},
        {name: keys.locations[:, i] for i, name in enumerate(keys.located)},
        tuple(range(len(body.rig.names))),
        len(keys),
    )
    matrices = blender_pose(body.rig, keys)
    np.testing.assert_allclose(rot.as_matrix(rotations), matrices[..., :3, :3], atol=1e-6)
    np.testing.assert_allclose(heads, matrices[..., :3, 3], atol=1e-6 * max(1.0, shape.size))


def between(source, target, rotations, locations=None, options=None):
    """Keys of the target for a source posed by basis rotations (role -> (T, 4) turns in the body's axes)."""
    frames = len(next(iter(rotations.values())))
    retargeter = Retargeter(source.rig, source.bone_map, target.rig, target.bone_map, options)
    return retargeter.basis(*basis(source, rotations, locations), frames)


def basis(body, rotations, locations=None):
    """By bone name and in the bone's own axes, what (role, index) -> turns in the body's axes means at rest."""
    out = {}
    for (role, i), turn in rotations.items():
        name = body.bone_map.bones[role][i]
        roll = body.upright[name]
        out[name] = rot.multiply(rot.inv(roll), rot.multiply(turn, roll))
    moved = {}
    for role, v in (locations or {}).items():
        name = body.bone_map.bones[role][0]
        moved[name] = v if body.rig.local_location else rot.apply(rot.inv(body.upright[name]), v)
    return out, moved


def random_pose(body, frames, seed, largest=np.pi):
    rng = np.random.default_rng(seed)

    def turn():
        axis = rng.normal(size=(frames, 3))
        axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
        return rot.from_rotvec(axis * rng.uniform(0, largest, (frames, 1)))

    return {
        (role, i): turn()
        for role, chain in body.bone_map.bones.items()
        for i in range(len(chain))
        if role not in ("root", "centre")
    }


SEEDS = st.integers(0, 2**32 - 1)
PLAIN = Shape(plain=True, fingers=True)


def same_turns(a, b, roles, tolerance=0.5):
    for role, i, j in roles:
        off = np.degrees(rot.magnitude(rot.multiply(rot.inv(a.turn(role, i)), b.turn(role, j)))).max()
        assert off < tolerance, (role, off)


def whole(body, *but):
    """The bones whose orientation is the whole of their role's."""
    roles = []
    for role in body.bone_map.bones:
        kind = role.split("_", 1)[-1] if role.startswith(("left", "right")) else role
        if kind.endswith("twist") or kind in ("root", "centre", *but):
            continue
        roles.append((role, 0, 0) if kind in ("forearm", "shin") or kind in FINGERS else (role, -1, -1))
    return roles


@given(shapes(neck=1, shoulders=True, toes=True, fingers=True), SEEDS, st.floats(-90, 90))
@settings(max_examples=25, deadline=None)
def test_palms_knees_and_elbows_face_as_the_source_does(shape, seed, supinated):
    """Every joint's whole orientation, from a straight T-pose onto any other rest pose."""
    shape.supinated = supinated
    source, target = humanoid(PLAIN), humanoid(shape)
    pose = random_pose(source, 3, seed)
    a = View(source, between(source, source, pose))
    b = View(target, between(source, target, pose))
    same_turns(a, b, whole(target))


@given(shapes(), st.floats(45, 100), st.floats(-70, 70), st.floats(45, 100))
@settings(max_examples=15, deadline=None)
def test_clear_bends_at_rest_show_the_hinges(shape, elbow, twisted, knee):
    """However the upper arm is turned about itself, a rest pose with bent elbows tells where these hinge."""
    shape.serial, shape.twists, shape.legs_apart = 1, 0, 0.0
    for side, s in (("left", 1.0), ("right", -1.0)):
        shape.pose[f"{side}_upper_arm"] = rot.from_rotvec(np.radians(twisted) * s * X)
        shape.pose[f"{side}_forearm"] = rot.from_rotvec(-np.radians(elbow) * s * Z)
        shape.pose[f"{side}_shin"] = rot.from_rotvec(np.radians(knee) * X)
    shape.arms_down = 0.0  # a raised arm's own frame would add to the twist
    source, target = humanoid(PLAIN), humanoid(shape)
    pose = random_pose(source, 2, 1)
    a, b = View(source, between(source, source, pose)), View(target, between(source, target, pose))
    same_turns(
        a,
        b,
        [(f"{s}_{p}", 0, 0) for s in ("left", "right") for p in ("upper_arm", "forearm", "thigh", "shin")],
    )


def locations_of(body, frames, seed, *roles):
    rng = np.random.default_rng(seed)
    return {role: rng.normal(size=(frames, 3)) for role in roles if role in body.bone_map.bones}


@given(shapes(), SEEDS)
@settings(max_examples=25, deadline=None)
def test_a_body_onto_itself_changes_nothing(shape, seed):
    body = humanoid(shape)
    pose = random_pose(body, 3, seed)
    pose |= {
        (r, 0): random_pose(body, 3, seed)["hips", 0] for r in ("root", "centre") if r in body.bone_map.bones
    }
    places = locations_of(body, 3, seed, "root", "centre" if shape.centre else "hips")
    rotations, locations = basis(body, pose, places)
    for options in (Options(), Options(feet=True, hands=True), Options(space="world")):
        keys = Retargeter(body.rig, body.bone_map, body.rig, body.bone_map, options).basis(
            rotations, locations, 3
        )
        for name, turn in rotations.items():
            found = keys.rotations[:, keys.bones.index(name)]
            assert rot.magnitude(rot.multiply(rot.inv(turn), found)).max() < 1e-6, name
        for name, place in locations.items():
            assert np.allclose(
                keys.locations[:, keys.located.index(name)], place, atol=1e-6 * max(1, shape.size)
            )


@given(shapes(serial=1, neck=1, shoulders=True, toes=True), shapes(neck=1, shoulders=True, toes=True), SEEDS)
@settings(max_examples=25, deadline=None)
def test_there_and_back(one, other, seed):
    a, b = humanoid(one), humanoid(other)
    pose = random_pose(a, 3, seed)
    places = locations_of(a, 3, seed, "centre" if one.centre else "hips")
    rotations, locations = basis(a, pose, places)
    there = Retargeter(a.rig, a.bone_map, b.rig, b.bone_map).basis(rotations, locations, 3)
    back = Retargeter(b.rig, b.bone_map, a.rig, a.bone_map).basis(
        {n: there.rotations[:, i] for i, n in enumerate(there.bones)},
        {n: there.locations[:, i] for i, n in enumerate(there.located)},
        3,
    )
    first = Retargeter(a.rig, a.bone_map, a.rig, a.bone_map).basis(rotations, locations, 3)
    before, after = View(a, first), View(a, back)
    parts = [(r, i, j) for r, i, j in whole(a) if r in b.bone_map.bones and r != "spine"]
    same_turns(before, after, [*parts, ("spine", -1, -1)])
    for role in ("left_thigh", "right_thigh"):
        assert np.allclose(before.head(role), after.head(role), atol=1e-6 * one.size)


@given(SEEDS, SEEDS, st.sampled_from(AXES))
@settings(max_examples=15, deadline=None)
def test_bone_rolls_and_armature_axes_do_not_matter(seed, motion, axes):
    clip = random_clip(3, motion)
    one = humanoid(Shape(seed=seed, plain=True, fingers=True, twists=1, root=True))
    other = humanoid(Shape(seed=seed, fingers=True, twists=1, root=True, axes=axes))
    options = Options(feet=True, hands=True, root_motion="root")
    a, b = View(one, retarget(clip, one, options)), View(other, retarget(clip, other, options))
    for role, chain in one.bone_map.bones.items():
        for i in range(len(chain)):
            assert np.allclose(a.head(role, i), b.head(role, i), atol=1e-6)
            assert rot.magnitude(rot.multiply(rot.inv(a.turn(role, i)), b.turn(role, i))).max() < 1e-6


def matrix(rotation, location, scale=1.0):
    out = np.eye(4)
    out[:3, :3] = rot.as_matrix(rotation) * scale
    out[:3, 3] = location
    return out


def placed(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return matrix(rot.normalize(rng.normal(size=4)), rng.normal(size=3), scale)


@given(shapes(), SEEDS, st.sampled_from([1.0, 0.01, 3.0]))
@settings(max_examples=15, deadline=None)
def test_the_target_object_carries_the_motion(shape, seed, scale):
    clip = random_clip(2, seed)
    here = retarget(clip, humanoid(shape))
    shape.world = placed(seed, scale)
    there = retarget(clip, humanoid(shape))
    assert np.array_equal(here.rotations, there.rotations) and np.array_equal(here.locations, there.locations)


@given(shapes(), SEEDS, st.sampled_from([1.0, 0.01, 3.0]))
@settings(max_examples=15, deadline=None)
def test_in_world_space_the_motion_is_where_the_source_is(shape, seed, scale):
    """Wherever the target object stands, and moving the source object moves the result."""
    clip, options = random_clip(2, seed), Options(space="world", feet=True)
    worlds = []
    for target, source in (
        (np.eye(4), np.eye(4)),
        (placed(seed), np.eye(4)),
        (np.eye(4), placed(seed + 1, scale)),
    ):
        shape.world = target
        body = humanoid(shape)
        rig = replace(smpl.rig(), world=source)
        retargeter = Retargeter(rig, named("smpl"), body.rig, body.bone_map, options)
        keys = retargeter(*smpl.pose(clip, retargeter.source_bones))
        moved = [body.rig.index[name] for name in keys.bones]
        worlds.append(target @ blender_pose(body.rig, keys)[:, moved])
    assert np.allclose(worlds[0], worlds[1], atol=1e-6 * shape.size)
    # the target's own scale is its own; where it stands and how it is turned follows the source
    moved = placed(seed + 1)
    assert np.allclose(moved[:3, :3] @ worlds[0][..., :3, :3], worlds[2][..., :3, :3], atol=1e-6)


@given(shapes(), st.floats(-3, 3))
@settings(max_examples=25, deadline=None)
def test_a_body_standing_straight_stands_on_the_floor(shape, x):
    source, target = humanoid(PLAIN), humanoid(shape)
    view = View(
        target, between(source, target, {("hips", 0): rot.IDENTITY[None]}, {"hips": np.array([[x, 0, 0]])})
    )
    rest = target.rig.rest_heads[
        [target.rig.index[target.bone_map.bones[f"{s}_foot"][0]] for s in ("left", "right")]
    ]
    height = rot.apply(rot.inv(target.axes), rest)[:, 2].mean()
    feet = np.stack([view.head(f"{s}_foot") for s in ("left", "right")])
    assert np.allclose(feet[..., 2], height, atol=1e-6 * shape.size)
    # and travels as far in lengths of its legs
    legs = [
        v.head("left_thigh")[0, 2]
        for v in (View(source, between(source, source, {("hips", 0): rot.IDENTITY[None]})), view)
    ]
    assert np.mean(feet[..., 0]) == pytest.approx(x * legs[1] / legs[0], abs=1e-6 * shape.size)


@given(shapes(root=True), SEEDS)
@settings(max_examples=25, deadline=None)
def test_root_motion(shape, seed):
    body, clip = humanoid(shape), walk(20, turn=2.0).transform(seed % 7)
    views = {m: View(body, retarget(clip, body, Options(root_motion=m))) for m in ROOT_MOTIONS}
    pelvis, root, place = views["pelvis"], views["root"], views["in place"]
    # the source has no root, so following it is the pelvis' work; with the work shared nothing looks different
    for view in (views["follow"], root):
        assert np.allclose(view.head("head"), pelvis.head("head"), atol=1e-6 * shape.size)
        assert np.allclose(view.head("left_hand"), pelvis.head("left_hand"), atol=1e-6 * shape.size)
    assert np.allclose(pelvis.head("root"), pelvis.head("root")[0])
    middle = (root.head("left_thigh") + root.head("right_thigh")) / 2
    assert np.allclose(root.head("root")[:, :2], middle[:, :2], atol=1e-6 * shape.size)
    assert np.allclose(root.head("root")[:, 2], 0, atol=1e-6 * shape.size)
    yaw = heading(clip.rotations[:, 0])
    turn = rot.as_rotvec(root.turn("root"))
    assert np.allclose(turn[:, :2], 0, atol=1e-6)
    assert np.allclose(np.cos(turn[:, 2] - yaw), 1, atol=1e-4)  # the clip's heading is its pelvis' twist
    middle = (place.head("left_thigh") + place.head("right_thigh")) / 2
    assert np.allclose(middle[:, :2], middle[0, :2], atol=1e-6 * shape.size)
    assert np.allclose(place.head("head")[:, 2], pelvis.head("head")[:, 2], atol=1e-6 * shape.size)


@given(st.integers(0, 3), st.integers(1, 3), st.floats(-80, 80), st.floats(0, 60))
@settings(max_examples=25, deadline=None)
def test_twist_is_shared_along_a_limb(twists, serial, angle, arms_down):
    source = humanoid(PLAIN)
    target = humanoid(Shape(seed=3, twists=twists, serial=serial, fingers=True, arms_down=arms_down))
    turn = rot.from_rotvec(np.radians(angle) * X)[None]
    for role, twisted in (("upper_arm", "left_upper_arm"), ("forearm", "left_hand")):
        view = View(target, between(source, target, {(twisted, 0): turn}))
        for chain, offset in ((f"left_{role}", role == "upper_arm"), (f"left_{role}_twist", True)):
            count = len(target.bone_map.bones.get(chain, ()))
            steps = count + 1 if chain.endswith("twist") else serial
            for i in range(count):
                # against the rest pose the arm is also raised; about the arm it has turned its share
                base = View(target, between(source, target, {(twisted, 0): rot.IDENTITY[None]})).turn(
                    chain, i
                )
                found = rot.as_rotvec(rot.multiply(view.turn(chain, i), rot.inv(base)))[0]
                assert np.allclose(np.degrees(found), [angle * (i + offset) / steps, 0, 0], atol=1e-3), chain


def test_spines_of_any_lengths_bend_alike():
    source = humanoid(Shape(plain=True, spine=2))
    bend = rot.from_rotvec(np.radians(20) * X)[None]
    for count in (1, 2, 3, 4, 8):
        target = humanoid(Shape(seed=1, spine=count))
        view = View(target, between(source, target, {("spine", 0): bend, ("spine", 1): bend}))
        angles = np.degrees([rot.magnitude(view.turn("spine", i))[0] for i in range(count)])
        assert np.allclose(angles, 40 * np.arange(1, count + 1) / count, atol=1e-6)


@given(shapes(toes=True), SEEDS)
@settings(max_examples=25, deadline=None)
def test_planted_feet_are_on_the_floor_as_the_sources_are(shape, seed):
    clip, body = walk(30, turn=seed % 3 - 1.0), humanoid(shape)
    scale = Retargeter(smpl.rig(), named("smpl"), body.rig, body.bone_map).scale
    view, plain = View(body, retarget(clip, body, Options(feet=True))), View(body, retarget(clip, body))
    joints, rest = clip.joints(), t_pose().joints()[0]
    at_rest = View(body, between(body, body, {("hips", 0): rot.IDENTITY[None]}))
    for side in ("left", "right"):
        ankle, toe = JOINT_INDEX[f"{side}_ankle"], JOINT_INDEX[f"{side}_foot"]
        theirs = np.minimum(*(joints[:, j, 2] - rest[j, 2] for j in (ankle, toe)))
        ours = np.minimum(
            *(view.head(f"{side}_{p}")[:, 2] - at_rest.head(f"{side}_{p}")[0, 2] for p in ("foot", "toe"))
        )
        # a leg that is not long enough is stretched out and hangs over the floor
        bent = (
            degrees(
                view.direction(f"{side}_thigh", f"{side}_shin"),
                view.direction(f"{side}_shin", f"{side}_foot"),
            )
            > 0.5
        )
        assert bent.any()
        assert np.allclose(ours[bent], scale * theirs[bent], atol=1e-6 * shape.size)
        same_turns(view, plain, [(f"{side}_foot", 0, 0)], 1e-4)


@cache
def clapping():
    """A source whose wrists meet before the chest."""
    body = humanoid(Shape(seed=4, plain=True))
    low, high = np.radians([0.0, 90.0])
    for _ in range(40):
        elbow = (low + high) / 2
        pose = {}
        for side, s in (("left", 1.0), ("right", -1.0)):
            down, inwards = rot.from_rotvec(s * np.radians(60) * Y), rot.from_rotvec(-s * np.radians(70) * Z)
            pose[f"{side}_upper_arm", 0] = rot.multiply(inwards, down)[None]
            pose[f"{side}_forearm", 0] = rot.from_rotvec(-s * elbow * Z)[None]
        gap = (View(body, between(body, body, pose)).head("left_hand") @ X)[0]
        low, high = (elbow, high) if gap > 0 else (low, elbow)
    return body, pose


@given(shapes())
@settings(max_examples=15, deadline=None)
def test_hands_that_meet_still_meet(shape):
    source, pose = clapping()
    target = humanoid(shape)
    view = View(target, between(source, target, pose, options=Options(hands=True)))
    for side in ("left", "right"):  # arms too short for their shoulders are stretched out
        arms = (
            view.direction(f"{side}_upper_arm", f"{side}_forearm"),
            view.direction(f"{side}_forearm", f"{side}_hand"),
        )
        assert degrees(*arms)[0] < 0.01 or abs(view.head(f"{side}_hand")[0, 0]) < 1e-5 * shape.size
    plain = View(target, between(source, target, pose))
    same_turns(view, plain, [("left_hand", 0, 0), ("right_hand", 0, 0)], 1e-4)


@given(shapes(root=True), SEEDS)
@settings(max_examples=10, deadline=None)
def test_feet_are_planted_alike_whatever_moves_the_body(shape, seed):
    body, clip = humanoid(shape), walk(10, turn=2.0).transform(seed % 7)
    views = [View(body, retarget(clip, body, Options(root_motion=m, feet=True))) for m in ROOT_MOTIONS]
    for view in views[1:]:
        for role in ("left_thigh", "right_shin", "right_foot"):
            assert rot.magnitude(rot.multiply(rot.inv(views[0].turn(role)), view.turn(role))).max() < 1e-5


@given(shapes(), SEEDS)
@settings(max_examples=10, deadline=None)
def test_controls_for_inverse_kinematics_ride_on_the_body(shape, seed):
    body, clip = humanoid(shape), random_clip(3, seed)
    rig, hand, shin = body.rig, *(rig_bone(body, role) for role in ("left_hand", "right_shin"))
    beside = matrix(rot.normalize([1.0, 2, 3, 4]), [0.1, 0.2, 0.3])
    rest = np.stack([rig.rest[hand], rig.rest[shin] @ beside])
    rig = replace(
        rig,
        names=(*rig.names, "hand_ik", "pole"),
        parents=(*rig.parents, -1, rig.index[body.bone_map.bones["hips"][0]]),
        rest=np.concatenate([rig.rest, rest]),
        local_location=rig.local_location and (*rig.local_location, False, True),
    )
    bone_map = replace(body.bone_map, ik={"hand_ik": "left_hand", "pole": "right_shin", "none": "hips"})
    retargeter = Retargeter(smpl.rig(), named("smpl"), rig, bone_map, Options(ik_controls=True, feet=True))
    posed = blender_pose(rig, retargeter(*smpl.pose(clip, retargeter.source_bones)))
    for control, bone in (("hand_ik", hand), ("pole", shin)):
        fixed = np.linalg.inv(rig.rest[bone]) @ rig.rest[rig.index[control]]
        assert np.allclose(
            posed[:, rig.index[control]], posed[:, bone] @ fixed, atol=1e-6 * max(1, shape.size)
        )


def rig_bone(body, role):
    return body.rig.index[body.bone_map.bones[role][0]]


def test_chunks_make_the_same_keys_as_the_whole():
    clip, body = walk(90, turn=4.0), humanoid(Shape(seed=5, fingers=True, root=True))
    rig, bone_map = smpl.rig(), named("smpl")
    retargeter = Retargeter(rig, bone_map, body.rig, body.bone_map, Options(feet=True, root_motion="root"))
    rotations, heads = smpl.pose(clip, retargeter.source_bones)
    keys = retargeter(rotations, heads)
    assert ((keys.rotations[1:] * keys.rotations[:-1]).sum(-1) > 0).all()
    last, parts = None, []
    for start in range(0, 90, 7):
        last = retargeter(rotations[start : start + 7], heads[start : start + 7], last)
        parts.append(last)
    assert np.allclose(np.concatenate([p.rotations for p in parts]), keys.rotations, atol=1e-12)
    assert np.allclose(np.concatenate([p.locations for p in parts]), keys.locations, atol=1e-12)


def test_a_reference_pose_stands_for_a_rest_pose_that_is_none():
    """A rig that rests curled up, with a pose given in which it stands."""
    body = humanoid(Shape(seed=6, plain=True))
    curled = {
        ("left_thigh", 0): rot.from_rotvec(-2 * X)[None],
        ("right_upper_arm", 0): rot.from_rotvec(1.5 * Z)[None],
    }
    rest = blender_pose(body.rig, between(body, body, curled))[0]
    rig = replace(body.rig, rest=rest, reference=body.rig.rest)
    clip = random_clip(4, 0)
    expected = blender_pose(body.rig, retarget(clip, body))
    retargeter = Retargeter(smpl.rig(), named("smpl"), rig, body.bone_map)
    assert np.allclose(
        blender_pose(rig, retargeter(*smpl.pose(clip, retargeter.source_bones))), expected, atol=1e-6
    )


def test_no_frames_make_no_keys():
    body = humanoid(Shape())
    keys = retarget(random_clip(0, 0), body, Options(feet=True, hands=True))
    assert len(keys) == 0 and keys.rotations.shape == (0, len(keys.bones), 4)


def test_what_cannot_be_is_said():
    body = humanoid(Shape())
    rig, bone_map = body.rig, body.bone_map
    with pytest.raises(ValueError, match="has no root bone to extract the motion to"):
        Retargeter(rig, bone_map, rig, bone_map, Options(root_motion="root"))
    with pytest.raises(ValueError, match="root_motion must be one of follow, pelvis, root, in place"):
        Retargeter(rig, bone_map, rig, bone_map, Options(root_motion="roots"))
    with pytest.raises(ValueError, match="scale must be positive"):
        Retargeter(rig, bone_map, rig, bone_map, Options(scale=0.0))
    legless = replace(bone_map, bones={r: c for r, c in bone_map.bones.items() if r != "left_shin"})
    with pytest.raises(ValueError, match='"test" names no bone as left_shin'):
        Retargeter(rig, bone_map, rig, legless)
    other = replace(bone_map, bones={**bone_map.bones, "hips": ("pelvis",)})
    with pytest.raises(ValueError, match="names pelvis as hips, but the rig has no such bone"):
        Retargeter(rig, other, rig, bone_map)
    retargeter = Retargeter(rig, bone_map, rig, bone_map)
    with pytest.raises(ValueError, match="must be"):
        retargeter(np.zeros((3, 2, 4)), np.zeros((3, 2, 3)))
    with pytest.raises(ValueError, match="must be unique"):
        Rig(("a", "a"), (-1, 0), np.tile(np.eye(4), (2, 1, 1)))
    with pytest.raises(ValueError, match="local_location must have 1 values, got 2"):
        Rig(("a",), (-1,), np.eye(4)[None], (True, False))
    with pytest.raises(ValueError, match="round in a circle"):
        Rig(("a", "b"), (1, 0), np.tile(np.eye(4), (2, 1, 1)))
    flat = replace(rig, rest=np.tile(np.eye(4), (len(rig.names), 1, 1)))
    with pytest.raises(ValueError, match="does not show which way is up"):
        Retargeter(rig, bone_map, flat, bone_map)
