"""Prompts as they are written on a command line, "a person walks forward@3", and as segments of a request."""

from __future__ import annotations

import math
from collections.abc import Iterable

from kmm.clip import FPS
from kmm.protocol import PromptSegment


def parse_prompts(texts: Iterable[str], fps: float = FPS) -> tuple[PromptSegment, ...]:
    """Segments of texts that say what to do, "@", and for how many seconds. Raises ValueError."""
    return tuple(_parse(text, fps) for text in texts)


def _parse(text: str, fps: float) -> PromptSegment:
    prompt, at, seconds = text.rpartition("@")
    try:
        duration = float(seconds)
    except ValueError:
        duration = math.nan
    if not at or not 0 < duration < math.inf:
        raise ValueError(f'{text!r} does not end in a duration; write it like "a person walks forward@3".')
    return PromptSegment(prompt.strip(), max(1, round(duration * fps)))
