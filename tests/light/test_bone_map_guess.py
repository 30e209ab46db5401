"""Guessing the map of a rig whose names say nothing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.retarget import Rig, smpl
from kmm.retarget.bone_map import named
from kmm.retarget.guess import guess

from .humanoids import humanoid, renamed
from .test_retarget import shapes


def nameless(body):
    return renamed(body, {name: f"Bone.{i:03d}" for i, name in enumerate(body.rig.names)})


@given(shapes(helpers=False, twists=0, toes=1, serial=1))
@settings(max_examples=30, deadline=None)
def test_a_body_is_read_from_its_shape(shape):
    body = nameless(humanoid(shape))
    found = guess(body.rig)
    assert found is not None and found.confidence > 0.5
    truth = dict(body.bone_map.bones)
    truth.pop("centre", None)
    if shape.neck != 1:  # where a neck ends and a head begins does not show
        truth.pop("neck", None), truth.pop("head")
    read = {role: found.bone_map.bones.get(role) for role in truth}
    assert read == truth


@given(shapes(helpers=False, twists=0, toes=0, serial=1))
@settings(max_examples=15, deadline=None)
def test_without_toes_the_names_tell_the_sides(shape):
    body = humanoid(shape)
    anonymous = guess(nameless(body).rig)
    found = guess(body.rig)  # whose names begin with left_ and right_
    assert "Nothing shows the front, so left and right may be swapped." in anonymous.notes
    assert found.confidence > anonymous.confidence
    for role in ("left_thigh", "right_thigh", "left_forearm", "right_hand"):
        assert found.bone_map.bones[role] == body.bone_map.bones[role]


@given(shapes(helpers=False, twists=0, toes=1, serial=2, fingers=True))
@settings(max_examples=15, deadline=None)
def test_limbs_of_several_bones_are_read(shape):
    """The legs; where a straight arm of equal bones has its elbow does not show."""
    body = nameless(humanoid(shape))
    found = guess(body.rig).bone_map.bones
    for role in ("thigh", "shin", "foot", "toe", "hand", "index", "thumb"):
        assert found[f"left_{role}"] == body.bone_map.bones[f"left_{role}"], role


def test_smpl_is_read_whole():
    rig = smpl.rig()
    found = guess(rig)
    truth = {r: c for r, c in named("smpl").bones.items() if c[0] in rig.names}
    assert found.bone_map.bones == truth and found.confidence > 0.9 and found.notes == ()


def test_names_against_the_feet_are_noted():
    rig = smpl.rig()
    swap = {n: n.replace("left", "x").replace("right", "left").replace("x", "right") for n in rig.names}
    found = guess(replace(rig, names=tuple(swap[n] for n in rig.names)))
    assert found.bone_map.bones["left_thigh"] == ("right_hip",)
    assert any("other way round" in note for note in found.notes) and found.confidence < 0.8


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
@settings(max_examples=40, deadline=None)
def test_a_heap_of_bones_is_not_believed_to_be_a_body(seed, count):
    rng = np.random.default_rng(seed)
    rest = np.tile(np.eye(4), (count, 1, 1))
    rest[:, :3, 3] = rng.normal(size=(count, 3))
    parents = tuple(int(rng.integers(-1, i)) if i else -1 for i in range(count))
    found = guess(Rig(tuple(map(str, range(count))), parents, rest))
    assert found is None or found.confidence < 0.5


@pytest.mark.parametrize("count", [0, 1, 7, 30])
def test_bones_all_at_one_place_are_no_body(count):
    rest = np.tile(np.eye(4), (count, 1, 1))
    assert (
        guess(Rig(tuple(map(str, range(count))), (-1,) + (0,) * (count - 1) if count else (), rest)) is None
    )
