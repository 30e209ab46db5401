"""Pipeline: prompts with durations in, one continuous motion out, frame by frame as it becomes final.

The motion is made in windows of tokens (`windows`). Each is filled in over a few network evaluations (`filling`),
going on from the tokens before it and leading into those after it that are known (`known`); then the decoder turns
tokens into frames, which leave once every token within its reach is final (`streaming`), bent to meet what is given
(`fitting`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kmm import protocol, source
from kmm.clip import FPS, Clip, Segment
from kmm.given import Given
from kmm.model import weights as wt
from kmm.model.clauses import clauses
from kmm.model.device import choose_device
from kmm.model.filling import Filling
from kmm.model.fitting import TRANSITION_FRAMES
from kmm.model.known import encode, known_tokens
from kmm.model.replies import replies
from kmm.model.streaming import Frames, FrameStream, decode
from kmm.model.text import TextEncoder
from kmm.model.tokenizer import FRAMES_PER_TOKEN
from kmm.model.windows import AFTER, CONTEXT, FIRST_WINDOW, LONGEST, Window, plan

__all__ = ["Frames", "Pipeline", "Progress", "Prompt", "check", "collect"]


class Prompt(Protocol):
    """One segment of a request: what to do, for exactly how many frames, and its own seed or None."""

    @property
    def prompt(self) -> str: ...
    @property
    def duration_frames(self) -> int: ...
    @property
    def seed(self) -> int | None: ...


@dataclass(frozen=True)
class Progress:
    """Frames' worth of work done, of `total` frames; comes after every network evaluation."""

    done: int
    total: int


