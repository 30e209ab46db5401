"""Characters to test with: rigs as people have them, made in the scene.

Rigify generates its own, MakeHuman's skeletons are its published ones, and the others are built from `bodies`. All
have a skin, a box around each bone, so that there is something to look at and to export.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector
from numpy.typing import NDArray

from . import bodies

SKELETONS = Path(__file__).parent / "skeletons"
GENERATE = """
import os, sys, bpy
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.ops.preferences.addon_enable(module="rigify")  # without a window Rigify has no settings until then
bpy.ops.object.armature_human_metarig_add()
bpy.context.object.name = "metarig"
bpy.ops.pose.rigify_generate()
bpy.ops.wm.save_as_mainfile(filepath=sys.argv[1])
os._exit(0)  # Blender 4.2 as a module crashes at its end when Rigify is enabled
"""

#: Where the joints are: part -> bone, {} standing for the side.
DEFORM = {
    "root": "root", "hips": "DEF-spine", "spine": "DEF-spine.001", "neck": "DEF-spine.004", "head": "DEF-spine.006",
    "shoulder": "DEF-shoulder.{}", "upper_arm": "DEF-upper_arm.{}", "forearm": "DEF-forearm.{}",
    "hand": "DEF-hand.{}", "middle": "DEF-f_middle.01.{}", "thumb": "DEF-thumb.01.{}", "thigh": "DEF-thigh.{}",
    "shin": "DEF-shin.{}", "foot": "DEF-foot.{}", "toe": "DEF-toe.{}",
}  # fmt: skip
MAKEHUMAN = {
    "hips": "root", "spine": "spine05", "neck": "neck01", "head": "head", "shoulder": "clavicle.{}",
    "upper_arm": "upperarm01.{}", "forearm": "lowerarm01.{}", "hand": "wrist.{}", "middle": "finger3-1.{}",
    "thumb": "finger1-1.{}", "thigh": "upperleg01.{}", "shin": "lowerleg01.{}", "foot": "foot.{}", "toe": "toe2-1.{}",
}  # fmt: skip
GAME_ENGINE = {
    "root": "Root", "hips": "pelvis", "spine": "spine_01", "neck": "neck_01", "head": "head",
    "shoulder": "clavicle_{}", "upper_arm": "upperarm_{}", "forearm": "lowerarm_{}", "hand": "hand_{}",
    "middle": "middle_01_{}", "thumb": "thumb_01_{}", "thigh": "thigh_{}", "shin": "calf_{}", "foot": "foot_{}",
    "toe": "ball_{}",
}  # fmt: skip


@dataclass(frozen=True)
class Character:
    """joints: where a body's joints are, as role (`kmm.retarget.roles`) -> the bone whose head it is.

    On a control rig these are the bones that deform the skin, which is what people see.
    """

    armature: bpy.types.Object
    joints: dict[str, str]

    def positions(self, *roles: str) -> NDArray[np.float64]:
        """(len(roles), 3) in the world, at the scene's current frame."""
        evaluated = self.armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        bones = evaluated.pose.bones
        return np.array([evaluated.matrix_world @ bones[self.joints[role]].head for role in roles])


def rigify() -> Character:
    """Rigify's human, generated: 706 bones."""
    return Character(_append("rig"), _joints(DEFORM, "LR"))


def rigify_metarig() -> Character:
    """Rigify's human before it is generated: no root, and no controls."""
    bones = {part: bone.removeprefix("DEF-") for part, bone in DEFORM.items() if part != "root"}
    return Character(_append("metarig"), _joints(bones, "LR"))


def makehuman() -> Character:
    """MakeHuman's and MPFB's default skeleton: 163 bones, limbs of two in a row, no root, an A-pose."""
    return Character(_published("makehuman_default"), _joints(MAKEHUMAN, "LR"))


def makehuman_game_engine() -> Character:
    """MakeHuman's and MPFB's skeleton for game engines: Unreal's names, a root that lies on the floor."""
    return Character(_published("makehuman_game_engine"), _joints(GAME_ENGINE, "lr"))


def built(name: str) -> Character:
    """A rig of `bodies.SPECS`."""
    spec = bodies.SPECS[name]
    bones = bodies.posed(spec)
    to_armature = spec.units.inverted()
    armature = _object(name)
    with _editing(armature) as edit_bones:
        for bone in bones:
            along = to_armature.to_3x3() @ Vector(bone.end - bone.head)
            axes = bodies.axes(spec.axes, along.normalized(), bone)
            edit = edit_bones.new(bone.name)
            edit.head = to_armature @ Vector(bone.head)
            edit.tail = edit.head + axes.col[1] * along.length
            edit.align_roll(axes.col[2])
            edit.parent = edit_bones[bone.parent] if bone.parent else None
            edit.use_deform = bone.name not in spec.extras
    armature.matrix_world = spec.place @ spec.units
    skin(armature)
    return Character(armature, {bone.role: bone.name for bone in bones if bone.role})


#: Every kind of rig by name -> what makes it.
KINDS: dict[str, Callable[[], Character]] = {
    "rigify": rigify,
    "rigify_metarig": rigify_metarig,
    "makehuman": makehuman,
    "makehuman_game_engine": makehuman_game_engine,
    **{name: partial(built, name) for name in bodies.SPECS},
}


