"""What does the tokenizer make of actions? Shares that do as told before and after it, judged by physics.

    python benchmarks/through_tokenizer.py FOLDER [--weights kmm-open] [--joined 500]

FOLDER is the training set. Joins motions of the training split's pieces as training does, and asks of every segment
that tells one action whether it passes that action's predicate, as it is and out of the tokenizer. No generator does
better than its tokenizer lets it.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import torch
from kmm.clip import Clip
from kmm.data.examples import build_captions
from kmm.data.joining import join
from kmm.data.records import in_split
from kmm.data.signals import signals
from kmm.evaluation import predicates
from kmm.model import features as ft
from kmm.model import weights as wt
from kmm.model.tokenizer import FRAMES_PER_TOKEN
from kmm.training.recipe import load_recipe
from kmm.training.run import recordings
from kmm.training.store import Store

#: kind of a caption -> its predicate; sides are for the left.
PASSES = {
    "punch_left": predicates.punches_left,
    "kick_left": predicates.kicks_left,
    "wave_left": predicates.waves_left,
    "raise_left": predicates.raises_left,
    "raise_both": predicates.raises_both,
    "bow": predicates.bows,
    "squat": predicates.squats,
    "turn_left 90": predicates.turns_quarter_left,
    "turn_left 180": predicates.turns_around,
    "walk_forward 2": predicates.steps_forward_two,
    "walk_forward 3": predicates.steps_forward_three,
    "jump 2": predicates.jumps_twice,
    "jump 3": predicates.jumps_three_times,
    "there_and_back": predicates.goes_and_comes_back,
    "run_forward": predicates.runs,
}
SHORTEST = 36  #: frames of a segment that is asked


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", default="kmm-open")
    parser.add_argument("--recipe", help="whose sets to use; by default the recipe named as the weights")
    parser.add_argument("--joined", type=int, default=500)
    options = parser.parse_args()

    tokenizer = wt.load(options.weights, torch.device("cpu")).tokenizer
    items = recordings(load_recipe(options.recipe or options.weights), options.folder)
    members = join(in_split(items, "train"), options.joined, seed=1)
    store = Store.build(members)
    passed: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for example in build_captions(members):
        kind = example["kind"].replace("right", "left")
        if kind not in PASSES or example["end"] - example["start"] < SHORTEST:
            continue
        clip = store.clip(example["recording"])
        frames = torch.from_numpy(clip[: len(clip) // FRAMES_PER_TOKEN * FRAMES_PER_TOKEN])
        with torch.no_grad():
            again = tokenizer.decode(tokenizer.encode(frames[None]))[0]
        cut = slice(example["start"], min(example["end"], len(frames)))
        motions = [ft.decode(rows[cut].numpy())[0] for rows in (frames, again)]
        before, after = (PASSES[kind](signals(facing_left(m, example["kind"]))) for m in motions)
        passed[kind].append((bool(before), bool(after)))
    print("| action (both sides) | segments | as joined | out of the tokenizer |")
    print("|---|---|---|---|")
    for kind in PASSES:
        if rows := passed[kind]:
            shares = " | ".join(f"{sum(column) / len(rows):.0%}" for column in zip(*rows, strict=True))
            print(f"| {kind.replace('_left', '').replace('_', ' ')} | {len(rows)} | {shares} |")


def facing_left(clip: Clip, kind: str) -> Clip:
    """The motion as its predicate wants it: mirrored if it is of the right side."""
    return clip.mirror() if "right" in kind else clip


if __name__ == "__main__":
    main()
