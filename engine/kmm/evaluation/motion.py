"""Judge weights on held-out motion: does motion fit its text, is it as varied and as physical as real motion?

Every figure is made for generated motion and for the real motion of the same texts, over several seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from operator import add
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kmm.clip import Clip
from kmm.data.annotate import actions
from kmm.data.examples import Example, build_captions
from kmm.data.records import Recording, checked_split, in_split
from kmm.data.signals import signals
from kmm.evaluation import embeddings, physics
from kmm.evaluation.evaluator import LONGEST, Judge, motion_features
from kmm.evaluation.generating import Generate, Script
from kmm.evaluation.intervals import Estimate, estimate
from kmm.foot_lock import lock_feet
from kmm.model.tokenizer import Tokenizer
from kmm.training import run
from kmm.training import tokenizer as tokenizer_stage
from kmm.training.recipe import load_recipe
from kmm.training.store import Store

Figures = dict[str, float]

SHORTEST = 24  #: frames; test segments shorter than this are left out
SCRIPT = 4  #: texts that follow one another where transitions are judged
SCRIPT_FRAMES = 90  #: longest segment of such a script: transitions count, not what is between them
WORDINGS = 4
SKATE = ("foot skate, share of contact", "foot slide in contact, cm/s")


@dataclass(frozen=True)
class Item:
    """A test segment: wordings of its text, its coarse kind, its real motion."""

    texts: list[str]
    label: str
    clip: Clip


def split_of(recipe: str, data: Path, split: str) -> list[Recording]:
    """One split of the sets that a recipe uses, a ValueError for an unknown one."""
    return in_split(run.recordings(load_recipe(recipe), data), checked_split(split))


def reconstruction(tokenizer: Tokenizer, recordings: Sequence[Recording]) -> Figures:
    """Joint error (mm), rotation error (degrees) and share of codes used of all the motion through the tokenizer."""
    return tokenizer_stage.reconstruction(tokenizer, Store.build(recordings), limit=10**9)


def test_items(recordings: Sequence[Recording]) -> list[Item]:
    """Every captioned segment of the recordings, the first LONGEST frames of longer ones."""
    items = []
    for example in build_captions(recordings, WORDINGS):
        start, end = example["start"], min(example["end"], example["start"] + LONGEST)
        if end - start >= SHORTEST:
            clip = recordings[example["recording"]].clip.slice(start, end)
            items.append(Item(example["texts"], label(example), clip))
    return items


def label(example: Example) -> str:
    """What segments that cannot be told apart share: the actions read from the motion, else the set's own label."""
    return " ".join(example["actions"]) or example["kind"]


