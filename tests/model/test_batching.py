"""Lanes: a request gives the same motion, bit for bit, whoever it shares a batch with."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.clip import Clip
from kmm.model.batching import Lanes
from kmm.model.generator import Layout
from kmm.model.pipeline import Pipeline

from .small import Block, write_weights

TEXTS = ("a person walks", "a person turns to the left and then " * 3 + "waves", "a man jumps")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline.load(str(write_weights(tmp_path_factory.mktemp("small"))), "cpu")


def together(pipeline: Pipeline, size: int, requests: list[tuple[list[Block], int]]) -> list[Clip]:
    """All requests in as many threads as there are lanes."""
    lanes = Lanes(pipeline, size)

    def one(request: tuple[list[Block], int]) -> Clip:
        with lanes.lane() as own:
            return own.clip(*request)

    with ThreadPoolExecutor(size) as threads:
        return list(threads.map(one, requests))


def equal(one: Clip, other: Clip) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("translation", "rotations", "contacts")
    )


segments = st.lists(
    st.builds(Block, st.sampled_from(TEXTS), st.integers(4, 110), st.none()), min_size=1, max_size=2
)
requests = st.lists(st.tuples(segments, st.integers(0, 99)), min_size=2, max_size=3)


@settings(max_examples=3, deadline=None)
@given(requests, st.integers(2, 3))
def test_neighbours_change_nothing(
    pipeline: Pipeline, requests: list[tuple[list[Block], int]], size: int
) -> None:
    """Others in the batch, none there, or the order turned round: always the same motion."""
    clips = together(pipeline, size, requests)
    turned = together(pipeline, size, requests[::-1])[::-1]
    for request, clip, other in zip(requests, clips, turned, strict=True):
        [alone] = together(pipeline, size, [request])
        assert equal(clip, alone)
        assert equal(clip, other)
        assert len(clip) == sum(block.duration_frames for block in request[0])


def test_a_padded_evaluation_is_the_bare_one(pipeline: Pipeline) -> None:
    generator = pipeline.generator
    text, mask = pipeline._read(TEXTS[1])
    at = torch.arange(-5, 20)[None].expand(2, -1)
    layout = Layout(torch.where(at < 0, 1, 2), at, 30 - at)
    tokens = torch.randint(0, 33, (2, 25), generator=torch.Generator().manual_seed(1))
    with Lanes(pipeline, 3).lane() as own:
        padded = own.generator.logits(text, mask, tokens, layout)
    with torch.inference_mode():
        bare = generator.logits(text, mask, tokens, layout)
    assert padded.shape == bare.shape
    assert torch.allclose(padded, bare, atol=1e-5)


def test_what_goes_wrong_reaches_every_lane(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation that fails ends the requests that wait for it, and the lanes can be used again."""
    lanes = Lanes(pipeline, 2)

    def one(seed: int) -> Clip:
        with lanes.lane() as own:
            return own.clip([Block(TEXTS[0], 40)], seed)

    with monkeypatch.context() as patch, ThreadPoolExecutor(2) as threads:
        patch.setattr(pipeline.generator, "logits", lambda *_: torch.zeros(3, 0).sum(5))
        failed = [threads.submit(one, seed).exception(30) for seed in range(2)]
        assert all(isinstance(error, IndexError) for error in failed)
    assert len(one(1)) == 40
