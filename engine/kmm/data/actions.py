"""What detectors find in a motion (`Action`), and the helpers for runs of frames that they share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

_RIGHT = re.compile(r"(^|_)right($|_)")


@dataclass(frozen=True)
class Action:
    """Frames [start, end) show `kind` (walk_forward, turn_left, raise_right, jump ...).

    amount: degrees turned, positive to the left; speed: "", "slow" or "fast"; count: how often (jumps, steps), 0 if
    not sure; channel: "body" for what the legs and trunk do, "arms" for gestures.
    """

    kind: str
    start: int
    end: int
    amount: float = 0.0
    speed: str = ""
    count: int = 0
    channel: str = "body"

    def __len__(self) -> int:
        return self.end - self.start


def turn_size(degrees: float) -> str:
    """What people call a turn of so many degrees; a size between the named ones gets no exact word."""
    size = abs(degrees)
    named = {45: 17, 90: 16, 180: 25, 270: 20, 360: 30}
    for angle, tolerance in named.items():
        if abs(size - angle) < tolerance:
            return str(angle)
    between = {106: "some", 155: "135", 250: "225", 330: "315"}
    return next((name for limit, name in between.items() if size <= limit), "more")


def leftward(kind: str) -> str:
    """The kind for the left, of one for the right."""
    return _RIGHT.sub(r"\1left\2", kind)


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """[start, end) of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def labelled_runs(labels: NDArray[np.integer]) -> Iterator[tuple[int, int, int]]:
    """(label, start, end) of every stretch of one label."""
    cuts = np.flatnonzero(np.diff(labels)) + 1
    edges = [0, *cuts.tolist(), len(labels)]
    for a, b in pairwise(edges):
        if a < b:
            yield int(labels[a]), a, b


def absorb_short(labels: NDArray[np.integer], shortest: int) -> NDArray[np.integer]:
    """Give stretches shorter than `shortest` frames the label of their longer neighbour, shortest first."""
    labels = labels.copy()
    while True:
        found = list(labelled_runs(labels))
        if len(found) < 2:
            return labels
        i = min(range(len(found)), key=lambda k: found[k][2] - found[k][1])
        _, a, b = found[i]
        if b - a >= shortest:
            return labels
        beside = [found[k] for k in (i - 1, i + 1) if 0 <= k < len(found)]
        labels[a:b] = max(beside, key=lambda r: r[2] - r[1])[0]
