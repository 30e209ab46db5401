"""Where the blocks of a storyboard begin and end, to the frame, at any frame rate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

#: Lengths that users type are decimals; their sums in binary must not fall to the wrong side of a half frame.
EPSILON = 1e-4
TOKEN = 4  #: frames of the engine


def limits(lengths: Iterable[float]) -> list[int]:
    """The n + 1 limits of n blocks, in frames from the start: block i is frames [limits[i], limits[i + 1]).

    lengths: of each block in frames, fractional where seconds are not whole frames. What is cut from one block
    goes to the next, so that no error adds up: every limit is within half a frame of its own time. A block has
    at least one frame.
    """
    found, time = [0], 0.0
    for length in lengths:
        time += length
        found.append(max(found[-1] + 1, math.floor(time + 0.5 + EPSILON)))
    return found


def engine_counts(limits: Iterable[int], ratio: float) -> list[int]:
    """Frames of the engine in each block, possibly none in a very short one; together they reach the last frame.

    ratio: engine frames in one scene frame. The motion has as many engine frames as the scene's frames span.
    """
    inner = list(limits)
    total = math.ceil((inner[-1] - inner[0] - 1) * ratio - 1e-10) + 1
    cuts = [min(total, round((limit - inner[0]) * ratio)) for limit in inner[:-1]] + [total]
    return [b - a for a, b in itertools.pairwise(cuts)]


def taken_up(frames: int, ratio: float) -> int:
    """How many of the last `frames` before a seam to give to the engine, so that it takes up all of them.

    It thinks in tokens of `TOKEN` of its frames, and of one that is given in part it knows nothing: it would go on
    from an earlier moment than where the given frames end. Of the counts that end with a whole token those are best
    whose last frame is, to a quarter, one of the engine's. At odd rates that may cost too much, and all are given.
    ratio: engine frames in one scene frame.
    """
    found = [n for n in range(3 * frames // 4 + 1, frames + 1) if _engine_frames(n, ratio) % TOKEN == 0]
    return min(found, key=lambda n: (int(4 * (((n - 1) * ratio + 1e-6) % 1.0)), -n), default=frames)


def _engine_frames(count: int, ratio: float) -> int:
    """Of the engine's frames those within so many of the scene's."""
    return math.floor((count - 1) * ratio + 1e-6) + 1
