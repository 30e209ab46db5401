"""The generator: a masked bidirectional Mamba for the first token layer, a residual Mamba for the other five.

A sequence is [text latents | motion tokens]. Some motion tokens are given (the end of what came before, and in
training also what comes after), the others belong to the segment that the text is about and start out masked.
Each token knows how far it is from its segment's start and end, so length is a condition.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kmm.model.alignment import Alignment
from kmm.model.mamba import BidirectionalMamba, RMSNorm

#: Role of a motion token in a sequence.
PADDING, GIVEN, SEGMENT = 0, 1, 2
HEEDS = 8  #: parts of the pooled text that each heed other words


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes. `codes`, `token_layers` and `code_dim` are the tokenizer's, `text_dim` the text encoder's.

    guided: the largest guidance scale that one evaluation gives, as it was trained to; 1 where none was trained.
    """

    width: int = 320
    depth: int = 8
    residual_depth: int = 3
    expand: int = 1
    dropout: float = 0.05
    codes: int = 512
    token_layers: int = 6
    code_dim: int = 256
    text_dim: int = 384
    text_encoder: str = field(default="all-MiniLM-L6-v2")
    guided: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Layout:
    """Where the tokens of a batch stand. All (B, T): role, tokens since the segment's start, tokens to its end.

    Both distances count whole segments even where the sequence shows a window of one; for given tokens they go on
    beyond the segment (negative before the start, negative after the end).
    """

    role: Tensor
    since_start: Tensor
    to_end: Tensor

    @cached_property
    def features(self) -> Tensor:
        """(B, T, 24) smooth functions of the two distances, in tokens; made once, both networks read them often."""
        parts = []
        for distance in (self.since_start, self.to_end):
            d = distance.to(torch.float32)
            parts += [d.sign() * torch.log1p(d.abs()) / 4, (d / 64).clamp(-1, 1)]
            for period in (4.0, 8.0, 16.0, 32.0, 64.0):
                parts += [torch.sin(2 * torch.pi * d / period), torch.cos(2 * torch.pi * d / period)]
        return torch.stack(parts, dim=-1)


