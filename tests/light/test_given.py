"""Given frames: stretches and numbers are two ways to say the same, and poses that are none are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.clip import Clip
from kmm.given import Given

from .motions import walk


@given(st.sets(st.integers(0, 300), max_size=40).map(sorted))
def test_stretches_hold_exactly_the_frames(frames: list[int]) -> None:
    clip = walk(301)
    picked = Given.of(clip, frames)
    again = Given.in_stretches(picked.stretches, picked.translation, picked.rotations)
    assert (
        list(again.frames) == frames == [f for start, n in picked.stretches for f in range(start, start + n)]
    )
    np.testing.assert_array_equal(again.translation, clip.translation[frames].astype(np.float32))
    np.testing.assert_array_equal(again.rotations, clip.rotations[frames].astype(np.float32))
    stops = [start + n for start, n in picked.stretches]
    assert all(stop < start for stop, (start, _) in zip(stops, picked.stretches[1:], strict=False))


def test_nothing_given_is_false() -> None:
    assert not Given()
    assert Given().stretches == ()


@pytest.mark.parametrize("frames", [[-1], [5, 5], [6, 5], [400]])
def test_frames_that_cannot_be_given(frames: list[int]) -> None:
    with pytest.raises(ValueError, match="frames"):
        Given.of(walk(301), frames)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1e30])
def test_rotations_that_are_none(value: float) -> None:
    clip: Clip = walk(10)
    rotations = clip.rotations.copy()
    rotations[3, 5] = value
    with pytest.raises(ValueError, match="given"):
        Given(np.arange(10), clip.translation, rotations)
