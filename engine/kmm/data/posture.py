"""Jumping, squatting, kneeling, sitting, lying and bending: where the pelvis goes up and down."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kmm.contacts import hysteresis
from kmm.data.actions import Action, runs
from kmm.data.signals import Signals
from kmm.skeleton import STANDING_HEIGHT

OFF_FLOOR = 0.05  # metres below which a foot still counts as on the floor
AGAIN = 1.4  # seconds on the floor between jumps that are one action with a count
LOW_ON, LOW_OFF = 0.78, 0.86  # pelvis heights of a body that is down


def floating(s: Signals) -> NDArray[np.bool_]:
    """Frames with no foot near the floor for longer than a jump lasts: climbing, hanging, sitting on things."""
    out = np.zeros(len(s), bool)
    for a, b in runs(s.clearance.min(1) > 0.10):
        if b - a > 0.9 * s.fps:
            out[a:b] = True
    return out


def jumps(s: Signals) -> list[Action]:
    """Jumps from both feet onto both feet; several in a row are one action with a count."""
    ready = round(0.17 * s.fps)
    flights = []
    for a, b in runs(s.clearance.min(1) > OFF_FLOOR):
        if not 0.1 * s.fps <= b - a <= 0.9 * s.fps or a < 2 or b > len(s) - 2:
            continue
        before, after = s.clearance[max(0, a - ready) : a], s.clearance[b : b + ready]
        level = (before.max(1).min() < 0.09, after.max(1).min() < 0.09)
        rise = s.height[a:b].max() - STANDING_HEIGHT
        high = s.clearance[a:b].min(1).max()
        # in flight the feet stay about level, where a running stride has one of them far behind
        apart = np.abs(s.foot[a:b, 0, 0] - s.foot[a:b, 1, 0]).max()
        if all(level) and rise > 0.02 and high > 0.08 and apart < 0.45 and s.upright[a:b].min() > 0.6:
            flights.append((a, b))
    found: list[Action] = []
    group: list[tuple[int, int]] = []
    for flight in [*flights, None]:
        if group and (flight is None or flight[0] - group[-1][1] > AGAIN * s.fps):
            found += _jump(s, group)
            group = []
        if flight is not None:
            group.append(flight)
    return found


def _jump(s: Signals, group: list[tuple[int, int]]) -> list[Action]:
    first, last = group[0][0], group[-1][1]
    # the squat before and the landing after belong to it
    a = _level(s, first, -1, round(0.8 * s.fps))
    b = _level(s, last, 1, round(0.6 * s.fps))
    yaw = float(np.mean(s.yaw[max(0, first - 3) : first + 1]))
    moved = s.joints[last, 0, :2] - s.joints[first, 0, :2]
    forward = float(moved @ np.array([np.sin(yaw), -np.cos(yaw)])) / len(group)
    left = float(moved @ np.array([np.cos(yaw), np.sin(yaw)])) / len(group)
    turned = float(np.degrees(s.yaw[b - 1] - s.yaw[a]))
    passing = float(np.median(s.speed[a:b])) > 1.0  # a bound on the way, not a jump from standing
    if abs(turned) > 60 and len(group) == 1 and not passing:
        kind = "jump_turn_left" if turned > 0 else "jump_turn_right"
    elif forward > 0.25 and abs(left) < 0.5 * forward:
        kind = "jump_forward"
    elif forward < -0.25 and abs(left) < 0.5 * -forward:
        kind = "jump_backward"
    elif abs(left) > 0.25 and abs(forward) < 0.5 * abs(left):
        kind = "jump_left" if left > 0 else "jump_right"
    elif np.hypot(forward, left) < 0.3 and not passing:
        kind = "jump"
    else:
        return []  # no word for this direction
    return [Action(kind, a, b, turned, count=len(group))]


def _level(s: Signals, frame: int, step: int, most: int) -> int:
    """From `frame` on, the first frame at which the pelvis is calm and high again, at most `most` away."""
    at = frame
    for _ in range(most):
        after = at + step
        if not 0 <= after < len(s):
            break
        at = after
        calm = abs(s.height[at] - s.height[max(0, at - 2)]) * s.fps / 2 < 0.1
        if s.height[at] > 0.9 and calm and abs(at - frame) > 0.2 * s.fps:
            break
    return at if step < 0 else at + 1


def lowered(s: Signals, jumping: NDArray[np.bool_]) -> list[Action]:
    """Squats, crouching, kneeling, sitting, lying, and getting up again."""
    found: list[Action] = []
    low = hysteresis(s.height < LOW_ON, s.height > LOW_OFF)
    for a, b in runs(low):
        if jumping[a:b].any() or b - a < 0.25 * s.fps:
            continue
        found += _episode(s, a, b)
    return _count_squats(found, s.fps)


def _episode(s: Signals, a: int, b: int) -> list[Action]:
    """What a stretch [a, b) with a low pelvis is; before and after it the body stands (or the clip ends)."""
    begin, end = _standing(s, a, -1), _standing(s, b - 1, 1)
    stood_before, stood_after = begin is not None, end is not None
    begin, end = a if begin is None else begin, b if end is None else end
    speed = np.abs(np.gradient(s.height[a:b])) * s.fps
    held = np.flatnonzero(hysteresis(speed < 0.15, speed > 0.3))
    pose = _pose(s, a, b)
    if pose == "lie":
        lying = np.flatnonzero((s.head_height[a:b] < 0.5) & (s.height[a:b] < 0.4)) + a
        moving = np.linalg.norm(np.gradient(s.joints[lying][:, [4, 5, 15, 20, 21]], axis=0), axis=-1) * s.fps
        if len(lying) < 0.3 * s.fps or np.median(moving) > 0.3:  # crawling, push-ups, falling about
            return []
        return _down_hold_up(s, "lie", begin if stood_before else None, lying[0], lying[-1] + 1,
                             end if stood_after else None)  # fmt: skip
    if pose in ("sit", "kneel", "crouch") and len(held) >= 0.8 * s.fps:
        first, last = a + int(held[0]), a + int(held[-1]) + 1
        return _down_hold_up(
            s, pose, begin if stood_before else None, first, last, end if stood_after else None
        )
    travelled = float(np.linalg.norm(s.joints[end - 1, 0, :2] - s.joints[begin, 0, :2]))
    if pose in ("crouch", "squat", "kneel") and stood_before and stood_after and travelled < 0.25:
        # both feet stay where they are (a retargeted squat may lift them by some centimetres)
        shifted = float(np.ptp(s.joints[begin:end, 7:9, :2], axis=0).max())
        low_enough = s.height[a:b].min() < 0.66
        if shifted < 0.2 and low_enough and end - begin < 6 * s.fps:
            return [Action("squat", begin, end, count=1)]
    if pose == "bend" and stood_before and stood_after and end - begin < 6 * s.fps:
        return [Action("bend_down", begin, end)]
    return []


def _standing(s: Signals, frame: int, step: int) -> int | None:
    """The first frame from `frame` on that is upright and high, or None when the clip ends before."""
    at = frame
    peak = s.height[at]
    for _ in range(round(1.5 * s.fps)):
        after = at + step
        if not 0 <= after < len(s):
            break
        at = after
        if s.height[at] < peak - 0.02 and s.height[at] < LOW_ON:
            return None
        peak = max(peak, s.height[at])
        if s.height[at] > 0.9 and s.upright[at] > 0.85:
            rising = (s.height[min(max(at + step * 3, 0), len(s) - 1)] - s.height[at]) > 0.015
            if not rising:
                return at if step < 0 else at + 1
    return (at if step < 0 else at + 1) if s.height[at] > LOW_OFF and s.upright[at] > 0.8 else None


def _pose(s: Signals, a: int, b: int) -> str:
    """The pose at the calmest low frames of [a, b)."""
    lowest = s.height[a:b].min()
    at = np.flatnonzero(s.height[a:b] < lowest + 0.05) + a
    upright = float(np.median(s.upright[at]))
    knees = np.median(s.knee_height[at], axis=0)
    feet_ahead = float(np.median(s.foot[at, :, 0]))
    feet_down = float(np.mean(s.clearance[at].max(1) < 0.16)) > 0.7
    if float(np.median(s.head_height[at])) < 0.5 and lowest < 0.4 and upright < 0.5:
        return "lie"
    if upright < 0.6 and s.head_height[at].min() < 1.05:
        return "bend"
    if float(np.median(s.clearance[at].min(1))) > 0.2:
        return ""  # no foot on the floor: sitting on something high, hanging
    if knees.min() < 0.14 and 0.3 < lowest < 0.75:
        return "kneel"
    if feet_ahead > 0.24 and upright > 0.75 and lowest > 0.4 and feet_down and knees.min() > 0.3:
        return "sit"
    if feet_down and knees.min() > 0.16 and lowest < 0.7:
        return "squat" if lowest < 0.55 else "crouch"
    return ""


def _down_hold_up(
    s: Signals, pose: str, begin: int | None, first: int, last: int, end: int | None
) -> list[Action]:
    found = []
    longest = 3.5 * s.fps
    if begin is not None and 0.4 * s.fps < first - begin < longest:
        found.append(Action(f"{pose}_down", begin, min(first + round(0.3 * s.fps), last)))
    if last - first > 1.0 * s.fps:
        for i in range(first, last, round(6 * s.fps)):
            j = min(last, i + round(6 * s.fps))
            if j - i > s.fps:
                found.append(Action(pose, i, j))
    if end is not None and 0.4 * s.fps < end - last < longest:
        found.append(Action(f"up_from_{pose}", max(last - round(0.3 * s.fps), first), end))
    return found


def _count_squats(found: list[Action], fps: float) -> list[Action]:
    out: list[Action] = []
    for action in found:
        before = out[-1] if out else None
        if before and action.kind == before.kind == "squat" and action.start - before.end < 0.8 * fps:
            out[-1] = Action("squat", before.start, action.end, count=before.count + action.count)
        else:
            out.append(action)
    return out


def bows(s: Signals, busy: NDArray[np.bool_]) -> list[Action]:
    """Bending forward from the hips on the spot, and coming up again."""
    found = []
    bent = hysteresis(s.lean[:, 0] > 0.45, s.lean[:, 0] < 0.3)
    for a, b in runs(bent & ~busy):
        if b - a > 4 * s.fps or b - a < 0.3 * s.fps or s.height[a:b].min() < LOW_ON:
            continue
        begin, end = a, b
        while begin > 0 and s.lean[begin, 0] > 0.15 and a - begin < 1.5 * s.fps:
            begin -= 1
        while end < len(s) and s.lean[end - 1, 0] > 0.15 and end - b < 1.5 * s.fps:
            end += 1
        returned = s.lean[begin, 0] <= 0.2 and s.lean[end - 1, 0] <= 0.2
        still = float(np.median(s.speed[begin:end])) < 0.25 and s.wrist[begin:end, :, 2].max() < 0.0
        if returned and still:
            deep = float(s.head_height[a:b].min()) < 0.95
            found.append(Action("bend_down" if deep else "bow", begin, end))
    return found
