"""A bone's rotation as the numbers that its rotation mode keeps: quaternion, Euler angles, axis and angle.

The same rotation has many such numbers. From frame to frame those are chosen that lie nearest, so that what is
between two keys is between their rotations.
"""

from __future__ import annotations

import numpy as np

from kmm import rotations as rot
from kmm.rotations import Array

#: Blender's names. Its Euler modes turn about the axes that stand still, in the order of the letters.
EULER = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")
MODES = ("QUATERNION", "AXIS_ANGLE", *EULER)


def width(mode: str) -> int:
    """How many numbers a rotation has."""
    return 3 if mode in EULER else 4


def encode(mode: str, rotations: Array, previous: Array | None = None) -> Array:
    """Quaternions (T, 4) as (T, width): w x y z, or the angles about X, Y, Z, or angle and axis; radians.

    previous: (width,) the numbers of the frame before, from which these go on.
    """
    q = np.asarray(rotations, dtype=float)
    if mode == "QUATERNION":
        return _going_on(q, previous)
    if mode == "AXIS_ANGLE":
        return _axis_angle(q, previous)
    if mode not in EULER:
        raise ValueError(f"a rotation mode is one of {', '.join(MODES)}, got {mode!r}")
    order = ["XYZ".index(letter) for letter in mode]
    angles = rot.as_euler(mode.lower(), q)
    angles = nearest_angles(angles, None if previous is None else np.asarray(previous)[order])
    out = np.empty_like(angles)
    out[:, order] = angles
    return out


def decode(mode: str, values: Array) -> Array:
    """(T, width) as unit quaternions (T, 4)."""
    values = np.asarray(values, dtype=float)
    if mode == "QUATERNION":
        return rot.normalize(values)
    if mode == "AXIS_ANGLE":
        axis = values[:, 1:] / np.maximum(np.linalg.norm(values[:, 1:], axis=-1, keepdims=True), 1e-12)
        return rot.from_rotvec(axis * values[:, :1])
    if mode not in EULER:
        raise ValueError(f"a rotation mode is one of {', '.join(MODES)}, got {mode!r}")
    return rot.from_euler(mode.lower(), values[:, ["XYZ".index(letter) for letter in mode]])


def nearest_angles(angles: Array, previous: Array | None = None) -> Array:
    """Tait-Bryan angles (T, ..., 3), radians, each frame's in the form nearest to the frame before.

    Every rotation has two triples of angles and all that differ from them by whole turns. Going to the other triple
    is a mirroring that keeps distances, so all frames can be chosen at once: each either keeps or changes what the
    one before has.
    """
    known = np.asarray(angles, dtype=float)
    if previous is not None:
        known = np.concatenate([np.asarray(previous, dtype=float)[None], known])
    if len(known):
        other = np.stack([known[..., 0] + np.pi, np.pi - known[..., 1], known[..., 2] + np.pi], axis=-1)
        change = _distance(other[1:], known[:-1]) < _distance(known[1:], known[:-1])
        use_other = np.cumsum(change, axis=0) % 2 == 1
        known = np.concatenate([known[:1], np.where(use_other[..., None], other[1:], known[1:])])
        known = np.unwrap(known, axis=0)
    return known if previous is None else known[1:]


def _distance(a: Array, b: Array) -> Array:
    difference = a - b
    return np.asarray(np.abs(difference - 2 * np.pi * np.round(difference / (2 * np.pi))).sum(-1))


def _going_on(q: Array, previous: Array | None) -> Array:
    if previous is not None:
        return rot.unflip(np.concatenate([np.asarray(previous, dtype=float)[None], q]))[1:]
    if len(q):
        q = q * (-1.0 if q[0, 0] < 0 else 1.0)
    return rot.unflip(q)


def _axis_angle(q: Array, previous: Array | None) -> Array:
    length = np.linalg.norm(q[:, 1:], axis=-1)
    angle = 2 * np.arctan2(length, q[:, 0])
    axis = q[:, 1:] / np.maximum(length, 1e-12)[:, None]
    clear = length > 1e-9
    if previous is None:  # before the first is what the first clear one will be, or Blender's axis at rest
        start = axis[np.argmax(clear)] if clear.any() else np.array([0.0, 1.0, 0.0])
        before = np.append(angle[0] if len(q) else 0.0, start)
    else:
        before = np.asarray(previous, dtype=float)
    # no rotation has no axis: it keeps the one before
    axis = np.concatenate([before[None, 1:], axis])
    at = np.where(np.append(True, clear), np.arange(len(axis)), 0)
    axis = axis[np.maximum.accumulate(at)]
    turned_over = np.cumsum((axis[1:] * axis[:-1]).sum(-1) < 0) % 2 == 1
    sign = np.where(turned_over, -1.0, 1.0)
    angle = np.unwrap(np.append(before[0], angle * sign))[1:]
    return np.column_stack([angle, axis[1:] * sign[:, None]])
