"""Rotation maths on arrays of unit quaternions (w, x, y, z), named as scipy.spatial.transform names it.

Every function takes and gives arrays of shape (..., 4) for quaternions, (..., 3, 3) for matrices, (..., 3) for
rotation vectors (axis times angle, radians) and broadcasts over the leading axes. Inputs are not normalised
unless a function says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]

IDENTITY: Array = np.array([1.0, 0.0, 0.0, 0.0])
IDENTITY.setflags(write=False)


def _floats(values: ArrayLike) -> Array:
    values = np.asarray(values)
    return values.astype(np.result_type(values, np.float32), copy=False)


def normalize(q: ArrayLike) -> Array:
    """(..., 4) scaled to unit length; a zero quaternion becomes the identity."""
    q = _floats(q)
    n = np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(n > 1e-12, q / np.maximum(n, 1e-12), IDENTITY.astype(q.dtype))


def multiply(p: ArrayLike, q: ArrayLike) -> Array:
    """Hamilton product: the rotation q followed by p."""
    p, q = np.asarray(p), np.asarray(q)
    pw, px, py, pz = p[..., 0], p[..., 1], p[..., 2], p[..., 3]
    qw, qx, qy, qz = q[..., 0], q[..., 1], q[..., 2], q[..., 3]
    return np.stack(
        [
            pw * qw - px * qx - py * qy - pz * qz,
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
        ],
        axis=-1,
    )


def inv(q: ArrayLike) -> Array:
    """Inverse of unit quaternions (the conjugate)."""
    q = np.asarray(q)
    return np.asarray(q * np.array([1, -1, -1, -1], dtype=q.dtype))


def apply(q: ArrayLike, v: ArrayLike) -> Array:
    """Vectors (..., 3) turned by quaternions (..., 4)."""
    q, v = np.asarray(q), np.asarray(v)
    w, u = q[..., :1], q[..., 1:]
    t = 2.0 * _cross(u, v)
    return np.asarray(v + w * t + _cross(u, t))


def _cross(a: Array, b: Array) -> Array:
    """numpy's own takes three times as long, most of it to find out which axis is meant."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], axis=-1)


def from_rotvec(r: ArrayLike) -> Array:
    """Rotation vectors (..., 3), radians, to quaternions with w >= 0 for angles up to pi."""
    r = _floats(r)
    angle = np.linalg.norm(r, axis=-1, keepdims=True)
    # sin(a/2)/a by its series near zero, where the quotient loses all digits
    scale = np.where(angle < 1e-4, 0.5 - angle**2 / 48.0, np.sin(angle / 2) / np.maximum(angle, 1e-12))
    return np.concatenate([np.cos(angle / 2), r * scale], axis=-1)


def as_rotvec(q: ArrayLike) -> Array:
    """Quaternions to rotation vectors of length at most pi."""
    q = np.asarray(q)
    q = np.where(q[..., :1] < 0, -q, q)
    s = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(s, q[..., :1])
    scale = np.where(s < 1e-6, 2.0, angle / np.maximum(s, 1e-12))
    return np.asarray(q[..., 1:] * scale)


def as_matrix(q: ArrayLike) -> Array:
    """Unit quaternions to rotation matrices (..., 3, 3), columns are the turned axes."""
    w, x, y, z = np.moveaxis(np.asarray(q), -1, 0)
    m = np.stack(
        [
            1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
            2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
            2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
        ],
        axis=-1,
    )  # fmt: skip
    return m.reshape(*m.shape[:-1], 3, 3)


