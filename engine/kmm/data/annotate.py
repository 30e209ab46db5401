"""Timed captions in plain English, read from the motion alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kmm.clip import Clip
from kmm.data import gestures, posture
from kmm.data.actions import Action
from kmm.data.locomotion import REST, locomotion, net_turn
from kmm.data.records import Caption
from kmm.data.sentences import there_and_back
from kmm.data.signals import Signals, fastest, signals, smooth
from kmm.data.wording import describe

SHORTEST, LONGEST = 0.8, 10.0  # seconds of one caption
#: Seconds of holding still, before and after an action, that its caption may take in. Who is asked does it soon: with
#: as much before as after, blocks of three seconds ended in the middle of what they began too late.
WAIT, STILL = 0.7, 2.6
PAUSE = 1.2  #: seconds between one time and the next that are still doing the same twice
NEAR = 0.4  #: seconds after an action within which stillness must begin
TURNING = 4.0  #: seconds that who walks there and back may take to turn about
ABOUT = re.compile("stand|(walk_)?(turn|curve|halfcircle)_")  #: what such a turn may look like
BACK = 0.3  #: share of the way out that may be left of it on coming back
HANGING = re.compile("walk|run|turn|crouch")  #: what is done with arms hanging
ARMS_UP = 0.2  #: share of it with an arm up from which its plain words are not true
CALM = 0.4  #: metres a second of the fastest joint of a body that holds still
HELD = ("stand", "sit", "lie", "kneel", "crouch", "walk_in_place")  #: kinds that no stillness is added to


@dataclass(frozen=True)
class Segment:
    """Frames [start, end) in which `actions` follow one another; a gesture may go on meanwhile."""

    start: int
    end: int
    actions: tuple[Action, ...]
    meanwhile: Action | None = None

    @property
    def kind(self) -> str:
        """The coarse label: one action's kind, or the kinds joined by "+" and "&"."""
        joined = "+".join(a.kind for a in self.actions)
        return f"{joined}&{self.meanwhile.kind}" if self.meanwhile else joined


def actions(s: Signals) -> list[Action]:
    """All actions found in a motion, in order of time."""
    unusable = posture.floating(s)
    jumping = np.zeros(len(s), bool)
    found = posture.jumps(s)
    for x in found:
        jumping[x.start : x.end] = True
    found += posture.lowered(s, jumping | unusable)
    busy = unusable.copy()
    for x in found:
        busy[x.start : x.end] = True
    for x in [*gestures.kicks(s), *gestures.punches(s), *posture.bows(s, busy)]:
        if not busy[x.start : x.end].any():
            found.append(x)
    for x in found:
        busy[x.start : x.end] = True
    found += locomotion(s, busy)
    found += [x for x in gestures.arms(s) if s.height[x.start : x.end].min() > 0.75]
    found = [x for x in found if not unusable[x.start : x.end].any()]
    return sorted(found, key=lambda x: (x.start, x.end))


def segments(clip: Clip) -> list[Segment]:
    """Single actions, two or three that follow one another, and gestures made meanwhile."""
    if len(clip) < 2:
        return []
    s = signals(clip)
    found = actions(s)
    fps = s.fps
    body = [x for x in found if x.channel == "body"]
    arms = [x for x in found if x.channel == "arms"]
    out: list[Segment] = []
    for x in body:
        out.append(_whole(x, s))
    for gesture in arms:
        around = [
            x for x in body if min(x.end, gesture.end) - max(x.start, gesture.start) > 0.3 * len(gesture)
        ]
        if all(x.kind == "stand" for x in around):
            if float(np.median(s.speed[gesture.start : gesture.end])) < 0.25:
                out.append(Segment(gesture.start, gesture.end, (gesture,)))
        elif len(around) == 1 and around[0].start <= gesture.start + 0.3 * len(gesture):
            x = around[0]
            start, end = max(x.start, gesture.start), min(x.end, gesture.end)
            if end - start > 0.7 * len(gesture) and x.kind.startswith(("walk", "run")):
                out.append(Segment(start, end, (x,), gesture))
    longest = LONGEST * fps
    again = _repeated(found, fps)
    out += [Segment(x.start, x.end, (x,)) for x in again]
    out += _with_stillness([*found, *again], found, s)
    sequence = [x for x in found if x.channel == "body" or _alone(x, body, s)]
    for i in range(len(sequence)):
        for count in (2, 3):
            chain = sequence[i : i + count]
            if len(chain) == count and _chained(chain, fps) and not there_and_back(chain):
                out.append(Segment(chain[0].start, chain[-1].end, tuple(chain)))
    out += _round_trips(body, s)
    up = wrists_up(s)
    told = [x for x in out if x.meanwhile or not any(arms_up(a, up) for a in x.actions)]
    return [x for x in told if SHORTEST * fps <= x.end - x.start <= longest + 1]


def wrists_up(s: Signals) -> NDArray[np.bool_]:
    """(T,) whether a wrist is above the shoulders."""
    return np.asarray(s.wrist[..., 2].max(1) > 0.0)


