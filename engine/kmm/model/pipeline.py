"""Pipeline: prompts with durations in, one continuous motion out, frame by frame as it becomes final.

The motion is made in windows of tokens. Each window is filled in over a few network evaluations by confidence
(MaskGIT, arXiv 2202.04200) with classifier-free guidance, going on from the tokens before it; then the residual
Mamba adds the finer layers and the decoder turns tokens into frames. A frame leaves once every token within the
decoder's reach is final. The first window is short, so that the first poses come at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kmm.clip import Clip, Segment
from kmm.given import Given
from kmm.model import features as ft
from kmm.model import weights as wt
from kmm.model.generator import GIVEN, SEGMENT, Layout
from kmm.model.text import TextEncoder
from kmm.model.tokenizer import FRAMES_PER_TOKEN

FIRST_WINDOW = 16  #: tokens of the first window of a request
WINDOW = (
    40  #: most tokens of a later window; with CONTEXT shorter than the longest sequences of training (56)
)
CONTEXT = 12  #: tokens before a window that it goes on from


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


@dataclass(frozen=True)
class Frames:
    """Final poses of frames [start, start + n), float32; shapes as in Clip."""

    start: int
    translation: NDArray[np.float32]
    rotations: NDArray[np.float32]
    contacts: NDArray[np.float32]


@dataclass(frozen=True)
class Window:
    """Tokens [first, last) of a request, all in one segment, which is tokens [start, end)."""

    segment: int
    start: int
    end: int
    first: int
    last: int


def plan(durations: Sequence[int]) -> list[Window]:
    """Windows that cover segments of the given frames in order; long segments are split evenly."""
    boundaries = [round(b / FRAMES_PER_TOKEN) for b in np.cumsum([0, *durations])]
    boundaries[-1] = -(-sum(durations) // FRAMES_PER_TOKEN)
    windows: list[Window] = []
    for index, (start, end) in enumerate(itertools.pairwise(boundaries)):
        cuts = [start]
        if not windows and end - start > FIRST_WINDOW:
            cuts.append(start + FIRST_WINDOW)
        left = end - cuts[-1]
        parts = -(-left // WINDOW)
        cuts += [cuts[-1] + round(left * (i + 1) / parts) for i in range(parts)]
        windows += [Window(index, start, end, a, b) for a, b in itertools.pairwise(cuts)]
    return windows


class Pipeline:
    """The whole model, loaded once. Not for use from two threads at the same time."""

    def __init__(self, weights: wt.Weights, encoder: TextEncoder, device: torch.device) -> None:
        self.name, self.licence, self.sha256 = weights.name, weights.licence, weights.sha256
        self.device = str(device)
        self.tokenizer, self.generator, self.encoder = weights.tokenizer, weights.generator, encoder
        self.sampling = weights.sampling

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

        Closing the iterator stops the work at once. The same request gives the same motion on the same machine.
        Raises ValueError before the first event if a segment cannot be made.
        """
        check(segments)
        if given or loop:
            raise ValueError("This engine cannot keep to given frames or make loops.")
        return self._generate(segments, seed, guidance)

    def clip(self, segments: Sequence[Prompt], seed: int = 0, guidance: float | None = None) -> Clip:
        """The whole motion at once."""
        return collect(self.generate(segments, seed, guidance), segments)

    def _generate(
        self, segments: Sequence[Prompt], seed: int, guidance: float | None
    ) -> Iterator[Progress | Frames]:
        durations = [s.duration_frames for s in segments]
        total = sum(durations)
        scale = self.sampling.guidance if guidance is None else guidance
        windows = plan(durations)
        tokens = torch.zeros(0, self.generator.config.token_layers, dtype=torch.long)
        stream = _FrameStream(self, total)
        current, noise, text = -1, torch.Generator(), (torch.empty(0), torch.empty(0))
        for window in windows:
            if window.segment != current:
                current = window.segment
                own = segments[current].seed
                # a segment's noise is its own: regenerating it alone does not depend on its neighbours' noise
                noise.manual_seed(own if own is not None else seed * 1_000_003 + current)
                text = self._read(segments[current].prompt)
            width = (window.last - window.first) * FRAMES_PER_TOKEN
            fill = _Fill(self, window, tokens[-CONTEXT:], text, scale, noise)
            for share in fill.run():
                yield Progress(min(total, int(window.first * FRAMES_PER_TOKEN + width * share)), total)
            tokens = torch.cat([tokens[-(CONTEXT + 2 * self.tokenizer.reach) :], fill.result()])
            frames = stream.push(fill.result(), last=window is windows[-1])
            if frames is not None:
                yield frames

    @torch.inference_mode()
    def _read(self, prompt: str) -> tuple[Tensor, Tensor]:
        """Text latents of the prompt and of "any text", as a batch of two, and their mask."""
        latents, mask = self.encoder([prompt])
        drop = torch.tensor([False, True], device=latents.device)
        return self.generator.read_text(latents.expand(2, -1, -1), mask.expand(2, -1), drop)


