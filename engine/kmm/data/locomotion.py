"""Standing, stepping, walking, running and turning: where the body goes, how fast, and which way it turns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kmm.data.actions import Action, absorb_short, labelled_runs, runs
from kmm.data.contacts import hysteresis
from kmm.data.signals import Signals, smooth

MOVING_ON, MOVING_OFF = 0.35, 0.2  # m/s
TURN_ON, TURN_OFF = np.radians(28.0), np.radians(14.0)  # per second
#: Net heading change, degrees, below which a path is straight, and from which a turn is worth a word.
STRAIGHT, TURNED = 15.0, 30.0
UPRIGHT_HEIGHT = 0.80  # pelvis of a body that walks, runs or stands, metres
LONGEST = 8.0  # seconds of one caption

SECTORS = (
    "forward",
    "diagonal_left",
    "left",
    "back_left",
    "backward",
    "back_right",
    "right",
    "diagonal_right",
)
# of the eight directions, those between the axes are diagonals only near the middle of their sector
SECTOR_EDGES = np.radians([20, 65, 110, 155])


def moving_frames(s: Signals) -> NDArray[np.bool_]:
    """Frames where the pelvis travels, without stretches too short to be a step."""
    on = hysteresis(s.speed > MOVING_ON, s.speed < MOVING_OFF)
    on |= hysteresis((s.speed > MOVING_ON)[::-1], (s.speed < MOVING_OFF)[::-1])[::-1]
    return absorb_short(on.astype(int), round(0.5 * s.fps)).astype(bool)


def locomotion(s: Signals, busy: NDArray[np.bool_]) -> list[Action]:
    """Actions of the legs on the frames that are not `busy` with something else (jumping, sitting, lying)."""
    usable = ~busy & (s.height > UPRIGHT_HEIGHT) & (s.upright > 0.7)
    moving = moving_frames(s)
    found: list[Action] = []
    for a, b in runs(moving & usable):
        if b - a >= 0.7 * s.fps:
            found += _travel(s, a, b)
    for a, b in runs(~moving & usable):
        if b - a >= 0.7 * s.fps:
            found += _in_place(s, a, b)
    return sorted(found, key=lambda x: x.start)


def gait(s: Signals, a: int, b: int) -> str:
    """ "walk", "run" or "" when the feet do not say."""
    feet = np.stack([s.contacts[a:b, :2].max(1), s.contacts[a:b, 2:].max(1)], axis=-1) > 0.5
    clearance = s.clearance[a:b]
    air = float(np.mean(clearance.min(1) > 0.04))
    neither = float(np.mean(~feet.any(1)))
    both = float(np.mean(feet.all(1)))
    speed = float(np.median(s.speed[a:b]))
    steps = step_rate(s, a, b)
    if both < 0.06 and ((speed > 1.3 and (neither > 0.15 or air > 0.15)) or speed > 2.1):
        return "run"
    if both < 0.05 and speed > 1.2 and steps > 2.4 and b - a > 3 * s.fps:
        return "run"  # a shuffling jog leaves the floor too little to be seen
    # in fast walking the steps are too quick for the contacts to overlap, but no frame is far off the floor
    if speed < 2.0 and air < 0.06 and (both > 0.05 or (neither < 0.12 and steps < 2.5)):
        return "walk"
    return ""


def step_rate(s: Signals, a: int, b: int) -> float:
    """Steps a second: how often the ankles pass each other along the body's forward or side."""
    apart = s.foot[a:b, 0] - s.foot[a:b, 1]
    axis = 0 if np.ptp(apart[:, 0]) > np.ptp(apart[:, 1]) else 1
    ahead = apart[:, axis] - np.median(apart[:, axis])
    # a passing counts when the feet come clearly apart again on the other side
    state = hysteresis(ahead > 0.05, ahead < -0.05)
    return float(np.count_nonzero(np.diff(state.astype(int))) * s.fps / (b - a))


def _sectors(s: Signals, a: int, b: int) -> NDArray[np.integer]:
    velocity = smooth(s.velocity[a:b], 0.25 * s.fps)
    angle = np.arctan2(velocity[:, 1], velocity[:, 0])
    side = np.digitize(np.abs(angle), SECTOR_EDGES)  # 0 forward .. 4 backward
    return np.where((angle < 0) & (side > 0) & (side < 4), 8 - side, side)


