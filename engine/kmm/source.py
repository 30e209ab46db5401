"""Source: the calls that an engine process and a pipeline in this process share, and what they are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Protocol

import numpy as np

from kmm.clip import Clip, Segment
from kmm.given import Given
from kmm.prompts import parse_prompts
from kmm.protocol import Frames, Progress, PromptSegment

#: What to do: "a person walks forward@3" (seconds), or with the exact number of frames as a `PromptSegment`.
Prompt = str | PromptSegment


class Source(Protocol):
    """What motions come from: `kmm.Client` or `kmm.Pipeline`. A script that is given one works with the other."""

    def stream(
        self,
        prompts: Iterable[Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        *,
        num_samples: int = 1,
        given: Given | None = None,
        loop: bool = False,
        transition_frames: int | None = None,
    ) -> Iterator[Progress | Frames]:
        """One motion while it is made: `Progress` after every network evaluation, `Frames` as they become final.

        seed: same seed, same motion; None draws one. num_samples: so many takes, of which take k has k added to
        all seeds; `Frames.sample` says whose frames they are. given: frames that are there already, in whose world
        the motion is then made. loop: the last pose and velocity meet the first. transition_frames: how many frames
        a seam between given and made motion may bend. Leaving the loop early ends the work. Raises ValueError for
        what cannot be asked, and a client ClientError if it fails.
        """

    def takes(
        self, prompts: Iterable[Prompt], seed: int | None = None, guidance: float | None = None
    ) -> list[Clip]:
        """All takes, whole; further arguments as for `stream`."""

    def motion(
        self, prompts: Iterable[Prompt], seed: int | None = None, guidance: float | None = None
    ) -> Clip:
        """One motion, whole; further arguments as for `stream`."""


def as_segments(prompts: Iterable[Prompt]) -> tuple[PromptSegment, ...]:
    """The segments of prompts written either way. Raises ValueError."""
    if isinstance(prompts, str):
        raise ValueError(f"Give a list of prompts: [{prompts!r}].")
    return tuple(p if isinstance(p, PromptSegment) else parse_prompts([p])[0] for p in prompts)


def assemble(chunks: Sequence[Frames], segments: Sequence[PromptSegment], fps: float) -> Clip:
    """The clip of all frames of a finished take."""
    ends = list(accumulate(segment.duration_frames for segment in segments))
    return Clip(
        translation=np.concatenate([chunk.translation for chunk in chunks]),
        rotations=np.concatenate([chunk.rotations for chunk in chunks]),
        contacts=np.concatenate([chunk.contacts for chunk in chunks]),
        fps=fps,
        segments=tuple(
            Segment(segment.prompt, end - segment.duration_frames, end)
            for segment, end in zip(segments, ends, strict=True)
        ),
    )


def assemble_takes(
    events: Iterable[Progress | Frames], segments: Sequence[PromptSegment], fps: float
) -> list[Clip]:
    """The clips of all takes of a finished stream."""
    takes: defaultdict[int, list[Frames]] = defaultdict(list)
    for event in events:
        if isinstance(event, Frames):
            takes[event.sample].append(event)
    return [assemble(takes[sample], segments, fps) for sample in sorted(takes)]
