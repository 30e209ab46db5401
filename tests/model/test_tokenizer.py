"""The residual VQ-VAE: shapes, residual coding, codebook upkeep and how far a token reaches."""

from __future__ import annotations

import pytest
import torch
from kmm.model.tokenizer import FRAMES_PER_TOKEN, ResidualVQ, Tokenizer, TokenizerConfig

SMALL = TokenizerConfig(width=32, half_width=24, full_width=16, code_dim=8, codes=16)


@pytest.fixture
def tokenizer() -> Tokenizer:
    torch.manual_seed(0)
    return Tokenizer(SMALL).eval()


def test_four_frames_a_token_and_six_layers(tokenizer: Tokenizer) -> None:
    tokens = tokenizer.encode(torch.randn(2, 40, 140))
    assert tokens.shape == (2, 10, 6) and tokens.min() >= 0 and tokens.max() < 16
    assert tokenizer.decode(tokens).shape == (2, 40, 140)


def test_reach_is_exactly_what_it_says(tokenizer: Tokenizer) -> None:
    latents = torch.randn(1, 40, 8)
    other = latents.clone()
    other[0, 20] += 1.0
    changed = (tokenizer.decode_latents(latents) - tokenizer.decode_latents(other)).abs().amax(-1)[0] > 0
    tokens = changed.nonzero().flatten() // FRAMES_PER_TOKEN
    assert tokens.min() == 20 - tokenizer.reach and tokens.max() == 20 + tokenizer.reach


def test_each_layer_codes_what_the_ones_before_left(tokenizer: Tokenizer) -> None:
    vq = tokenizer.quantizer
    x = torch.randn(1, 30, 8)
    indices = vq.encode(x)
    residual = x.clone()
    for layer in range(6):
        distance = torch.cdist(residual, vq.codebooks[layer][None])
        torch.testing.assert_close(indices[..., layer], distance.argmin(-1))
        residual = residual - vq.codebooks[layer][indices[..., layer]]
    torch.testing.assert_close(x - vq.embed(indices), residual)


def test_codebooks_learn_the_data_and_dead_codes_come_back() -> None:
    torch.manual_seed(0)
    centres = torch.randn(16, 8) * 3
    vq = ResidualVQ(SMALL)
    vq.codebooks += 100.0  # far from everything: all but one code would stay dead for ever
    errors = []
    for _ in range(300):
        x = centres[torch.randint(16, (4, 32))] + 0.05 * torch.randn(4, 32, 8)
        quantized, _, indices = vq(x)
        errors.append(float((quantized - x).square().mean()))
    assert errors[-1] < 0.1 * float(centres.var())
    assert len(indices[..., 0].unique()) >= 12


def test_gradient_goes_straight_through() -> None:
    torch.manual_seed(0)
    vq = ResidualVQ(SMALL).eval()
    x = torch.randn(1, 5, 8, requires_grad=True)
    quantized, _, _ = vq(x)
    quantized.sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


def test_evaluation_leaves_the_codebooks_alone(tokenizer: Tokenizer) -> None:
    before = tokenizer.quantizer.codebooks.clone()
    tokenizer(torch.randn(1, 16, 140))
    torch.testing.assert_close(tokenizer.quantizer.codebooks, before)
