"""Tokens of all clips in one array, made once before the generator is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kmm.model import features as ft
from kmm.model.tokenizer import FRAMES_PER_TOKEN, Tokenizer
from kmm.training.store import Store


@dataclass(frozen=True)
class TokenBank:
    """tokens (N, 6) int16; variant v of clip c is rows first[c, v] : first[c, v] + count[c, v].

    Variants begin at frame phase[c, v] of the clip, since a token may start at any of four frames. The first half of
    a clip's variants is plain, the second half the same ones mirrored. first, count and phase are (C, V).
    """

    tokens: Tensor
    first: Tensor
    count: Tensor
    phase: Tensor

    @classmethod
    @torch.no_grad()
    def encode(cls, tokenizer: Tokenizer, store: Store, phases: int = FRAMES_PER_TOKEN) -> TokenBank:
        """Tokens of a store's clips, each from `phases` of its first four frames, other ones from clip to clip."""
        tokenizer.eval()
        device = tokenizer.mean.device
        found: list[Tensor] = []
        phase = torch.zeros(len(store.length), 2 * phases, dtype=torch.long)
        count = torch.zeros_like(phase)
        for clip in range(len(store.length)):
            motion = store.clip(clip)
            both = torch.stack([torch.from_numpy(motion), torch.from_numpy(ft.mirror(motion))]).to(device)
            rows = []
            for k in range(phases):
                start = (clip + k * (FRAMES_PER_TOKEN // phases)) % FRAMES_PER_TOKEN
                usable = max(0, len(motion) - start) // FRAMES_PER_TOKEN * FRAMES_PER_TOKEN
                part = both[:, start : start + usable]
                rows.append(tokenizer.encode(part) if usable else torch.zeros(2, 0, 6, dtype=torch.long))
                phase[clip, [k, phases + k]] = start
                count[clip, [k, phases + k]] = usable // FRAMES_PER_TOKEN
            found += [row[side].to("cpu", torch.int16) for side in (0, 1) for row in rows]
        first = (count.flatten().cumsum(0) - count.flatten()).view_as(count)
        return cls(torch.cat(found), first, count, phase)
