"""Motion on rigs as people have them: where the limbs point, which way palms and knees face, where the feet are."""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import bpy
import numpy as np
import pytest
from kmm import rotations as rot
from kmm.clip import Clip
from kmm.formats import bvh
from kmm.retarget import Options
from kmm.retarget.bone_map import named
from kmm.skeleton import JOINT_INDEX, PARENTS
from mathutils import Euler
from numpy.typing import NDArray

from . import rigs
from .everything import everything
from .install import PACKAGE
from .motions import stroll

retargeting = importlib.import_module(f"{PACKAGE}.retargeting")
action_api = importlib.import_module(f"{PACKAGE}.action_api")

LIMBS = [
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (("upper_arm", "forearm"), ("forearm", "hand"), ("thigh", "shin"), ("shin", "foot"))
]
SMPL = {role: JOINT_INDEX[chain[0]] for role, chain in named("smpl").bones.items() if chain[0] in JOINT_INDEX}
Positions = dict[str, NDArray[np.float64]]

each_kind = pytest.mark.parametrize("kind", rigs.KINDS)


@cache
def clip() -> Clip:
    return stroll()


def source(heading: float = 0.0) -> Positions:
    """Role -> (T, 3) of the clip itself, turned left by so many radians."""
    joints = rot.apply(rot.from_rotvec(np.array([0.0, 0.0, heading])), clip().joints())
    return {role: joints[:, joint] for role, joint in SMPL.items()}


def heading(character: rigs.Character) -> float:
    """Radians by which the user has turned the character to its left; it is at rest."""
    a, b = character.positions("left_upper_arm", "right_upper_arm")
    return float(np.arctan2((a - b)[1], (a - b)[0]))


def watch(character: rigs.Character, frames: range) -> Positions:
    """Role -> (T, 3) in the world, as Blender poses the bones that are seen."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        found.append(character.positions(*character.joints))
    return dict(zip(character.joints, np.moveaxis(np.array(found), 1, 0), strict=True))


def unit(v: NDArray[np.float64]) -> NDArray[np.float64]:
    return v / np.linalg.norm(v, axis=-1, keepdims=True)


def degrees(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.degrees(np.arccos(np.clip((unit(a) * unit(b)).sum(-1), -1, 1)))


def limb_errors(a: Positions, b: Positions) -> NDArray[np.float64]:
    return np.concatenate([degrees(a[end] - a[start], b[end] - b[start]) for start, end in LIMBS])


@each_kind
def test_limbs_point_as_the_source_does(scene: bpy.types.Scene, kind: str) -> None:
    character = rigs.KINDS[kind]()
    turn = heading(character)
    there = source(turn)
    retargeting.retarget_clip(clip(), character.armature, first_frame=11)
    here = watch(character, range(11, 71))
    errors = limb_errors(there, here)
    assert np.median(errors) < 1 and np.percentile(errors, 95) < 3
    for part in ("upper_arm", "thigh", "foot"):  # the left is on the left
        across = [p[f"left_{part}"] - p[f"right_{part}"] for p in (there, here)]
        assert np.median(degrees(*across)) < 15 and degrees(*across).max() < 60
    for side in ("left", "right"):  # knees bend in their plane
        plane = [
            np.cross(p[f"{side}_shin"] - p[f"{side}_thigh"], p[f"{side}_foot"] - p[f"{side}_shin"])
            for p in (there, here)
        ]
        bent = np.linalg.norm(plane[0], axis=-1) > 0.03
        assert bent.sum() > 10 and degrees(*plane)[bent].max() < 6
        # the thumb does not lie in the palm's plane
        assert degrees(_palm(here, side), _source_palm(side, turn)).max() < 50
        assert _toe_error(there, here, side).max() < 15


def _palm(here: Positions, side: str) -> NDArray[np.float64]:
    """Where the palm faces, by middle finger and thumb."""
    middle, thumb = (here[f"{side}_{finger}"] - here[f"{side}_hand"] for finger in ("middle", "thumb"))
    return np.cross(middle, thumb) * (1 if side == "left" else -1)


def _source_palm(side: str, turn: float) -> NDArray[np.float64]:
    """Where SMPL's faces: down in its T-pose."""
    rotations = clip().rotations.astype(float)
    turned = rot.multiply(rot.from_rotvec(np.array([0.0, 0.0, turn])), rotations[:, 0])
    for joint in _chain(JOINT_INDEX[f"{side}_wrist"]):
        turned = rot.multiply(turned, rotations[:, joint])
    return rot.apply(turned, np.array([0.0, -1.0, 0.0]))


