"""Balanced drawing of examples: common kinds of action less often than there is of them, rare ones more often."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kmm.data.examples import Example

LONG = 180  #: frames beyond which an example is not drawn more often
#: Kinds with a number or a size, and a few that are easily taken for others; how much more often they are drawn.
EXACT, EXACT_OFTEN = re.compile(r" \d+$|there_and_back|walk_turn|up_from"), 1.7


class Balanced:
    """Draws a kind by the square root of its total length, then an example by its own, up to LONG.

    People ask for some seconds of a thing, longer than it often lasts in a recording. What they ask for by number,
    size or way is told by few words, so it is drawn more often.

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
        asked = np.minimum(length, LONG)
        self.within = [asked[m] / asked[m].sum() for m in self.members]

    def chance(self) -> NDArray[np.floating]:
        """(E,) how probable each example is in a drawing."""
        chance = np.zeros(sum(map(len, self.members)))
        for members, weight, within in zip(self.members, self.weight, self.within, strict=True):
            chance[members] = weight * within
        return chance

    def draw(self, rng: np.random.Generator, count: int) -> list[int]:
        """Indices of `count` examples."""
        chosen = rng.choice(len(self.members), count, p=self.weight)
        return [int(rng.choice(self.members[k], p=self.within[k])) for k in chosen]


def _kind(example: Example) -> str:
    begins = f" {example['actions'][0]}" if example["kind"] in ("sequence", "meanwhile") else ""
    return example["kind"] + begins


def _share(name: str) -> float:
    if name.startswith("own"):
        return 0.33
    if name.startswith("sequence"):
        return 0.5
    return EXACT_OFTEN if EXACT.search(name) else 1.0
