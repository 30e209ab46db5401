"""The SMPL armature, and SMPL poses as channels of its bones.

The armature's rest pose is SMPL's T-pose, turned to Blender's axes (Z up, facing -Y) and standing on the floor.
Its space is the world of a clip: moving, turning or scaling the armature object moves the motion with it.
"""

from __future__ import annotations

import bpy
import numpy as np
from kmm import rotations as rot
from kmm.clip import FPS, Clip
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS, REST_OFFSETS, STANDING_HEIGHT, UPRIGHT, children
from mathutils import Vector
from numpy.typing import NDArray

from .keying import Channel

Array = NDArray[np.floating]

FRONT = np.array([0.0, -1.0, 0.0])
UP = np.array([0.0, 0.0, 1.0])

#: The joint that a bone points at where it has several children, or a tail (SMPL's rest frame, metres) where none.
POINTS_AT = {"pelvis": "spine1", "spine3": "neck"}
TIPS = {
    "head": (0.0, 0.19, 0.01),
    "left_foot": (0.01, -0.005, 0.075),
    "right_foot": (-0.01, -0.005, 0.075),
    "left_wrist": (0.17, -0.01, 0.0),
    "right_wrist": (-0.17, -0.01, 0.0),
}


def rest_positions() -> Array:
    """(22, 3) joints of the rest pose in armature space, metres."""
    positions = np.zeros((len(PARENTS), 3))
    for joint, parent in list(enumerate(PARENTS))[1:]:
        positions[joint] = positions[parent] + REST_OFFSETS[joint]
    return rot.apply(np.array(UPRIGHT), positions) + STANDING_HEIGHT * UP


def tails() -> Array:
    """(22, 3) bone tails of the rest pose in armature space, metres."""
    heads = rest_positions()
    ends = np.empty_like(heads)
    for joint, name in enumerate(JOINT_NAMES):
        if name in TIPS:
            ends[joint] = heads[joint] + rot.apply(np.array(UPRIGHT), np.array(TIPS[name]))
        else:
            target = JOINT_INDEX[POINTS_AT[name]] if name in POINTS_AT else children(joint)[0]
            ends[joint] = heads[target]
    return ends


def z_axis(joint: int) -> Array:
    """Where the bone's Z axis faces: to the front, and for feet, which point there, up.

    So X is the axis that limbs bend about, the same sign on both sides, and poses can be pasted mirrored.
    """
    return UP if JOINT_NAMES[joint].endswith(("ankle", "foot")) else FRONT


def add_bones(armature: bpy.types.Armature) -> None:
    """The 22 bones; the armature must be in edit mode."""
    heads, ends = rest_positions(), tails()
    bones = [armature.edit_bones.new(name) for name in JOINT_NAMES]
    for joint, bone in enumerate(bones):
        bone.head, bone.tail = heads[joint], ends[joint]
        bone.align_roll(Vector(z_axis(joint)))
        if PARENTS[joint] >= 0:
            bone.parent = bones[PARENTS[joint]]
            bone.use_connect = np.allclose(ends[PARENTS[joint]], heads[joint])


def is_smpl(obj: bpy.types.Object | None) -> bool:
    """Whether the object is an armature with SMPL's 22 bones under their names and parents."""
    if obj is None or obj.type != "ARMATURE":
        return False
    bones = obj.data.bones
    if JOINT_NAMES[0] not in bones or bones[JOINT_NAMES[0]].parent is not None:
        return False
    for joint, name in enumerate(JOINT_NAMES):
        bone = bones.get(name)
        if bone is None:
            return False
        parent = PARENTS[joint]
        if parent >= 0 and (bone.parent is None or bone.parent.name != JOINT_NAMES[parent]):
            return False
    return True


def use_quaternions(obj: bpy.types.Object) -> None:
    """Let the 22 bones rotate by quaternions, as the channels have them."""
    for name in JOINT_NAMES:
        obj.pose.bones[name].rotation_mode = "QUATERNION"


def channels() -> list[Channel]:
    """The 91 channels of a pose: the pelvis' location, and each bone's rotation as a quaternion."""
    found = [Channel(f'pose.bones["{JOINT_NAMES[0]}"].location', i, JOINT_NAMES[0], 0.0) for i in range(3)]
    for name in JOINT_NAMES:
        path = f'pose.bones["{name}"].rotation_quaternion'
        found += [Channel(path, i, name, float(i == 0)) for i in range(4)]
    return found


class PoseConverter:
    """Clips to the values of `channels()`, exact for any rest orientation of the bones.

    Continues from call to call: a quaternion and its negative are the same rotation, and the sign nearest to the
    frame before is the one that is safe to interpolate.
    """

    def __init__(self, armature: bpy.types.Armature) -> None:
        bones = [armature.bones[name] for name in JOINT_NAMES]
        rest = rot.from_matrix(np.array([b.matrix_local.to_3x3() for b in bones], dtype=np.float64))
        #: rest orientation of each bone seen from SMPL's own rest frame
        self._frame = rot.multiply(rot.inv(np.array(UPRIGHT)), rest)
        self._root_rest = rest[0]
        self._root_head = np.array(bones[0].head_local, dtype=np.float64)
        self._last: Array | None = None

    def __call__(self, clip: Clip) -> Array:
        """(T, 91)"""
        rotations = np.asarray(clip.rotations, dtype=np.float64)
        local = rot.multiply(rot.multiply(rot.inv(self._frame), rotations), self._frame)
        # the pelvis has no parent: its SMPL rotation is in the world, where the others are relative
        local[:, 0] = rot.multiply(rot.multiply(rot.inv(self._root_rest), rotations[:, 0]), self._frame[0])
        location = rot.apply(rot.inv(self._root_rest), np.asarray(clip.translation) - self._root_head)
        if len(local):
            if self._last is not None:
                local = rot.unflip(np.concatenate([self._last[None], local]))[1:]
            else:
                local[0] *= np.where(local[0, :, :1] < 0, -1.0, 1.0)
                local = rot.unflip(local)
            self._last = local[-1]
        return np.concatenate([location, local.reshape(len(local), -1)], axis=1)

    def follow(self, values: Array) -> None:
        """Continue from a frame with these (91,) values, whoever wrote it."""
        self._last = np.asarray(values, dtype=np.float64)[3:].reshape(len(JOINT_NAMES), 4)

    def inverse(self, values: Array, fps: float = FPS) -> Clip:
        """The clip that (T, 91) values of `channels()` show. Rotations need not be unit quaternions."""
        values = np.asarray(values, dtype=np.float64)
        local = rot.normalize(values[:, 3:].reshape(len(values), len(JOINT_NAMES), 4))
        rotations = rot.multiply(rot.multiply(self._frame, local), rot.inv(self._frame))
        rotations[:, 0] = rot.multiply(rot.multiply(self._root_rest, local[:, 0]), rot.inv(self._frame[0]))
        translation = rot.apply(self._root_rest, values[:, :3]) + self._root_head
        return Clip(translation, rotations, fps)
