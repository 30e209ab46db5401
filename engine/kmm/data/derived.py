"""Recordings made from others by what the body could as well have done.

A walk whose steps lead aside is a diagonal walk, one whose steps lead nowhere walks on the spot; who walks or runs,
reversed, goes backward, who got down gets up; who stands can squat or crouch; who turns with an arm up can let both
hang. So kinds that few recordings show are shown by more. What each shows is read from its motion, as for every
recording, and only kinds that such a change shows truly are used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kmm.clip import FPS, Clip
from kmm.data.actions import Action
from kmm.data.annotate import actions, arms_up, wrists_up
from kmm.data.blending import backwards, bend_knees, lead_steps, with_arms_throughout
from kmm.data.records import Recording
from kmm.data.signals import Array, signals
from kmm.retarget.anatomy import smoothstep

#: Kinds that look alike from their end to their start, and what they turn into.
REVERSIBLE = re.compile(r"(run|walk)_forward|crouch|up_from|sit|kneel|lie|bow|bend_down|squat|raise|lower")
REVERSED = re.compile(r"(run|walk)_backward|crouch|up_from|sit|kneel|lie|bow|bend_down|squat|raise|lower")
SQUAT, CROUCH, UNCROUCH = re.compile("squat"), re.compile("crouch"), re.compile("up_from_crouch")
TURN = re.compile("turn_")
LED = re.compile(r"walk_diagonal|walk_in_place")
ASIDE, ASIDE_LENGTH = (25.0, 52.0), (0.75, 1.0)  #: degrees to a side, and share of the steps' length
#: On the spot: the largest share of a step's length that is left of it, and how many times as high feet come up.
ON_THE_SPOT, KNEES_UP = 0.12, (1.0, 2.5)
#: Frames of a walk that are worth leading elsewhere, and of standing in which to squat.
LONG = round(1.5 * FPS)
SQUATS = 2  #: from each standing, and as many crouches
DEPTH, LEAN = (0.34, 0.52), (15.0, 40.0)  #: of squats and crouches, metres and degrees
DOWN_SECONDS, HELD_SECONDS = (0.5, 1.1), (0.0, 0.4)  #: how long it takes to get down or up, and stays down


@dataclass(frozen=True)
class Derived:
    """A recording, and which kinds of its actions may be used."""

    recording: Recording
    kinds: re.Pattern[str]


def derive(recordings: Sequence[Recording], rng: np.random.Generator) -> Iterator[Derived]:
    """What can be made: reversed where that is true, straight walks led aside, squats, crouches, hanging arms."""
    shown = ((r, signals(r.clip)) for r in recordings if len(r.clip) > 1)
    found = [(r, actions(s), wrists_up(s)) for r, s in shown]
    standing = [
        r.clip.slice(a.start, a.end)
        for r, acts, up in found
        for a in acts
        if a.kind == "stand" and not up[a.start : a.end].any()
    ]
    for recording, acts, up in found:
        if any(REVERSIBLE.match(a.kind) for a in acts):
            yield Derived(_of(recording, backwards(recording.clip)), REVERSED)
        if standing and any(TURN.match(a.kind) and arms_up(a, up) for a in acts):
            arms = standing[rng.integers(len(standing))]
            yield Derived(_of(recording, with_arms_throughout(recording.clip, arms)), TURN)
        for action in acts:
            if len(action) >= LONG:
                yield from _of_part(recording, action, rng)


def _of_part(recording: Recording, action: Action, rng: np.random.Generator) -> Iterator[Derived]:
    part = recording.clip.slice(action.start, action.end)
    if action.kind == "walk_forward":
        aside = lead_steps(part, float(rng.uniform(*ASIDE)), float(rng.uniform(*ASIDE_LENGTH)))
        yield Derived(_of(recording, aside), LED)
        left_of_it, lift = float(rng.uniform(0.0, ON_THE_SPOT)), float(rng.uniform(*KNEES_UP))
        yield Derived(_of(recording, lead_steps(part, 0.0, left_of_it, lift)), LED)
    elif action.kind == "stand":
        for _ in range(SQUATS):
            depth, lean = float(rng.uniform(*DEPTH)), float(rng.uniform(*LEAN))
            down = _down(len(part), rng)
            yield Derived(_of(recording, bend_knees(part, down, depth, lean)), SQUAT)
            crouched = bend_knees(part, np.maximum.accumulate(down), depth, lean)  # down, and stays there
            yield Derived(_of(recording, crouched), CROUCH)
            yield Derived(_of(recording, backwards(crouched)), UNCROUCH)


def _down(frames: int, rng: np.random.Generator) -> Array:
    """(frames,) how far down a squat is, 0 to 1: it begins after some frames and is over before the last."""
    moving, held = float(rng.uniform(*DOWN_SECONDS)), float(rng.uniform(*HELD_SECONDS))
    spare = frames / FPS - 0.3 - held
    moving = min(moving, spare / 2)
    start = 0.15 + float(rng.uniform(0.0, spare - 2 * moving))
    at = np.arange(frames) / FPS - start
    return np.asarray(smoothstep(at / moving) * smoothstep((2 * moving + held - at) / moving))


def _of(recording: Recording, clip: Clip) -> Recording:
    return replace(recording, clip=clip, texts=())