class Pipeline:
    """The whole model, loaded once. Not for use from two threads at the same time."""

    def __init__(self, weights: wt.Weights, encoder: TextEncoder, device: torch.device) -> None:
        self.name, self.licence, self.sha256 = weights.name, weights.licence, weights.sha256
        self.device = str(device)
        self.tokenizer, self.generator, self.encoder = weights.tokenizer, weights.generator, encoder
        self.sampling = weights.sampling
        self.prompts, self._familiarity = weights.prompts, weights.familiarity

    @classmethod
    def load(cls, weights: str = wt.DEFAULT, device: str = "auto") -> Pipeline:
        """Weights by name or folder; device "auto", "cpu", "cuda" or "mps".

        Raises FileNotFoundError or ValueError with a sentence that says what to do.
        """
        where = choose_device(device)
        loaded = wt.load(weights, where)
        return cls(loaded, TextEncoder(loaded.generator.config.text_encoder, where), where)

    def generate(
        self,
        segments: Sequence[Prompt],
        seed: int = 0,
        guidance: float | None = None,
        *,
        given: Given | None = None,
        loop: bool = False,
        transition_frames: int | None = None,
    ) -> Iterator[Progress | Frames]:
        """Progress after every network evaluation, Frames as they become final, together exactly the frames asked.

        given: frames that are there already, and come out as they are; the motion is then made in their world.
        loop: pose, height and velocity at the end lead into those of the start. transition_frames: how many made
        frames are bent on each side of a seam.

        Closing the iterator stops the work at once. The same request gives the same motion on the same machine.
        Raises ValueError before the first event if a request cannot be made.
        """
        given = given or Given()
        check(segments, given, loop)
        transition = TRANSITION_FRAMES if transition_frames is None else transition_frames
        return self._generate(segments, seed, guidance, given, loop, transition)

    @torch.inference_mode()
    def embed(self, texts: list[str]) -> torch.Tensor:
        """(n, dim) unit vectors of the texts in the space where texts and motions are aligned, on the CPU."""
        text, mask = self.generator.read_text(*self.encoder(texts))
        return self.generator.alignment.embed_text(text, mask).float().cpu()

    def familiarity(self, prompts: Sequence[str]) -> tuple[float, ...]:
        """How near each prompt is to the training captions, 0 to 1; nothing where the weights carry none."""
        if self._familiarity is None:
            return ()
        return tuple(self._familiarity(torch.cat([self.embed([prompt]) for prompt in prompts])))

    def clip(
        self,
        segments: Sequence[Prompt],
        seed: int = 0,
        guidance: float | None = None,
        *,
        given: Given | None = None,
        loop: bool = False,
        transition_frames: int | None = None,
    ) -> Clip:
        """The whole motion at once; arguments as for `generate`."""
        events = self.generate(
            segments, seed, guidance, given=given, loop=loop, transition_frames=transition_frames
        )
        return collect(events, segments)

    def stream(
        self,
        prompts: Iterable[source.Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        *,
        num_samples: int = 1,
        given: Given | None = None,
        loop: bool = False,
        transition_frames: int | None = None,
    ) -> Iterator[protocol.Progress | protocol.Frames]:
        """One motion while it is made, as `kmm.source.Source.stream` says: the same as a client gets."""
        request = protocol.Generate.with_given(
            given,
            segments=source.as_segments(prompts),
            guidance=guidance,
            num_samples=num_samples,
            loop=loop,
            transition_frames=transition_frames,
        )
        yield from replies(self, request, secrets.randbelow(2**31) if seed is None else seed)

    def takes(
        self,
        prompts: Iterable[source.Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        **options: Any,
    ) -> list[Clip]:
        """All takes, whole; further arguments as for `stream`."""
        segments = source.as_segments(prompts)
        return source.assemble_takes(self.stream(segments, seed, guidance, **options), segments, FPS)

    def motion(
        self,
        prompts: Iterable[source.Prompt],
        seed: int | None = None,
        guidance: float | None = None,
        **options: Any,
    ) -> Clip:
        """One motion, whole; further arguments as for `stream`."""
        return self.takes(prompts, seed, guidance, **options)[0]

    def _generate(
        self,
        segments: Sequence[Prompt],
        seed: int,
        guidance: float | None,
        given: Given,
        loop: bool,
        transition: int,
    ) -> Iterator[Progress | Frames]:
        said = [(i, *part) for i, s in enumerate(segments) for part in clauses(s.prompt, s.duration_frames)]
        durations = [frames for _, _, frames in said]
        total = sum(durations)
        scale = self.sampling.guidance if guidance is None else guidance
        tokens, known = known_tokens(self.tokenizer, given, total)
        stream = FrameStream(self.tokenizer, total, given, loop, transition)
        # a loop's end must see its start
        first = min(FIRST_WINDOW, len(tokens) // 2) if loop else FIRST_WINDOW
        pushed = _run(known, 0)
        if pushed and (frames := stream.push(tokens[:pushed], last=False)):
            yield frames
        current, clause, noise, text = -1, -1, torch.Generator(), (torch.empty(0), torch.empty(0))
        for window in plan(durations, known, first):
            if window.segment != clause:
                clause = window.segment
                segment, words, _ = said[clause]
                text = self._read(words)
                if segment != current:
                    current, own = segment, segments[segment].seed
                    # a segment's noise is its own: making it anew alone does not depend on its neighbours' noise
                    noise.manual_seed(own if own is not None else seed * 1_000_003 + current)
            fill = self._filling(window, tokens, known, text, noise, total if loop else None)
            final = window.last + _run(known, window.last)
            width = (final - window.first) * FRAMES_PER_TOKEN
            for share in fill.run(scale):
                yield Progress(min(total, int(window.first * FRAMES_PER_TOKEN + width * share)), total)
            tokens[window.first : window.last] = fill.result()
            if final < len(tokens):
                if frames := stream.push(tokens[pushed:final], last=False):
                    yield frames
                pushed = final
        rest = tokens[pushed:]
        if loop:
            rest = torch.cat([rest, self._again(tokens, total)])
        if frames := stream.push(rest, last=True):
            yield frames

    def _filling(
        self,
        window: Window,
        tokens: Tensor,
        known: NDArray[np.bool_],
        text: tuple[Tensor, Tensor],
        noise: torch.Generator,
        loop: int | None,
    ) -> Filling:
        """A window among the tokens that are final; loop: after so many frames the motion begins again."""
        inside = slice(window.first, window.last)
        if loop is not None and window.last == len(tokens):
            after = self._again(tokens[: window.first], loop)
        else:
            after = tokens[window.last : window.last + min(AFTER, _run(known, window.last))]
        room = LONGEST - (window.last - window.first) - len(after)
        before = tokens[max(0, window.first - min(CONTEXT, room)) : window.first]
        parts = (before, tokens[inside], after)
        return Filling(
            self.generator, self.sampling, window, text, noise, parts, torch.from_numpy(known[inside])
        )

    def _again(self, tokens: Tensor, total: int) -> Tensor:
        """The first tokens once more, as they would follow those of so many frames."""
        phase = -total % FRAMES_PER_TOKEN  # the last token reaches so many frames into the motion's start
        if phase == 0 or not len(tokens):
            return tokens[:AFTER]
        features = decode(self.tokenizer, tokens[: AFTER + self.tokenizer.reach])
        return encode(self.tokenizer, features[phase:])[:AFTER]

    @torch.inference_mode()
    def _read(self, prompt: str) -> tuple[Tensor, Tensor]:
        """Text latents of the prompt and of "any text", as a batch of two, and their mask."""
        latents, mask = self.encoder([prompt])
        drop = torch.tensor([False, True], device=latents.device)
        return self.generator.read_text(latents.expand(2, -1, -1), mask.expand(2, -1), drop)


def check(segments: Sequence[Prompt], given: Given, loop: bool) -> None:
    """ValueError with one sentence if a request cannot be made."""
    if not segments:
        raise ValueError("There is nothing to generate: give at least one prompt.")
    for segment in segments:
        if not segment.prompt.strip():
            raise ValueError("A prompt is empty: say what the person should do.")
        if segment.duration_frames < FRAMES_PER_TOKEN:
            raise ValueError(
                f"{segment.prompt!r} lasts {segment.duration_frames} frames: give it at least {FRAMES_PER_TOKEN}."
            )
    last = sum(s.duration_frames for s in segments) - 1
    if given and given.frames[-1] > last:
        raise ValueError(f"Frame {given.frames[-1]} is given, but the motion ends with frame {last}.")
    if loop and given and given.frames[-1] == last:
        raise ValueError(
            "The last frame of a loop is given: leave it free, so that it can lead into the first."
        )


def _run(known: NDArray[np.bool_], start: int) -> int:
    """How many tokens from `start` on are known without a gap."""
    unknown = np.flatnonzero(~known[start:])
    return int(unknown[0]) if len(unknown) else len(known) - start


def collect(events: Iterable[Progress | Frames], segments: Sequence[Prompt]) -> Clip:
    """A Clip of all frames of `events`, with the segments' exact boundaries."""
    frames = [e for e in events if isinstance(e, Frames)]
    ends = np.cumsum([s.duration_frames for s in segments])
    labels = tuple(
        Segment(s.prompt, int(end) - s.duration_frames, int(end))
        for s, end in zip(segments, ends, strict=True)
    )
    translation, rotations, contacts = (
        np.concatenate([getattr(f, k) for f in frames]) for k in ("translation", "rotations", "contacts")
    )
    return Clip(translation, rotations, contacts=contacts, segments=labels)