class _Fill:
    """One window: masked tokens filled in by confidence, then the residual layers."""

    def __init__(
        self,
        pipeline: Pipeline,
        window: Window,
        given: Tensor,
        text: tuple[Tensor, Tensor],
        guidance: float,
        noise: torch.Generator,
    ) -> None:
        self.model, self.sampling = pipeline.generator, pipeline.sampling
        self.text, self.mask = text
        self.guidance, self.noise = guidance, noise
        self.given, self.count = len(given), window.last - window.first
        at = torch.arange(window.first - self.given, window.last)
        role = torch.where(at < window.first, GIVEN, SEGMENT)
        device = self.text.device
        self.layout = Layout(*(t[None].to(device) for t in (role, at - window.start, window.end - 1 - at)))
        fresh = torch.zeros(self.count, given.shape[1], dtype=torch.long)
        self.tokens = torch.cat([given, fresh])[None].to(device)
        self.tokens[0, self.given :, 0] = self.model.mask_token

    def run(self) -> Iterator[float]:
        """Works one network evaluation at a time; yields the share of the work done after each."""
        layers = self.model.config.token_layers
        steps = min(self.sampling.steps, self.count)
        evaluations = steps + layers - 1
        for step in range(steps):
            self._restore(step, steps)
            yield (step + 1) / evaluations
        for layer in range(1, layers):
            self._refine(layer)
            yield (steps + layer) / evaluations

    def result(self) -> Tensor:
        """(n, 6) the window's tokens, on the CPU."""
        return self.tokens[0, self.given :].cpu()

    @torch.inference_mode()
    def _restore(self, step: int, steps: int) -> None:
        """One evaluation of the masked Mamba: keep the surest guesses, as many as the cosine schedule says."""
        base = self.tokens[..., 0]
        two = Layout(
            *(t.expand(2, -1) for t in (self.layout.role, self.layout.since_start, self.layout.to_end))
        )
        logits = (
            self.model.logits(self.text, self.mask, base.expand(2, -1), two)[:, self.given :].float().cpu()
        )
        logits = logits[1] + self.guidance * (logits[0] - logits[1])
        open_ = (base[0, self.given :] == self.model.mask_token).cpu()
        floor = logits.topk(min(self.sampling.keep, logits.shape[-1]), dim=-1).values[:, -1:]
        probability = (logits / self.sampling.temperature).masked_fill(logits < floor, -torch.inf).softmax(-1)
        guess = torch.multinomial(probability, 1, generator=self.noise)[:, 0]
        confidence = probability.gather(-1, guess[:, None])[:, 0].clamp(min=1e-9).log()
        # noise that fades lets early steps explore and late steps trust the network
        uniform = torch.rand(self.count, generator=self.noise).clamp(1e-9, 1 - 1e-9)
        confidence = confidence - (1 - (step + 1) / steps) * (-uniform.log()).log()
        confidence = confidence.masked_fill(~open_, -torch.inf)
        remain = int(np.floor(self.count * np.cos(0.5 * np.pi * (step + 1) / steps) + 1e-9))
        take = int(open_.sum()) - remain
        if take > 0:
            chosen = confidence.topk(take).indices
            self.tokens[0, self.given + chosen, 0] = guess[chosen].to(self.tokens.device)

    @torch.inference_mode()
    def _refine(self, layer: int) -> None:
        logits = self.model.residual_logits(self.text[:1], self.mask[:1], self.tokens, layer, self.layout)
        self.tokens[0, self.given :, layer] = logits[0, self.given :].argmax(-1)


class _FrameStream:
    """Tokens in, frames out as soon as no later token can change them; the same as decoding all at once."""

    def __init__(self, pipeline: Pipeline, total: int) -> None:
        self.tokenizer, self.total = pipeline.tokenizer, total
        self.tokens = torch.zeros(0, pipeline.generator.config.token_layers, dtype=torch.long)
        self.dropped = 0  # tokens that no frame to come depends on
        self.sent = 0  # frames
        self.root = ft.RootState()

    def push(self, tokens: Tensor, last: bool) -> Frames | None:
        reach = self.tokenizer.reach
        self.tokens = torch.cat([self.tokens, tokens])
        known = self.dropped + len(self.tokens)
        stop = self.total if last else (known - reach) * FRAMES_PER_TOKEN
        if stop <= self.sent:
            return None
        features = self._decode()[
            self.sent - self.dropped * FRAMES_PER_TOKEN : stop - self.dropped * FRAMES_PER_TOKEN
        ]
        if self.sent == 0:
            features[0, [0, 1, 2]] = 0.0  # a clip starts at the origin facing -Y
        clip, self.root = ft.decode(features, self.root)
        assert clip.contacts is not None
        start, self.sent = self.sent, stop
        useless = max(0, self.sent // FRAMES_PER_TOKEN - reach - self.dropped)
        self.tokens, self.dropped = self.tokens[useless:], self.dropped + useless
        f32 = np.float32
        return Frames(
            start, clip.translation.astype(f32), clip.rotations.astype(f32), clip.contacts.astype(f32)
        )

    @torch.inference_mode()
    def _decode(self) -> NDArray[np.float32]:
        device = next(self.tokenizer.parameters()).device
        out: NDArray[np.float32] = self.tokenizer.decode(self.tokens[None].to(device))[0].cpu().numpy()
        return out


def check(segments: Sequence[Prompt]) -> None:
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


def choose_device(name: str) -> torch.device:
    """The torch device for "auto" (the best there is), "cpu", "cuda" or "mps"; ValueError if it is not there."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(d for d, there in available.items() if there))
    kind = name.split(":")[0]
    if kind not in available:
        raise ValueError(f"There is no device {name!r}: use auto, cpu, cuda or mps.")
    if not available[kind]:
        raise ValueError(f"The device {name!r} is not available here: use --device auto or cpu.")
    return torch.device(name)
