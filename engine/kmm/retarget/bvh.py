"""BVH files of any humanoid as motion to retarget, and as clips of the SMPL body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kmm.clip import Clip
from kmm.formats.bvh_parser import Bvh
from kmm.retarget import smpl
from kmm.retarget.bone_map import BoneMap, named
from kmm.retarget.guess import guess
from kmm.retarget.matching import best
from kmm.retarget.retargeter import Options, Retargeter
from kmm.retarget.rig import Rig
from kmm.rotations import Array, as_matrix

#: Below this confidence a guess is not used unasked.
CONFIDENT = 0.5


def rig(bvh: Bvh, reference: int | None = None) -> Rig:
    """The file's skeleton in the file's axes and units, on a floor at height zero.

    reference: a frame in which the body stands upright, for a file whose rest pose is none.
    """
    rest = np.tile(np.eye(4), (len(bvh.names), 1, 1))
    for joint, parent in enumerate(bvh.parents):
        rest[joint, :3, 3] = bvh.offsets[joint] + (rest[parent, :3, 3] if parent >= 0 else 0.0)
    still = Rig(bvh.names, bvh.parents, rest, floor=0.0)
    if reference is None:
        return still
    rotations, heads = pose(bvh, tuple(range(len(bvh.names))), still)
    posed = rest.copy()
    posed[:, :3, :3], posed[:, :3, 3] = as_matrix(rotations[reference]), heads[reference]
    return replace(still, reference=posed)


def pose(bvh: Bvh, bones: tuple[int, ...], skeleton: Rig) -> tuple[Array, Array]:
    """Rotations (T, B, 4) and heads (T, B, 3) of some joints: what a `Retargeter` takes."""
    rotations, moved = bvh.rotations(), bvh.translations() - bvh.offsets
    return skeleton.pose(
        {name: rotations[:, i] for i, name in enumerate(bvh.names)},
        {name: moved[:, i] for i, name in enumerate(bvh.names) if np.any(moved[:, i])},
        bones,
        len(bvh),
    )


def to_clip(
    bvh: Bvh, bone_map: BoneMap | None = None, reference: int | None = None, feet: bool = True
) -> Clip:
    """The motion on the SMPL body, at the file's rate; ValueError if the skeleton is not known for a humanoid.

    bone_map: None for the built-in one that fits the joints' names, or a confident guess. feet: see `Options`.
    """
    skeleton = rig(bvh, reference)
    if bone_map is None:
        match, guessed = best(bvh.names), guess(skeleton)
        if match is not None:
            bone_map = match.bone_map
        elif guessed is not None and guessed.confidence >= CONFIDENT:
            bone_map = guessed.bone_map
        else:
            raise ValueError("the joints are not known for those of a humanoid: give a bone map")
    retargeter = Retargeter(skeleton, bone_map, smpl.rig(), named("smpl"), Options(feet=feet))
    return smpl.clip(retargeter(*pose(bvh, retargeter.source_bones, skeleton)), bvh.fps)
