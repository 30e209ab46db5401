"""What locking feet does to generated motions: how much they slide, what else moves, and whether anything pops.

    python benchmarks/foot_lock.py [--weights kmm-open] [--seeds 5] [--picture OUT.png]

Prints a table in Markdown. "Standing": toes in frames in which the foot stands (the engine's contacts, cleaned up).
"Low": all toes below 5 cm, `kmm.evaluation.physics.foot_skate` (arXiv 2305.12577), which also counts feet that swing
low over the floor, as they should. Accelerations are the largest of knees, ankles and toes from frame to frame.
"""

from __future__ import annotations

import argparse
from functools import reduce
from operator import add

import numpy as np
from kmm.clip import Clip
from kmm.evaluation.physics import SLIDE, FootSkate, foot_skate
from kmm.foot_lock import lock_feet, standing
from kmm.model.pipeline import Pipeline
from kmm.protocol import PromptSegment
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES

PROMPTS = {
    "walk": "a person walks forward",
    "run": "a person runs forward",
    "turn": "a person walks and turns left",
    "jump": "a person jumps",
    "backwards": "a person walks backwards",
    "stand": "a person stands still",
}
PICTURED = ("walk", "backwards")
HEADS = (
    "standing, cm/s", "of it sliding", "low, cm/s", "of it sliding",
    "rest moves, mm", "acceleration, m/s²", "99th percentile",
)  # fmt: skip
FRAMES = 150
TOES = [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]
LEGS = [i for i, name in enumerate(JOINT_NAMES) if name.endswith(("knee", "ankle", "foot"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="kmm-open")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--picture", help="film strips before and after, to look at")
    options = parser.parse_args()
    pipeline = Pipeline.load(options.weights)
    print(f"{options.weights}, {options.seeds} seeds of {FRAMES} frames each.\n")
    print("| motion |", " | ".join(HEADS), "|")
    print("|---" * (1 + len(HEADS)) + "|")
    pairs = {}
    for name, prompt in PROMPTS.items():
        clips = [pipeline.clip([PromptSegment(prompt, FRAMES)], seed=s) for s in range(options.seeds)]
        locked = [lock_feet(clip) for clip in clips]
        pairs[name] = clips[0], locked[0]
        print(f"| {name} | {' | '.join(row(clips, locked))} |")
    if options.picture:
        from kmm.preview import film_strip_sheet

        strips = [clip.slice(30, 90) for name in PICTURED for clip in pairs[name]]
        titles = [
            f"{PROMPTS[name]}, {state}" for name in PICTURED for state in ("as generated", "feet locked")
        ]
        film_strip_sheet(strips, titles, options.picture, 10)


def row(clips: list[Clip], locked: list[Clip]) -> list[str]:
    flags = [standing(c.joints(), c.contacts, c.fps)[:, [1, 3]] for c in clips]
    stand = [reduce(add, map(standing_skate, some, flags)) for some in (clips, locked)]
    low = [reduce(add, (foot_skate(c.joints(), c.fps) for c in some)) for some in (clips, locked)]
    rest = np.setdiff1d(np.arange(22), LEGS)
    moved = max(
        np.abs(a.joints()[:, rest] - b.joints()[:, rest]).max() for a, b in zip(clips, locked, strict=True)
    )
    fast = [np.concatenate([acceleration(c) for c in some]) for some in (clips, locked)]
    skates = [
        text
        for pair in (stand, low)
        for text in (
            change([100 * s.speed for s in pair], ".1f"),
            change([100 * s.ratio for s in pair], ".0f") + " %",
        )
    ]
    fastest = [change([measure(f) for f in fast], ".0f") for measure in (np.max, _high)]
    return [*skates, f"{1000 * moved:.1f}", *fastest]


def _high(values: np.ndarray) -> float:
    return float(np.percentile(values, 99))


def change(values: list[float], form: str) -> str:
    return " to ".join(format(value, form) for value in values)


def standing_skate(clip: Clip, flags: np.ndarray) -> FootSkate:
    """As `foot_skate`, in the frames in which the toes are said to stand."""
    contact = flags[1:] & flags[:-1]
    moved = np.linalg.norm(np.diff(clip.joints()[:, TOES, :2], axis=0), axis=-1)
    sliding = contact & (moved * clip.fps > SLIDE)
    return FootSkate(int(contact.sum()), int(sliding.sum()), float(moved[contact].sum()), clip.fps)


def acceleration(clip: Clip) -> np.ndarray:
    """(T - 2,) m/s², the largest of the legs' joints."""
    return np.linalg.norm(np.diff(clip.joints()[:, LEGS], n=2, axis=0), axis=-1).max(-1) * clip.fps**2


if __name__ == "__main__":
    main()
