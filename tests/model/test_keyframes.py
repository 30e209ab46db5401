"""Key frames against the equations written out, and the cases that the paper leaves open."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.model.keyframes import gamma, key_frames


def by_the_book(x: np.ndarray) -> np.ndarray:
    """Eq. 4, 9 and 10 for one sequence (T, dim), token by token."""
    count = len(x)
    distance = np.array([[np.linalg.norm(a - b) for b in x] for a in x])
    if count > 1:
        distance = distance / max(distance.sum() / (count * (count - 1)), 1e-12)
    density = [sum(np.exp(-(distance[i, j] ** 2)) for j in range(count)) for i in range(count)]
    out = []
    for i in range(count):
        denser = [j for j in range(count) if (density[j], -j) > (density[i], -i)]
        separation = min(distance[i, j] for j in denser) if denser else max(distance[i])
        out.append(density[i] * separation)
    return np.array(out)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 15), st.integers(1, 8), st.integers(0, 6))
def test_gamma_is_the_papers(seed: int, count: int, dim: int, padding: int) -> None:
    x = np.random.default_rng(seed).normal(size=(count, dim))
    padded = torch.from_numpy(np.concatenate([x, np.full((padding, dim), 7.0)]))[None]
    mask = (torch.arange(count + padding) < count)[None]
    found = gamma(padded, mask)[0]
    np.testing.assert_allclose(found[:count].numpy(), by_the_book(x), rtol=1e-6, atol=1e-9)
    assert (found[count:] == -torch.inf).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.integers(1, 15), st.integers(0, 20), st.integers(0, 5))
def test_as_many_key_frames_as_asked_and_never_padding(seed: int, count: int, r: int, padding: int) -> None:
    # repeated tokens on purpose: ties are the rule in quantized latents
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(4, 3))[rng.integers(0, 4, count + padding)])[None]
    mask = (torch.arange(count + padding) < count)[None]
    density = gamma(x, mask)
    chosen = key_frames(density, torch.tensor([r]))[0]
    assert chosen.sum() == min(r, count) and not chosen[count:].any()
    if 0 < chosen.sum() < count:
        assert density[0][chosen].min() >= density[0, :count][~chosen[:count]].max()


def test_a_constant_sequence_takes_the_earliest() -> None:
    density = gamma(torch.ones(1, 6, 3), torch.ones(1, 6, dtype=torch.bool))
    assert (density == 0).all()
    assert key_frames(density, torch.tensor([2]))[0].tolist() == [True, True, False, False, False, False]


def test_the_odd_pose_out_of_a_steady_motion_is_a_key_frame() -> None:
    x = torch.zeros(1, 20, 4)
    x[0, :, 0] = torch.linspace(0, 0.5, 20)
    x[0, 9:12, 1] = 3.0
    chosen = key_frames(gamma(x, torch.ones(1, 20, dtype=torch.bool)), torch.tensor([2]))[0]
    assert chosen[9:12].any()
