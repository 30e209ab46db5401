"""What a pipeline makes, as the messages of the wire: for the engine process, and for streams without one."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, cast

from kmm.protocol import MAX_CHUNK_FRAMES, Frames, Generate, Progress

Events = Generator[Any, None, None]


def replies(pipeline: Any, request: Generate, seed: int) -> Generator[Progress | Frames, None, None]:
    """Progress and frames of all takes of a request, one take after the other. Closing it stops the work.

    Raises ValueError, before the first, if the model cannot do what is asked.
    """
    return _replies(pipeline, request, seed, _take(pipeline, request, seed, 0))


def _replies(
    pipeline: Any, request: Generate, seed: int, first: Events
) -> Generator[Progress | Frames, None, None]:
    start = time.monotonic()
    for sample in range(request.num_samples):
        with closing(first if sample == 0 else _take(pipeline, request, seed, sample)) as events:
            for event in events:
                yield from _messages(request, sample, event, time.monotonic() - start)


def _take(pipeline: Any, request: Generate, seed: int, sample: int) -> Events:
    """The pipeline's events for one take: the same as of a request with `sample` added to its seeds."""
    segments = [s if s.seed is None else replace(s, seed=s.seed + sample) for s in request.segments]
    generated = pipeline.generate(
        segments,
        seed + sample,
        request.guidance,
        given=request.given,
        loop=request.loop,
        transition_frames=request.transition_frames,
    )
    return cast(Events, generated)


def _messages(request: Generate, sample: int, event: Any, seconds: float) -> Iterator[Progress | Frames]:
    """The pipeline's event as messages: long stretches of frames are cut to what one message may hold."""
    if not hasattr(event, "translation"):
        yield Progress(
            done=sample * event.total + event.done,
            total=request.frames_total,
            seconds_elapsed=seconds,
            request_id=request.request_id,
        )
        return
    for low in range(0, len(event.translation), MAX_CHUNK_FRAMES):
        part = slice(low, low + MAX_CHUNK_FRAMES)
        yield Frames(
            sample=sample,
            start=event.start + low,
            count=len(event.translation[part]),
            translation=event.translation[part],
            rotations=event.rotations[part],
            contacts=event.contacts[part],
            request_id=request.request_id,
        )