def _chain(joint: int) -> list[int]:
    chain = []
    while joint > 0:
        chain.insert(0, joint)
        joint = PARENTS[joint]
    return chain


def _toe_error(there: Positions, here: Positions, side: str) -> NDArray[np.float64]:
    """Of the foot's heading seen from above."""
    ahead = [(p[f"{side}_toe"] - p[f"{side}_foot"]) * [1, 1, 0] for p in (there, here)]
    return degrees(*ahead)


@each_kind
def test_feet_are_on_the_floor(scene: bpy.types.Scene, kind: str) -> None:
    """By inverse kinematics the lower sole is as near the floor as the source's; the knees show no more than that."""
    character = rigs.KINDS[kind]()
    rest = character.positions("left_foot", "right_foot", "left_toe", "right_toe", "left_thigh")[:, 2]
    size = rest[4] / 0.9
    there = source(heading(character))
    retargeting.retarget_clip(clip(), character.armature, options=Options(feet=True))
    here = watch(character, range(1, 61))
    assert np.abs(_clear(here, rest) - size * _clear(there)).max() < 0.012
    errors = limb_errors(there, here)
    arms = np.concatenate([degrees(there[b] - there[a], here[b] - here[a]) for a, b in LIMBS if "arm" in a])
    assert np.median(errors) < 3 and np.percentile(errors, 95) < 15 and arms.max() < 1


def _clear(
    here: Positions, stands: Sequence[float] | NDArray[np.float64] = (0.08, 0.08, 0.02, 0.02)
) -> NDArray[np.float64]:
    """(T,) how far the lower one of heels and toes is above the floor. stands: their heights at rest, SMPL's."""
    roles = ("left_foot", "right_foot", "left_toe", "right_toe")
    return np.min([here[role][:, 2] - height for role, height in zip(roles, stands, strict=False)], axis=0)


@pytest.mark.parametrize("kind", ["rigify", "mixamo", "unreal4", "unknown"])
def test_nothing_else_changes(scene: bpy.types.Scene, kind: str) -> None:
    """Every property of every datablock, but the target's own animation, and the pose that it makes."""
    character = rigs.KINDS[kind]()
    armature = character.armature
    old = bpy.data.actions.new("old")
    armature.animation_data_create().action = old
    armature.pose.bones[0].constraints.new("LIMIT_SCALE")
    other = rigs.built("vrm").armature
    other.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=3)
    bpy.context.view_layer.objects.active = other
    scene.frame_set(7)
    bpy.context.view_layer.update()
    before = everything()
    action = retargeting.retarget_clip(clip(), armature)
    scene.frame_set(20)
    scene.frame_set(7)
    after = everything(action)
    keyed = {c.data_path.rpartition(".")[0] or c.data_path.split("]")[0] + "]" for c in curves_of(armature)}
    assert keyed
    changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    pose = f"objects[{armature.name}].pose."
    allowed = (f"objects[{armature.name}].animation_data", "actions[old].use_fake_user", "actions.length")
    rest = {p for p in changed if not p.startswith((pose, *allowed))} - _driven(armature.data)
    assert not rest, sorted(rest)[:10]
    assert old.use_fake_user and old in list(bpy.data.actions)
    # in the pose itself: what is keyed, where that puts the bones, and what the rig's own drivers make of it
    names = {_last(p) for p in changed if p.startswith(pose)}
    results = {"matrix", "matrix_basis", "matrix_channel", "head", "tail", "length", "enabled"}
    drivers = armature.animation_data.drivers
    may_change = {_last(d.data_path.replace('"', "")) for d in [*curves_of(armature), *drivers]}
    assert names <= may_change | results


