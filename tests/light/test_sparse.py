"""Fewer keys, and the motion where it was."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm import sparse, spline
from kmm.clip import Clip

from .motions import random_clip, walk


def shown(keys: sparse.SparseKeys, frames: int) -> Clip:
    """What Blender shows at every frame: channels one by one, quaternions normalised."""
    values = keys.evaluate(np.arange(frames))
    return Clip(values[:, :3], rot.normalize(values[:, 3:].reshape(frames, 22, 4)))


@settings(max_examples=10, deadline=None)
@given(
    frames=st.integers(3, 60),
    turn=st.floats(-2, 2),
    stride=st.floats(0.2, 2.0),
    tolerance=st.sampled_from([0.001, 0.005, 0.02]),
    interpolation=st.sampled_from(["BEZIER", "LINEAR"]),
)
def test_every_joint_stays_within_the_tolerance_at_every_frame(
    frames, turn, stride, tolerance, interpolation
):
    clip = walk(frames, turn=turn, stride=stride)
    keys = sparse.reduce_clip(clip, tolerance, interpolation)
    moved = np.linalg.norm(shown(keys, frames).joints() - clip.joints(), axis=-1).max()
    assert moved <= keys.error + 1e-9 and keys.error <= tolerance
    assert keys.frames[0] == 0 and keys.frames[-1] == frames - 1 and (np.diff(keys.frames) > 0).all()
    np.testing.assert_allclose(keys.values[[0, -1]], sparse.channels(clip)[[0, -1]], atol=1e-6)


def test_a_walk_needs_five_times_fewer_keys_and_linear_ones_need_more():
    clip = walk(150)
    bezier, linear = (sparse.reduce_clip(clip, 0.005, kind) for kind in ("BEZIER", "LINEAR"))
    assert len(bezier.frames) * 5 <= len(clip)
    assert len(bezier.frames) < len(linear.frames) < len(clip)


def uneven(clip: Clip, seed: int) -> Clip:
    """The clip with joints that wander a little, as recorded ones do."""
    window = np.hanning(15) / np.linalg.norm(np.hanning(15))
    steps = np.random.default_rng(seed).normal(size=(len(clip) + 14, 66))
    wander = np.stack([np.convolve(x, window, "valid") for x in steps.T], axis=-1)
    turned = rot.from_rotvec(0.1 * wander.reshape(-1, 22, 3))
    return replace(clip, rotations=rot.multiply(clip.rotations, turned))


def test_weighing_frames_by_their_error_does_without_more_keys(monkeypatch):
    clips = [uneven(walk(90, turn=0.7), seed) for seed in range(3)]
    weighed = [len(sparse.reduce_clip(clip, 0.01).frames) for clip in clips]
    monkeypatch.setattr(sparse, "WEIGHINGS", 0)
    assert sum(weighed) < sum(len(sparse.reduce_clip(clip, 0.01).frames) for clip in clips)


@given(at=st.integers(5, 25), seed=st.integers(0, 9))
def test_a_frame_that_weighs_more_is_met_better(at, seed):
    values = np.random.default_rng(seed).normal(size=(31, 2)).cumsum(0)
    keys, slopes = np.array([0, 15, 30]), np.gradient(values, axis=0)

    def miss(weight):
        weights = np.ones(31)
        weights[at] = weight
        at_keys = spline.fit(values, slopes, keys, "BEZIER", weights)
        return np.abs(sparse.SparseKeys(keys, *at_keys, "BEZIER", 0.0).evaluate([at]) - values[at])

    assert (miss(20.0) <= miss(1.0) + 1e-6).all()


def test_a_finer_tolerance_takes_more_keys():
    counts = [len(sparse.reduce_clip(walk(60, turn=0.7), t).frames) for t in (0.0005, 0.005, 0.05)]
    assert counts[0] > counts[1] > counts[2]


def test_motion_that_no_curve_follows_keeps_its_keys():
    clip = random_clip(20, 3)
    keys = sparse.reduce_clip(clip, 0.005)
    assert keys.error <= 0.005
    assert np.linalg.norm(shown(keys, 20).joints() - clip.joints(), axis=-1).max() <= 0.005


def test_a_turn_of_the_hand_alone_is_kept():
    """It moves no joint, and is seen."""
    clip = walk(61, speed=0.0)
    rotations = np.tile(clip.rotations[:1], (61, 1, 1))
    angles = 0.8 * np.sin(np.arange(61) / 6.0)
    rotations[:, 20] = rot.from_rotvec(angles[:, None] * np.array([1.0, 0, 0]))
    still = Clip(np.tile(clip.translation[:1], (61, 1)), rotations)
    keys = sparse.reduce_clip(still, 0.005)
    turned = rot.magnitude(rot.multiply(rot.inv(shown(keys, 61).rotations[:, 20]), rotations[:, 20]))
    assert 4 < len(keys.frames) < 30 and np.degrees(turned).max() < 3


def test_signs_of_quaternions_do_not_matter():
    clip = walk(60)
    signs = np.where(np.random.default_rng(0).random((60, 22, 1)) < 0.5, -1.0, 1.0)
    flipped = Clip(clip.translation, clip.rotations * signs)
    a, b = sparse.reduce_clip(clip), sparse.reduce_clip(flipped)
    np.testing.assert_array_equal(a.frames, b.frames)
    np.testing.assert_allclose(np.abs(a.values[:, 3:]), np.abs(b.values[:, 3:]), atol=1e-6)


def test_handles_lie_a_third_of_the_way_along_the_slope():
    keys = sparse.reduce_clip(walk(60))
    left, right = keys.handles()
    spans = np.diff(keys.frames)
    np.testing.assert_allclose(right[:-1, 0, 0], keys.frames[:-1] + spans / 3)
    np.testing.assert_allclose(left[1:, 0, 0], keys.frames[1:] - spans / 3)
    out, back = right - left, keys.slopes
    np.testing.assert_allclose(out[..., 1] / out[..., 0], back, atol=1e-9)


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_motions_too_short_to_reduce(frames):
    clip = walk(3).slice(0, frames)
    keys = sparse.reduce_clip(clip)
    assert len(keys.frames) == frames and keys.error == 0


def test_bad_input_is_one_sentence():
    clip = walk(10)
    with pytest.raises(ValueError, match="more than 0"):
        sparse.reduce_clip(clip, 0.0)
    with pytest.raises(ValueError, match="BEZIER or LINEAR"):
        sparse.reduce_clip(clip, 0.005, "BOUNCE")
    clip.translation[4] = np.nan
    with pytest.raises(ValueError, match="not numbers"):
        sparse.reduce_clip(clip)