def arms_up(x: Action, up: NDArray[np.bool_]) -> bool:
    """Whether an arm is up in much of what is done with arms hanging: plain words for it would raise arms unasked."""
    return bool(HANGING.match(x.kind) and up[x.start : x.end].mean() > ARMS_UP)


def _whole(x: Action, s: Signals) -> Segment:
    """An action by itself: counted steps with the rest around them, getting up with the standing that it ends in."""
    rest = round(REST * s.fps)
    before = rest if x.kind.startswith("walk") and x.count else 0
    after = rest if before or x.kind.startswith("up_from") else 0
    return Segment(x.start - before, min(len(s), x.end + after), (x,))


def _round_trips(found: list[Action], s: Signals) -> list[Segment]:
    """Walks away that turn about, however that is done, and come back; with and without the stillness around them."""
    calm, near = calm_frames(s), round(NEAR * s.fps)
    wait, most = round(WAIT * s.fps), round(STILL * s.fps)
    out = []
    for i, away in enumerate(found):
        rest = found[i + 1 :]
        back = next((k for k, x in enumerate(rest) if x.kind == "walk_forward"), None)
        if back is None or not all(ABOUT.match(x.kind) for x in rest[:back]):
            continue
        start, turning, end = away.start, (away.end, rest[back].start), rest[back].end
        turned = net_turn(s, *turning) if turning[1] > turning[0] else 0.0
        kind = "turn_left" if turned > 0 else "turn_right"
        trip = (away, Action(kind, *turning, turned), rest[back])
        way = np.linalg.norm(s.joints[start:end, 0, :2] - s.joints[start, 0, :2], axis=-1)
        if not there_and_back(trip) or len(trip[1]) > TURNING * s.fps or way[-1] > BACK * way.max():
            continue
        out.append(Segment(start, end, trip))
        before, after = _still(calm[:start][::-1], near), _still(calm[end:], near)
        if before + after > near:
            out.append(Segment(start - min(before, wait), end + min(after, most), trip))
    return out


def _repeated(found: list[Action], fps: float) -> list[Action]:
    """What is done again after a pause, and nothing else in between, as one action with its count."""
    out = []
    doing = [x for x in found if x.kind not in HELD]
    for i, first in enumerate(doing):
        last, count = first, first.count
        for x in doing[i + 1 :]:
            if not count or x.kind != first.kind or not 0 <= x.start - last.end <= PAUSE * fps:
                break
            last, count = x, count + x.count
        before = doing[i - 1] if i else None
        goes_on = before is not None and before.kind == first.kind and first.start - before.end <= PAUSE * fps
        if last is not first and not goes_on and not first.kind.startswith(("walk", "run")):
            out.append(replace(first, end=last.end, count=count))
    return out


def _with_stillness(actions: list[Action], found: list[Action], s: Signals) -> list[Segment]:
    """Actions with the stillness around them: who is asked to do one thing for long does it and then holds still."""
    wait, most, near = (round(x * s.fps) for x in (WAIT, STILL, NEAR))
    calm = calm_frames(s)
    doing = [x for x in found if x.kind not in HELD]
    out = []
    for x in actions:
        if x.kind in HELD:
            continue
        # a walk is worded with its beginning or end: that is a sequence, unless its steps are counted
        if x.kind.startswith(("walk", "run")) and not x.count:
            continue
        low = max((y.end for y in doing if y.start < x.start), default=0)
        high = min((y.start for y in doing if y.end > x.end), default=len(s))
        start = x.start - min(_still(calm[low : x.start][::-1], near), wait)
        end = x.end + min(_still(calm[x.end : high], near), most)
        if end - start > len(x) + near:
            out.append(Segment(start, end, (x,)))
    return out


def calm_frames(s: Signals) -> NDArray[np.bool_]:
    """(T,) where the body holds still."""
    return np.asarray(smooth(fastest(s), 0.1 * s.fps) < CALM)


def _still(calm: NDArray[np.bool_], near: int) -> int:
    """How many frames from the first on hold still, from at most `near` on."""
    begins = np.flatnonzero(calm[:near])
    if not len(begins):
        return 0
    ends = np.flatnonzero(~calm[begins[0] :])
    return int(begins[0] + ends[0]) if len(ends) else len(calm)


def _alone(gesture: Action, body: list[Action], s: Signals) -> bool:
    """A gesture made while standing counts as a step of a sequence."""
    still = float(np.median(s.speed[gesture.start : gesture.end])) < 0.25
    beside = any(min(x.end, gesture.end) - max(x.start, gesture.start) > 0.2 * len(gesture) for x in body)
    return still and not beside


def _chained(chain: list[Action], fps: float) -> bool:
    for before, after in pairwise(chain):
        if not -0.3 * fps <= after.start - before.end <= 0.5 * fps:
            return False
        if before.kind == after.kind:  # pieces of one long action
            return False
    return True


def annotate(clip: Clip, seed: int = 0) -> list[Caption]:
    """Captions of a clip, one wording each; the same clip and seed give the same words."""
    rng = np.random.default_rng(seed)
    return [Caption(describe(x.actions, rng, meanwhile=x.meanwhile), x.start, x.end, "motion", x.kind)
            for x in segments(clip)]  # fmt: skip
