"""Predicates over a motion: what must be true of the body's path, turning, heights and limbs for a prompt to be met.

Those with a side are for the left; the right is judged on the mirrored motion. Thresholds are as a viewer would have
them and are checked on real clips (benchmarks/directions.py).
"""

from __future__ import annotations

import numpy as np

from kmm.data import actions
from kmm.data.gestures import swings
from kmm.data.locomotion import footfalls, gait
from kmm.data.signals import Signals
from kmm.evaluation.measures import (
    airborne,
    flights,
    forward,
    left,
    pace,
    seconds,
    travelled,
    turned,
    upright,
)
from kmm.skeleton import JOINT_INDEX

LEFT, RIGHT = 0, 1
WRISTS = [JOINT_INDEX["left_wrist"], JOINT_INDEX["right_wrist"]]


def goes_forward(s: Signals) -> bool:
    return (
        upright(s)
        and s.height.min() > 0.62
        and forward(s) > 0.4 * seconds(s)
        and abs(left(s)) < 0.3 * forward(s)
        and abs(turned(s)) < 45
    )


def walks_forward(s: Signals) -> bool:
    return goes_forward(s) and pace(s) < 2.2 and airborne(s) < 0.1


def walks_slowly(s: Signals) -> bool:
    straight = abs(turned(s)) < 60 and abs(left(s)) < 0.5 * forward(s) and airborne(s) < 0.1
    going = s.height.min() > 0.62 and 0.1 * seconds(s) < forward(s)
    return bool(upright(s) and straight and going and pace(s) < 1.0)


def walks_fast(s: Signals) -> bool:
    return goes_forward(s) and 1.4 < pace(s) < 2.6


def runs(s: Signals) -> bool:
    return goes_forward(s) and pace(s) > 1.7


def goes_backward(s: Signals) -> bool:
    return upright(s) and forward(s) < -0.25 * seconds(s) and abs(left(s)) < -0.5 * forward(s)


def goes_left(s: Signals) -> bool:
    return upright(s) and left(s) > 0.2 * seconds(s) and abs(forward(s)) < left(s)


def goes_diagonally_left(s: Signals) -> bool:
    return (
        upright(s)
        and forward(s) > 0.25 * seconds(s)
        and 0.2 < left(s) / forward(s) < 2.0
        and abs(turned(s)) < 45
    )


def turns_left(s: Signals) -> bool:
    return 40 < turned(s) < 270


def turns_quarter_left(s: Signals) -> bool:
    return 55 < turned(s) < 130


def turns_around(s: Signals) -> bool:
    return 130 < abs(turned(s)) < 240


def goes_and_turns_left(s: Signals) -> bool:
    return upright(s) and 45 < turned(s) < 270 and travelled(s) > 0.35 * seconds(s)


def circles_left(s: Signals) -> bool:
    return upright(s) and turned(s) > 200 and travelled(s) > 0.3 * seconds(s)


def stands(s: Signals) -> bool:
    """On one spot, facing one way, feet down and hands down."""
    calm = np.linalg.norm(s.joints[:, 0, :2] - s.joints[0, 0, :2], axis=-1).max() < 0.3
    planted = np.mean(s.clearance.max(1) < 0.08) > 0.9 and s.wrist[..., 2].max() < 0.1
    erect = s.height.min() > 0.82 and np.linalg.norm(s.lean, axis=-1).max() < 0.4
    return bool(upright(s) and erect and calm and planted and np.ptp(s.yaw) < np.radians(40))


def stops(s: Signals) -> bool:
    end = round(0.6 * s.fps)
    return (
        airborne(s) < 0.1
        and forward(s) > 0.5
        and float(s.speed[-end:].mean()) < 0.35 * max(0.5, float(s.speed.max()))
    )


def sets_off(s: Signals) -> bool:
    start = round(0.5 * s.fps)
    return (
        airborne(s) < 0.1 and forward(s) > 0.5 and float(s.speed[:start].mean()) < 0.5 * float(s.speed.max())
    )


def jumps(s: Signals) -> bool:
    return 0.13 <= airborne(s) < 1.0 and float(s.clearance.min(1).max()) > 0.08 and pace(s) < 1.7


def jumps_forward(s: Signals) -> bool:
    return jumps(s) and forward(s) > 0.3


def squats(s: Signals) -> bool:
    """From standing down and up again."""
    ends = min(float(s.height[:5].mean()), float(s.height[-5:].mean()))
    return float(s.height.min()) < 0.7 and ends > 0.8 and airborne(s) < 0.1


def gets_low(s: Signals) -> bool:
    return float(s.height.min()) < 0.75 and float(s.head_height.min()) > 0.5 and not sits(s)


def sits(s: Signals) -> bool:
    low = s.height < 0.88
    return (
        bool(low.mean() > 0.2) and float(np.median(s.foot[low][:, :, 0])) > 0.15 and s.head_height.min() > 0.6
    )


def lies(s: Signals) -> bool:
    return bool(np.mean((s.head_height < 0.55) & (s.height < 0.45)) > 0.08)


def bows(s: Signals) -> bool:
    """The trunk comes down in front, or up from there, over legs that stay where they are."""
    ahead = s.lean[:, 0]
    return bool(
        ahead.max() > 0.4
        and np.ptp(ahead) > 0.3
        and s.height.min() > 0.7
        and pace(s) < 0.4
        and airborne(s) < 0.1
    )


