"""Reading keys back as poses: the inverse of writing them."""

from __future__ import annotations

import importlib

import bpy
import numpy as np
import pytest
from kmm import rotations as rot
from kmm.clip import Clip
from mathutils import Matrix, Quaternion

from .install import PACKAGE

action_api, character, keying, performer, reading = (
    importlib.import_module(f"{PACKAGE}.{name}")
    for name in ("action_api", "character", "keying", "performer", "reading")
)


def keyed(rng: np.random.Generator, frames: int) -> tuple[bpy.types.Object, Clip]:
    """A character with bones that lie in any way, and wild poses keyed on it."""
    obj = character.create(bpy.context)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in obj.data.edit_bones:
        bone.use_connect = False
    for bone in obj.data.edit_bones:
        bone.tail = np.array(bone.head) + rng.normal(size=3) * 0.2
        bone.roll = rng.uniform(-3, 3)
    bpy.ops.object.mode_set(mode="OBJECT")
    clip = Clip(rng.normal(size=(frames, 3)), rot.normalize(rng.normal(size=(frames, 22, 4))))
    performs = performer.performer_for(obj)
    performs.prepare(obj)
    action = action_api.new_action("take", obj.name)
    action_api.assign(obj, action)
    keyer = keying.Keyer(action, performs.channels, 5, frames)
    keyer.append(performs.convert(clip))
    keyer.write()
    return obj, clip


def apart(a: Clip, b: Clip) -> float:
    """The furthest that any joint's rotation, as a matrix, or the pelvis is apart."""
    turned = np.abs(rot.as_matrix(a.rotations) - rot.as_matrix(b.rotations)).max()
    return max(turned, np.abs(a.translation - b.translation).max())


@pytest.mark.parametrize("seed", range(3))
def test_what_was_keyed_is_read_back(scene: bpy.types.Scene, seed: int) -> None:
    obj, clip = keyed(np.random.default_rng(seed), 12)
    action = obj.animation_data.action
    found = reading.motion(obj, performer.performer_for(obj), action, range(5, 17), 24.0)
    assert found.fps == 24.0 and apart(found, clip) < 1e-5
    assert reading.key_frames(obj, action) == list(range(5, 17))


def test_bones_in_other_rotation_modes(scene: bpy.types.Scene) -> None:
    """Keys of Euler angles and axis and angle, and bones without keys, which stand as they are posed."""
    obj, clip = keyed(np.random.default_rng(1), 4)
    read = performer.performer_for(obj)
    obj.animation_data_clear()
    for row, frame in zip(read.convert(clip), (1, 5, 9, 13), strict=True):
        for number, bone in enumerate(obj.pose.bones[c.group] for c in read.channels[3::4]):
            bone.rotation_mode = ("QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE")[number % 4]
            quaternion = row[3 + 4 * number : 7 + 4 * number]
            basis = bone.matrix_basis.copy()
            bone.matrix_basis = rotated(basis, quaternion)
            if number == 0:
                bone.location = row[:3]
                bone.keyframe_insert("location", frame=frame)
            if number != 7:
                name = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
                bone.keyframe_insert(name.get(bone.rotation_mode, "rotation_euler"), frame=frame)
    found = reading.motion(obj, performer.performer_for(obj), obj.animation_data.action, (1, 5, 9, 13), 30.0)
    rotations = clip.rotations.copy()
    rotations[:, 7] = rotations[-1, 7]
    assert apart(found, Clip(clip.translation, rotations)) < 1e-4


def rotated(basis: Matrix, quaternion: np.ndarray) -> Matrix:
    return Matrix.LocRotScale(basis.translation, Quaternion(quaternion), None)
