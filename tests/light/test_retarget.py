"""Retargeting between random bodies, against Blender's rule of forward kinematics."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip
from kmm.retarget import Options, Retargeter, smpl
from kmm.retarget.bone_map import named
from kmm.retarget.roles import FINGERS
from kmm.skeleton import JOINT_INDEX, STANDING_HEIGHT, UPRIGHT

from .humanoids import Shape, View, X, Y, Z, degrees, humanoid
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
@settings(max_examples=60, deadline=None)
def test_limbs_point_as_the_source_does(shape, seed):
    clip, body = random_clip(4, seed), humanoid(shape)
    view = View(body, retarget(clip, body))
    joints = clip.joints()
    for role, to in LIMBS:
        along = joints[:, JOINT_INDEX[SMPL[to]]] - joints[:, JOINT_INDEX[SMPL[role]]]
        along /= np.linalg.norm(along, axis=-1, keepdims=True)
        assert degrees(view.direction(role, to), along).max() < 0.5, role


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
        moved[name] = rot.apply(rot.inv(body.upright[name]), v)
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


def ends(body, *but):
    """The bones whose orientation is the whole of their role's."""
    roles = []
    for role, chain in body.bone_map.bones.items():
        kind = role.split("_", 1)[-1] if role.startswith(("left", "right")) else role
        if kind.endswith("twist") or kind in ("root", "centre", *but):
            continue
        roles.append((role, 0, 0) if kind in ("forearm", "shin") or kind in FINGERS else (role, -1, -1))
    return roles


@given(shapes(neck=1, shoulders=True, toes=True, fingers=True), SEEDS, st.floats(-90, 90))
@settings(max_examples=60, deadline=None)
def test_palms_knees_and_elbows_face_as_the_source_does(shape, seed, supinated):
    """Every joint's whole orientation, from a straight T-pose onto any other rest pose."""
    shape.supinated = supinated
    source, target = humanoid(PLAIN), humanoid(shape)
    pose = random_pose(source, 3, seed)
    a = View(source, between(source, source, pose))
    b = View(target, between(source, target, pose))
    same_turns(a, b, ends(target))
