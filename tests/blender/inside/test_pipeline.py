"""Characters opened from files, and written with a motion: what is read back moves as what was written."""

from __future__ import annotations

import importlib
from pathlib import Path

import bpy
import numpy as np
import pytest
from kmm import formats
from numpy.typing import NDArray

from . import rigs
from .install import PACKAGE
from .motions import stroll

FRAMES = 6
LIMBS = ("upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")

character_files = importlib.import_module(f"{PACKAGE}.pipeline.character_files")
sources = importlib.import_module(f"{PACKAGE}.pipeline.sources")
retargeting = importlib.import_module(f"{PACKAGE}.retargeting")
writing = importlib.import_module(f"{PACKAGE}.retargeting.writing")


def motion(
    armature: bpy.types.Object, bones: list[str], first: int = 1, frames: int = FRAMES
) -> NDArray[np.float64]:
    """(frames, bones, 3) heads in the world."""
    found = []
    for frame in range(first, first + frames):
        bpy.context.scene.frame_set(frame)
        there = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        found.append([there.matrix_world @ there.pose.bones[name].head for name in bones])
    return np.array(found)


def import_file(path: Path) -> bpy.types.Object:
    """The armature, as somebody gets it who imports the file into an empty scene."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.context.scene.render.fps = 30
    match path.suffix:
        case ".glb":
            bpy.ops.import_scene.gltf(filepath=str(path))
        case ".fbx":
            bpy.ops.import_scene.fbx(filepath=str(path))
        case ".bvh":
            bpy.ops.import_anim.bvh(filepath=str(path))
        case ".blend":
            bpy.ops.wm.open_mainfile(filepath=str(path))
    (armature,) = (obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE")
    return armature


@pytest.mark.parametrize("suffix", [".blend", ".fbx", ".glb", ".bvh"])
@pytest.mark.parametrize("kind", ["rigify", "mixamo", "unreal5"])
def test_what_is_read_back_moves_as_what_was_written(
    scene: bpy.types.Scene, tmp_path: Path, kind: str, suffix: str
) -> None:
    """Whatever the armature object's axes and units, and wherever it stands."""
    for obj in list(scene.objects):
        bpy.data.objects.remove(obj)
    armature = rigs.KINDS[kind]().armature
    armature.hide_viewport = True  # what is hidden is written all the same
    scene.frame_start, scene.frame_end = 1, FRAMES
    retargeting.retarget_clip(stroll(FRAMES), armature)
    bones = [bone.name for bone in armature.data.bones if bone.use_deform]
    expected = motion(armature, bones)
    skin = len(armature.children[0].data.polygons)
    armature.hide_viewport = suffix != ".blend"
    path = tmp_path / f"written{suffix}"
    character_files.save(armature, path)

    there = import_file(path)
    assert set(bones) <= set(there.pose.bones.keys())
    (first, last) = there.animation_data.action.frame_range
    assert last - first == FRAMES - 1
    found = motion(there, bones, round(first))
    assert np.abs(found - expected).max() < 1e-4
    if suffix != ".bvh":
        meshes = [obj for obj in bpy.context.scene.objects if obj.find_armature() == there]
        assert [len(obj.data.polygons) for obj in meshes] in ([skin], [2 * skin])  # glTF has triangles only
        assert len(bpy.data.actions) == 1


@pytest.mark.parametrize("suffix", [".blend", ".fbx", ".glb"])
@pytest.mark.parametrize("kind", ["mixamo", "unreal4", "vrm"])
def test_a_character_comes_at_rest_as_it_was(
    scene: bpy.types.Scene, tmp_path: Path, kind: str, suffix: str
) -> None:
    """Joints where they were, through the importers' conversions of axes and units; no motion from the file."""
    for obj in list(scene.objects):
        bpy.data.objects.remove(obj)
    character = rigs.KINDS[kind]()
    roles = sorted(character.joints)
    expected = character.positions(*roles)
    scene.frame_start, scene.frame_end = 1, FRAMES
    if suffix == ".blend":
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "character.blend"))
    else:
        retargeting.retarget_clip(stroll(FRAMES), character.armature)
        character_files.save(character.armature, tmp_path / f"character{suffix}")

    armature = character_files.open_character(tmp_path / f"character{suffix}")
    assert armature.animation_data is None or armature.animation_data.action is None
    found = rigs.Character(armature, character.joints).positions(*roles)
    assert np.abs(found - expected).max() < 1e-4