def raises_left(s: Signals) -> bool:
    return upright(s) and _raised(s, LEFT) and not _raised(s, RIGHT) and abs(forward(s)) < 0.8


def raises_both(s: Signals) -> bool:
    together = (s.wrist[:, :, 2] > 0.08).all(1)
    return upright(s) and bool(together.mean() > 0.1) and abs(forward(s)) < 0.8


def waves_left(s: Signals) -> bool:
    up = np.flatnonzero(s.wrist[:, LEFT, 2] > 0.0)
    return raises_left(s) and swings(s, LEFT, int(up[0]), int(up[-1]) + 1)[0] >= 4


def goes_with_left_arm_up(s: Signals) -> bool:
    return forward(s) > 0.3 * seconds(s) and _raised(s, LEFT) and not _raised(s, RIGHT)


def kicks_left(s: Signals) -> bool:
    """The left foot comes up in front, higher than the right ever does."""
    out = np.where(s.foot[:, :, 0] > 0.3, s.foot[:, :, 2], -1.0).max(0)
    return bool(out[LEFT] > -0.5 and out[LEFT] > out[RIGHT] + 0.1 and airborne(s) < 0.3)


def punches_left(s: Signals) -> bool:
    """The left fist drives forward to about shoulder height, faster than the right."""
    speed = np.gradient(s.wrist[:, :, 0], axis=0) * s.fps
    level = (np.abs(s.wrist[:, :, 2]) < 0.25) & (s.wrist[:, :, 0] > 0.2)
    fastest = np.where(level, speed, 0.0).max(0)
    return bool(fastest[LEFT] > 1.5 and fastest[LEFT] > 1.2 * fastest[RIGHT] and pace(s) < 0.8)


def _raised(s: Signals, side: int) -> bool:
    """A wrist above the shoulders for at least a tenth of the time."""
    return bool(np.mean(s.wrist[:, side, 2] > 0.05) > 0.1)


def steps_forward(s: Signals, count: int) -> bool:
    """So many steps, perhaps one more to close the feet, and standing at the end."""
    still = float(s.speed[-round(0.3 * s.fps) :].mean()) < 0.3
    return (
        upright(s)
        and forward(s) > 0.2 * count
        and footfalls(s, 0, len(s)) in (count, count + 1)
        and still
        and airborne(s) < 0.1
    )


def steps_forward_two(s: Signals) -> bool:
    return steps_forward(s, 2)


def steps_forward_three(s: Signals) -> bool:
    return steps_forward(s, 3)


def jumps_twice(s: Signals) -> bool:
    return flights(s) == 2 and pace(s) < 1.7


def jumps_three_times(s: Signals) -> bool:
    return flights(s) == 3 and pace(s) < 1.7


def walks_in_place(s: Signals) -> bool:
    """Both feet come up again and again while the body stays about where it is."""
    lifted = [
        len([1 for a, b in actions.runs(s.clearance[:, k] > 0.05) if b - a < s.fps]) for k in (LEFT, RIGHT)
    ]
    way = np.linalg.norm(s.joints[:, 0, :2] - s.joints[0, 0, :2], axis=-1)
    return bool(
        upright(s) and min(lifted) >= 2 and way.max() < 0.6 and abs(turned(s)) < 45 and airborne(s) < 0.15
    )


def goes_and_comes_back(s: Signals) -> bool:
    """Away, a turn about, and back by at least half of the way, facing where it goes."""
    way = np.linalg.norm(s.joints[:, 0, :2] - s.joints[0, 0, :2], axis=-1)
    return bool(
        upright(s)
        and way.max() > 0.8
        and way[-1] < 0.5 * way.max()
        and 110 < abs(turned(s)) < 270
        and forward(s) > 1.2
    )


def runs_backward(s: Signals) -> bool:
    """Backward at a run: faster than one walks so, or with both feet off the floor again and again."""
    running = pace(s) > 1.1 or gait(s, 0, len(s), forward=False) == "run"
    return upright(s) and running and forward(s) < -0.6 * seconds(s) and abs(left(s)) < -0.5 * forward(s)


def runs_in_circle_left(s: Signals) -> bool:
    return circles_left(s) and travelled(s) > 1.3 * seconds(s)


def gets_up(s: Signals) -> bool:
    """Low at the beginning, standing at the end."""
    first, last = round(0.5 * s.fps), round(0.3 * s.fps)
    return bool(
        s.height[:first].min() < 0.75 and s.height[-last:].mean() > 0.85 and s.upright[-last:].mean() > 0.85
    )


def reaches_floor(s: Signals) -> bool:
    """A hand comes down near the floor, on feet, and the body is up again at the end."""
    low = float(s.joints[:, WRISTS, 2].min())
    return bool(low < 0.5 and s.height[-3:].mean() > 0.75 and s.height.min() > 0.3 and pace(s) < 0.5)


def faster(a: Signals, b: Signals) -> bool:
    """The first goes at least a fifth faster than the second, both the same way."""
    return bool(pace(a) > 1.2 * pace(b) and forward(a) > 0.3 * seconds(a) and forward(b) > 0.1 * seconds(b))