def from_matrix(m: ArrayLike) -> Array:
    """Rotation matrices to unit quaternions, by the largest of the four components (Shepperd's method)."""
    m = np.asarray(m)
    d = np.stack([m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]], axis=-1)
    trace = d.sum(-1, keepdims=True)
    # four times the square of each of (w, x, y, z)
    squares = np.concatenate([1 + trace, 1 - trace + 2 * d], axis=-1)
    yz, zx, xy = (m[..., i, j] for i, j in ((2, 1), (0, 2), (1, 0)))
    zy, xz, yx = (m[..., i, j] for i, j in ((1, 2), (2, 0), (0, 1)))
    # rows: the quaternion times four of its own w, x, y, z
    rows = np.stack(
        [
            np.stack([squares[..., 0], yz - zy, zx - xz, xy - yx], axis=-1),
            np.stack([yz - zy, squares[..., 1], xy + yx, zx + xz], axis=-1),
            np.stack([zx - xz, xy + yx, squares[..., 2], yz + zy], axis=-1),
            np.stack([xy - yx, zx + xz, yz + zy, squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(squares, axis=-1)[..., None, None]
    return normalize(np.take_along_axis(rows, best, axis=-2)[..., 0, :])


def as_6d(q: ArrayLike) -> Array:
    """(..., 6): the first two columns of the rotation matrix, one after the other (Zhou et al. 2019)."""
    m = as_matrix(q)
    return np.concatenate([m[..., :, 0], m[..., :, 1]], axis=-1)


def from_6d(d: ArrayLike) -> Array:
    """Any (..., 6) whose halves are not parallel to quaternions, by Gram-Schmidt."""
    d = np.asarray(d)
    a, b = d[..., :3], d[..., 3:]
    x = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-8)
    b = b - (x * b).sum(-1, keepdims=True) * x
    y = b / np.maximum(np.linalg.norm(b, axis=-1, keepdims=True), 1e-8)
    return from_matrix(np.stack([x, y, np.cross(x, y)], axis=-1))


def from_euler(seq: str, angles: ArrayLike) -> Array:
    """Euler angles (..., 3) in radians to quaternions; `seq` as in scipy: "XYZ" intrinsic, "xyz" extrinsic."""
    angles = _floats(angles)
    q = np.broadcast_to(IDENTITY.astype(angles.dtype), (*angles.shape[:-1], 4))
    for i, axis in enumerate(seq):
        half = angles[..., i] / 2
        turn = np.zeros_like(q)
        turn[..., 0] = np.cos(half)
        turn[..., 1 + "xyz".index(axis.lower())] = np.sin(half)
        q = multiply(q, turn) if seq.isupper() else multiply(turn, q)
    return q


def as_euler(seq: str, q: ArrayLike) -> Array:
    """Quaternions to Tait-Bryan angles (..., 3), radians; `seq` has three different letters, as in `from_euler`.

    At gimbal lock the third (intrinsic) angle is zero.
    """
    if not seq.isupper():
        return as_euler(seq[::-1].upper(), q)[..., ::-1]
    i, j, k = ("XYZ".index(c) for c in seq)
    sign = 1.0 if (i, j, k) in ((0, 1, 2), (1, 2, 0), (2, 0, 1)) else -1.0
    m = as_matrix(q)
    cos_middle = np.hypot(m[..., j, k], m[..., k, k])
    middle = np.arctan2(sign * m[..., i, k], cos_middle)
    first = np.where(
        cos_middle < 1e-9,
        np.arctan2(sign * m[..., k, j], m[..., j, j]),
        np.arctan2(-sign * m[..., j, k], m[..., k, k]),
    )
    # the third from what is left once the first is undone: exact however near the lock is
    c, s = np.cos(first), sign * np.sin(first)
    third = np.arctan2(sign * (c * m[..., j, i] + s * m[..., k, i]), c * m[..., j, j] + s * m[..., k, j])
    return np.stack([first, middle, third], axis=-1)


def magnitude(q: ArrayLike) -> Array:
    """Angle of each rotation, radians in [0, pi]."""
    q = np.asarray(q)
    return np.asarray(2.0 * np.arctan2(np.linalg.norm(q[..., 1:], axis=-1), np.abs(q[..., 0])))


def slerp(a: ArrayLike, b: ArrayLike, t: ArrayLike) -> Array:
    """From a (t = 0) to b (t = 1) at constant speed along the shorter arc; t broadcasts against (...)."""
    a, b, t = np.asarray(a), np.asarray(b), np.asarray(t)[..., None]
    return multiply(a, from_rotvec(as_rotvec(multiply(inv(a), b)) * t))


def shortest_arc(u: ArrayLike, v: ArrayLike) -> Array:
    """The smallest rotation that turns direction u (..., 3) into direction v; for opposite ones any half turn."""
    a, b = np.asarray(u, dtype=float), np.asarray(v, dtype=float)
    a = a / np.linalg.norm(a, axis=-1, keepdims=True)
    b = b / np.linalg.norm(b, axis=-1, keepdims=True)
    dot = (a * b).sum(-1, keepdims=True)
    # a direction surely not parallel to a, for the half turn
    helper = np.where(np.abs(a[..., :1]) < 0.9, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    half_turn = np.concatenate([np.zeros_like(dot), np.cross(a, helper)], axis=-1)
    q = np.concatenate([1 + dot, np.cross(a, b)], axis=-1)
    return normalize(np.where(dot < -1 + 1e-9, half_turn, q))


def twist(q: ArrayLike, axis: ArrayLike) -> Array:
    """The part of q that turns about the unit vector `axis` (swing-twist: q = swing * twist)."""
    q, axis = np.asarray(q), np.asarray(axis)
    along = (q[..., 1:] * axis).sum(-1, keepdims=True)
    return normalize(np.concatenate([q[..., :1], along * axis], axis=-1))


def unflip(q: ArrayLike) -> Array:
    """Signs chosen so that neighbours along axis 0 lie in one hemisphere: the same rotations, safe to key."""
    q = np.array(q)
    if len(q) > 1:
        flips = (q[1:] * q[:-1]).sum(-1) < 0
        q[1:] *= np.where(np.cumsum(flips, axis=0) % 2, -1, 1)[..., None]
    return q
