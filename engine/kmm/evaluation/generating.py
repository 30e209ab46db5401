"""How every evaluation asks a model for motion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from kmm.clip import Clip
from kmm.protocol import PromptSegment

if TYPE_CHECKING:
    from kmm.model.pipeline import Pipeline

Script = Sequence[tuple[str, int]]  #: texts and how many frames each lasts
Generate = Callable[[Script, int], Clip]  #: script, seed -> one motion of so many frames at 30 fps


def generator(pipeline: Pipeline, advance: Callable[[], None] = lambda: None) -> Generate:
    """Generate with a pipeline; `advance` is called for every motion made."""

    def generate(script: Script, seed: int) -> Clip:
        advance()
        return pipeline.clip([PromptSegment(text, frames) for text, frames in script], seed)

    return generate
