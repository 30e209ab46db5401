"""Balanced drawing of examples: common kinds of action less often than there is of them, rare ones more often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from kmm.data.examples import Example


class Balanced:
    """Draws a kind by the square root of its total length, then an example by the square root of its own.

    A set's own label is often one vague word for a long clip, so it has a third of the weight of what motion shows.
    Sequences are as many kinds as actions that they begin with, and so many that they have half the weight too.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        kinds: dict[str, list[int]] = defaultdict(list)
        for i, example in enumerate(examples):
            kinds[_kind(example)].append(i)
        length = np.array([e["end"] - e["start"] for e in examples], float)
        self.members = [np.array(kinds[name]) for name in sorted(kinds)]
        weight = np.array([length[m].sum() ** 0.5 for m in self.members])
        weight *= [_share(name) for name in sorted(kinds)]
        self.weight = weight / weight.sum()
        self.within = [length[m] ** 0.5 / (length[m] ** 0.5).sum() for m in self.members]

    def draw(self, rng: np.random.Generator, count: int) -> list[int]:
        """Indices of `count` examples."""
        chosen = rng.choice(len(self.members), count, p=self.weight)
        return [int(rng.choice(self.members[k], p=self.within[k])) for k in chosen]


def _kind(example: Example) -> str:
    begins = f" {example['actions'][0]}" if example["kind"] in ("sequence", "meanwhile") else ""
    return example["kind"] + begins


def _share(name: str) -> float:
    return 0.33 if name.startswith("own") else 0.5 if name.startswith("sequence") else 1.0