def _travel(s: Signals, a: int, b: int) -> list[Action]:
    found: list[Action] = []
    sectors = absorb_short(_sectors(s, a, b), round(0.7 * s.fps))
    for sector, i, j in labelled_runs(sectors):
        start, end = a + i, a + j
        if sector == 0:
            found += _forward(s, start, end)
        else:
            found += _otherwise(s, SECTORS[sector], start, end)
    return found


def net_turn(s: Signals, a: int, b: int) -> float:
    """Degrees turned from frame a to frame b - 1, positive to the left."""
    return float(np.degrees(s.yaw[b - 1] - s.yaw[a]))


def travelled(s: Signals, a: int, b: int) -> float:
    """Metres between where the pelvis is at the start and at the end of [a, b)."""
    return float(np.linalg.norm(s.joints[b - 1, 0, :2] - s.joints[a, 0, :2]))


def speed_word(s: Signals, a: int, b: int, how: str) -> str:
    slow, fast = {"walk": (0.75, 1.6), "run": (1.8, 3.2)}[how]
    speed = float(np.median(s.speed[a:b]))
    return "slow" if speed < slow else "fast" if speed > fast else ""


def pieces(a: int, b: int, longest: int) -> list[tuple[int, int]]:
    """[a, b) cut into equal parts no longer than `longest`."""
    parts = max(1, -(-(b - a) // longest))
    edges = np.linspace(a, b, parts + 1).round().astype(int)
    return [(i, j) for i, j in pairwise(edges.tolist())]


def _forward(s: Signals, a: int, b: int) -> list[Action]:
    """Forward travel cut into straight stretches and turns."""
    yaw_rate = smooth(s.yaw_rate[a:b], 0.25 * s.fps)
    turning = hysteresis(np.abs(yaw_rate) > TURN_ON, np.abs(yaw_rate) < TURN_OFF)
    turning |= hysteresis(np.abs(yaw_rate)[::-1] > TURN_ON, np.abs(yaw_rate)[::-1] < TURN_OFF)[::-1]
    labels = np.where(turning, np.sign(yaw_rate), 0).astype(int)
    for label, i, j in list(labelled_runs(labels)):
        if label and abs(net_turn(s, a + i, a + j)) < 20.0:
            labels[i:j] = 0  # the sway of a step, not a turn
    labels = absorb_short(labels, round(0.4 * s.fps))
    found: list[Action] = []
    for label, i, j in labelled_runs(labels):
        start, end = a + i, a + j
        if label == 0:
            for p, q in pieces(start, end, round(LONGEST * s.fps)):
                found += _straight(s, p, q)
        else:
            found += _curve(s, start, end)
    return found


def _straight(s: Signals, a: int, b: int) -> list[Action]:
    how = gait(s, a, b)
    turned = net_turn(s, a, b)
    if b - a < 0.8 * s.fps or not how or travelled(s, a, b) < 0.5:
        return []
    drift = abs(float(s.velocity[a:b, 1].mean())) / max(0.1, float(s.velocity[a:b, 0].mean()))
    if abs(turned) < STRAIGHT and drift < 0.25:
        return [Action(f"{how}_forward", a, b, speed=speed_word(s, a, b, how))]
    if abs(turned) > 25.0 and drift < 0.25:
        side = "left" if turned > 0 else "right"
        return [Action(f"{how}_curve_{side}", a, b, turned, speed_word(s, a, b, how))]
    return []


def _curve(s: Signals, a: int, b: int) -> list[Action]:
    how = gait(s, a, b)
    turned = net_turn(s, a, b)
    if abs(turned) < TURNED or not how:
        return []
    side = "left" if turned > 0 else "right"
    seconds = (b - a) / s.fps
    radius = float(s.speed[a:b].sum() / s.fps) / np.radians(abs(turned))
    speed = speed_word(s, a, b, how)
    if seconds > 12:  # circling for long: captions of about a circle each
        return [x for p, q in pieces(a, b, round(LONGEST * s.fps)) for x in _curve(s, p, q)]
    if abs(turned) > 300 and radius > 0.35:
        return [Action(f"{how}_circle_{side}", a, b, turned, speed)]
    if abs(turned) > 145 and radius > 0.7:
        return [Action(f"{how}_halfcircle_{side}", a, b, turned, speed)]
    if abs(turned) > 60 or abs(turned) / seconds > 45:
        return [Action(f"{how}_turn_{side}", a, b, turned, speed)]
    return [Action(f"{how}_curve_{side}", a, b, turned, speed)]


def _otherwise(s: Signals, direction: str, a: int, b: int) -> list[Action]:
    """Backward, sideways, diagonal: only where the facing stays about the same."""
    if b - a < 0.8 * s.fps or direction in ("back_left", "back_right"):
        return []
    found = []
    for p, q in pieces(a, b, round(LONGEST * s.fps)):
        how = gait(s, p, q)
        turned = net_turn(s, p, q)
        if how and travelled(s, p, q) > 0.4 and abs(turned) < 30.0 and np.ptp(s.yaw[p:q]) < np.radians(50):
            slow_fast = ""
            if direction == "backward":
                speed = float(np.median(s.speed[p:q]))
                slow_fast = "slow" if speed < 0.5 else "fast" if speed > 1.4 else ""
            found.append(Action(f"{how}_{direction}", p, q, speed=slow_fast))
    return found


def _in_place(s: Signals, a: int, b: int) -> list[Action]:
    """Standing, turning on the spot and walking on the spot."""
    yaw_rate = smooth(s.yaw_rate[a:b], 0.15 * s.fps)
    turning = hysteresis(np.abs(yaw_rate) > TURN_ON, np.abs(yaw_rate) < TURN_OFF)
    turning |= hysteresis(np.abs(yaw_rate)[::-1] > TURN_ON, np.abs(yaw_rate)[::-1] < TURN_OFF)[::-1]
    labels = np.where(turning, np.sign(yaw_rate), 0).astype(int)
    for label, i, j in list(labelled_runs(labels)):
        if label and abs(net_turn(s, a + i, a + j)) < 15.0:
            labels[i:j] = 0
    found = []
    for label, i, j in labelled_runs(labels):
        start, end = a + i, a + j
        if label:
            found += _turn(s, start, end)
        else:
            found += _stay(s, start, end)
    return found


def _turn(s: Signals, a: int, b: int) -> list[Action]:
    turned = net_turn(s, a, b)
    # twisting the hips over planted feet is not a turn: a foot must come off or travel
    feet = s.joints[[a, b - 1]][:, [7, 8], :2]
    stepped = float(np.linalg.norm(feet[1] - feet[0], axis=-1).max()) > 0.08
    if abs(turned) < 35.0 or not stepped:
        return []
    rate = abs(turned) * s.fps / (b - a)
    speed = "slow" if rate < 40 else "fast" if rate > 200 else ""
    return [Action("turn_left" if turned > 0 else "turn_right", a, b, turned, speed)]


def _stay(s: Signals, a: int, b: int) -> list[Action]:
    if b - a < s.fps:
        return []
    lifted = [runs(s.clearance[a:b, side] > 0.06) for side in (0, 1)]
    together = float(np.mean(s.clearance[a:b].min(1) > 0.06))
    if min(len(r) for r in lifted) >= 2 and together < 0.05:
        often = 2 * min(len(r) for r in lifted) * s.fps / (b - a)
        steady = max(j - i for r in lifted for i, j in r) < s.fps
        return [Action("walk_in_place", a, b)] if often > 1.0 and steady else []
    wrist_speed = np.linalg.norm(np.gradient(s.wrist[a:b], axis=0), axis=-1) * s.fps
    quiet = float(np.percentile(wrist_speed, 90)) < 0.5
    grounded = float(np.mean(s.clearance[a:b].max(1) < 0.1)) > 0.95
    drift = float(np.linalg.norm(s.joints[a:b, 0, :2] - s.joints[a, 0, :2], axis=-1).max())
    arms_low = float(s.wrist[a:b, :, 2].max()) < -0.15
    if not (grounded and quiet and arms_low and drift < 0.2):
        return []
    tall = float(s.height[a:b].min()) > 0.85
    return [Action("stand", p, q) for p, q in pieces(a, b, round(6 * s.fps)) if tall]