@pytest.mark.parametrize("suffix", [".fbx", ".glb", ".bvh", ".npz"])
def test_a_motion_comes_from_any_humanoid(scene: bpy.types.Scene, tmp_path: Path, suffix: str) -> None:
    """As if it had come straight from the clip, whatever character it was on, and at another rate."""
    for obj in list(scene.objects):
        bpy.data.objects.remove(obj)
    clip = stroll(21)
    path = tmp_path / f"motion{suffix}"
    if suffix == ".npz":
        formats.save(clip, path)
    else:
        scene.frame_start, scene.frame_end = 1, len(clip)
        armature = rigs.built("mixamo").armature
        retargeting.retarget_clip(clip, armature)
        character_files.save(armature, path)
    found = sources.read(path, 60.0)

    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    bpy.context.scene.render.fps = 60
    character = rigs.built("unreal4")
    retargeting.retarget_clip(clip.resample(60.0), character.armature)
    bones = [character.joints[f"{s}_{p}"] for s in ("left", "right") for p in LIMBS]
    frames = 41
    expected = motion(character.armature, bones, frames=frames)
    target = writing.Target(character.armature, found.rig, found.bone_map)
    values = target(*found.pose(target.source_bones))
    assert len(values) == frames
    writing.write(character.armature, target, values, 1, "again")
    assert np.abs(motion(character.armature, bones, frames=frames) - expected).max() < 0.005


@pytest.mark.parametrize("suffix", [".fbx", ".glb"])
def test_what_has_no_motion_is_said_to_have_none(scene: bpy.types.Scene, tmp_path: Path, suffix: str) -> None:
    rigs.built("mixamo")
    path = tmp_path / f"still{suffix}"
    if suffix == ".fbx":
        bpy.ops.export_scene.fbx(filepath=str(path), bake_anim=False)
    else:
        bpy.ops.export_scene.gltf(filepath=str(path))
    with pytest.raises(ValueError, match=f"still{suffix} has no motion in it"):
        sources.read(path, 30.0)


def test_an_fbx_with_a_lamp_is_read_in_every_blender(scene: bpy.types.Scene, tmp_path: Path) -> None:
    """The older importer of Blender 5.0 fails on it."""
    character = rigs.built("unreal4")
    roles = sorted(character.joints)
    expected = character.positions(*roles)
    assert any(obj.type == "LIGHT" for obj in scene.objects)
    bpy.ops.export_scene.fbx(filepath=str(tmp_path / "lit.fbx"))
    armature = character_files.open_character(tmp_path / "lit.fbx")
    found = rigs.Character(armature, character.joints).positions(*roles)
    assert np.abs(found - expected).max() < 1e-4


def test_a_character_that_is_overridden_finds_its_library_from_elsewhere(
    scene: bpy.types.Scene, tmp_path: Path
) -> None:
    """A file refers to others from its own folder, and what is made of it lies in another."""
    made = rigs.built("unreal4")
    (tmp_path / "library").mkdir()
    (tmp_path / "shots").mkdir()
    (tmp_path / "out" / "shot").mkdir(parents=True)
    rigs.write_library(made, tmp_path / "library" / "character.blend")
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    mine = rigs.overridden(tmp_path / "library" / "character.blend", made.joints)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shots" / "shot.blend"))
    bpy.ops.file.make_paths_relative()
    bpy.ops.wm.save_mainfile()

    armature = character_files.open_character(tmp_path / "shots" / "shot.blend")
    assert bpy.data.libraries[0].filepath.startswith("//"), "the test is about relative paths"
    bpy.context.scene.frame_end = FRAMES
    retargeting.retarget_clip(stroll(FRAMES), armature)
    bones = list(mine.joints.values())
    expected = motion(armature, bones)
    character_files.save(armature, tmp_path / "out" / "shot" / "walk.blend")

    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out" / "shot" / "walk.blend"))
    armature = character_files.find_armature(tmp_path / "out" / "shot" / "walk.blend")
    assert armature.override_library is not None
    assert np.abs(motion(armature, bones) - expected).max() < 1e-6
    assert np.ptp(expected, axis=0).max() > 0.05


def test_which_armature_is_said(scene: bpy.types.Scene, tmp_path: Path) -> None:
    path = tmp_path / "two.blend"
    with pytest.raises(ValueError, match=r"two.blend has no armature in it"):
        character_files.find_armature(path)
    rigs.built("vrm")
    assert character_files.find_armature(path, ["hero"]).name == "vrm"
    rigs.built("mixamo")
    with pytest.raises(
        ValueError, match=r"two.blend has several armatures, mixamo, vrm: say which one to use"
    ):
        character_files.find_armature(path)
    with pytest.raises(
        ValueError, match=r"several armatures, mixamo, vrm: 0 of them are named hero or villain"
    ):
        character_files.find_armature(path, ["hero", "villain"])
    assert character_files.find_armature(path, ["hero", "vrm"]).name == "vrm"


@pytest.mark.parametrize("suffix", [".blend", ".fbx", ".glb"])
def test_a_file_that_is_none_is_said_to_be(scene: bpy.types.Scene, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(b"this is not what its name says")
    with pytest.raises(ValueError, match="noise"):
        character_files.open_character(path)
