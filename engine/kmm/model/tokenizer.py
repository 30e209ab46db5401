"""The motion tokenizer: a residual VQ-VAE with 6 quantization layers, one token for four frames.

Convolutions only, no normalisation over time, so that a token's reach is known: `Tokenizer.reach` tokens to each
side decide a frame, and a stream may send a frame once the tokens within reach are final.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kmm.model import features as ft

FRAMES_PER_TOKEN = 4


@dataclass(frozen=True)
class TokenizerConfig:
    """Sizes as in MoMask (arXiv 2312.00063) where the KMM paper is silent, narrower for a CPU."""

    width: int = 384  # channels at token rate
    half_width: int = 256  # channels at half the frame rate
    full_width: int = 128  # channels at the frame rate
    code_dim: int = 256
    codes: int = 512
    layers: int = 6


class ResBlock(nn.Module):
    """x + conv1(act(conv3(act(x)))): reaches `dilation` steps to each side."""

    def __init__(self, width: int, dilation: int = 1) -> None:
        super().__init__()
        self.wide = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.point = nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.point(F.silu(self.wide(F.silu(x))))


class Upsample(nn.Module):
    """Twice the rate, each step from its own coarse step alone (so that it adds no reach)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.split = nn.Conv1d(width_in, 2 * width_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, time = x.shape
        return self.split(F.silu(x)).view(batch, -1, 2, time).transpose(2, 3).flatten(2)


class ResidualVQ(nn.Module):
    """Residual vector quantization: layer q codes what layers 1..q-1 left over.

    The codebooks are moving averages of what is assigned to them (not trained by gradient); a code that is hardly
    used is reset to a random residual of the batch.
    """

    codebooks: Tensor  # (layers, codes, dim)
    counts: Tensor  # (layers, codes) moving average of assignments a step
    sums: Tensor  # (layers, codes, dim) moving sum of assigned residuals

    def __init__(self, config: TokenizerConfig, decay: float = 0.99, dead_below: float = 0.1) -> None:
        super().__init__()
        shape = (config.layers, config.codes, config.code_dim)
        self.decay, self.dead_below = decay, dead_below
        self.register_buffer("codebooks", torch.randn(shape) * 0.1)
        self.register_buffer("counts", torch.zeros(shape[:2]), persistent=False)
        self.register_buffer("sums", torch.zeros(shape), persistent=False)

    def nearest(self, x: Tensor, layer: int) -> Tensor:
        """Index (...) of the code of `layer` closest to each x (..., dim)."""
        book = self.codebooks[layer]
        return (book.square().sum(-1) - 2 * (x @ book.T)).argmin(-1)

    def encode(self, x: Tensor) -> Tensor:
        """(B, T, dim) -> code indices (B, T, layers)."""
        indices = []
        for layer in range(len(self.codebooks)):
            index = self.nearest(x, layer)
            x = x - self.codebooks[layer][index]
            indices.append(index)
        return torch.stack(indices, dim=-1)

    def embed(self, indices: Tensor) -> Tensor:
        """Sum of the codes: indices (B, T, layers' first q) -> (B, T, dim)."""
        return sum(
            (self.codebooks[layer][indices[..., layer]] for layer in range(indices.shape[-1])),
            torch.zeros(()),
        )  # type: ignore[return-value]

    def forward(self, x: Tensor, dropout: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, dim) -> (straight-through quantized x, commitment loss, indices); updates the codebooks.

        With probability `dropout` a sample of the batch uses only its first few layers (quantizer dropout).
        """
        layers = len(self.codebooks)
        keep = torch.full((len(x),), layers, device=x.device)
        dropped = torch.rand(len(x), device=x.device) < dropout
        keep = torch.where(dropped, torch.randint(1, layers + 1, keep.shape, device=x.device), keep)
        residual, total, loss = x, torch.zeros_like(x), x.new_zeros(())
        indices = []
        for layer in range(layers):
            used = layer < keep
            index = self.nearest(residual.detach(), layer)
            code = self.codebooks[layer][index]
            loss = loss + F.mse_loss(residual[used], code[used]) if used.any() else loss
            if self.training:
                self._update(layer, residual[used].detach().flatten(0, -2), index[used].flatten())
            total = total + code * used[:, None, None]
            residual = residual - code
            indices.append(index)
        return x + (total - x).detach(), loss / layers, torch.stack(indices, dim=-1)

    @torch.no_grad()
    def _update(self, layer: int, x: Tensor, index: Tensor) -> None:
        if not len(x):
            return
        codes = self.codebooks.shape[1]
        count = torch.bincount(index, minlength=codes).to(x.dtype)
        total = torch.zeros_like(self.codebooks[layer]).index_add_(0, index, x)
        self.counts[layer].lerp_(count, 1 - self.decay)
        self.sums[layer].lerp_(total, 1 - self.decay)
        alive = self.counts[layer] > self.dead_below
        fresh = x[torch.randint(len(x), (codes,), device=x.device)]
        mean = self.sums[layer] / self.counts[layer].clamp(min=1e-6)[:, None]
        self.codebooks[layer] = torch.where(alive[:, None], mean, fresh)
        # a reset code starts with a little credit, or it would be reset again before anything chose it
        self.counts[layer] = torch.where(alive, self.counts[layer], 2 * self.dead_below)
        self.sums[layer] = torch.where(alive[:, None], self.sums[layer], fresh * (2 * self.dead_below))


class Tokenizer(nn.Module):
    """features (B, T, 140) <-> tokens (B, T/4, 6)."""

    mean: Tensor  # (140,)
    std: Tensor  # (140,)

    #: tokens to each side that a decoded frame depends on; tests/model measures it
    reach = 6

    def __init__(self, config: TokenizerConfig | None = None) -> None:
        super().__init__()
        config = config or TokenizerConfig()
        self.config = config
        self.register_buffer("mean", torch.zeros(ft.DIM))
        self.register_buffer("std", torch.ones(ft.DIM))
        self.encoder = nn.Sequential(
            nn.Conv1d(ft.DIM, config.half_width, 4, stride=2, padding=1),
            ResBlock(config.half_width),
            ResBlock(config.half_width, 3),
            nn.SiLU(),
            nn.Conv1d(config.half_width, config.width, 4, stride=2, padding=1),
            ResBlock(config.width),
            ResBlock(config.width, 3),
            nn.SiLU(),
            nn.Conv1d(config.width, config.code_dim, 1),
        )
        self.quantizer = ResidualVQ(config)
        self.decoder = nn.Sequential(
            nn.Conv1d(config.code_dim, config.width, 3, padding=1),
            ResBlock(config.width, 2),
            ResBlock(config.width),
            Upsample(config.width, config.half_width),
            ResBlock(config.half_width),
            ResBlock(config.half_width),
            Upsample(config.half_width, config.full_width),
            ResBlock(config.full_width),
            nn.SiLU(),
            nn.Conv1d(config.full_width, ft.DIM, 3, padding=1),
        )

    def latents(self, features: Tensor) -> Tensor:
        """(B, T, 140) -> (B, T/4, code_dim), before quantization. T must be a multiple of 4."""
        return self.encoder(((features - self.mean) / self.std).transpose(1, 2)).transpose(1, 2)

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, 140) -> tokens (B, T/4, 6)."""
        return self.quantizer.encode(self.latents(features))

    def decode_latents(self, latents: Tensor) -> Tensor:
        """(B, N, code_dim) -> features (B, 4 N, 140)."""
        return self.decoder(latents.transpose(1, 2)).transpose(1, 2) * self.std + self.mean

    def decode(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N, 6) -> features (B, 4 N, 140)."""
        return self.decode_latents(self.quantizer.embed(tokens))

    def forward(self, features: Tensor, dropout: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """(reconstructed features, commitment loss, tokens) of (B, T, 140)."""
        quantized, commitment, indices = self.quantizer(self.latents(features), dropout)
        return self.decode_latents(quantized), commitment, indices
