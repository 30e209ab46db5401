"""Stage 2: train the masked Mamba, the residual Mamba and the text-motion alignment together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kmm.model.generator import SEGMENT, Generator, masked_cross_entropy
from kmm.model.keyframes import gamma, key_frames
from kmm.training.segments import Batch, Segments

NO_TEXT = 0.1  #: share of examples without their text, for classifier-free guidance
MUTED = 0.06  #: share of a text's word pieces that are not read, so that no single word decides
CORRUPT = 0.05  #: share of visible tokens shown wrong, since generation makes mistakes too


@dataclass(frozen=True)
class Objective:
    """What is masked and what is minimised; the paper's ablations are other values of these.

    key_frames: share of examples whose masked tokens are the key frames; the others mask at random. masked: share of
    a segment that is masked, None for MaskGIT's cosine schedule. alignment: lambda of Eq. 14, as in the paper.
    """

    key_frames: float = 0.5
    masked: float | None = None
    alignment: float = 0.5


class GeneratorStage:
    """Cross entropy on masked tokens and on one residual layer, plus the contrastive loss."""

    name = "generator"

    def __init__(
        self,
        module: Generator,
        train: Segments,
        validation: Segments,
        batch: int,
        objective: Objective | None = None,
    ) -> None:
        self.module: nn.Module = module
        self.train, self.validation = train, validation
        self.batch, self.objective = batch, objective or Objective()

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(self.module, Generator)
        figures = losses(self.module, self.train.draw(rng, self.batch), rng, self.objective)
        total = figures["tokens"] + figures["residual"] + self.objective.alignment * figures["alignment"]
        return total, {k: float(v.detach()) for k, v in figures.items()}

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        assert isinstance(module, Generator)
        """The losses on the validation split, masked as in the paper's method whatever was trained, to compare."""
        rng = np.random.default_rng(1)
        rows = [losses(module, self.validation.draw(rng, self.batch), rng, Objective()) for _ in range(8)]
        return {key: float(np.mean([float(r[key]) for r in rows])) for key in rows[0]}


def losses(
    module: Generator, batch: Batch, rng: np.random.Generator, objective: Objective
) -> dict[str, Tensor]:
    """The three losses of a batch, and the accuracy on masked tokens."""
    device = module.codebooks.device
    batch = batch.to(device)
    segment = batch.layout.role == SEGMENT
    quantized = module.embed(batch.tokens, module.config.token_layers, batch.layout)
    masked = choose_masked(quantized, segment, rng, objective)
    base = batch.tokens[..., 0]
    shown, restore = corrupt(base, masked, batch.layout.role > 0, module.mask_token, rng)
    drop = torch.from_numpy(rng.random(len(base)) < NO_TEXT).to(device)
    heard = mute(batch.text_mask, rng)
    text, text_mask = module.read_text(batch.text, heard, drop)
    logits = module.logits(text, text_mask, shown, batch.layout)
    layer = 1 + int(rng.choice(module.config.token_layers - 1, p=layer_shares(module.config.token_layers)))
    seen, hidden = hide(batch.tokens, segment, layer, module.mask_token, rng)
    residual = module.residual_logits(text, text_mask, seen, layer, batch.layout)
    plain, _ = module.read_text(batch.text, heard)
    alignment = module.alignment.loss(
        module.alignment.embed_text(plain, heard),
        module.alignment.embed_motion(quantized, segment),
        batch.same,
    )
    return {
        "tokens": masked_cross_entropy(logits, base, restore),
        "residual": masked_cross_entropy(residual, batch.tokens[..., layer], hidden),
        "alignment": alignment,
        "accuracy": (logits.argmax(-1) == base)[masked].float().mean(),
    }


def layer_shares(layers: int) -> NDArray[np.floating]:
    """(layers - 1,) how often each residual layer is trained: the coarser it is, the more can be known of it."""
    share = 1.0 / np.arange(1, layers)
    return np.asarray(share / share.sum())


def hide(
    tokens: Tensor, segment: Tensor, layer: int, mask_token: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Tokens (B, T, layers) as the residual network sees them, a few of them wrong, and (B, T) where it must restore
    `layer`: in about half of the examples everywhere, in the rest all but a random share of the segment, and always
    somewhere, since a loss over nothing would be no number."""
    noise = torch.from_numpy(rng.integers(0, mask_token, tokens.shape)).to(tokens.device)
    wrong = torch.from_numpy(rng.random(tokens.shape) < CORRUPT).to(tokens.device)
    seen = torch.where(wrong, noise, tokens)
    share = np.clip(rng.uniform(-0.8, 1.0, (len(tokens), 1)), 0.0, None)
    hidden = segment & torch.from_numpy(rng.random(segment.shape) >= share).to(tokens.device)
    hidden = torch.where(hidden.any(-1, keepdim=True), hidden, segment)
    seen[..., layer] = seen[..., layer].masked_fill(hidden, mask_token)
    return seen, hidden


def mute(mask: Tensor, rng: np.random.Generator) -> Tensor:
    """(B, N) a text's mask without some of its word pieces, never without its first and its last one."""
    muted = torch.from_numpy(rng.random(mask.shape) < MUTED).to(mask.device)
    first = mask & (mask.cumsum(-1) == 1)
    muted[:, -1] = False
    return mask & (~muted | first)


def choose_masked(latents: Tensor, segment: Tensor, rng: np.random.Generator, objective: Objective) -> Tensor:
    """(B, T) tokens to mask: a share of each segment, at least one token.

    In some of the examples these are the segment's key frames (Eq. 11 with r that share), so that the state has to
    carry the key actions; in the rest a random choice, which is what generation meets between its steps.
    """
    count = segment.sum(-1)
    share = np.cos(0.5 * np.pi * rng.random(len(segment)))
    if objective.masked is not None:
        share = np.full(len(segment), objective.masked)
    wanted = (count * torch.from_numpy(share).to(count.device)).ceil().long().clamp(min=1)
    density = gamma(latents, segment)
    chance = torch.from_numpy(rng.random(segment.shape).astype(np.float32)).to(segment.device)
    chance = chance.masked_fill(~segment, -torch.inf)
    by_key = torch.from_numpy(rng.random(len(segment)) < objective.key_frames).to(segment.device)
    return key_frames(torch.where(by_key[:, None], density, chance), wanted)


def corrupt(
    tokens: Tensor, masked: Tensor, valid: Tensor, mask_token: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """What the network sees (B, T), and what it must restore: masked tokens, and visible ones shown wrong."""
    noise = torch.from_numpy(rng.integers(0, mask_token, tokens.shape)).to(tokens.device)
    wrong = torch.from_numpy(rng.random(tokens.shape) < CORRUPT).to(tokens.device) & valid & ~masked
    shown = torch.where(wrong, noise, tokens)
    shown = torch.where(masked, torch.full_like(shown, mask_token), shown)
    return shown, masked | wrong
