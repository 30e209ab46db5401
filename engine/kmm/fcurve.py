"""Blender's F-curves in numpy: what a curve is at any frame, from its keys.

The same as `FCurve.evaluate` of bpy, to single precision, for the interpolations that hold a motion: Bezier, linear
and constant. Before the first key and after the last the value is theirs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]

INTERPOLATIONS = ("BEZIER", "LINEAR", "CONSTANT")
ON_KEY = 1e-4  #: frames; so near to a key, Blender takes the key's own value


def evaluate(
    frames: ArrayLike,
    co: ArrayLike,
    handle_left: ArrayLike,
    handle_right: ArrayLike,
    interpolation: str | ArrayLike = "BEZIER",
) -> Array:
    """Values (T,) at frames (T,) of a curve with keys `co` (K, 2) and handles (K, 2): frame and value, as in bpy.

    interpolation: one of `INTERPOLATIONS` for all keys, or (K,); a key's is that of the stretch after it. The keys
    are in the order of their frames. ValueError for another interpolation, or for no keys.
    """
    at, keys = np.asarray(frames, float), np.asarray(co, float)
    if not len(keys):
        raise ValueError("a curve without keys has no value")
    kinds = np.broadcast_to(np.asarray(interpolation), len(keys))
    if not np.isin(kinds, INTERPOLATIONS).all():
        raise ValueError(f"interpolation must be one of {', '.join(INTERPOLATIONS)}")
    if len(keys) == 1:
        return np.full(at.shape, keys[0, 1])
    i = np.clip(np.searchsorted(keys[:, 0], at, side="right") - 1, 0, len(keys) - 2)
    begin, end = keys[i], keys[i + 1]
    share = np.clip((at - begin[:, 0]) / np.maximum(end[:, 0] - begin[:, 0], 1e-12), 0.0, 1.0)
    value = begin[:, 1] + (end[:, 1] - begin[:, 1]) * share
    curved = np.flatnonzero(kinds[i] == "BEZIER")
    a, b = i[curved], i[curved] + 1
    handles = np.asarray(handle_right, float)[a], np.asarray(handle_left, float)[b]
    value[curved] = _bezier(at[curved], keys[a], *handles, keys[b])
    value = np.where(kinds[i] == "CONSTANT", begin[:, 1], value)
    value = np.where(at <= begin[:, 0] + ON_KEY, begin[:, 1], value)
    return np.where(at >= end[:, 0] - ON_KEY, end[:, 1], value)


def _bezier(at: Array, begin: Array, right: Array, left: Array, end: Array) -> Array:
    """Values of Bezier stretches (n, 2) of (frame, value) points, each at one frame."""
    # a handle never reaches beyond the key at the other end, so that the curve has one value at each frame
    out, back = right - begin, end - left
    span = (end - begin)[:, :1]
    out = out * np.minimum(1.0, span / np.maximum(np.abs(out[:, :1]), 1e-12))
    back = back * np.minimum(1.0, span / np.maximum(np.abs(back[:, :1]), 1e-12))
    points = np.stack([begin, begin + out, end - back, end])
    s = _solve(points[..., 0] - points[:1, :, 0], at - begin[:, 0])
    return np.asarray((_bernstein(s) * points[..., 1]).sum(0))


def _bernstein(s: Array) -> Array:
    return np.stack([(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3])


def _solve(x: Array, wanted: Array) -> Array:
    """Where on the curve (0 to 1) each of n rising cubics with Bezier numbers x (4, n) is at what is wanted (n,)."""
    low, high = np.zeros_like(wanted), np.ones_like(wanted)
    s = wanted / np.maximum(x[3], 1e-12)
    for _ in range(60):
        miss = (_bernstein(s) * x).sum(0) - wanted
        if (np.abs(miss) <= 1e-10 * x[3]).all():
            break
        low, high = np.where(miss < 0, s, low), np.where(miss < 0, high, s)
        step = np.diff(x, axis=0) * 3
        slope = (1 - s) ** 2 * step[0] + 2 * s * (1 - s) * step[1] + s**2 * step[2]
        newton = s - miss / np.where(np.abs(slope) > 1e-12, slope, np.inf)
        s = np.where((newton > low) & (newton < high), newton, (low + high) / 2)
    return np.asarray(s)
