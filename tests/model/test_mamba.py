"""The bidirectional Mamba block: the parallel scan against its definition, and padding that leaks nowhere."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.model.mamba import BidirectionalMamba, convolve, scan_reference, ssd


def inputs(length: int, seed: int, heads: int = 4, groups: int = 2) -> tuple[torch.Tensor, ...]:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(2, length, heads, 8, generator=g)
    dt = torch.rand(2, length, heads, generator=g)
    A = -3 * torch.rand(heads, generator=g)
    B, C = (torch.randn(2, length, groups, 5, generator=g) for _ in range(2))
    return x, dt, A, B, C


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 90), st.sampled_from([4, 16, 64]), st.integers(0, 1000))
def test_matrix_form_is_the_recurrence(length: int, chunk: int, seed: int) -> None:
    arguments = inputs(length, seed)
    torch.testing.assert_close(ssd(*arguments, chunk=chunk), scan_reference(*arguments), atol=1e-4, rtol=1e-4)


def test_gradients_are_the_recurrences() -> None:
    arguments = [a.double().requires_grad_() for a in inputs(21, 3)]
    for value in arguments:
        value.retain_grad()
    gradients = []
    for function in (lambda *a: ssd(*a, chunk=8), scan_reference):
        gradients.append(torch.autograd.grad(function(*arguments).square().sum(), arguments))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_convolution_is_causal_depthwise() -> None:
    x, weight, bias = torch.randn(2, 9, 6), torch.randn(6, 4), torch.randn(6)
    expected = torch.nn.functional.conv1d(
        torch.nn.functional.pad(x.transpose(1, 2), (3, 0)), weight[:, None], bias, groups=6
    ).transpose(1, 2)
    torch.testing.assert_close(convolve(x, weight, bias), torch.nn.functional.silu(expected))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 70), st.integers(0, 30), st.integers(0, 30), st.integers(0, 1000))
def test_padding_leaks_in_neither_direction(length: int, before: int, after: int, seed: int) -> None:
    torch.manual_seed(seed)
    block = BidirectionalMamba(64, expand=1, head=16, state=8)
    x = torch.randn(2, length, 64)
    padded = torch.randn(2, before + length + after, 64) * 10
    padded[:, before : before + length] = x
    mask = torch.zeros(padded.shape[:2], dtype=torch.bool)
    mask[:, before : before + length] = True
    out = block(padded, mask)[:, before : before + length]
    torch.testing.assert_close(out, block(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("changed", [0, 7, 19])
def test_every_token_reaches_every_other(changed: int) -> None:
    torch.manual_seed(0)
    block = BidirectionalMamba(64, expand=1, head=16, state=8)
    x = torch.randn(1, 20, 64)
    other = x.clone()
    other[0, changed] += 1.0
    assert ((block(x) - block(other)).abs().amax(-1) > 0).all()


def test_reversing_time_is_exchanging_the_directions() -> None:
    torch.manual_seed(0)
    block = BidirectionalMamba(64, expand=1, head=16, state=8)
    swapped = BidirectionalMamba(64, expand=1, head=16, state=8)
    state = {
        k: torch.cat(
            list(reversed(v.chunk(2, dim=1 if k == "out_proj.weight" else 0))),
            dim=1 if k == "out_proj.weight" else 0,
        )
        if k != "norm.weight"
        else v
        for k, v in block.state_dict().items()
    }
    swapped.load_state_dict(state)
    x = torch.randn(1, 20, 64)
    torch.testing.assert_close(swapped(x.flip(1)), block(x).flip(1), atol=1e-5, rtol=1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_kernels_are_the_plain_path() -> None:
    from kmm.model import mamba

    assert mamba.mamba_chunk_scan_combined is not None, "install the extra `cuda`"
    torch.manual_seed(0)
    block = BidirectionalMamba(256)
    x = torch.randn(2, 100, 256)
    mask = torch.arange(100) < torch.tensor([[100], [60]])
    plain = block(x, mask)
    fast = block.cuda()(x.cuda(), mask.cuda()).cpu()
    torch.testing.assert_close(fast[mask], plain[mask], atol=1e-3, rtol=1e-3)
