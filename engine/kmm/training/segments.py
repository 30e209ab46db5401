"""Training examples for the generator: a segment's text, its tokens, and the tokens around it.

Everything is in flat arrays on the device that trains, so that a batch is a handful of look-ups and a GPU does not
wait for it. The text encoder is frozen, but reads anew each time: there are far more texts than latents would fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from kmm.data.examples import Example
from kmm.data.sampling import Balanced
from kmm.data.wording import swap_left_right
from kmm.model.generator import GIVEN, PADDING, SEGMENT, Layout
from kmm.model.text import TextEncoder
from kmm.model.tokenizer import FRAMES_PER_TOKEN
from kmm.model.windows import AFTER, CONTEXT, WINDOW
from kmm.training.token_bank import TokenBank

#: Most tokens of a segment in one example, and of what is given before and after it (AFTER): as in generation.
NEW, BEFORE = WINDOW, CONTEXT
FEWEST = 10  #: tokens of a segment that are asked for at least, where it has so many
#: Wordings longer than this are left out where a caption has shorter ones, and word pieces beyond these are not read:
#: one long text pads the whole batch.
WORDS, PIECES = 20, 28
READ_AT_ONCE = 4096  #: texts that are cut into word pieces in one go


@dataclass(frozen=True)
class Batch:
    """B examples, motion padded on the right, text on the left."""

    text: Tensor  # (B, N, text_dim)
    text_mask: Tensor  # (B, N)
    tokens: Tensor  # (B, T, 6)
    layout: Layout
    same: Tensor  # (B, B) pairs with one text


@dataclass(frozen=True)
class Examples:
    """E captioned segments: frames [start, end) of a clip, how often to draw it, and its wordings.

    Wordings are rows `wording` of `pieces`: of example e those at text[e] : text[e] + texts[e], and after them the
    same ones for the mirrored clip.
    """

    clip: Tensor  # (E,)
    start: Tensor  # (E,)
    end: Tensor  # (E,)
    chance: Tensor  # (E,) sums to 1
    text: Tensor  # (E,)
    texts: Tensor  # (E,)
    wording: Tensor  # (W,)
    pieces: Tensor  # (U, PIECES) int16, padded on the right
    length: Tensor  # (U,) word pieces of a text

    @classmethod
    def of(cls, captions: Sequence[Example], encoder: TextEncoder) -> Examples:
        """Examples of all captions that last two tokens or more."""
        captions = [c for c in captions if c["end"] - c["start"] >= 2 * FRAMES_PER_TOKEN]
        said = [[t for t in c["texts"] if len(t.split()) <= WORDS] or c["texts"] for c in captions]
        flat = [t for texts in said for t in (*texts, *map(swap_left_right, texts))]
        row = {text: number for number, text in enumerate(dict.fromkeys(flat))}
        pieces, length = _pieces(list(row), encoder)
        texts = torch.tensor([len(t) for t in said])
        return cls(
            torch.tensor([c["recording"] for c in captions]),
            torch.tensor([c["start"] for c in captions]),
            torch.tensor([c["end"] for c in captions]),
            torch.from_numpy(Balanced(captions).chance()).float(),
            2 * (texts.cumsum(0) - texts),
            texts,
            torch.tensor([row[text] for text in flat]),
            pieces,
            length,
        )


def _pieces(texts: list[str], encoder: TextEncoder) -> tuple[Tensor, Tensor]:
    """(U, PIECES) word pieces and (U,) how many of these a text has."""
    pieces = torch.zeros(len(texts), PIECES, dtype=torch.int16)
    length = torch.zeros(len(texts), dtype=torch.long)
    for low in range(0, len(texts), READ_AT_ONCE):
        found, mask = encoder.pieces(texts[low : low + READ_AT_ONCE])
        rows = slice(low, low + len(found))
        pieces[rows, : found.shape[1]] = found[:, :PIECES].to(torch.int16)
        length[rows] = mask.sum(-1).clamp(max=PIECES)
    return pieces, length


Arrays = TypeVar("Arrays", Examples, TokenBank)


class Segments:
    """Draws batches of captioned segments, balanced over kinds of action."""

    def __init__(self, examples: Examples, bank: TokenBank, encoder: TextEncoder) -> None:
        """On the device of the text encoder."""
        self.encoder, self.device = encoder, encoder.device
        self.examples = _on(examples, self.device)
        self.bank = _on(bank, self.device)

    def save(self, path: Path) -> None:
        """Write everything but the text encoder, to train elsewhere or again."""
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            {
                f"{prefix}.{f.name}": getattr(part, f.name).cpu().contiguous()
                for prefix, part in (("examples", self.examples), ("bank", self.bank))
                for f in fields(part)
            },
            path,
        )

    @classmethod
    def load(cls, path: Path, encoder: TextEncoder) -> Segments:
        """What `save` wrote."""
        found = load_file(path)
        parts = [
            {k.removeprefix(prefix): v for k, v in found.items() if k.startswith(prefix)}
            for prefix in ("examples.", "bank.")
        ]
        return cls(Examples(**parts[0]), TokenBank(**parts[1]), encoder)

    def draw(self, rng: torch.Generator, count: int) -> Batch:
        """A random batch of `count` examples; `rng` is on this device.

        On a GPU every batch has the same shape, to which kernels are compiled. On a CPU it is as short as it can be,
        and how much is shown is drawn once a batch, so that its rows are about equally long.
        """
        alike = self.device.type == "cpu"

        def below(most: Tensor | int, each: bool = True) -> Tensor:
            """Random whole numbers from 0 to below `most`."""
            chance = torch.rand(count if each else 1, generator=rng, device=self.device)
            return (chance * most).long().expand(count)

        def happens(share: float) -> Tensor:
            return torch.rand(1 if alike else count, generator=rng, device=self.device).expand(count) < share

        e, bank = self.examples, self.bank
        index = torch.multinomial(e.chance, count, replacement=True, generator=rng)
        clip, variant = e.clip[index], below(bank.phase.shape[1])
        phase, total = bank.phase[clip, variant], bank.count[clip, variant]
        # a segment in tokens: at least one, though its last frames may be no whole one
        start = ((e.start[index] - phase) / FRAMES_PER_TOKEN).round().long().clamp(min=0)
        start = torch.minimum(start, total - 1)
        end = ((e.end[index] - phase) / FRAMES_PER_TOKEN).round().long()
        end = torch.minimum(torch.maximum(end, start + 1), total)
        # of a long segment a window, as a stream generates it; the first one as often as any other
        new = FEWEST + below(NEW + 1 - FEWEST, not alike)
        room = (end - start - new).clamp(min=0)
        anywhere = torch.rand(count, generator=rng, device=self.device) >= 0.3
        first = start + below(room + 1) * anywhere
        last = torch.minimum(end, first + new)
        before = (1 + below(BEFORE, not alike)) * happens(0.75)
        after = (1 + below(AFTER, not alike)) * happens(0.15)
        low, high = (first - before).clamp(min=0), torch.minimum(total, last + after)
        longest = int((high - low).max()) if alike else BEFORE + NEW + AFTER
        at = low.unsqueeze(-1) + torch.arange(longest, device=self.device)
        there = at < high.unsqueeze(-1)
        inside = (at >= first.unsqueeze(-1)) & (at < last.unsqueeze(-1))
        role = torch.where(inside, SEGMENT, GIVEN).masked_fill(~there, PADDING)
        rows = (bank.first[clip, variant].unsqueeze(-1) + at).clamp(max=len(bank.tokens) - 1)
        layout = Layout(
            role, (at - start.unsqueeze(-1)) * there, (end.unsqueeze(-1) - 1 - at).masked_fill(~there, 0)
        )
        mirrored = variant >= bank.phase.shape[1] // 2
        said = e.wording[e.text[index] + e.texts[index] * mirrored + below(e.texts[index])]
        tokens = bank.tokens[rows].long() * there.unsqueeze(-1)
        return Batch(*self._read(said, alike), tokens, layout, said.unsqueeze(-1) == said)

    def _read(self, said: Tensor, short: bool) -> tuple[Tensor, Tensor]:
        """Latents (B, N, dim) and mask of texts."""
        length = self.examples.length[said]
        width = int(length.max()) if short else PIECES
        mask = torch.arange(width, device=self.device) < length.unsqueeze(-1)
        return self.encoder.read(self.examples.pieces[said, :width].long(), mask)


def _on(part: Arrays, device: torch.device) -> Arrays:
    return replace(part, **{f.name: getattr(part, f.name).to(device) for f in fields(part)})
