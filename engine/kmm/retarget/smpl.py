"""The SMPL body as a rig, and clips as its poses: the source of what is generated."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kmm.clip import FPS, Clip, forward_kinematics
from kmm.retarget.posed import Keys
from kmm.retarget.rig import Rig
from kmm.rotations import IDENTITY, Array, apply, as_matrix, multiply
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS, REST_OFFSETS, STANDING_HEIGHT, UPRIGHT


def rig(offsets: ArrayLike = REST_OFFSETS, height: float = STANDING_HEIGHT) -> Rig:
    """SMPL standing in its T-pose on the floor z = 0, facing -Y; armature space is a clip's world.

    offsets: (22, 3) rest offsets of the joints, height: of the pelvis, metres.
    """
    offsets = np.asarray(offsets, dtype=float)
    heads = np.zeros((len(PARENTS), 3))
    for joint, parent in list(enumerate(PARENTS))[1:]:
        heads[joint] = heads[parent] + offsets[joint]
    rest = np.tile(np.eye(4), (len(PARENTS), 1, 1))
    rest[:, :3, :3] = as_matrix(np.array(UPRIGHT))
    rest[:, :3, 3] = apply(np.array(UPRIGHT), heads) + np.array([0.0, 0.0, height])
    return Rig(JOINT_NAMES, PARENTS, rest, floor=0.0)


def pose(clip: Clip, bones: tuple[int, ...], offsets: ArrayLike = REST_OFFSETS) -> tuple[Array, Array]:
    """Armature-space rotations (T, B, 4) and heads (T, B, 3) of some joints: what a `Retargeter` takes."""
    heads, rotations = forward_kinematics(
        clip.translation.astype(float), clip.rotations.astype(float), offsets
    )
    return rotations[:, bones], heads[:, bones]


def clip(keys: Keys, fps: float = FPS, height: float = STANDING_HEIGHT) -> Clip:
    """The clip that keys for `rig` make; joints without keys are at rest."""
    rotations = np.tile(IDENTITY, (len(keys), len(JOINT_NAMES), 1))
    for i, name in enumerate(keys.bones):
        rotations[:, JOINT_INDEX[name]] = keys.rotations[:, i]
    rotations[:, 0] = multiply(np.array(UPRIGHT), rotations[:, 0])
    translation = np.tile([0.0, 0.0, height], (len(keys), 1))
    if JOINT_NAMES[0] in keys.located:
        moved = keys.locations[:, keys.located.index(JOINT_NAMES[0])]
        translation += apply(np.array(UPRIGHT), moved)
    return Clip(translation, rotations, fps)