def real_transitions(recordings: Iterable[Recording]) -> list[Clip]:
    """A second around each frame where one action of the body gives way to another."""
    found = []
    for recording in recordings:
        clip = recording.clip
        body = [a for a in actions(signals(clip)) if a.channel == "body"] if len(clip) > 1 else []
        for before, after in pairwise(body):
            if abs(after.start - before.end) <= 0.5 * clip.fps and before.kind != after.kind:
                window = physics.boundary_window((before.end + after.start) // 2, len(clip))
                if window is not None:
                    found.append(clip.slice(window.start, window.stop))
    return found


def generated_transitions(generate: Generate, script: Script, seed: int) -> list[Clip]:
    """A second around each boundary of a motion made from a script."""
    clip = generate(script, seed)
    cuts = np.cumsum([frames for _, frames in script])[:-1]
    windows = [physics.boundary_window(int(cut), len(clip)) for cut in cuts]
    return [clip.slice(w.start, w.stop) for w in windows if w is not None]


@dataclass(frozen=True)
class Judged:
    """Figure -> (generated, real), each with its interval over seeds, and what they are made of."""

    figures: dict[str, tuple[Estimate, Estimate]]
    segments: tuple[int, int]  #: that a seed draws, and that the split has
    transitions: tuple[int, int]  #: that a seed draws and generates, and that the split has


def evaluate(
    generate: Generate, judge: Judge, recordings: Sequence[Recording], seeds: int, limit: int = 256
) -> Judged:
    """Generated beside real motion of the same texts.

    A seed draws `limit` test segments (8 or more), their wordings and the noise. FID "real" is that of two halves of
    the real motion: what FID is, with so few motions, where there is no difference. FID "generated" is of sets as
    small. ValueError if there is too little to test.
    """
    items, between = test_items(recordings), real_transitions(recordings)
    if len(between) < SCRIPT or len({i.label for i in items}) < embeddings.POOL:
        raise ValueError(
            f"The split is too small: it has {len(items)} segments of {len({i.label for i in items})} kinds and "
            f"{len(between)} transitions, and {embeddings.POOL} kinds and {SCRIPT} transitions are needed."
        )
    usual_jerk = float(np.concatenate([physics.jerk(r.clip.joints()) for r in recordings]).mean())
    others = embeddings.Texts(judge.texts([i.texts[0] for i in items]), [i.label for i in items])
    rows = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        chosen = [items[i] for i in rng.permutation(len(items))[:limit]]
        texts = [item.texts[int(rng.integers(len(item.texts)))] for item in chosen]
        made = [
            generate([(text, len(item.clip))], seed * 100_000 + i)
            for i, (text, item) in enumerate(zip(texts, chosen, strict=True))
        ]
        row = _compare(judge, made, chosen, texts, others, rng)
        rows.append(row | _transitions(generate, judge, chosen, texts, between, usual_jerk, seed))
    figures = {
        name: (estimate([r[name][0] for r in rows]), _of_real([r[name][1] for r in rows])) for name in rows[0]
    }
    drawn = min(len(items), limit)
    return Judged(figures, (drawn, len(items)), (_wanted(drawn, between), len(between)))


def _of_real(values: Sequence[float]) -> Estimate:
    """No interval where every seed has the same real motion, all that there is: that is one run, told repeatedly."""
    same = np.allclose(values, values[0], rtol=1e-9, atol=0)
    return estimate(values[:1] if same else values)


def _wanted(segments: int, between: Sequence[Clip]) -> int:
    """How many transitions are judged: as many as there are real ones, at most half as many as segments."""
    return min(len(between), max(SCRIPT, segments // 2))


Pair = tuple[float, float]  #: generated, real


def _compare(
    judge: Judge,
    made: list[Clip],
    chosen: list[Item],
    texts: list[str],
    others: embeddings.Texts,
    rng: np.random.Generator,
) -> dict[str, Pair]:
    said = embeddings.Texts(judge.texts(texts), [item.label for item in chosen])
    both = [made, [item.clip for item in chosen]]
    generated, real = (judge.motions(map(motion_features, clips)) for clips in both)
    figures: dict[str, Pair] = {}
    precision = [embeddings.r_precision(x, said, others, rng) for x in (generated, real)]
    for top in range(3):
        figures[f"R-precision top {top + 1}"] = (float(precision[0][top]), float(precision[1][top]))
    figures["MM-dist"] = (
        embeddings.mm_distance(generated, said.rows),
        embeddings.mm_distance(real, said.rows),
    )
    figures["FID"] = embeddings.fid_of_halves(generated, real)
    figures["diversity"] = (embeddings.diversity(generated, rng), embeddings.diversity(real, rng))
    physical = [_physical(clips) for clips in both]
    figures |= {name: (physical[0][name], physical[1][name]) for name in physical[0]}
    locked = _physical([lock_feet(clip) for clip in made])
    # real motion is not locked: it is what locked feet are measured by
    return figures | {f"{name}, feet locked": (locked[name], physical[1][name]) for name in SKATE}


def _physical(clips: Iterable[Clip]) -> Figures:
    joints = [clip.joints() for clip in clips]
    skate = reduce(add, [physics.foot_skate(j, 30.0) for j in joints])
    depth = np.concatenate([physics.penetration(j) for j in joints])
    return dict(zip(SKATE, (skate.ratio, 100 * skate.speed), strict=True)) | {
        "floor penetration, mm": 1000 * float(depth.mean()),
    }


def _transitions(
    generate: Generate,
    judge: Judge,
    chosen: list[Item],
    texts: list[str],
    between: list[Clip],
    usual_jerk: float,
    seed: int,
) -> dict[str, Pair]:
    """Those of scripts of SCRIPT texts each, beside as many real ones."""
    wanted = _wanted(len(chosen), between)
    lengths = [min(len(item.clip), SCRIPT_FRAMES) for item in chosen]
    parts = list(zip(texts, lengths, strict=True))
    made: list[Clip] = []
    for number, first in enumerate(range(0, len(parts) - SCRIPT + 1, SCRIPT)):
        if len(made) >= wanted:
            break
        made += generated_transitions(
            generate, parts[first : first + SCRIPT], seed * 100_000 + 50_000 + number
        )
    rng = np.random.default_rng(seed)
    count = min(len(made), wanted)
    real = [between[i] for i in rng.permutation(len(between))[:count]]
    jerks = [physics.transition_jerk(_curves(clips), usual_jerk) for clips in (made[:count], real)]
    generated = judge.motions(map(motion_features, made[:count]))
    actual = judge.motions(map(motion_features, real))
    return {
        "transition FID": embeddings.fid_of_halves(generated, actual),
        "transition peak jerk": (jerks[0].peak, jerks[1].peak),
        "transition area under jerk": (jerks[0].area, jerks[1].area),
    }


def _curves(clips: Iterable[Clip]) -> NDArray[np.float64]:
    return np.stack([physics.jerk(clip.joints()) for clip in clips])


def table(judged: Judged) -> str:
    """The figures as lines of text, generated beside real, and what they are made of."""
    rows = [("", "generated", "real")]
    rows += [(name, str(made), str(real)) for name, (made, real) in judged.figures.items()]
    widths = [max(len(r[c]) for r in rows) for c in range(3)]
    lines = ["  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    (segments, of_segments), (transitions, of_transitions) = judged.segments, judged.transitions
    counts = f"{segments} of {of_segments} segments, {transitions} of {of_transitions} transitions"
    return "\n".join([*lines, f"A seed: {counts}."])
