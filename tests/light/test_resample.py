import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.clip import resampled_length, sample
from kmm.resample import StreamResampler

from .motions import clips, random_clip, walk

RATES = st.sampled_from([12.0, 23.976, 24.0, 25.0, 29.97, 30 / 1.001, 30.0, 50.0, 60.0, 120.0]) | st.floats(
    1, 240
)


@given(clips(max_frames=90), RATES, st.lists(st.integers(0, 25), max_size=20))
def test_chunks_put_together_are_the_resampled_clip(clip, fps, sizes):
    stream = StreamResampler(clip.fps, fps)
    cuts = [0, *np.minimum(np.cumsum(sizes, dtype=int), len(clip)), len(clip)]
    out = []
    for a, b in itertools.pairwise(cuts):
        out.append(stream.push(*_arrays(clip, a, b)))
        # nothing that could be known is held back
        assert sum(map(len, out)) == resampled_length(b, clip.fps, fps)
    whole = clip.resample(fps)
    assert all(piece.fps == fps for piece in out)
    # the same arithmetic on the same numbers: only times are rounded differently
    assert np.allclose(np.concatenate([p.translation for p in out]), whole.translation, atol=1e-5)
    assert np.allclose(np.concatenate([p.rotations for p in out]), whole.rotations, atol=1e-5)
    if clip.contacts is not None:
        assert np.allclose(np.concatenate([p.contacts for p in out if len(p)]), whole.contacts, atol=1e-5)


@given(clips(max_frames=40), RATES)
def test_frame_k_is_the_motion_at_its_time(clip, fps):
    out = clip.resample(fps)
    end = (len(clip) - 1) / clip.fps
    assert (len(out) - 1) / fps <= end + 1e-6 < len(out) / fps + 1e-5
    at = sample(clip, np.arange(len(out)) / fps * clip.fps)
    assert np.allclose(out.translation, at[0], atol=1e-5)
    assert np.allclose(np.linalg.norm(out.rotations, axis=-1), 1, atol=1e-5)


def test_twice_the_rate_keeps_every_second_frame_and_the_segments():
    clip = walk(31)
    out = clip.resample(60)
    assert len(out) == 61
    assert np.allclose(out.translation[::2], clip.translation)
    assert np.allclose(out.translation[1::2], (clip.translation[1:] + clip.translation[:-1]) / 2)
    assert out.segments[0].end == len(out)


def test_contacts_come_always_or_never():
    clip = random_clip(4, 0)
    stream = StreamResampler(30, 24)
    stream.push(*_arrays(clip, 0, 2))
    with pytest.raises(ValueError, match="every chunk"):
        stream.push(clip.translation[2:], clip.rotations[2:])


@pytest.mark.parametrize("fps", [0, -24, float("nan")])
def test_a_rate_must_be_positive(fps):
    with pytest.raises(ValueError, match="positive"):
        StreamResampler(30, fps)


def _arrays(clip, a, b):
    return clip.translation[a:b], clip.rotations[a:b], None if clip.contacts is None else clip.contacts[a:b]
