"""A request of MMCP in our own terms."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
from motionmcp import GenerateRequest
from motionmcp import ProtocolError as Refusal

from kmm.clip import Clip, resampled_length, sample
from kmm.mmcp.constraints import Leading, given
from kmm.protocol import PromptSegment, ProtocolError
from kmm.rotations import Array

#: Our error codes -> MMCP's; what is not here is `internal_error`.
CODES = {
    "invalid": "invalid_request",
    "malformed": "invalid_request",
    "too_large": "invalid_options",
    "busy": "rate_limited",
    "shutting_down": "model_unavailable",
}
ANYTHING = "a person moves"  #: said for stretches without a prompt


class Asked:
    """A request of MMCP as arguments of `Client.generate`. Raises motionmcp.ProtocolError for what we cannot do.

    segments, and options (seed, guidance, num_samples, loop, transition_frames, given).
    """

    def __init__(self, request: GenerateRequest, engine_fps: float) -> None:
        self._engine_fps, self._fps = engine_fps, request.fps(engine_fps)
        self._frames = request.total_frames
        self._notes: list[dict[str, str]] = []
        asked = request.options
        texts = [getattr(s, "prompt", None) for s in request.segments] or [None]
        ends = np.cumsum([s.duration_frames for s in request.segments] or [self._frames])
        seeds = [s.seed for s in request.segments] or [None]
        self.segments = self._segments(texts, ends, seeds)
        self._leading = Leading(request)
        self.options: dict[str, Any] = {
            "seed": secrets.randbelow(2**31) if asked is None or asked.seed is None else asked.seed,
            "guidance": _guidance(asked),
            "given": given(request, self._at_engine),
        }
        if asked is not None:
            self.options |= {"num_samples": asked.num_samples, "loop": asked.loop}
            if "transition_frames" in asked.model_fields_set:
                self.options["transition_frames"] = asked.transition_frames
            for name in sorted(asked.model_fields_set & {"diffusion_steps", "post_processing"}):
                self._note("ignored_option", f"this model has no {name}; the value sent changes nothing")
        if all(text is None for text in texts):
            self.options["guidance"] = 0.0  # the model's own "any text"
        elif None in texts:
            self._note("unconditioned", f"segments without a prompt are made from {ANYTHING!r}")

    def finished(self, clip: Clip) -> Clip:
        """A take at the request's rate, of exactly as many frames as it asks for, led where it must be."""
        if self._fps != self._engine_fps:
            at = np.arange(self._frames) * (self._engine_fps / self._fps)
            translation, rotations, contacts = sample(clip, at)
            clip = Clip(translation, rotations, self._fps, contacts)
        return self._leading(clip)

    def told(self, seeds: Sequence[int]) -> list[dict[str, str]]:
        """Notes for the answer, when all takes are finished."""
        text = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
        self._note("seed", text)
        for sentence in dict.fromkeys(self._leading.notes):
            self._note("constraint", sentence, "warning")
        return self._notes

    def _at_engine(self, frame: float) -> int:
        return round(float(frame) * self._engine_fps / self._fps)

    def _segments(
        self, texts: Sequence[str | None], ends: Array, seeds: Sequence[int | None]
    ) -> list[PromptSegment]:
        """The prompts with their lengths at the engine's rate; all together hold the last frame asked for."""
        bounds = [0, *(self._at_engine(end) for end in ends)]
        if self._fps != self._engine_fps:
            needed = resampled_length(self._frames, self._fps, self._engine_fps) + 1
            bounds[-1] = max(bounds[-1], needed)
        if any(b <= a for a, b in itertools.pairwise(bounds)):
            raise Refusal("invalid_options", "a segment is shorter than a frame of the model's own rate")
        try:
            return [
                PromptSegment(text or ANYTHING, b - a, seed)
                for text, (a, b), seed in zip(texts, itertools.pairwise(bounds), seeds, strict=True)
            ]
        except ProtocolError as error:
            raise Refusal(CODES.get(error.code, "internal_error"), error.message) from error

    def _note(self, code: str, message: str, severity: str = "info") -> None:
        self._notes.append({"code": code, "severity": severity, "message": message})


def _guidance(asked: Any) -> float | None:
    if asked is None or asked.guidance is None:
        return None
    if asked.guidance.type == "separated":
        raise Refusal("invalid_options", "guidance must be nocfg or regular for this model")
    return 1.0 if asked.guidance.type == "nocfg" else float(asked.guidance.weight[0])
