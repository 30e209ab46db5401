"""A prompt of several actions as what it says one after the other.

Asked for "walks, then stops" within one segment the network must both divide the time and hear the second verb; often
it does the first thing all along (that long prompts lose parts is a fault the paper names too). So each clause is a
segment of its own to the network, with its share of the frames; outside, the segment stays one.
"""

from __future__ import annotations

import re

from kmm.model.tokenizer import FRAMES_PER_TOKEN

SHORTEST = 6 * FRAMES_PER_TOKEN  #: frames of a clause; with less time for each the prompt is left whole

_NEXT = re.compile(
    r"[\s,;.]*(?:\band\s+)?"
    r"\b(?:then|afterwards?|followed by|after which|after that|finally|before(?=\s+\w+ing\b))\b[\s,;]*",
    re.IGNORECASE,
)
_FIRST = re.compile(r"^\s*(?:first(?:ly)?|at first)\s*,?\s+", re.IGNORECASE)


def clauses(prompt: str, frames: int) -> list[tuple[str, int]]:
    """(text, frames) of what follows one another, in order; frames sum to `frames`, shares are equal."""
    parts = [p.strip(" ,;.") for p in _NEXT.split(_FIRST.sub("", prompt))]
    parts = [p for p in parts if p]
    if len(parts) < 2 or frames < len(parts) * SHORTEST:
        return [(prompt, frames)]
    cuts = [round(frames * i / len(parts)) for i in range(len(parts) + 1)]
    return [(part, b - a) for part, a, b in zip(parts, cuts, cuts[1:], strict=False)]
