"""Cubics from key to key, as Blender's F-curves are with handles a third of the way, fitted by least squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmm.clip import Array

Frames = NDArray[np.int_]


def fit(
    values: Array, slopes: Array, keys: Frames, interpolation: str, weights: Array
) -> tuple[Array, Array]:
    """Values and slopes (K, C) at the keys of the curves nearest to (T, C) values by least squares, ends held.

    slopes: (T, C) the motion's own. weights: (T,) how much each frame counts.
    """
    _, shares = basis(len(values), keys, interpolation)
    weighted = weights[:, None] * shares
    starts = keys[:-1]
    moments = np.add.reduceat(weighted[:, None] * shares[None], starts, axis=2)[..., 0]  # (4, 4, K - 1)
    right = [np.add.reduceat(share * values, starts, axis=0) for share in weighted]
    # the normal equations of (value, slope) at each key, which only touch the keys beside it
    own = np.zeros((len(keys), 2, 2))
    own[:-1] += moments[:2, :2].transpose(2, 0, 1)
    own[1:] += moments[2:, 2:].transpose(2, 0, 1)
    following = moments[:2, 2:].transpose(2, 0, 1)
    wanted = np.zeros((len(keys), 2, values.shape[1]))
    wanted[:-1, 0] += right[0]
    wanted[:-1, 1] += right[1]
    wanted[1:, 0] += right[2]
    wanted[1:, 1] += right[3]
    # where frames are too few to tell the slope, it is the motion's own; the ends are where they are
    own[:, 1, 1] += 1e-3
    wanted[:, 1] += 1e-3 * slopes[keys]
    for end in (0, -1):
        own[end, 0, 0] += 1e6
        wanted[end, 0] += 1e6 * values[keys[end]]
    solved = _solve_blocks(own, following, wanted)
    return solved[:, 0], solved[:, 1] if interpolation == "BEZIER" else np.zeros_like(solved[:, 1])


def basis(length: int, keys: Frames, interpolation: str) -> tuple[Frames, Array]:
    """For each frame the key before it, and weights (4, T, 1) of that key's value and slope and the next one's."""
    frames = np.arange(length)
    i = np.clip(np.searchsorted(keys, frames, side="right") - 1, 0, len(keys) - 2)
    span = (keys[i + 1] - keys[i]).astype(float)
    s = (frames - keys[i]) / span
    if interpolation == "LINEAR":
        return i, np.stack([1 - s, 0 * s, s, 0 * s])[..., None]
    back = 1 - s
    hermite = [(1 + 2 * s) * back**2, span * s * back**2, (3 - 2 * s) * s**2, -span * s**2 * back]
    return i, np.stack(hermite)[..., None]


def _solve_blocks(own: Array, following: Array, wanted: Array) -> Array:
    """x (K, 2, C) of a symmetric system with 2 x 2 blocks on the diagonal and beside it, by elimination."""
    carried = np.empty_like(following)
    x = np.empty_like(wanted)
    for k in range(len(own)):
        block, right = own[k], wanted[k]
        if k:
            block = block - following[k - 1].T @ carried[k - 1]
            right = right - following[k - 1].T @ x[k - 1]
        (a, b), (c, d) = block
        inverse = np.array([[d, -b], [-c, a]]) / (a * d - b * c)
        x[k] = inverse @ right
        if k < len(following):
            carried[k] = inverse @ following[k]
    for k in range(len(following) - 1, -1, -1):
        x[k] -= carried[k] @ x[k + 1]
    return x