def _last(path: str) -> str:
    """ "pose.bones[1].location" -> "location", "pose.bones[1][IK_FK]" -> "IK_FK"."""
    return re.split(r"[.\[\]]+", path.rstrip("]"))[-1]


def _driven(data: bpy.types.Armature) -> set[str]:
    """What the rig itself sets, as Rigify shows and hides controls by its switches."""
    drivers = data.animation_data.drivers if data.animation_data else ()
    found = set()
    for driver in drivers:
        owner, _, of = driver.data_path.rpartition(".")
        found.add(f"armatures[{data.name}].bones[{data.bones.find(data.path_resolve(owner).name)}].{of}")
    return found


def curves_of(armature: bpy.types.Object) -> list[bpy.types.FCurve]:
    return action_api.curves_of(armature.animation_data.action, armature)


def test_only_mapped_bones_are_keyed_in_their_own_rotation_mode(scene: bpy.types.Scene) -> None:
    character = rigs.built("mixamo")
    bones = character.armature.pose.bones
    modes = ("QUATERNION", "XYZ", "ZYX", "AXIS_ANGLE", "YXZ", "XZY", "YZX", "ZXY")
    for i, bone in enumerate(bones):
        bone.rotation_mode = modes[i % len(modes)]
    kept = [bone.rotation_mode for bone in bones]
    retargeting.retarget_clip(clip(), character.armature)
    assert kept == [bone.rotation_mode for bone in bones]
    paths = {curve.data_path for curve in curves_of(character.armature)}
    for bone in bones:
        mode = {"QUATERNION": "quaternion", "AXIS_ANGLE": "axis_angle"}.get(bone.rotation_mode, "euler")
        own = {p for p in paths if p.startswith(f'pose.bones["{bone.name}"].')}
        want = {f'pose.bones["{bone.name}"].rotation_{mode}'} if _has_source(bone.name) else set()
        if bone.name == "mixamorig:Hips":
            want |= {f'pose.bones["{bone.name}"].location'}
        assert own == want
    errors = limb_errors(source(), watch(character, range(1, 61)))
    assert errors.max() < 0.1


def _has_source(name: str) -> bool:
    """SMPL's body has no fingers."""
    fingers = ("Thumb", "Index", "Middle", "Ring", "Pinky")
    return not any(f in name for f in fingers) and not name.endswith("_End")


def test_the_switches_of_a_control_rig_are_set(scene: bpy.types.Scene) -> None:
    character = rigs.rigify()
    retargeting.retarget_clip(clip(), character.armature, first_frame=21)
    switches = [c for c in curves_of(character.armature) if c.data_path.endswith('["IK_FK"]')]
    assert len(switches) == 4
    for curve in switches:
        (point,) = curve.keyframe_points
        assert tuple(point.co) == (21, 1) and point.interpolation == "CONSTANT"


def test_controls_for_inverse_kinematics_ride_along(scene: bpy.types.Scene) -> None:
    """Switched to them, the limbs stay where they are."""
    character = rigs.rigify()
    armature = character.armature
    options = Options(feet=True, ik_controls=True)
    retargeting.retarget_clip(clip(), armature, options=options)
    by_fk = watch(character, range(1, 61, 7))
    for curve in curves_of(armature):
        if curve.data_path.endswith('["IK_FK"]'):
            curve.keyframe_points[0].co.y = 0
            curve.update()
    by_ik = watch(character, range(1, 61, 7))
    for end in ("hand", "foot"):
        for side in ("left", "right"):
            assert np.linalg.norm(by_fk[f"{side}_{end}"] - by_ik[f"{side}_{end}"], axis=-1).max() < 0.01