class Backbone(nn.Module):
    """Bidirectional Mamba layers over [text latents | motion], giving the motion part back."""

    def __init__(self, width: int, depth: int, expand: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(BidirectionalMamba(width, expand, dropout=dropout) for _ in range(depth))
        self.norm = RMSNorm(width)

    def forward(self, text: Tensor, text_mask: Tensor, motion: Tensor, mask: Tensor) -> Tensor:
        x = torch.cat([text, motion], dim=1)
        both = torch.cat([text_mask, mask], dim=1)
        # with nothing to mask, as in most generation, a layer has less to do; a GPU would have to be waited for
        whole = x.is_cpu and bool(both.all())
        for layer in self.layers:
            x = layer(x, None if whole else both)
        out: Tensor = self.norm(x[:, text.shape[1] :])
        return out


class Generator(nn.Module):
    """Text head, masked Mamba (layer 1), residual Mamba (layers 2 to 6) and the alignment space."""

    codebooks: Tensor  # (layers, codes, code_dim), the tokenizer's; not trained here

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.register_buffer(
            "codebooks", torch.zeros(config.token_layers, config.codes, config.code_dim), persistent=False
        )
        self.text_head = nn.Sequential(
            nn.LayerNorm(config.text_dim),
            nn.Linear(config.text_dim, width),
            nn.SiLU(),
            nn.Linear(width, width),
        )
        self.no_text = nn.Parameter(torch.randn(1, 1, width) * 0.02)  # the latent of "any text", for guidance
        self.emphasis = nn.Linear(2, width, bias=False)  # guidance scales, heard as a shift of the text
        nn.init.zeros_(self.emphasis.weight)
        self.heed = nn.Linear(width, HEEDS)  # how much each word piece counts when the text is pooled
        nn.init.zeros_(self.heed.weight)
        self.segment_text = nn.Linear(width, width)  # pooled text, added to the tokens that it is about
        self.role = nn.Embedding(3, width)
        self.place = nn.Sequential(nn.Linear(24, width), nn.SiLU(), nn.Linear(width, width))
        self.token = nn.Embedding(config.codes + 1, width)  # the last one is [MASK]
        self.masked_mamba = Backbone(width, config.depth, config.expand, config.dropout)
        self.head = nn.Linear(width, config.codes)
        self.code = nn.Linear(config.code_dim, width)
        self.layer = nn.Embedding(config.token_layers, width)
        self.shown = nn.Parameter(torch.zeros(width))  # marks tokens whose own code of a layer is there
        self.residual_mamba = Backbone(width, config.residual_depth, config.expand, config.dropout)
        self.residual_head = nn.Parameter(torch.randn(config.token_layers - 1, config.codes, width) * 0.02)
        self.alignment = Alignment(width, config.code_dim)

    @property
    def mask_token(self) -> int:
        return self.config.codes

    def read_text(self, latents: Tensor, mask: Tensor, drop: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Text latents (B, N, width) from the encoder's; where `drop` (B,) is set, those of "any text"."""
        text: Tensor = self.text_head(latents)
        if drop is not None:
            text = torch.where(drop[:, None, None], self.no_text, text)
        return text, mask

    def emphasised(self, text: Tensor, guidance: Tensor) -> Tensor:
        """Text latents (B, N, width) that ask the masked Mamba for its logits at guidance scales (B,).

        One evaluation gives them instead of two ("On Distillation of Guided Diffusion Models", arXiv 2210.03142).
        At scale 1, no guidance, the latents are the plain ones.
        """
        scale = torch.stack([guidance - 1, guidance.log()], dim=-1)
        out: Tensor = text + self.emphasis(scale.to(text)).unsqueeze(1)
        return out

    def _place(self, text: Tensor, text_mask: Tensor, layout: Layout) -> Tensor:
        """What every motion token knows beside its content: role, place in the segment, the segment's text."""
        about = self.segment_text(self.pooled(text, text_mask)).unsqueeze(1)
        about = (layout.role == SEGMENT).unsqueeze(-1) * about
        out: Tensor = self.role(layout.role) + self.place(layout.features) + about
        return out

    def pooled(self, text: Tensor, mask: Tensor) -> Tensor:
        """(B, width) means of the latents, each HEEDS-th of the channels weighted by other word pieces.

        In a plain mean the one word that says how often or how far counts as little as an article.
        """
        share = self.heed(text).masked_fill(~mask.unsqueeze(-1), -torch.inf).softmax(1)
        parts = text.unflatten(-1, (HEEDS, -1)) * share.unsqueeze(-1)
        return parts.sum(1).flatten(1)

    def logits(self, text: Tensor, text_mask: Tensor, tokens: Tensor, layout: Layout) -> Tensor:
        """Layer-1 logits (B, T, codes) for tokens (B, T) that hold [MASK] where they are to be restored."""
        x = self.token(tokens) + self._place(text, text_mask, layout)
        out: Tensor = self.head(self.masked_mamba(text, text_mask, x, layout.role != PADDING))
        return out

    def residual_logits(
        self, text: Tensor, text_mask: Tensor, tokens: Tensor, layer: int, layout: Layout
    ) -> Tensor:
        """Logits (B, T, codes) for `layer` (1 .. 5) of tokens (B, T, 6).

        Given tokens show all their layers, the segment's own those before `layer`, and `layer` itself where that
        is not [MASK]: so a layer too can be restored in several steps.
        """
        x = self.code(self.embed(tokens, layer, layout)) + self.layer.weight[layer]
        shown = (layout.role == SEGMENT) & (tokens[..., layer] != self.mask_token)
        x = x + self._place(text, text_mask, layout) + shown.unsqueeze(-1) * self.shown
        hidden = self.residual_mamba(text, text_mask, x, layout.role != PADDING)
        return hidden @ self.residual_head[layer - 1].T

    def embed(self, tokens: Tensor, layer: int, layout: Layout) -> Tensor:
        """Sum of the codes (B, T, code_dim): all layers of given tokens; of the segment's those before `layer`, and
        `layer` itself where it is not [MASK]."""
        codes = torch.stack([self._codes(q, tokens[..., q]) for q in range(self.config.token_layers)], dim=2)
        partial = codes[:, :, : layer + 1].sum(2)
        return torch.where((layout.role == SEGMENT).unsqueeze(-1), partial, codes.sum(2))

    def _codes(self, layer: int, tokens: Tensor) -> Tensor:
        """(B, T, code_dim) codes of a layer, zeros for [MASK]."""
        there = (tokens != self.mask_token).unsqueeze(-1)
        return self.codebooks[layer][tokens.clamp(max=self.mask_token - 1)] * there


def masked_cross_entropy(logits: Tensor, target: Tensor, where: Tensor, smoothing: float = 0.1) -> Tensor:
    """Mean cross entropy over the positions in `where` (B, T).

    target: codes (B, T), or (B, T, codes) how likely each is.
    """
    if target.dim() == 2:
        every = F.cross_entropy(
            logits.flatten(0, 1), target.flatten(), reduction="none", label_smoothing=smoothing
        )
    else:
        every = F.cross_entropy(logits.flatten(0, 1), target.flatten(0, 1), reduction="none")
    # weighed, not picked: the number of positions is not known on the host, which need not wait for it
    share = where.flatten().to(every)
    return (every * share).sum() / share.sum().clamp(min=1)
