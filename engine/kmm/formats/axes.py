"""Units and axes of files, and how a skeleton in a file is known to be SMPL's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from kmm import rotations as rot
from kmm.clip import Clip
from kmm.rotations import Array
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS, REST_OFFSETS, UPRIGHT

Units = Literal["m", "cm"]
Up = Literal["y", "z"]

UNITS: dict[str, float] = {"m": 1.0, "cm": 100.0}  #: file units in a metre

#: Joints whose bone from the parent must point as SMPL's does at rest, for rotations to mean the same.
_LIMBS = [
    JOINT_INDEX[f"{side}_{n}"] for side in ("left", "right") for n in ("knee", "ankle", "elbow", "wrist")
]


def turn(up: Up) -> Array:
    """The rotation (4,) from a clip's world, Z up, to a file's; facing -Y becomes facing +Z where Y is up."""
    return np.array(rot.IDENTITY) if up == "z" else rot.inv(np.array(UPRIGHT))


def to_file(clip: Clip, units: Units, up: Up) -> tuple[Array, Array]:
    """The pelvis' position (T, 3) and all local rotations (T, 22, 4) in a file's world, 64 bit."""
    rotations = clip.rotations.astype(float)
    rotations[:, 0] = rot.multiply(turn(up), rotations[:, 0])
    return rot.apply(turn(up), clip.translation.astype(float)) * UNITS[units], rotations


def rest_rotation(up: Up) -> Array:
    """The pelvis' world rotation (4,) at rest in a file's world; facing the front, arms to the sides."""
    return rot.multiply(turn(up), np.array(UPRIGHT))


def smpl_joints(names: Sequence[str], parents: Sequence[int]) -> list[int]:
    """Where each of SMPL's 22 joints is in a file's list. ValueError if one is not there or hangs elsewhere."""
    where = {name.lower(): i for i, name in enumerate(names)}
    missing = [name for name in JOINT_NAMES if name not in where]
    if missing:
        raise ValueError(
            f"not the SMPL skeleton: no joint {missing[0]!r} (the first joint is {names[0]!r}); "
            "motions of other skeletons must be retargeted"
        )
    order = [where[name] for name in JOINT_NAMES]
    for joint, parent in list(enumerate(PARENTS))[1:]:
        if parents[order[joint]] != order[parent]:
            raise ValueError(
                f"not the SMPL skeleton: {JOINT_NAMES[joint]!r} is not a child of {JOINT_NAMES[parent]!r}"
            )
    return order


def is_smpl_rest(offsets: Array) -> bool:
    """Whether the limbs of a rest pose with these offsets (22, 3) point as SMPL's do (Y up, facing +Z)."""
    ours, theirs = REST_OFFSETS[_LIMBS], offsets[_LIMBS]
    lengths = np.linalg.norm(ours, axis=-1) * np.linalg.norm(theirs, axis=-1)
    return bool(((ours * theirs).sum(-1) > 0.9 * lengths).all())


def scale(offsets: Array) -> float:
    """File units in a metre, metres and centimetres told apart by the length of the limbs of (22, 3) offsets."""
    size = (
        np.linalg.norm(offsets[_LIMBS], axis=-1).sum() / np.linalg.norm(REST_OFFSETS[_LIMBS], axis=-1).sum()
    )
    return min(UNITS.values(), key=lambda unit: abs(np.log(size / unit)))
