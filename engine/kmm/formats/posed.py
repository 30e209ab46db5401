"""The motion of SMPL's joints out of positions and rotations in a file's world."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kmm import rotations as rot
from kmm.clip import Clip
from kmm.formats.axes import Up, is_smpl_rest, rest_rotation, scale, smpl_joints, turn
from kmm.rotations import Array
from kmm.skeleton import PARENTS


def clip_of_world(
    names: Sequence[str],
    parents: Sequence[int],
    rest_positions: Array,
    rest_rotations: Array,
    positions: Array,
    rotations: Array,
    fps: float,
    up: Up = "y",
) -> Clip:
    """The clip of J joints (22 or more) that move over T frames in a file's world, however their axes lie at rest.

    rest_positions (J, 3), rest_rotations (J, 4), positions (T, J, 3), rotations (T, J, 4). Metres and centimetres
    are told apart by the length of the limbs. ValueError if it is not SMPL's skeleton in SMPL's rest pose.
    """
    order = smpl_joints(names, parents)
    rest = rest_rotation(up)
    at = rot.apply(rot.inv(rest), rest_positions[order])
    offsets = at - at[list(PARENTS)]
    if not is_smpl_rest(offsets):
        raise ValueError("not SMPL's rest pose (T-pose, facing the front): the motion must be retargeted")
    # how far each joint is turned from rest, in the world; SMPL's own axes lie along the world's at rest
    turned = rot.multiply(rot.multiply(rotations[:, order], rot.inv(rest_rotations[order])), rest)
    local = turned.copy()
    local[:, 1:] = rot.multiply(rot.inv(turned[:, list(PARENTS[1:])]), turned[:, 1:])
    local[:, 0] = rot.multiply(rot.inv(turn(up)), turned[:, 0])
    translation = rot.apply(rot.inv(turn(up)), positions[:, order[0]]) / scale(offsets)
    return Clip(translation, rot.normalize(local), fps)


def unscaled(matrices: Array) -> Array:
    """(..., 3, 3) rotation matrices of (..., 4, 4) matrices whose columns are axes, freed of scale."""
    axes = matrices[..., :3, :3]
    return np.asarray(axes / np.linalg.norm(axes, axis=-2, keepdims=True))
