"""Which tokens are made in one go, and between what they are made."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kmm.model.tokenizer import FRAMES_PER_TOKEN

FIRST_WINDOW = 16  #: tokens of the first window of a request, so that the first poses come at once
WINDOW = 40  #: most tokens of a later window
CONTEXT = FIRST_WINDOW  #: tokens before a window that it goes on from: all of the first one
AFTER = 8  #: known tokens after a window that it leads into
LONGEST = CONTEXT + WINDOW + AFTER  #: tokens of a window and what it sees around it, here and in training
STRETCH = 3  #: so many known tokens in a row end a window; fewer are key poses inside it


@dataclass(frozen=True)
class Window:
    """Tokens [first, last) of a request, all in one segment, which is tokens [start, end)."""

    segment: int
    start: int
    end: int
    first: int
    last: int


def token_count(frames: int) -> int:
    """Tokens that cover so many frames."""
    return -(-frames // FRAMES_PER_TOKEN)


def plan(
    durations: Sequence[int], known: NDArray[np.bool_] | None = None, first: int = FIRST_WINDOW
) -> list[Window]:
    """Windows over all tokens that are not known, in order, for segments of so many frames.

    known (tokens of all segments,): None for none. Long stretches are split evenly, and `first` tokens first
    if nothing after them is known, which a shorter window would not see.
    """
    boundaries = [round(b / FRAMES_PER_TOKEN) for b in np.cumsum([0, *durations])]
    boundaries[-1] = token_count(sum(durations))
    if known is None:
        known = np.zeros(boundaries[-1], dtype=bool)
    windows: list[Window] = []
    for index, (start, end) in enumerate(itertools.pairwise(boundaries)):
        for low, high in _unknown(known, start, end):
            cuts = [low]
            if not windows and high - low > first and not known[high:].any():
                cuts.append(low + first)
            left = high - cuts[-1]
            parts = -(-left // WINDOW)
            cuts += [cuts[-1] + round(left * (i + 1) / parts) for i in range(parts)]
            for a, b in itertools.pairwise(cuts):
                unknown = np.flatnonzero(~known[a:b]) + a
                if len(unknown):
                    windows.append(Window(index, start, end, int(unknown[0]), int(unknown[-1]) + 1))
    return windows


def _unknown(known: NDArray[np.bool_], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Ranges within [start, end) that begin and end with unknown tokens, apart by stretches of known ones."""
    unknown = np.flatnonzero(~known[start:end]) + start
    if len(unknown):
        for part in np.split(unknown, np.flatnonzero(np.diff(unknown) > STRETCH) + 1):
            yield int(part[0]), int(part[-1]) + 1
