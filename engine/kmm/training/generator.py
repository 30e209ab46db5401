"""Stage 2: train the masked Mamba, the residual Mamba and the text-motion alignment together."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kmm.model.generator import SEGMENT, Generator, masked_cross_entropy
from kmm.model.keyframes import gamma, key_frames
from kmm.training.segments import Batch, Segments

NO_TEXT = 0.1  #: share of examples without their text, for classifier-free guidance
MUTED = 0.06  #: share of a text's word pieces that are not read, so that no single word decides
GUIDED = 6.0  #: guidance scales up to this one are learned
CORRUPT = 0.05  #: share of visible tokens shown wrong, since generation makes mistakes too


class Objective(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is masked and what is minimised; the paper's ablations are other values of these.

    key_frames: share of examples whose masked tokens are the key frames; the others mask at random. masked: share of
    a segment that is masked, None for MaskGIT's cosine schedule. alignment: lambda of Eq. 14, as in the paper.
    """

    key_frames: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.5
    masked: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    alignment: Annotated[float, msgspec.Meta(ge=0)] = 0.5


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
        if train.device.type == "cuda":
            compile_layers(module)

    def loss(self, rng: np.random.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(self.module, Generator)
        figures = self.figures(self.module, self.train, rng, self.objective)
        total = figures["tokens"] + figures["residual"] + self.objective.alignment * figures["alignment"]
        return total, {k: v.detach() for k, v in figures.items()}

    @torch.no_grad()
    def validate(self, module: nn.Module) -> dict[str, float]:
        """The losses on the validation split, masked as in the paper's method whatever was trained, to compare."""
        assert isinstance(module, Generator)
        rng = np.random.default_rng(1)
        rows = [self.figures(module, self.validation, rng, Objective()) for _ in range(8)]
        return {key: float(np.mean([float(r[key]) for r in rows])) for key in rows[0]}

    def figures(
        self, module: Generator, segments: Segments, rng: np.random.Generator, objective: Objective
    ) -> dict[str, Tensor]:
        """The three losses of a random batch, and the accuracy on masked tokens."""
        dice = torch.Generator(segments.device).manual_seed(int(rng.integers(2**62)))
        layers = module.config.token_layers
        layer = 1 + int(rng.choice(layers - 1, p=layer_shares(layers)))
        return losses(module, segments.draw(dice, self.batch), layer, dice, objective, self.told)

    def told(self, module: Generator, batch: Batch, shown: Tensor, dice: torch.Generator) -> Told:
        """The text as the masked Mamba reads it, and what it must say of every token."""
        drop = _random(len(shown), dice) < NO_TEXT
        heard = mute(batch.text_mask, dice)
        text, mask = module.read_text(batch.text, heard, drop)
        return Told(text, mask, batch.tokens[..., 0])


@dataclass(frozen=True)
class Told:
    """Text latents (B, N, width) and mask, and the target of the masked Mamba: codes (B, T) or how likely each is."""

    text: Tensor
    mask: Tensor
    target: Tensor


class GuidanceStage(GeneratorStage):
    """The trained generator learns to give in one evaluation what guidance makes of two (arXiv 2210.03142).

    Its teacher is itself as it was before. All else is trained on with it, since the text head serves all.
    """

    name = "guidance"

    def __init__(self, module: Generator, train: Segments, validation: Segments, batch: int) -> None:
        super().__init__(module, train, validation, batch)
        self.teacher = copy.deepcopy(module).to(train.device).eval().requires_grad_(False)
        module.config = replace(module.config, guided=GUIDED)
        if train.device.type == "cuda":
            compile_layers(self.teacher)

    @torch.no_grad()
    def _taught(self, batch: Batch, shown: Tensor, drop: Tensor, scale: Tensor) -> Tensor:
        """(B, T, codes) probabilities at each example's guidance scale."""
        teacher = self.teacher
        plain, nothing = (
            teacher.logits(*teacher.read_text(batch.text, batch.text_mask, drop | none), shown, batch.layout)
            for none in (torch.zeros_like(drop), torch.ones_like(drop))
        )
        return (nothing + scale[:, None, None] * (plain - nothing)).softmax(-1)

    def told(self, module: Generator, batch: Batch, shown: Tensor, dice: torch.Generator) -> Told:
        drop = _random(len(shown), dice) < NO_TEXT
        # as far as one, where there is no guidance, for some of them; without a text there is nothing to follow
        scale = (1 + (GUIDED - 1) * (1.25 * _random(len(shown), dice) - 0.25)).clamp(min=1)
        scale = scale.masked_fill(drop, 1)
        text, mask = module.read_text(batch.text, batch.text_mask, drop)
        return Told(module.emphasised(text, scale), mask, self._taught(batch, shown, drop, scale))


def compile_layers(module: Generator) -> None:
    """Compile each Mamba layer, all to the same kernels: on a GPU most of a step is small sums otherwise."""
    for backbone in (module.masked_mamba, module.residual_mamba):
        for layer in backbone.layers:
            layer.compile()


def losses(
    module: Generator,
    batch: Batch,
    layer: int,
    dice: torch.Generator,
    objective: Objective,
    told: Callable[[Generator, Batch, Tensor, torch.Generator], Told],
) -> dict[str, Tensor]:
    """The three losses of a batch, residual `layer` among them, and the accuracy on masked tokens."""
    segment = batch.layout.role == SEGMENT
    quantized = module.embed(batch.tokens, module.config.token_layers, batch.layout)
    masked = choose_masked(quantized, segment, dice, objective)
    base = batch.tokens[..., 0]
    shown, restore = corrupt(base, masked, batch.layout.role > 0, module.mask_token, dice)
    first = told(module, batch, shown, dice)
    logits = module.logits(first.text, first.mask, shown, batch.layout)
    plain, heard = module.read_text(batch.text, mute(batch.text_mask, dice))
    seen, hidden = hide(batch.tokens, segment, layer, module.mask_token, dice)
    residual = module.residual_logits(plain, heard, seen, layer, batch.layout)
    alignment = module.alignment.loss(
        module.alignment.embed_text(plain, heard),
        module.alignment.embed_motion(quantized, segment),
        batch.same,
    )
    right = (logits.argmax(-1) == base) & masked
    return {
        "tokens": masked_cross_entropy(logits, first.target, restore),
        "residual": masked_cross_entropy(residual, batch.tokens[..., layer], hidden),
        "alignment": alignment,
        "accuracy": right.sum() / masked.sum(),
    }


def _random(count: int, dice: torch.Generator) -> Tensor:
    return torch.rand(count, generator=dice, device=dice.device)


def layer_shares(layers: int) -> NDArray[np.floating]:
    """(layers - 1,) how often each residual layer is trained: the coarser it is, the more can be known of it."""
    share = 1.0 / np.arange(1, layers)
    return np.asarray(share / share.sum())


def hide(
    tokens: Tensor, segment: Tensor, layer: int, mask_token: int, dice: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Tokens (B, T, layers) as the residual network sees them, a few of them wrong, and (B, T) where it must restore
    `layer`: in about half of the examples everywhere, in the rest all but a random share of the segment, and always
    somewhere, since a loss over nothing would be no number."""
    seen = torch.where(_chance(tokens, dice) < CORRUPT, _noise(tokens, mask_token, dice), tokens)
    share = (1.8 * _random(len(tokens), dice) - 0.8).clamp(min=0).unsqueeze(-1)
    hidden = segment & (_chance(segment, dice) >= share)
    hidden = torch.where(hidden.any(-1, keepdim=True), hidden, segment)
    seen[..., layer] = seen[..., layer].masked_fill(hidden, mask_token)
    return seen, hidden


def mute(mask: Tensor, dice: torch.Generator) -> Tensor:
    """(B, N) a text's mask without some of its word pieces, never without its first and its last one."""
    muted = _chance(mask, dice) < MUTED
    first = mask & (mask.cumsum(-1) == 1)
    muted[:, -1] = False
    return mask & (~muted | first)


def choose_masked(latents: Tensor, segment: Tensor, dice: torch.Generator, objective: Objective) -> Tensor:
    """(B, T) tokens to mask: a share of each segment, at least one token.

    In some of the examples these are the segment's key frames (Eq. 11 with r that share), so that the state has to
    carry the key actions; in the rest a random choice, which is what generation meets between its steps.
    """
    share = torch.cos(0.5 * torch.pi * _random(len(segment), dice))
    if objective.masked is not None:
        share = torch.full_like(share, objective.masked)
    wanted = (segment.sum(-1) * share).ceil().long().clamp(min=1)
    density = gamma(latents, segment)
    chance = _chance(segment, dice).masked_fill(~segment, -torch.inf)
    by_key = _random(len(segment), dice) < objective.key_frames
    return key_frames(torch.where(by_key[:, None], density, chance), wanted)


def corrupt(
    tokens: Tensor, masked: Tensor, valid: Tensor, mask_token: int, dice: torch.Generator
) -> tuple[Tensor, Tensor]:
    """What the network sees (B, T), and what it must restore: masked tokens, and visible ones shown wrong."""
    wrong = (_chance(tokens, dice) < CORRUPT) & valid & ~masked
    shown = torch.where(wrong, _noise(tokens, mask_token, dice), tokens)
    return shown.masked_fill(masked, mask_token), masked | wrong


def _chance(like: Tensor, dice: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=dice, device=like.device)


def _noise(tokens: Tensor, codes: int, dice: torch.Generator) -> Tensor:
    return torch.randint(codes, tokens.shape, generator=dice, device=tokens.device)