def write_library(character: Character, path: Path) -> None:
    """A .blend file with the character in a collection of its armature's name, to link from."""
    collection = bpy.data.collections.new(character.armature.name)
    for obj in (character.armature, *character.armature.children):
        collection.objects.link(obj)
    bpy.data.libraries.write(str(path), {collection}, fake_user=True)
    bpy.data.collections.remove(collection)


def linked(path: Path, joints: dict[str, str]) -> Character:
    """The character of a library, linked into the scene: nothing of it can be changed."""
    return Character(_armature_of(_link(path)), joints)


def overridden(path: Path, joints: dict[str, str]) -> Character:
    """The character of a library with a library override, as one animates linked characters."""
    collection = _link(path)
    context = bpy.context
    override = collection.override_hierarchy_create(context.scene, context.view_layer, do_fully_editable=True)
    return Character(_armature_of(override), joints)


def skin(armature: bpy.types.Object) -> bpy.types.Object:
    """A mesh of one box for each deforming bone, that follows it."""
    mesh = bpy.data.meshes.new(f"{armature.name} skin")
    obj = bpy.data.objects.new(mesh.name, mesh)
    corners, faces, owners = [], [], []
    for bone in armature.data.bones:
        if bone.use_deform:
            points = _box(bone)
            faces += [[len(corners) + i for i in face] for face in BOX_FACES]
            owners.append((bone.name, range(len(corners), len(corners) + len(points))))
            corners += points
    mesh.from_pydata(corners, [], faces)
    for name, vertices in owners:
        obj.vertex_groups.new(name=name).add(list(vertices), 1.0, "REPLACE")
    obj.modifiers.new("Armature", "ARMATURE").object = armature
    bpy.context.scene.collection.objects.link(obj)
    obj.parent = armature
    return obj


BOX_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 2, 6, 4), (1, 5, 7, 3), (0, 4, 5, 1), (2, 3, 7, 6))


def _box(bone: bpy.types.Bone) -> list[Vector]:
    """Eight corners of a thin box from the bone's head to where the next joints are."""
    nexts = [
        child.head_local for child in bone.children if (child.head_local - bone.head_local).length > 1e-4
    ]
    end = sum(nexts, Vector()) / len(nexts) if nexts else bone.tail_local
    along = end - bone.head_local
    across = along.orthogonal().normalized() * along.length * 0.12
    beside = along.normalized().cross(across)
    return [
        bone.head_local + along * share + across * i + beside * j
        for share in (0.0, 1.0)
        for i in (-1, 1)
        for j in (-1, 1)
    ]


def _joints(bones: dict[str, str], letters: str) -> dict[str, str]:
    found = {}
    for part, bone in bones.items():
        if "{}" in bone:
            found |= {f"{s}_{part}": bone.format(c) for s, c in zip(bodies.SIDES, letters, strict=True)}
        else:
            found[part] = bone
    return found


def _object(name: str) -> bpy.types.Object:
    obj = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(obj)
    return obj


@contextlib.contextmanager
def _editing(armature: bpy.types.Object) -> Iterator[Any]:
    """The armature's edit bones; the active object is afterwards the one that it was."""
    objects = bpy.context.view_layer.objects
    before, objects.active = objects.active, armature
    bpy.ops.object.mode_set(mode="EDIT")
    yield armature.data.edit_bones
    bpy.ops.object.mode_set(mode="OBJECT")
    objects.active = before


def _published(name: str) -> bpy.types.Object:
    """A skeleton of `skeletons`, its feet on the floor."""
    bones = json.loads((SKELETONS / f"{name}.json").read_text(encoding="utf-8"))
    armature = _object(name)
    with _editing(armature) as edit_bones:
        for bone, (parent, head, tail, roll) in bones.items():
            edit = edit_bones.new(bone)
            edit.head, edit.tail, edit.roll = head, tail, roll
            edit.parent = edit_bones[parent] if parent else None
    armature.location.z = FEET_BELOW
    bpy.context.view_layer.update()
    skin(armature)
    return armature


FEET_BELOW = 0.8183  #: MakeHuman's bodies have their origin in the middle


@cache
def _rigify_file() -> Path:
    """A .blend with Rigify's human, "metarig", and what it generates from it, "rig"; 7 s, once."""
    folder = Path(tempfile.mkdtemp(prefix="kmm-rigify-"))
    command = [sys.executable, "-c", GENERATE, str(folder / "rigify.blend")]
    # with settings of its own: a Blender in which our extension is not enabled removes its wheels from the user's
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(folder)}
    subprocess.run(command, env=environment, check=True, timeout=280, stdout=subprocess.DEVNULL)
    return folder / "rigify.blend"


def _append(name: str) -> bpy.types.Object:
    with bpy.data.libraries.load(str(_rigify_file())) as (_, wanted):
        wanted.objects = [name]
    (armature,) = wanted.objects
    bpy.context.scene.collection.objects.link(armature)
    skin(armature)
    return armature


def _link(path: Path) -> bpy.types.Collection:
    with bpy.data.libraries.load(str(path), link=True) as (there, wanted):
        wanted.collections = there.collections[:1]
    (collection,) = wanted.collections
    bpy.context.scene.collection.children.link(collection)
    return collection


def _armature_of(collection: bpy.types.Collection) -> bpy.types.Object:
    (armature,) = (obj for obj in collection.all_objects if obj.type == "ARMATURE")
    return armature
