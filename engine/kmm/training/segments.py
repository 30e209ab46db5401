"""Training examples for the generator: a segment's text, its tokens, and the tokens around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kmm.data.examples import Example
from kmm.data.sampling import Balanced
from kmm.data.wording import swap_left_right
from kmm.model import features as ft
from kmm.model.generator import GIVEN, PADDING, SEGMENT, Layout
from kmm.model.text import TextEncoder, pad_left
from kmm.model.tokenizer import FRAMES_PER_TOKEN, Tokenizer
from kmm.training.store import Store

#: Tokens of a segment in one example, and of what is given before and after it. Generation uses no longer windows.
NEW, BEFORE, AFTER = 36, 16, 8
WORDS = (
    20  #: wordings longer than this are left out where a caption has shorter ones: they pad the whole batch
)


@dataclass(frozen=True)
class Batch:
    """B examples, motion padded on the right, text on the left."""

    text: Tensor  # (B, N, text_dim)
    text_mask: Tensor  # (B, N)
    tokens: Tensor  # (B, T, 6)
    layout: Layout
    same: Tensor  # (B, B) pairs with one text

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        layout = Layout(
            *(t.to(device) for t in (self.layout.role, self.layout.since_start, self.layout.to_end))
        )
        text, mask, tokens, same = (t.to(device) for t in (self.text, self.text_mask, self.tokens, self.same))
        return Batch(text, mask, tokens, layout, same)


class TokenBank:
    """Tokens of every clip, plain and mirrored, from each of the four frames that a token may start at."""

    @torch.no_grad()
    def __init__(self, tokenizer: Tokenizer, store: Store) -> None:
        tokenizer.eval()
        device = tokenizer.mean.device
        self.clips: list[list[NDArray[np.int16]]] = []
        for index in range(len(store.length)):
            plain = store.clip(index)
            variants = []
            for motion in (plain, ft.mirror(plain)):
                for phase in range(FRAMES_PER_TOKEN):
                    usable = (len(motion) - phase) // FRAMES_PER_TOKEN * FRAMES_PER_TOKEN
                    part = torch.from_numpy(motion[phase : phase + usable])[None].to(device)
                    tokens = tokenizer.encode(part)[0] if usable else torch.zeros(0, 6, dtype=torch.long)
                    variants.append(tokens.cpu().numpy().astype(np.int16))
            self.clips.append(variants)

    def get(self, clip: int, mirrored: bool, phase: int) -> NDArray[np.int16]:
        return self.clips[clip][FRAMES_PER_TOKEN * mirrored + phase]


class TextBank:
    """Encoder latents of texts, each computed when it is first asked for (the encoder is frozen)."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self.latents: dict[str, Tensor] = {}

    def get(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(B, N, dim) latents and (B, N) mask, padded on the left."""
        new = sorted({t for t in texts if t not in self.latents})
        if new:
            hidden, mask = self.encoder(new)
            for text, row, real in zip(new, hidden, mask, strict=True):
                self.latents[text] = row[real].half()
        return pad_left([self.latents[t].float() for t in texts])


class Segments:
    """Draws batches of captioned segments, balanced over kinds of action."""

    def __init__(self, captions: Sequence[Example], tokens: TokenBank, encoder: TextEncoder) -> None:
        self.captions: list[Example] = [
            {**c, "texts": [t for t in c["texts"] if len(t.split()) <= WORDS] or c["texts"]}
            for c in captions
            if c["end"] - c["start"] >= 2 * FRAMES_PER_TOKEN
        ]
        self.tokens = tokens
        self.mirrored = [[swap_left_right(t) for t in c["texts"]] for c in self.captions]
        self.texts = TextBank(encoder)
        self.balanced = Balanced(self.captions)

    def draw(self, rng: np.random.Generator, count: int) -> Batch:
        """A random batch of `count` examples.

        How much is shown is drawn once a batch, so that its rows are about equally long and little is padded.
        """
        new = int(rng.integers(10, NEW + 1))
        before = 0 if rng.random() < 0.25 else int(rng.integers(1, BEFORE + 1))
        after = int(rng.integers(1, AFTER + 1)) if rng.random() < 0.15 else 0
        rows, texts = [], []
        for index in self.balanced.draw(rng, count):
            row, text = self._example(rng, index, new, before, after)
            rows.append(row)
            texts.append(text)
        return collate(rows, texts, self.texts)

    def _example(
        self, rng: np.random.Generator, index: int, new: int, before: int, after: int
    ) -> tuple[tuple[NDArray[Any], ...], str]:
        caption = self.captions[index]
        mirrored, phase = bool(rng.random() < 0.5), int(rng.integers(FRAMES_PER_TOKEN))
        tokens = self.tokens.get(caption["recording"], mirrored, phase)
        start = min(max(0, round((caption["start"] - phase) / FRAMES_PER_TOKEN)), len(tokens) - 1)
        end = min(max(start + 1, round((caption["end"] - phase) / FRAMES_PER_TOKEN)), len(tokens))
        # of a long segment a window, as a stream generates it; the first one as often as any other
        room = max(0, end - start - new)
        first = start if rng.random() < 0.3 else start + int(rng.integers(room + 1))
        last = min(end, first + new)
        low, high = max(0, first - before), min(len(tokens), last + after)
        at = np.arange(low, high)
        role = np.where((at >= first) & (at < last), SEGMENT, GIVEN)
        texts = self.mirrored[index] if mirrored else caption["texts"]
        return (tokens[low:high], role, at - start, end - 1 - at), texts[int(rng.integers(len(texts)))]


def collate(rows: Sequence[tuple[NDArray[Any], ...]], texts: Sequence[str], bank: TextBank) -> Batch:
    """Pad rows (tokens, role, since start, to end) to one length and add their texts."""
    longest = max(len(r[0]) for r in rows)

    def pad(column: int, fill: int) -> Tensor:
        out = np.full((len(rows), longest, *rows[0][column].shape[1:]), fill, dtype=np.int64)
        for i, row in enumerate(rows):
            out[i, : len(row[column])] = row[column]
        return torch.from_numpy(out)

    text, mask = bank.get(texts)
    ids = {t: i for i, t in enumerate(sorted(set(texts)))}
    number = torch.tensor([ids[t] for t in texts])
    return Batch(
        text, mask, pad(0, 0), Layout(pad(1, PADDING), pad(2, 0), pad(3, 0)), number[:, None] == number[None]
    )