def test_bones_that_do_not_turn_with_their_parents(scene: bpy.types.Scene) -> None:
    """As target and as source."""
    character, second = rigs.built("unreal4"), rigs.built("vrm")
    bones = character.armature.data.bones
    for name in ("head", "upperarm_l", "lowerarm_r", "thigh_r", "calf_l", "hand_l", "spine_02"):
        bones[name].use_inherit_rotation = False
    retargeting.retarget_clip(clip(), character.armature)
    assert limb_errors(source(), watch(character, range(1, 61))).max() < 0.1
    retargeting.retarget_action(character.armature, second.armature)
    assert limb_errors(source(), watch(second, range(1, 61))).max() < 0.1


def test_from_rig_to_rig_by_curves_and_by_evaluation(scene: bpy.types.Scene) -> None:
    """SMPL to Unreal by a clip, on to Rigify by F-curves, on to VRM by Rigify's evaluated deforming bones."""
    chain = [rigs.built("unreal4"), rigs.rigify(), rigs.built("vrm")]
    retargeting.retarget_clip(clip(), chain[0].armature, first_frame=5)
    scene.frame_set(33)
    for giver, taker in pairwise(chain):
        giver.armature.keyframe_insert("location", frame=5)  # the object stays: its bones are what matters
        action = retargeting.retarget_action(giver.armature, taker.armature)
        assert scene.frame_current == 33 and len(bpy.data.scenes) == 1
        assert tuple(action.frame_range) == (5, 64)
    errors = limb_errors(source(), watch(chain[-1], range(5, 65)))
    assert np.median(errors) < 1 and np.percentile(errors, 95) < 3


def test_an_action_that_is_not_worn(scene: bpy.types.Scene) -> None:
    """Read without the armature noticing, by curves and, on a rig with constraints, by evaluation."""
    giver, taker = rigs.built("unreal4"), rigs.built("mixamo")
    armature = giver.armature
    wanted = retargeting.retarget_clip(clip(), armature, name="wanted")
    still = retargeting.retarget_clip(Clip(clip().translation[:1], clip().rotations[:1], 30.0), armature)
    for constrained in (False, True):
        if constrained:
            armature.pose.bones["spine_01"].constraints.new("LIMIT_SCALE")
        scene.frame_set(1)
        posed = [tuple(b.rotation_quaternion) for b in armature.pose.bones]
        retargeting.retarget_action(armature, taker.armature, action=wanted, frames=(10, 30))
        assert armature.animation_data.action == still
        assert posed == [tuple(b.rotation_quaternion) for b in armature.pose.bones]
        here = watch(taker, range(10, 31))
        errors = limb_errors({role: p[9:30] for role, p in source().items()}, here)
        assert errors.max() < 0.5


def test_the_object_carries_the_motion_and_its_own_travel_counts(scene: bpy.types.Scene) -> None:
    giver, taker = rigs.built("mixamo"), rigs.built("vrm")
    retargeting.retarget_clip(clip(), giver.armature)
    giver.armature.keyframe_insert("location", frame=1)
    giver.armature.location.y -= 2
    giver.armature.keyframe_insert("location", frame=60)
    taker.armature.rotation_euler = Euler((0, 0, 1.0))
    taker.armature.location = (3, 0, 0)
    there = watch(giver, range(1, 61))
    retargeting.retarget_action(giver.armature, taker.armature)
    here = watch(taker, range(1, 61))
    back = rot.from_rotvec(np.array([0, 0, -1.0]))
    turned = {role: rot.apply(back, p) for role, p in here.items()}
    assert limb_errors(there, turned).max() < 0.1
    travel = [(p["hips"][-1] - p["hips"][0]) * [1, 1, 0] for p in (there, turned)]
    assert degrees(*travel) < 0.5
    legs = [np.linalg.norm(p["left_thigh"][0] - p["left_shin"][0]) for p in (there, here)]
    lengths = [np.linalg.norm(t) for t in travel]
    assert lengths[1] / lengths[0] == pytest.approx(legs[1] / legs[0], rel=0.1)


