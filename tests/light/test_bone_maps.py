"""Bone maps as files, finding the one that fits, and saying what is wrong with one."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.retarget import BoneMap, Retargeter, smpl
from kmm.retarget.bone_map import built_in, load, named, parse, save, to_toml
from kmm.retarget.checking import problems
from kmm.retarget.matching import FITS, best, fit, mirrored
from kmm.retarget.names import key, other_side
from kmm.retarget.roles import CHAINS, REQUIRED, ROLES, opposite, part
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES

from .humanoids import Shape, View, degrees, humanoid, rig_like
from .motions import random_clip

MAPS = {bone_map.name: bone_map for bone_map in built_in()}
WIDE = [m for m in MAPS.values() if m.name != "CMU ASF"]  # its sides are one letter glued to a word: lfemur

each_map = pytest.mark.parametrize("bone_map", MAPS.values(), ids=MAPS)


def names_in(bone_map):
    """All bones that a map names, of the body and beside it."""
    return list(dict.fromkeys([*bone_map.names, *bone_map.follows, *bone_map.ik, *bone_map.properties]))


NAMES = st.text(min_size=1, max_size=12).filter(lambda s: "{side}" not in s)


@st.composite
def bone_maps(draw):
    roles = draw(st.lists(st.sampled_from(ROLES), unique=True))
    bones = {
        role: tuple(draw(st.lists(NAMES, min_size=1, max_size=3 if part(role) in CHAINS else 1)))
        for role in ROLES
        if role in roles
    }
    values = st.dictionaries(NAMES, st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=2)
    return BoneMap(
        draw(NAMES),
        bones,
        draw(st.dictionaries(NAMES, NAMES, max_size=2)),
        draw(st.dictionaries(NAMES, st.sampled_from(ROLES), max_size=2)),
        draw(st.dictionaries(NAMES, values, max_size=2)),
        draw(st.integers(0, 3)),
    )


@given(bone_maps())
def test_any_map_is_read_back_as_written(bone_map):
    assert parse(to_toml(bone_map)) == bone_map


@each_map
def test_a_built_in_map_is_whole(bone_map, tmp_path):
    save(bone_map, tmp_path / "map.toml")
    assert load(tmp_path / "map.toml") == bone_map
    assert set(REQUIRED) <= set(bone_map.bones)
    assert len(set(bone_map.names)) == len(bone_map.names)
    left = {part(r): len(c) for r, c in bone_map.bones.items() if r.startswith("left_")}
    assert left == {part(r): len(c) for r, c in bone_map.bones.items() if r.startswith("right_")}
    assert "[limbs]" in to_toml(bone_map) and "[left]" not in to_toml(bone_map)
    assert problems(bone_map, rig_like(bone_map).rig) == []


def test_there_is_a_map_for_each_of_the_common_rigs():
    for name in (
        "smpl", "rigify", "rigify_metarig", "rigify_deform", "mixamo", "unreal4", "unreal5", "vrm", "vroid", "mmd",
        "mmd_english", "daz_genesis8", "daz_genesis9", "makehuman", "character_creator", "cmu", "bvh", "auto_rig_pro",
    ):  # fmt: skip
        assert named(name) in MAPS.values()
    assert named("Rigify controls") is named("RIGIFY")
    assert set(JOINT_NAMES) <= set(named("smpl").names)
    with pytest.raises(ValueError, match='no bone map "riggify": choose one of auto_rig_pro, '):
        named("riggify")


@each_map
def test_a_rig_is_known_by_its_names_among_others(bone_map):
    names = [*names_in(bone_map), "hair_01", "Skirt.L.002", "IK foot", "camera"]
    match = best(reversed(names))
    assert match.bone_map == bone_map and match.score == pytest.approx(1)


@each_map
@pytest.mark.parametrize("spell", [
    lambda n: "ns:" + n, lambda n: "a|b:" + n.split(":")[-1], lambda n: n.replace("mixamorig:", "mixamorig7:"),
    str.upper, lambda n: n.replace(":", "_"), lambda n: re.sub(r"(?<=[._])0(?=[0-9])", "", n),
    lambda n: n.replace("Bip001", "Bip01"),
], ids=["namespace", "two namespaces", "numbered", "capitals", "underscore", "no zeros", "Bip01"])  # fmt: skip
def test_a_rig_is_known_however_its_names_are_spelt(bone_map, spell):
    names = {spell(n): n for n in names_in(bone_map)}
    match = best(names)
    found = {role: tuple(names[n] for n in chain) for role, chain in match.bone_map.bones.items()}
    assert found == bone_map.bones
    assert {names[b]: names[p] for b, p in match.bone_map.follows.items()} == bone_map.follows
    assert {names[control]: role for control, role in match.bone_map.ik.items()} == bone_map.ik
    assert {names[bone]: values for bone, values in match.bone_map.properties.items()} == bone_map.properties


SPELLINGS = [
    "{0}.{1}",
    "{0}_{1}",
    "{1}_{0}",
    "{1}{0}",
    "{0} {1}",
    "Bip01 {1} {0}",
    "rig:{0}-{1}",
    "DEF-{0}.{1}",
]


@given(
    st.sampled_from(["UpLeg", "Hand", "Thigh"]),
    st.sampled_from(SPELLINGS),
    st.sampled_from(["L", "Left", "left", "l"]),
)
def test_sides_are_read_from_any_spelling(core, spelling, word):
    name = spelling.format(core, word)
    assert key(name) == ("left", core.lower())
    other = other_side(name)
    assert key(other) == ("right", core.lower())
    assert other_side(other) == name


def test_names_without_a_side_have_none():
    for name in (
        "spine_01",
        "Hips",
        "root",
        "upperChest",
        "頭",
        "J_Bip_C_Hips",
        "Bone.001",
        "pelvis",
        "CC_Base_Head",
    ):
        assert key(name)[0] == "" and other_side(name) is None


@pytest.mark.parametrize("bone_map", WIDE, ids=lambda m: m.name)
def test_one_side_fills_in_the_other(bone_map):
    half = replace(bone_map, bones={r: c for r, c in bone_map.bones.items() if not r.startswith("right_")})
    assert mirrored(half, bone_map.names).bones == bone_map.bones
    half = replace(bone_map, bones={r: c for r, c in bone_map.bones.items() if not r.startswith("left_")})
    assert mirrored(half, bone_map.names, side="right").bones == bone_map.bones
    assert mirrored(half, [], side="right") == half


def test_a_rig_of_other_names_has_no_map():
    assert best(f"Bone.{i:03d}" for i in range(60)) is None
    assert best([]) is None
    assert fit(named("mixamo"), ["mixamorig:Hips", "mixamorig:Spine"]).score == 0


def test_a_users_own_map_goes_before_the_built_in_ones():
    own = replace(
        named("mixamo"), name="mine", bones={**named("mixamo").bones, "spine": ("mixamorig:Spine2",)}
    )
    match = best(named("mixamo").names, [own])
    assert match.bone_map.name == "mine" and match.score > FITS


@each_map
def test_motion_onto_a_rig_of_each_kind(bone_map):
    body = rig_like(bone_map, seed=7, arms_down=50.0, legs_apart=8.0)
    clip = random_clip(6, 3)
    retargeter = Retargeter(smpl.rig(), named("smpl"), body.rig, best(body.rig.names).bone_map)
    view = View(body, retargeter(*smpl.pose(clip, retargeter.source_bones)))
    joints = clip.joints()
    names = {role: chain[0] for role, chain in named("smpl").bones.items()}
    for side in ("left", "right"):
        for a, b in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot")):
            start, end = (joints[:, JOINT_INDEX[names[f"{side}_{p}"]]] for p in (a, b))
            along = (end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True)
            assert degrees(view.direction(f"{side}_{a}", f"{side}_{b}"), along).max() < 0.5


@pytest.mark.parametrize(("text", "message"), [
    ("name = ", "map.toml is not TOML"),
    ("[bones]\nhip = 'a'", 'map.toml: "hip" is not a part of the body .*: use one of root, centre, hips'),
    ("[limbs]\nleg = 'a'", 'map.toml: "left_leg" is not a part .*: use one of shoulder, upper_arm'),
    ("[bones]\nhips = ['a', 'b']", '"hips" can be one bone only, got a, b'),
    ("[bones]\nhips = 3", "hips must be a bone's name or a list of names, got 3"),
    ("sides = 'L'", 'sides must be two words, such as'),
    ("[bone]\nhips = 'a'", '"bone" is not a table of a bone map'),
    ("bones = 3", r"\[bones\] must be a table"),
    ("[ik]\na = 'leg'", r'\[ik\] "a" rides on "leg", which is no part of the body'),
    ("[properties]\na = 3", r'\[properties\] "a" must be a table of properties and values'),
])  # fmt: skip
def test_a_wrong_file_is_told_apart(tmp_path, text, message):
    (tmp_path / "map.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "map.toml")


def test_problems_are_said():
    bone_map = named("unreal4")
    rig = rig_like(bone_map).rig

    def said(**bones):
        return "\n".join(problems(replace(bone_map, bones={**bone_map.bones, **bones}), rig))

    assert 'There is no bone "Shin" in the rig, which the map names as left shin.' in said(
        left_shin=("Shin",)
    )
    assert "The map needs a bone for left shin." in said(left_shin=("Shin",))
    assert '"thigh_l" is named as left thigh and right thigh' in said(right_thigh=("thigh_l",))
    assert '"thigh_l" is named as right thigh, though its name says left.' in said(right_thigh=("thigh_l",))
    assert '"lowerarm_l" (left forearm) does not hang from "hand_l" (left upper arm)' in said(
        left_upper_arm=("hand_l",)
    )
    assert 'in the wrong order: "spine_02" hangs from "spine_01"' in said(spine=("spine_02", "spine_01"))
    assert '"thigh_l" (left thigh) does not hang from "spine_01" (hips)' in said(hips=("spine_01",))
    assert "name the bone above both as centre" in said(hips=("thigh_l",))
    swapped = {role: bone_map.bones[opposite(role)] for role in bone_map.bones}
    assert "The feet point to the back" in said(**swapped)
    flat = replace(rig, rest=np.tile(np.eye(4), (len(rig.names), 1, 1)))
    assert any(p.startswith("The rest pose does not show which way is up") for p in problems(bone_map, flat))


def test_a_rig_that_is_only_read_may_hang_together_in_any_way():
    body = humanoid(Shape(seed=1))
    loose = replace(body.rig, parents=(-1,) * len(body.rig.names))
    assert problems(body.bone_map, loose)
    assert not problems(body.bone_map, loose, read_only=True)
    wrong = replace(body.bone_map, bones={**body.bone_map.bones, "hips": ("nowhere",)})
    assert problems(wrong, loose, read_only=True)
