"""A request in the engine's terms: its frame rate, its segments, its given frames."""

from __future__ import annotations

import numpy as np
from kmm.client import Client
from kmm.clip import Clip, sample
from kmm.given import Given
from kmm.protocol import PromptSegment
from kmm.protocol.limits import MAX_TRANSITION_FRAMES
from numpy.typing import NDArray

from .limits import engine_counts
from .placing import Placing
from .request import Request
from .takes import runs


def ask(client: Client, request: Request, fps: float) -> str:
    """Send the request; gives its id. fps: of the scene. Raises ProtocolError, ClientError."""
    options = request.options
    ratio = client.welcome.fps * options.speed / fps  # frames of the engine in one of the scene
    ends = np.cumsum([0, *(part.frames for part in request.parts)]).tolist()
    counts = engine_counts(ends, ratio)
    wanted = [
        (part.prompt.strip(), count, part.seed)
        for part, count in zip(request.parts, counts, strict=True)
        if count
    ]
    # the first part's seed is the request's: a storyboard of one block is what `kmm generate` makes of its seed
    (prompt, count, seed), *others = wanted
    given, reach = None, None
    if request.given is not None:
        poses = Placing(mirror=options.mirror).for_engine(request.given.poses)
        given = at_engine_frames(request.given.frames, poses, ratio, sum(counts))
        reach = min(MAX_TRANSITION_FRAMES, round(request.reach * ratio))
    return client.generate(
        [PromptSegment(prompt, count), *(PromptSegment(*segment) for segment in others)],
        seed,
        num_samples=options.takes,
        given=given,
        loop=options.loop,
        transition_frames=reach,
    )


def at_engine_frames(frames: NDArray[np.integer], poses: Clip, ratio: float, total: int) -> Given:
    """Poses at frames of the scene as poses at frames of the engine, `ratio` of which are in one of the scene.

    A stretch of frames gives every frame of the engine within it; a single one, the nearest.
    """
    numbers: list[NDArray[np.integer]] = []
    where: list[NDArray[np.floating]] = []  # in `poses`, fractional
    mask = np.zeros(int(frames[-1]) + 1, bool)
    mask[frames] = True
    index = 0
    for start, stop in runs(mask):
        low, high = np.ceil(start * ratio - 1e-6), np.floor((stop - 1) * ratio + 1e-6)
        inside = (
            np.arange(low, high + 1) if low <= high else np.array([round((start + stop - 1) / 2 * ratio)])
        )
        inside = inside[inside < total].astype(np.int64)
        numbers.append(inside)
        where.append(index + np.clip(inside / ratio - start, 0, stop - start - 1))
        index += stop - start
    number, first = np.unique(np.concatenate(numbers), return_index=True)
    translation, rotations, _ = sample(poses, np.concatenate(where)[first])
    return Given(number, translation.astype(np.float32), rotations.astype(np.float32))
