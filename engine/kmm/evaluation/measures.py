"""Measures over a whole motion, floats in metres, degrees and seconds: what `predicates` compare."""

from __future__ import annotations

import numpy as np

from kmm.data import actions
from kmm.data.signals import Signals


def forward(s: Signals) -> float:
    """Distance gone ahead in the body's own frame (negative: backwards)."""
    return float(s.velocity[:, 0].sum() / s.fps)


def left(s: Signals) -> float:
    """Distance gone to the body's own left (negative: right)."""
    return float(s.velocity[:, 1].sum() / s.fps)


def travelled(s: Signals) -> float:
    """Length of the way along the floor."""
    return float(s.speed.sum() / s.fps)


def turned(s: Signals) -> float:
    """Net change of heading, degrees, positive to the left."""
    return float(np.degrees(s.yaw[-1] - s.yaw[0]))


def seconds(s: Signals) -> float:
    return len(s) / s.fps


def pace(s: Signals) -> float:
    """Median speed over the floor."""
    return float(np.median(s.speed))


def airborne(s: Signals) -> float:
    """The longest time that an upright body has both feet off the floor and its pelvis as high as in standing."""
    off = (s.clearance.min(1) > 0.05) & (s.height > 0.93) & (s.upright > 0.7)
    return max((b - a for a, b in actions.runs(off)), default=0) / s.fps


def flights(s: Signals) -> int:
    """How often an upright body has both feet clearly off the floor, as in a jump."""
    off = (s.clearance.min(1) > 0.04) & (s.upright > 0.6)
    found = [(a, b) for a, b in actions.runs(off) if b - a >= 0.1 * s.fps]
    return sum(float(s.clearance[a:b].min(1).max()) > 0.07 for a, b in found)


def upright(s: Signals) -> bool:
    """Most of the time on its legs, trunk up."""
    return bool(np.median(s.height) > 0.75 and np.median(s.upright) > 0.8)
