"""BVH files <-> clips.

Written files have SMPL's joint names and rest pose (T-pose), and unless told otherwise Y up facing +Z, so Blender's
importer at its default settings (forward -Z, up Y) shows the motion where the clip has it. BVH has no place for
contacts and segments. Other skeletons are read by `kmm.formats.bvh_parser`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from kmm import rotations as rot
from kmm.body import Body
from kmm.clip import Clip
from kmm.formats.axes import UNITS, Units, Up, is_smpl_rest, rest_rotation, scale, smpl_joints, to_file
from kmm.formats.bvh_parser import Bvh, parse
from kmm.formats.files import replacing
from kmm.rotations import Array
from kmm.skeleton import JOINT_NAMES, PARENTS, REST_OFFSETS, UPRIGHT, children

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

#: What can be chosen of a file; the first is what Blender and most readers expect.
CHOICES = {"units": ("m", "cm"), "up": ("y", "z")}


def load(path: str | os.PathLike[str]) -> Clip:
    """Read a BVH of the SMPL skeleton at its own rate; metres and centimetres are told apart by the limbs' length.

    ValueError, naming the file, if it is damaged or has another skeleton.
    """
    try:
        return to_clip(parse(Path(path).read_bytes().decode("utf-8-sig", errors="replace")))
    except ValueError as error:
        raise ValueError(f"{Path(path).name}: {error}") from error


def save(
    clip: Clip,
    path: str | os.PathLike[str],
    units: Units = "m",
    up: Up = "y",
    body: Body | None = None,
) -> None:
    """Write a clip; `load` gives it back to 1e-5, without contacts and segments. body: whose offsets to write."""
    text = from_clip(clip, units, up, REST_OFFSETS if body is None else body.offsets)
    with replacing(path) as file:
        file.write(text.encode())


def to_clip(bvh: Bvh) -> Clip:
    """The motion of a BVH with SMPL's joint names, parents and rest directions; it may have more joints."""
    order = smpl_joints(bvh.names, bvh.parents)
    offsets, rotations = bvh.offsets[order], bvh.rotations()[:, order]
    positions = bvh.translations()[:, order[0]]
    upright = np.array(UPRIGHT)
    if is_smpl_rest(offsets):
        rotations[:, 0] = rot.multiply(upright, rotations[:, 0])
        positions = rot.apply(upright, positions)
    elif is_smpl_rest(rot.apply(rot.inv(upright), offsets)):  # the same with Z up
        rotations[:, 1:] = rot.multiply(rot.multiply(rot.inv(upright), rotations[:, 1:]), upright)
        rotations[:, 0] = rot.multiply(rotations[:, 0], upright)
    else:
        raise ValueError("not SMPL's rest pose (T-pose, Y up, facing +Z): the motion must be retargeted")
    return Clip(positions / scale(offsets), rotations, bvh.fps)


def from_clip(clip: Clip, units: Units = "m", up: Up = "y", offsets: Array = REST_OFFSETS) -> str:
    """The text of a BVH file of the clip, for a body with these offsets (22, 3), metres."""
    if units not in UNITS:
        raise ValueError(f"units must be one of {', '.join(UNITS)}, got {units!r}")
    lines = ["HIERARCHY"]
    # BVH has no rotations at rest: where Z is up the rest pose itself is turned, and every rotation with it
    rest = rest_rotation(up)
    order = _write_joint(lines, 0, rot.apply(rest, offsets) * UNITS[units], rest, UNITS[units], "")
    position, rotations = to_file(clip, units, up)
    rotations[:, 1:] = rot.multiply(rest, rotations[:, 1:])
    rotations = rot.multiply(rotations, rot.inv(rest))
    angles = np.degrees(_continuous(rot.as_euler(ORDER, rotations)))[:, order]
    values = np.concatenate([position, angles.reshape(len(clip), 3 * len(order))], axis=1)
    lines += ["MOTION", f"Frames: {len(clip)}", f"Frame Time: {1 / clip.fps:.17g}"]
    row = " ".join(["%.6f"] * values.shape[1])
    lines += [row % tuple(frame) for frame in values.tolist()]
    return "\n".join(lines) + "\n"


def _write_joint(
    lines: list[str], joint: int, offsets: Array, rest: Array, unit: float, tab: str
) -> list[int]:
    """Add a joint and all below it to the text; the joints' indices in the order written."""
    name, root = JOINT_NAMES[joint], PARENTS[joint] < 0
    channels = [f"{axis}position" for axis in "XYZ" if root] + [f"{axis}rotation" for axis in ORDER]

    def offset(at: Array) -> str:
        return "OFFSET " + " ".join(f"{x:.6f}" for x in at)

    lines += [
        f"{tab}{'ROOT' if root else 'JOINT'} {name}",
        f"{tab}{{",
        f"{tab}\t{offset(offsets[joint])}",
        f"{tab}\tCHANNELS {len(channels)} {' '.join(channels)}",
    ]
    order = [joint]
    for child in children(joint):
        order += _write_joint(lines, child, offsets, rest, unit, tab + "\t")
    if name in _ENDS:
        end = rot.apply(rest, np.array(_ENDS[name])) * unit
        lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\t{offset(end)}", f"{tab}\t}}"]
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
