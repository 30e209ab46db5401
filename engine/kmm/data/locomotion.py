"""Standing, stepping, walking, running and turning: where the body goes, how fast, and which way it turns."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kmm.contacts import foot_contacts, hysteresis
from kmm.data.actions import Action, absorb_short, labelled_runs, runs
from kmm.data.signals import Signals, smooth

MOVING_ON, MOVING_OFF = 0.35, 0.2  # m/s
TURN_ON, TURN_OFF = np.radians(28.0), np.radians(14.0)  # per second
#: Net heading change, degrees, below which a path is straight, and from which a turn is worth a word.
STRAIGHT, TURNED = 15.0, 30.0
UPRIGHT_HEIGHT = 0.80  # pelvis of a body that walks, runs or stands, metres
LONGEST = 8.0  # seconds of one caption
MOST_STEPS = 6  # more are not counted
STEP = 0.2  #: metres that a counted step gets ahead at least
REST = 0.3  #: seconds of standing still before and after steps that are counted

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
SECTOR_EDGES = np.radians([20, 65, 110, 155])
#: Slow and fast limits of speed, m/s, by gait and whether the body goes forward.
PACE = {
    ("walk", True): (0.75, 1.6),
    ("run", True): (1.8, 3.2),
    ("walk", False): (0.45, 1.3),
    ("run", False): (0.0, 9.0),
}


def both_ways(on: NDArray[np.bool_], off: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Hysteresis run forward and backward in time: every frame that hangs together with an `on` frame."""
    return hysteresis(on, off) | hysteresis(on[::-1], off[::-1])[::-1]


def moving_frames(s: Signals) -> NDArray[np.bool_]:
    """Frames where the pelvis travels, without stretches too short to be a step."""
    on = both_ways(s.speed > MOVING_ON, s.speed < MOVING_OFF)
    return absorb_short(on.astype(int), round(0.5 * s.fps)).astype(bool)


def locomotion(s: Signals, busy: NDArray[np.bool_]) -> list[Action]:
    """Actions of the legs on the frames that are not `busy` with something else (jumping, sitting, lying)."""
    usable = ~busy & (s.height > UPRIGHT_HEIGHT) & (s.upright > 0.7)
    moving = moving_frames(s)
    found: list[Action] = []
    for a, b in runs(moving & usable):
        if b - a >= 0.7 * s.fps:
            found += _counted(s, a, b, _travel(s, a, b), moving | busy)
    for a, b in runs(~moving & usable):
        if b - a >= 0.7 * s.fps:
            found += _in_place(s, a, b)
    return sorted(found, key=lambda x: x.start)


def net_turn(s: Signals, a: int, b: int) -> float:
    """Degrees turned from frame a to frame b - 1, positive to the left."""
    return float(np.degrees(s.yaw[b - 1] - s.yaw[a]))


def travelled(s: Signals, a: int, b: int) -> float:
    """Metres between where the pelvis is at the start and at the end of [a, b)."""
    return float(np.linalg.norm(s.joints[b - 1, 0, :2] - s.joints[a, 0, :2]))


def step_rate(s: Signals, a: int, b: int) -> float:
    """Steps a second: how often the ankles pass each other along the body's forward or side."""
    apart = s.foot[a:b, 0] - s.foot[a:b, 1]
    axis = 0 if np.ptp(apart[:, 0]) > np.ptp(apart[:, 1]) else 1
    ahead = apart[:, axis] - np.median(apart[:, axis])
    # a passing counts when the feet come clearly apart again on the other side
    state = hysteresis(ahead > 0.05, ahead < -0.05)
    return float(np.count_nonzero(np.diff(state.astype(int))) * s.fps / (b - a))


def gait(s: Signals, a: int, b: int, forward: bool = True) -> str:
    """ "walk", "run" or "" when the feet do not say."""
    feet = np.stack([s.contacts[a:b, :2].max(1), s.contacts[a:b, 2:].max(1)], axis=-1) > 0.5
    air = float(np.mean(s.clearance[a:b].min(1) > 0.04))
    neither, both = float(np.mean(~feet.any(1))), float(np.mean(feet.all(1)))
    speed = float(np.median(s.speed[a:b]))
    if not forward:
        # running sideways is a gallop: there are frames with both feet down and frames with none
        run, walk = neither > 0.15 and air > 0.08 and speed > 0.8, neither < 0.1 and air < 0.05
        return "run" if run else "walk" if walk else ""
    steps = step_rate(s, a, b)
    if both < 0.06 and ((speed > 1.3 and (neither > 0.15 or air > 0.15)) or speed > 2.1):
        return "run"
    if both < 0.05 and speed > 1.2 and steps > 2.4 and b - a > 3 * s.fps:
        return "run"  # a shuffling jog leaves the floor too little to be seen
    # in fast walking the steps are too quick for the contacts to overlap, but no frame is far off the floor
    if speed < 2.0 and air < 0.06 and (both > 0.05 or (neither < 0.12 and steps < 2.5)):
        return "walk"
    return ""


