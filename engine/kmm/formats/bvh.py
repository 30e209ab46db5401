"""BVH files <-> clips.

Written files have SMPL's joint names and rest pose (T-pose), Y up facing +Z, so Blender's importer at its default
settings (forward -Z, up Y) shows the motion where the clip has it. BVH has no place for contacts and segments.
Other skeletons are read by `kmm.formats.bvh_parser`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from kmm import rotations as rot
from kmm.clip import Clip
from kmm.formats.bvh_parser import Bvh, parse
from kmm.formats.files import replacing
from kmm.rotations import Array
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES, PARENTS, REST_OFFSETS, UPRIGHT, children

UNITS: dict[str, float] = {"m": 1.0, "cm": 100.0}  #: file units in a metre

#: The commonest order, and one for all joints: some readers take the first joint's for every joint.
ORDER = "ZXY"

#: Where the chains end, metres from their last joint; viewers draw the last bone to there.
_ENDS = {
    "head": (0.0, 0.16, 0.02),
    "left_foot": (0.0, 0.0, 0.06),
    "right_foot": (0.0, 0.0, 0.06),
    "left_wrist": (0.09, 0.0, 0.0),
    "right_wrist": (-0.09, 0.0, 0.0),
}

#: Joints whose bone from the parent must point as SMPL's does at rest, for rotations to mean the same.
_LIMBS = [
    JOINT_INDEX[f"{side}_{n}"] for side in ("left", "right") for n in ("knee", "ankle", "elbow", "wrist")
]


def load(path: str | os.PathLike[str]) -> Clip:
    """Read a BVH of the SMPL skeleton at its own rate; metres and centimetres are told apart by the limbs' length.

    ValueError, naming the file, if it is damaged or has another skeleton.
    """
    try:
        return to_clip(parse(Path(path).read_bytes().decode("utf-8-sig", errors="replace")))
    except ValueError as error:
        raise ValueError(f"{Path(path).name}: {error}") from error


def save(clip: Clip, path: str | os.PathLike[str], unit: Literal["m", "cm"] = "m") -> None:
    """Write a clip; `load` gives it back to 1e-5, without contacts and segments."""
    text = from_clip(clip, unit)
    with replacing(path) as file:
        file.write(text.encode())


def to_clip(bvh: Bvh) -> Clip:
    """The motion of a BVH with SMPL's joint names, parents and rest directions; it may have more joints."""
    where = {name.lower(): i for i, name in enumerate(bvh.names)}
    missing = [name for name in JOINT_NAMES if name not in where]
    if missing:
        raise ValueError(
            f"not the SMPL skeleton: no joint {missing[0]!r} (the first joint is {bvh.names[0]!r}); "
            "motions of other skeletons must be retargeted"
        )
    order = [where[name] for name in JOINT_NAMES]
    for joint, parent in list(enumerate(PARENTS))[1:]:
        if bvh.parents[order[joint]] != order[parent]:
            raise ValueError(
                f"not the SMPL skeleton: {JOINT_NAMES[joint]!r} is not a child of {JOINT_NAMES[parent]!r}"
            )
    ours, theirs = REST_OFFSETS[_LIMBS], bvh.offsets[order][_LIMBS]
    our_length, length = np.linalg.norm(ours, axis=-1), np.linalg.norm(theirs, axis=-1)
    if not ((ours * theirs).sum(-1) > 0.9 * our_length * length).all():
        raise ValueError("not SMPL's rest pose (T-pose, Y up, facing +Z): the motion must be retargeted")
    size = length.sum() / our_length.sum()
    scale = min(UNITS.values(), key=lambda s: abs(np.log(size / s)))
    rotations = bvh.rotations()[:, order]
    rotations[:, 0] = rot.multiply(UPRIGHT, rotations[:, 0])
    return Clip(rot.apply(UPRIGHT, bvh.translations()[:, order[0]] / scale), rotations, bvh.fps)


def from_clip(clip: Clip, unit: Literal["m", "cm"] = "m") -> str:
    """The text of a BVH file of the clip."""
    if unit not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {unit!r}")
    scale = UNITS[unit]
    lines = ["HIERARCHY"]
    order = _write_joint(lines, 0, scale, "")
    rotations = clip.rotations.astype(float)
    rotations[:, 0] = rot.multiply(rot.inv(UPRIGHT), rotations[:, 0])
    angles = np.degrees(_continuous(rot.as_euler(ORDER, rotations)))[:, order]
    position = rot.apply(rot.inv(UPRIGHT), clip.translation.astype(float)) * scale
    values = np.concatenate([position, angles.reshape(len(clip), 3 * len(order))], axis=1)
    lines += ["MOTION", f"Frames: {len(clip)}", f"Frame Time: {1 / clip.fps:.17g}"]
    row = " ".join(["%.6f"] * values.shape[1])
    lines += [row % tuple(frame) for frame in values.tolist()]
    return "\n".join(lines) + "\n"


def _write_joint(lines: list[str], joint: int, scale: float, tab: str) -> list[int]:
    """Add a joint and all below it to the text; the joints' indices in the order written."""
    name, root = JOINT_NAMES[joint], PARENTS[joint] < 0
    channels = [f"{axis}position" for axis in "XYZ" if root] + [f"{axis}rotation" for axis in ORDER]

    def offset(at: ArrayLike) -> str:
        return "OFFSET " + " ".join(f"{x:.6f}" for x in np.asarray(at) * scale)

    lines += [
        f"{tab}{'ROOT' if root else 'JOINT'} {name}",
        f"{tab}{{",
        f"{tab}\t{offset(REST_OFFSETS[joint])}",
        f"{tab}\tCHANNELS {len(channels)} {' '.join(channels)}",
    ]
    order = [joint]
    for child in children(joint):
        order += _write_joint(lines, child, scale, tab + "\t")
    if name in _ENDS:
        lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\t{offset(_ENDS[name])}", f"{tab}\t}}"]
    lines += [f"{tab}}}"]
    return order


def _continuous(angles: Array) -> Array:
    """Tait-Bryan angles (T, J, 3), radians, each frame's in the form nearest to the frame before."""
    angles = angles.copy()
    # the other three angles of the same rotation
    other = np.stack([angles[..., 0] + np.pi, np.pi - angles[..., 1], angles[..., 2] + np.pi], axis=-1)
    for t in range(1, len(angles)):
        near = [a + 2 * np.pi * np.round((angles[t - 1] - a) / (2 * np.pi)) for a in (angles[t], other[t])]
        first, second = (np.abs(a - angles[t - 1]).sum(-1, keepdims=True) for a in near)
        angles[t] = np.where(first <= second, near[0], near[1])
    return angles
