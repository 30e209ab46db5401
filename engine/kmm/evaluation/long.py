"""Does a motion of many minutes decay? Many prompts in one stream, measured minute by minute.

Each prompt's stretch is judged by its predicate (kmm.evaluation.directions), and so is the same prompt asked alone: a
stream that decays does worse than its prompts alone, the more so the later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kmm.clip import FPS, Clip
from kmm.evaluation import physics
from kmm.evaluation.directions import Check, checks
from kmm.evaluation.generating import Generate

SECONDS = 10  #: of each prompt
MINUTE = round(60 * FPS)


@dataclass(frozen=True)
class Minute:
    """What is measured of one minute: of feet and jerk as in kmm.evaluation.physics, heights in metres."""

    asked: int  #: prompts
    passed: int  #: in the stream
    passed_alone: int
    skate: float  #: share of contact frames that slide
    slide: float  #: metres a second in contact
    jerk: float  #: mean
    sunk: float  #: mean penetration of the floor, metres
    height: tuple[float, float, float]  #: of the pelvis, percentiles 5, 50 and 95


def choose(prompts: int, seed: int = 0) -> list[Check]:
    """So many prompts in random order, kinds in equal shares, prompts of the directions' checks only."""
    rng = np.random.default_rng(seed)
    kinds: dict[str, list[Check]] = {}
    for check in checks():
        if isinstance(check, Check):
            kinds.setdefault(check.kind, []).append(check)
    members = list(kinds.values())
    order = [int(i) for _ in range(-(-prompts // len(members))) for i in rng.permutation(len(members))]
    return [members[i][rng.integers(len(members[i]))] for i in order[:prompts]]


def evaluate(generate: Generate, prompts: int = 60, seed: int = 0) -> list[Minute]:
    """One motion of `prompts` times SECONDS seconds, a row a minute.

    ValueError if a boundary of the motion is not where it was asked for, or a pose is not finite.
    """
    chosen = choose(prompts, seed)
    frames = round(SECONDS * FPS)
    clip = generate([(c.prompt, frames) for c in chosen], seed)
    cuts = [(s.prompt, s.start, s.end) for s in clip.segments]
    if cuts != [(c.prompt, i * frames, (i + 1) * frames) for i, c in enumerate(chosen)]:
        raise ValueError("the motion's segments are not where they were asked for")
    if not (np.isfinite(clip.translation).all() and np.isfinite(clip.rotations).all()):
        raise ValueError("the motion holds a pose that is not finite")
    inside = [c.judge(clip.slice(i * frames, (i + 1) * frames).canonical()) for i, c in enumerate(chosen)]
    alone = [c.judge(generate([(c.prompt, frames)], seed)) for c in chosen]
    a_minute = MINUTE // frames
    return [
        _minute(clip.slice(m * MINUTE, (m + 1) * MINUTE), inside[at], alone[at])
        for m in range(-(-prompts // a_minute))
        for at in [slice(m * a_minute, (m + 1) * a_minute)]
    ]


def _minute(clip: Clip, inside: list[bool], alone: list[bool]) -> Minute:
    joints = clip.joints()
    skate = physics.foot_skate(joints, FPS)
    low, middle, high = np.percentile(clip.translation[:, 2], [5, 50, 95])
    return Minute(
        asked=len(inside),
        passed=sum(inside),
        passed_alone=sum(alone),
        skate=skate.ratio,
        slide=skate.speed,
        jerk=float(physics.jerk(joints).mean()),
        sunk=float(physics.penetration(joints).mean()),
        height=(float(low), float(middle), float(high)),
    )


def table(minutes: Sequence[Minute]) -> str:
    """A line a minute, and their sum."""
    heads = f"{'minute':>6}  {'as told':>8}  {'alone':>8}  {'skate':>6}  {'slide cm/s':>10}  {'jerk mm':>7}  "
    lines = [heads + f"{'sunk mm':>7}  pelvis m (5, 50, 95 %)"]
    for number, m in enumerate(minutes, start=1):
        lines.append(
            f"{number:6}  {m.passed:3} of {m.asked:2}  {m.passed_alone:3} of {m.asked:2}  {m.skate:6.1%}  "
            f"{100 * m.slide:10.1f}  {1000 * m.jerk:7.2f}  {1000 * m.sunk:7.1f}  "
            + " ".join(f"{h:.2f}" for h in m.height)
        )
    asked, passed, alone = (sum(getattr(m, k) for m in minutes) for k in ("asked", "passed", "passed_alone"))
    return "\n".join([*lines, f"   all  {passed:3} of {asked:2}  {alone:3} of {asked:2}"])