def pace(s: Signals, a: int, b: int, how: str, forward: bool = True) -> str:
    """ "slow", "fast" or "" for the gait `how`."""
    slow, fast = PACE[how, forward]
    speed = float(np.median(s.speed[a:b]))
    return "slow" if speed < slow else "fast" if speed > fast else ""


def pieces(a: int, b: int, longest: int) -> list[tuple[int, int]]:
    """[a, b) cut into equal parts no longer than `longest`."""
    parts = max(1, -(-(b - a) // longest))
    edges = np.linspace(a, b, parts + 1).round().astype(int)
    return list(pairwise(edges.tolist()))


def turns(s: Signals, a: int, b: int, smoothing: float, least: float) -> NDArray[np.integer]:
    """(b - a,) 1 where the body turns left, -1 right, 0 elsewhere; below `least` degrees it is no turn."""
    yaw_rate = smooth(s.yaw_rate[a:b], smoothing * s.fps)
    turning = both_ways(np.abs(yaw_rate) > TURN_ON, np.abs(yaw_rate) < TURN_OFF)
    labels = np.where(turning, np.sign(yaw_rate), 0).astype(int)
    for label, i, j in list(labelled_runs(labels)):
        if label and abs(net_turn(s, a + i, a + j)) < least:
            labels[i:j] = 0
    return labels


def _travel(s: Signals, a: int, b: int) -> list[Action]:
    velocity = smooth(s.velocity[a:b], 0.25 * s.fps)
    angle = np.arctan2(velocity[:, 1], velocity[:, 0])
    side = np.digitize(np.abs(angle), SECTOR_EDGES)  # 0 forward .. 4 backward
    sectors = absorb_short(
        np.where((angle < 0) & (side > 0) & (side < 4), 8 - side, side), round(0.7 * s.fps)
    )
    turning = absorb_short(turns(s, a, b, 0.25, 20.0), round(0.4 * s.fps))
    found: list[Action] = []
    for code, i, j in labelled_runs(3 * sectors + turning + 1):
        direction, turn = SECTORS[code // 3], code % 3 - 1
        start, end = a + i, a + j
        if turn and direction == "forward":
            found += _curve(s, start, end)
        elif not turn:
            for p, q in pieces(start, end, round(LONGEST * s.fps)):
                found += _straight(s, p, q) if direction == "forward" else _otherwise(s, direction, p, q)
    return found


def _straight(s: Signals, a: int, b: int) -> list[Action]:
    how = gait(s, a, b)
    turned = net_turn(s, a, b)
    drift = abs(float(s.velocity[a:b, 1].mean())) / max(0.1, float(s.velocity[a:b, 0].mean()))
    if b - a < 0.8 * s.fps or not how or travelled(s, a, b) < 0.5 or drift > 0.25:
        return []
    if abs(turned) < STRAIGHT:
        return [Action(f"{how}_forward", a, b, speed=pace(s, a, b, how))]
    if abs(turned) > 25.0:
        return [Action(f"{how}_curve_{_side(turned)}", a, b, turned, pace(s, a, b, how))]
    return []


def _curve(s: Signals, a: int, b: int) -> list[Action]:
    how = gait(s, a, b)
    turned = net_turn(s, a, b)
    if abs(turned) < TURNED or not how:
        return []
    seconds = (b - a) / s.fps
    if seconds > 12:  # circling for long
        return [x for p, q in pieces(a, b, round(LONGEST * s.fps)) for x in _curve(s, p, q)]
    radius = float(s.speed[a:b].sum() / s.fps) / np.radians(abs(turned))
    if abs(turned) > 300 and radius > 0.35:
        shape = "circle"
    elif abs(turned) > 145 and radius > 0.7:
        shape = "halfcircle"
    else:
        shape = "turn" if abs(turned) > 60 or abs(turned) / seconds > 45 else "curve"
    return [Action(f"{how}_{shape}_{_side(turned)}", a, b, turned, pace(s, a, b, how))]


def _otherwise(s: Signals, direction: str, a: int, b: int) -> list[Action]:
    """Backward, sideways, diagonal: only where the facing stays about the same."""
    if b - a < 0.8 * s.fps or direction in ("back_left", "back_right") or travelled(s, a, b) < 0.4:
        return []
    how = gait(s, a, b, forward=direction.startswith("diagonal"))
    if not how or abs(net_turn(s, a, b)) > 30.0 or np.ptp(s.yaw[a:b]) > np.radians(50):
        return []
    return [
        Action(f"{how}_{direction}", a, b, speed=pace(s, a, b, how, forward=direction.startswith("diagonal")))
    ]


def _side(turned: float) -> str:
    return "left" if turned > 0 else "right"


def _counted(s: Signals, a: int, b: int, found: list[Action], occupied: NDArray[np.bool_]) -> list[Action]:
    """Steps of a walk that is one action from standing still to standing still."""
    rest = round(REST * s.fps)
    if (
        len(found) != 1
        or a < rest
        or b + rest > len(s)
        or occupied[a - rest : a].any()
        or occupied[b : b + rest].any()
    ):
        return found
    walk = found[0]
    if not walk.kind.startswith("walk_") or len(walk) < 0.9 * (b - a):
        return found
    seen = slice(a - rest, b + rest)
    steps = footfalls(s, seen.start, seen.stop)
    # a foot that is half up when the caption begins is one step less to who sees no more than that
    alone = _placed(s.joints[seen], foot_contacts(s.joints[seen], s.fps))
    sure = steps == alone and 1 <= steps <= MOST_STEPS and travelled(s, a, b) > STEP * steps
    return [replace(walk, count=steps)] if sure else found


def footfalls(s: Signals, a: int, b: int) -> int:
    """How often a foot is put down somewhere else in [a, b)."""
    return _placed(s.joints[a:b], s.contacts[a:b])


def _placed(joints: NDArray[np.floating], contacts: NDArray[np.floating]) -> int:
    """How often a foot is put down somewhere else, from joints (T, 22, 3) and contacts (T, 4)."""
    count = 0
    for side, ankle in ((slice(0, 2), 7), (slice(2, 4), 8)):
        stances = runs(contacts[:, side].max(1) > 0.5)
        places = [joints[i:j, ankle, :2].mean(0) for i, j in stances]
        count += sum(float(np.linalg.norm(q - p)) > 0.15 for p, q in pairwise(places))
    return count


def _in_place(s: Signals, a: int, b: int) -> list[Action]:
    """Standing, turning on the spot and walking on the spot."""
    found = []
    for label, i, j in labelled_runs(turns(s, a, b, 0.15, 15.0)):
        found += _turn(s, a + i, a + j) if label else _stay(s, a + i, a + j)
    return found


def _turn(s: Signals, a: int, b: int) -> list[Action]:
    turned = net_turn(s, a, b)
    # twisting the hips over planted feet is not a turn: a foot must come off or travel
    feet = s.joints[[a, b - 1]][:, [7, 8], :2]
    stepped = float(np.linalg.norm(feet[1] - feet[0], axis=-1).max()) > 0.08
    later = min(len(s), b + round(0.7 * s.fps))
    undone = abs(net_turn(s, a, later)) < 0.6 * abs(turned)  # a swing of the hips and back
    if abs(turned) < 35.0 or not stepped or undone:
        return []
    rate = abs(turned) * s.fps / (b - a)
    speed = "slow" if rate < 40 else "fast" if rate > 200 else ""
    return [Action(f"turn_{_side(turned)}", a, b, turned, speed)]


def _stay(s: Signals, a: int, b: int) -> list[Action]:
    if b - a < s.fps:
        return []
    lifted = [runs(s.clearance[a:b, side] > 0.06) for side in (0, 1)]
    together = float(np.mean(s.clearance[a:b].min(1) > 0.06))
    fewer = min(len(r) for r in lifted)
    if fewer >= 2 and together < 0.05:
        # from the first lift to the last: one may stand before and after
        i, j = a + min(r[0][0] for r in lifted), a + max(r[-1][1] for r in lifted)
        steady = max(q - p for r in lifted for p, q in r) < s.fps
        treading = steady and 2 * fewer * s.fps / (j - i) > 1.0
        return [*_stay(s, a, i), Action("walk_in_place", i, j), *_stay(s, j, b)] if treading else []
    # the feet may still be settling at the ends
    planted = runs(s.clearance[a:b].max(1) < 0.06)
    i, j = max(planted, key=lambda r: r[1] - r[0], default=(0, 0))
    a, b = a + i, a + j
    if b - a < s.fps:
        return []
    wrist_speed = np.linalg.norm(np.gradient(s.wrist[a:b], axis=0), axis=-1) * s.fps
    quiet = float(np.percentile(wrist_speed, 90)) < 0.5 and float(s.wrist[a:b, :, 2].max()) < -0.15
    drift = float(np.linalg.norm(s.joints[a:b, 0, :2] - s.joints[a, 0, :2], axis=-1).max())
    if not (quiet and drift < 0.2 and float(s.height[a:b].min()) > 0.85):
        return []
    return [Action("stand", p, q) for p, q in pieces(a, b, round(6 * s.fps))]
