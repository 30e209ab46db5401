"""How well made motion meets what is given: error at given frames, and the jump in velocity at the seams.

    python benchmarks/in_between.py [--weights kmm-open] [--seeds 3] [--strips FOLDER]

A motion is made first; then parts of it are given and the rest is made anew with another seed. The jump at a seam is
the largest change of any joint's velocity from one frame to the next within a frame of any seam, in multiples of what
the same motion does by itself: the 95th percentile away from the seams. Beside it stands that of the first motion,
which has no seams there: of a maximum over so many frames one expects about 1 by chance.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from kmm import preview
from kmm import rotations as rot
from kmm.clip import Clip, heading
from kmm.given import Given
from kmm.model.pipeline import Pipeline
from kmm.protocol import PromptSegment

Blocks = list[PromptSegment]

WALK = [PromptSegment("a person walks forward", 120)]
STORY = [
    PromptSegment("a person walks forward", 75),
    PromptSegment("a person waves with the right hand", 90),
    PromptSegment("a person turns left", 60),
]


def poses(frames: int) -> list[int]:
    """Single poses, a second apart."""
    return list(range(0, frames, 30))


def gap(frames: int) -> list[int]:
    """Everything but a second and a half in the middle."""
    return [*range(frames // 2 - 22), *range(frames // 2 + 23, frames)]


def other_blocks(_: int) -> list[int]:
    """Everything but the second block of the story."""
    ends = list(itertools.accumulate(b.duration_frames for b in STORY))
    return [*range(ends[0]), *range(ends[1], ends[2])]


CASES: dict[str, tuple[Blocks, Callable[[int], list[int]]]] = {
    "poses a second apart": (WALK, poses),
    "gap of 1.5 s": (WALK, gap),
    "one block of three": (STORY, other_blocks),
}


def jumps(clip: Clip) -> np.ndarray:
    """(T,) largest change of velocity of any joint at each frame, metres a frame; 0 at both ends."""
    change = np.linalg.norm(np.diff(clip.joints().astype(np.float64), n=2, axis=0), axis=-1).max(-1)
    return np.pad(change, 1)


def seams_of(frames: Sequence[int], total: int) -> list[int]:
    """Frames at which made and given motion meet."""
    given = np.zeros(total + 2, dtype=bool)
    given[np.asarray(frames) + 1] = True
    return [int(f) for f in np.flatnonzero(np.diff(given[1:-1].astype(int))) for f in (f, f + 1)]


def seam_jump(clip: Clip, seams: Sequence[int]) -> float:
    """The largest jump within a frame of a seam, over the motion's own."""
    at = jumps(clip)
    near = np.zeros(len(clip), dtype=bool)
    for seam in seams:
        near[max(0, seam - 1) : seam + 2] = True
    return float(at[near].max() / np.quantile(at[~near], 0.95))


def errors(clip: Clip, source: Clip, frames: Sequence[int]) -> tuple[float, float]:
    """Largest distance of a joint (cm) and of a rotation (degrees) at the given frames."""
    distance = np.linalg.norm(clip.joints()[frames] - source.joints()[frames], axis=-1).max()
    turn = rot.magnitude(rot.multiply(clip.rotations[frames], rot.inv(source.rotations[frames]))).max()
    return float(100 * distance), float(np.degrees(turn))


def measure(pipeline: Pipeline, name: str, seed: int) -> tuple[float, float, float, float, Clip, Clip]:
    """cm, degrees, jump, the source's jump at the same frames; the source, and what came."""
    blocks, choose = CASES[name]
    source = pipeline.clip(blocks, seed)
    frames = choose(len(source))
    clip = pipeline.clip(blocks, seed + 100, given=Given.of(source, frames))
    seams = seams_of(frames, len(clip))
    return *errors(clip, source, frames), seam_jump(clip, seams), seam_jump(source, seams), source, clip


def loop(pipeline: Pipeline, seed: int) -> tuple[float, Clip]:
    """The jump where the motion begins again, and the motion twice over."""
    clip = pipeline.clip([PromptSegment("a person walks forward", 80)], seed, loop=True)
    return seam_jump(twice := repeated(clip), [len(clip) - 1, len(clip)]), twice


def repeated(clip: Clip) -> Clip:
    """The clip and itself again, put on the floor where and how the path goes on."""

    def step(a: int, b: int) -> tuple[float, np.ndarray]:
        """Turn and step from frame a to b, in the heading of a."""
        turn = float(heading(clip.rotations[b, 0]) - heading(clip.rotations[a, 0]))
        away = clip.translation[b] - clip.translation[a]
        return turn, rot.apply(rot.from_rotvec([0.0, 0.0, -float(heading(clip.rotations[a, 0]))]), away)

    turn, away = step(0, 1)
    last = float(heading(clip.rotations[-1, 0]))
    again = clip.transform(last + turn - float(heading(clip.rotations[0, 0])))
    place = clip.translation[-1] + rot.apply(rot.from_rotvec([0.0, 0.0, last]), away)
    again = again.transform(0.0, [*(place - again.translation[0])[:2], 0.0])
    return Clip(
        np.concatenate([clip.translation, again.translation]),
        np.concatenate([clip.rotations, again.rotations]),
        clip.fps,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default="kmm-open")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--strips", type=Path, help="folder for film strips of the first seed")
    options = parser.parse_args()
    pipeline = Pipeline.load(options.weights, "cpu")
    print(f"{pipeline.name}, {options.seeds} seeds: worst error at given frames; jump, median (worst)")
    for name in CASES:
        results = [measure(pipeline, name, seed) for seed in range(options.seeds)]
        errors_cm, errors_degrees, made, own, *_ = zip(*results, strict=True)
        worst = f"{max(errors_cm):6.2f} cm {max(errors_degrees):6.2f} deg"
        print(f"{name:22} {worst}   at seams {spread(made)}   without seams {spread(own)}")
        if options.strips:
            draw(results[0][4], options.strips / f"{name.replace(' ', '_')}_source.png")
            draw(results[0][5], options.strips / f"{name.replace(' ', '_')}.png")
    ends = [loop(pipeline, seed) for seed in range(options.seeds)]
    print(f"{'loop of 80 frames':22} {'':23} at seam  {spread([r[0] for r in ends])}")
    if options.strips:
        draw(ends[0][1], options.strips / "loop_twice.png")


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({max(values):.2f})"


def draw(clip: Clip, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    preview.film_strip(clip, path)


if __name__ == "__main__":
    main()
