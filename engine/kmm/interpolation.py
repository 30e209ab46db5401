"""A smooth way through values that are known at some frames only."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from kmm.clip import Array


def through(at: ArrayLike, values: ArrayLike, frames: ArrayLike) -> Array:
    """Values (n, ...) at `frames` (n,) of a curve through `values` (k, ...) at frames `at` (k,), ascending.

    Piecewise cubic with Fritsch and Butland's slopes (SIAM J. Sci. Stat. Comput. 5, 1984): it never goes beyond the
    two values that it is between. Flat at both ends, and constant beyond them.
    """
    at, values, frames = np.asarray(at, float), np.asarray(values, float), np.asarray(frames, float)
    if len(at) == 1:
        return np.repeat(values, len(frames), axis=0)
    column = (slice(None), *(None,) * (values.ndim - 1))
    width = np.diff(at)[column]
    slope = np.diff(values, axis=0) / width
    slopes = np.zeros_like(values)
    if len(at) > 2:
        before, after = 2 * width[1:] + width[:-1], width[1:] + 2 * width[:-1]
        same = slope[:-1] * slope[1:] > 0
        left, right = np.where(same, slope[:-1], 1.0), np.where(same, slope[1:], 1.0)
        slopes[1:-1] = np.where(same, (before + after) / (before / left + after / right), 0.0)
    i = np.clip(np.searchsorted(at, frames, side="right") - 1, 0, len(at) - 2)
    s = np.clip((frames - at[i]) / (at[i + 1] - at[i]), 0.0, 1.0)[column]
    rise = s * s * (3 - 2 * s)
    bend = slopes[i] * s * (1 - s) ** 2 - slopes[i + 1] * s * s * (1 - s)
    return np.asarray(values[i] + (values[i + 1] - values[i]) * rise + width[i] * bend)
