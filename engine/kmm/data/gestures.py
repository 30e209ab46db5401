"""What single limbs do: arms raised, lowered and waved, punches and kicks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmm.contacts import hysteresis
from kmm.data.actions import Action, runs
from kmm.data.signals import Signals, rate, smooth

SIDES = ("left", "right")
RAISED, DROPPED = 0.08, -0.05  # metres of the wrist above the shoulders
HANGING = -0.25
SWING = 0.03  # metres from one turning point of a waving wrist to the next


def arms(s: Signals) -> list[Action]:
    """Raising, waving and lowering of the left, the right or both arms."""
    episodes = []
    for side in (0, 1):
        up = s.wrist[:, side, 2]
        for a, b in runs(hysteresis(up > RAISED, up < DROPPED)):
            if b - a >= 0.3 * s.fps:
                episodes.append((side, a, b, *swings(s, side, a, b)))
    return _pair(s, episodes)


def _edge(s: Signals, side: int, frame: int, step: int) -> int | None:
    """Where the arm hangs (or stops moving down) before or after a raise, None where the clip ends first."""
    up = s.wrist[:, side, 2]
    at = frame
    for _ in range(round(1.8 * s.fps)):
        if not 0 <= at + step < len(up):
            break
        at += step
        ahead = at + step * round(0.15 * s.fps)
        settled = not 0 <= ahead < len(up) or up[ahead] > up[at] - 0.02
        if up[at] < HANGING and settled:
            return at if step < 0 else at + 1
    return (at if step < 0 else at + 1) if up[at] < HANGING else None


def swings(s: Signals, side: int, a: int, b: int) -> tuple[int, float]:
    """Number of turning points of the raised wrist's motion, and their rate per second."""
    top = s.wrist[a:b, side, 2] > 0.0
    path = s.wrist[a:b, side, :]
    path = smooth(path - smooth(path, 0.5 * s.fps), 0.04 * s.fps)  # without the raising and lowering itself
    best = max(_turning_points(path[:, axis]) for axis in (0, 1, 2))
    return best, best * s.fps / max(1, int(top.sum()))


def _turning_points(x: NDArray[np.floating]) -> int:
    """How often x (T,) turns back by more than SWING."""
    turns, direction = 0, 0
    low = high = x[0]  # since the last turning point
    for value in x:
        low, high = min(low, value), max(high, value)
        if direction >= 0 and value < high - SWING:
            turns, direction, low = turns + (direction != 0), -1, value
        elif direction <= 0 and value > low + SWING:
            turns, direction, high = turns + (direction != 0), 1, value
    return turns


def _pair(s: Signals, episodes: list[tuple[int, int, int, int, float]]) -> list[Action]:
    found: list[Action] = []
    used: set[int] = set()
    for i, (side, a, b, turns, often) in enumerate(episodes):
        if i in used:
            continue
        name = SIDES[side]
        other = next(
            (
                k
                for k, (o, c, d, *_) in enumerate(episodes)
                if o != side and k not in used and min(b, d) - max(a, c) > 0.6 * max(b - a, d - c)
            ),
            None,
        )
        sides = [side]
        if other is not None:
            used.add(other)
            _, c, d, turns2, often2 = episodes[other]
            a, b, turns, often = min(a, c), max(b, d), min(turns, turns2), min(often, often2)
            name, sides = "both", [0, 1]
        elif s.wrist[a:b, 1 - side, 2].max() > -0.1:
            continue  # the other arm is half up: neither "one" nor "both"
        begins = [_edge(s, k, a, -1) for k in sides]
        ends = [_edge(s, k, b - 1, 1) for k in sides]
        begin = None if None in begins else min(x for x in begins if x is not None)
        end = None if None in ends else max(x for x in ends if x is not None)
        if 2 <= turns < 4:
            continue  # perhaps a short wave, perhaps a lively raise
        found += _arm_actions(s, name, turns >= 4 and often > 1.0, begin, a, b, end)
    return found