def test_overridden_and_linked(scene: bpy.types.Scene, tmp_path: Path) -> None:
    joints = (made := rigs.built("unreal4")).joints
    rigs.write_library(made, tmp_path / "character.blend")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    linked = rigs.linked(tmp_path / "character.blend", joints)
    with pytest.raises(ValueError, match="library override"):
        retargeting.retarget_clip(clip(), linked.armature)
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    mine = rigs.overridden(tmp_path / "character.blend", joints)
    retargeting.retarget_clip(clip(), mine.armature)
    assert limb_errors(source(), watch(mine, range(1, 61))).max() < 0.1
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    again = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o.library is None)
    assert limb_errors(source(), watch(rigs.Character(again, joints), range(1, 61))).max() < 0.1


def test_what_cannot_be_done_is_said_in_one_sentence(scene: bpy.types.Scene) -> None:
    empty, character = rigs.built("vrm").armature, rigs.built("mixamo").armature
    (skin,) = character.children
    plain = bpy.data.objects.new("plain", bpy.data.armatures.new("plain"))
    scene.collection.objects.link(plain)
    for call, words in (
        (lambda: retargeting.retarget_action(empty, character), "no motion on vrm"),
        (lambda: retargeting.retarget_action(character, character), "to itself"),
        (lambda: retargeting.retarget_action(skin, character), "not an armature"),
        (lambda: retargeting.retarget_clip(clip(), skin), "not an armature"),
        (lambda: retargeting.retarget_clip(clip(), plain), "bone map"),
        (lambda: retargeting.retarget_clip(clip(), empty, options=Options("root")), "no root bone"),
    ):
        with pytest.raises(ValueError, match=words) as error:
            call()
        assert len(str(error.value).splitlines()) == 1
    assert not bpy.data.actions


@pytest.mark.parametrize("unit", ["m", "cm"])
def test_from_an_imported_bvh(scene: bpy.types.Scene, tmp_path: Path, unit: str) -> None:
    """Its skeleton rests around the origin and it moves over a floor at height zero, in its own units."""
    bvh.save(clip(), tmp_path / "stroll.bvh", unit)
    bpy.ops.import_anim.bvh(filepath=str(tmp_path / "stroll.bvh"), rotate_mode="YZX")
    imported = bpy.context.object
    character = rigs.built("mixamo")
    rest = character.positions("left_foot", "right_foot", "left_toe", "right_toe", "left_thigh")[:, 2]
    retargeting.retarget_action(imported, character.armature)
    there, here = source(), watch(character, range(1, 61))
    assert limb_errors(there, here).max() < 0.1
    travel = [p["hips"][-1] - p["hips"][0] for p in (there, here)]
    assert degrees(*travel) < 1
    retargeting.retarget_action(imported, character.armature, options=Options(feet=True))
    assert np.abs(_clear(watch(character, range(1, 61)), rest) - _clear(there) * rest[4] / 0.9).max() < 0.012


def test_from_an_imported_fbx(scene: bpy.types.Scene, tmp_path: Path) -> None:
    """With the bones' axes, the units and the baked scale keys that the exporter and the importer make."""
    retargeting.retarget_clip(clip(), rigs.built("mixamo").armature)
    scene.frame_end = 60
    bpy.ops.preferences.addon_enable(module="io_scene_fbx")
    bpy.ops.export_scene.fbx(
        filepath=str(tmp_path / "stroll.fbx"), object_types={"ARMATURE"}, bake_anim_use_all_actions=False,
        bake_anim_use_nla_strips=False, add_leaf_bones=False,
    )  # fmt: skip
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.context.scene.render.fps = 30
    bpy.ops.import_scene.fbx(filepath=str(tmp_path / "stroll.fbx"))
    (imported,) = (obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE")
    character = rigs.built("vrm")
    action = retargeting.retarget_action(imported, character.armature)
    first, last = (round(frame) for frame in action.frame_range)
    assert last - first == 59
    here = watch(character, range(first, last + 1))
    assert limb_errors(source(), here).max() < 0.5
