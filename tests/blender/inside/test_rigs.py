"""The rigs that the other tests retarget to are what they claim to be."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from kmm.retarget import Rig
from kmm.retarget.guess import guess
from kmm.retarget.matching import best

from . import rigs

NO_MAP = "unknown"
MAPS = {
    "rigify": "Rigify controls",
    "rigify_metarig": "Rigify meta-rig",
    "makehuman": "MakeHuman default",
    "makehuman_game_engine": "Unreal 4 mannequin, MakeHuman game engine",
    "mixamo": "Mixamo",
    "unreal4": "Unreal 4 mannequin, MakeHuman game engine",
    "unreal5": "Unreal 5 mannequin, MetaHuman",
    "vrm": "VRM humanoid",
}

each_kind = pytest.mark.parametrize("kind", rigs.KINDS)


@each_kind
def test_a_rig_is_a_body_that_stands_on_the_floor(scene: bpy.types.Scene, kind: str) -> None:
    character = rigs.KINDS[kind]()
    turn = np.array(character.armature.matrix_world.to_3x3().normalized().col[0])
    left = turn if abs(turn[2]) < 0.5 else np.array([1.0, 0, 0])
    for part in ("upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe"):
        a, b = character.positions(f"left_{part}", f"right_{part}")
        assert (a - b) @ left > 0.1, "the left is on the left"
        assert abs(a[2] - b[2]) < 0.02
    (foot,), (toe,), (head,) = (character.positions(role) for role in ("left_foot", "left_toe", "head"))
    assert 0.03 < foot[2] < 0.15 and 1.2 < head[2] < 1.8
    assert (toe - foot) @ np.cross(left, [0, 0, 1.0]) > 0.05, "the feet point to the front"


@pytest.mark.parametrize("kind", MAPS)
def test_a_rig_is_known_by_its_names(scene: bpy.types.Scene, kind: str) -> None:
    character = rigs.KINDS[kind]()
    match = best(bone.name for bone in character.armature.data.bones)
    assert match is not None and match.bone_map.name == MAPS[kind]
    if kind != "rigify":  # whose joints are where the deforming bones are, not the controls
        for role in (
            "hips",
            "left_upper_arm",
            "right_forearm",
            "left_hand",
            "right_thigh",
            "left_shin",
            "left_foot",
        ):
            assert match.bone_map.bones[role][0] == character.joints[role]


def test_the_unknown_rig_can_only_be_guessed(scene: bpy.types.Scene) -> None:
    character = rigs.KINDS[NO_MAP]()
    bones = character.armature.data.bones
    assert best(bones.keys()) is None
    parents = tuple(bones.find(b.parent.name) if b.parent else -1 for b in bones)
    guessed = guess(Rig(tuple(bones.keys()), parents, np.array([b.matrix_local for b in bones])))
    assert guessed is not None
    for role, bone in character.joints.items():
        assert guessed.bone_map.bones[role][0] == bone


def test_the_skin_follows_the_bones(scene: bpy.types.Scene) -> None:
    character = rigs.built("mixamo")
    (skin,) = character.armature.children
    bone = character.armature.pose.bones[character.joints["left_upper_arm"]]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler.x = 1.5

    def low() -> float:
        evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
        return max((evaluated.matrix_world @ v.co).x for v in evaluated.to_mesh().vertices)

    after = low()
    bone.rotation_euler.x = 0.0
    assert low() - after > 0.1


def test_linked_and_overridden(scene: bpy.types.Scene, tmp_path: Path) -> None:
    joints = (made := rigs.built("unreal4")).joints
    rigs.write_library(made, tmp_path / "character.blend")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    there = rigs.linked(tmp_path / "character.blend", joints)
    assert there.armature.library is not None
    assert there.positions("head")[0][2] > 1.4
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    mine = rigs.overridden(tmp_path / "character.blend", joints)
    assert mine.armature.library is None and mine.armature.override_library is not None
    assert mine.armature.name in bpy.context.scene.objects
    mine.armature.pose.bones["head"].location = (0, 0, 1)