def _arm_actions(
    s: Signals, name: str, waving: bool, begin: int | None, a: int, b: int, end: int | None
) -> list[Action]:
    def arm(kind: str, i: int, j: int) -> Action:
        return Action(f"{kind}_{name}", i, j, channel="arms")

    longest = 8 * s.fps
    if waving:
        i, j = a if begin is None else begin, b if end is None else end
        if j - i > longest:
            i, j = a, a + round(longest)
        return [arm("wave", i, j)]
    found = []
    if begin is not None and end is not None and end - begin <= longest:
        found.append(arm("raise_lower", begin, end))
    # the height that counts as the top, for where raising ends and lowering begins
    up = s.wrist[a:b, 0 if name == "left" else 1, 2]
    if name == "both":
        up = s.wrist[a:b, :, 2].min(1)
    top = np.flatnonzero(up > up.max() - 0.06)
    first, last = a + int(top[0]), a + int(top[-1]) + 1
    if begin is not None and first - begin < 2.5 * s.fps:
        found.append(arm("raise", begin, min(first + round(0.3 * s.fps), max(last, first + 1))))
    if end is not None and end - last < 2.5 * s.fps:
        found.append(arm("lower", max(last - round(0.3 * s.fps), first), end))
    return [f for f in found if len(f) >= 0.5 * s.fps]


def kicks(s: Signals) -> list[Action]:
    """A foot swung up in front, the other on the floor."""
    found = []
    for side in (0, 1):
        ahead, up = s.foot[:, side, 0], s.foot[:, side, 2]
        swing = (ahead > 0.4) & (up > -0.42) & (s.clearance[:, 1 - side] < 0.1) & (s.height > 0.75)
        foot_speed = np.linalg.norm(rate(smooth(s.foot[:, side], 0.03 * s.fps), s.fps), axis=-1)
        for a, b in runs(swing):
            around = slice(max(0, a - round(0.3 * s.fps)), b)
            if b - a > 0.9 * s.fps or b - a < 2 or foot_speed[around].max() < 3.0:
                continue
            begin, end = max(0, a - round(0.6 * s.fps)), min(len(s), b + round(0.6 * s.fps))
            found.append(Action(f"kick_{SIDES[side]}", begin, end))
    return _apart(found)


def punches(s: Signals) -> list[Action]:
    """A fist driven straight forward at about shoulder height and pulled back."""
    found = []
    for side in (0, 1):
        wrist = smooth(s.wrist[:, side], 0.03 * s.fps)
        velocity = rate(wrist, s.fps)
        fast = (velocity[:, 0] > 3.0) & (s.speed < 0.8) & (np.abs(velocity[:, 1]) < 0.6 * velocity[:, 0])
        fast &= np.abs(velocity[:, 2]) < 0.6 * velocity[:, 0]
        for a, b in runs(fast):
            reach = slice(b - 1, min(len(s), b + round(0.2 * s.fps)))
            after = slice(b, min(len(s), b + round(0.5 * s.fps)))
            level = np.abs(wrist[reach, 2]).max() < 0.22
            kicking = (
                np.abs(s.foot[max(0, a - 9) : b + 9, 0, 0] - s.foot[max(0, a - 9) : b + 9, 1, 0]).max() > 0.8
            )
            if wrist[reach, 0].max() > 0.38 and level and not kicking and (velocity[after, 0] < -0.5).any():
                begin, end = max(0, a - round(0.4 * s.fps)), min(len(s), b + round(0.5 * s.fps))
                found.append(Action(f"punch_{SIDES[side]}", begin, end))
    return _apart(found)


def _apart(found: list[Action]) -> list[Action]:
    """In order of time; what overlaps the same action before it is merged and counted."""
    out: list[Action] = []
    for action in sorted(found, key=lambda x: x.start):
        last = next((k for k in range(len(out) - 1, -1, -1) if out[k].kind == action.kind), None)
        if last is not None and action.start < out[last].end:
            out[last] = Action(action.kind, out[last].start, action.end, count=max(1, out[last].count) + 1)
        else:
            out.append(Action(action.kind, action.start, action.end, count=1))
    return out
