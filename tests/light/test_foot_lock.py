"""Feet that stand, stand; nothing else moves, and nothing pops."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip
from kmm.contacts import foot_contacts
from kmm.evaluation.physics import foot_skate
from kmm.foot_lock import LONGEST, SHORT_SECONDS, foot_shift, lock_feet, standing, stretches
from kmm.skeleton import JOINT_INDEX, JOINT_NAMES

from ..data.figures import constant, figure, walk
from .motions import random_clip

LEGS = [i for i, n in enumerate(JOINT_NAMES) if n.endswith(("hip", "knee", "ankle", "foot"))]
TOES = [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]
KNEES = [JOINT_INDEX["left_knee"], JOINT_INDEX["right_knee"]]


def sliding(speed: float, aside: float = 0.0, fps: float = 30.0) -> Clip:
    """A walk whose feet were planted, carried along the floor at some m/s."""
    clip = walk(1.1, 3).resample(fps)
    drift = np.arange(len(clip))[:, None] / fps * np.array([aside, -speed, 0.0])
    return replace(clip, translation=clip.translation + drift, contacts=foot_contacts(clip.joints(), fps))


def slide(clip: Clip, planted: np.ndarray) -> float:
    """Mean metres a frame of the toes while they stand."""
    both = (planted[1:] & planted[:-1])[:, [1, 3]]
    return float(np.linalg.norm(np.diff(clip.joints()[:, TOES, :2], axis=0), axis=-1)[both].mean())


def acceleration(clip: Clip) -> float:
    return float(np.linalg.norm(np.diff(clip.joints()[:, LEGS], n=2, axis=0), axis=-1).max()) * clip.fps**2


@settings(max_examples=12, deadline=None)
@given(speed=st.floats(-0.2, 0.2), aside=st.floats(-0.1, 0.1), fps=st.sampled_from([24.0, 30.0, 60.0]))
def test_feet_slide_a_quarter_at_most_and_the_rest_stays(speed, aside, fps):
    clip = sliding(speed, aside, fps)
    locked = lock_feet(clip)
    planted = standing(clip.joints(), clip.contacts, fps)
    assert slide(locked, planted) <= max(slide(clip, planted) / 4, 1e-4)
    others = np.setdiff1d(np.arange(22), LEGS)
    np.testing.assert_array_equal(locked.joints()[:, others], clip.joints()[:, others])
    np.testing.assert_array_equal(locked.translation, clip.translation)
    assert np.abs(np.linalg.norm(locked.rotations, axis=-1) - 1).max() < 1e-5
    # no popping: legs are not accelerated much more than they were
    assert acceleration(locked) < 1.3 * acceleration(clip) + 5.0


def test_the_published_measure_falls_too():
    clip = sliding(0.3)
    before, after = (foot_skate(c.joints(), 30.0) for c in (clip, lock_feet(clip)))
    assert before.contact > 80 and after.speed < before.speed / 2


def test_knees_keep_bending_the_way_they_do():
    for speed in (-0.3, 0.3):
        clip = sliding(speed)
        bends = [rot.as_rotvec(c.rotations[:, KNEES])[..., 0] for c in (clip, lock_feet(clip))]
        assert bends[1].max() > 0.5 and bends[1].min() > min(bends[0].min(), 0.0) - 0.01


def test_frames_far_from_any_slide_stay_to_the_bit():
    clip = figure(4, lift=constant(0.3))
    assert lock_feet(clip) is not clip
    np.testing.assert_array_equal(lock_feet(clip).rotations, clip.rotations)
    still = figure(2)
    np.testing.assert_allclose(lock_feet(still).rotations, still.rotations, atol=1e-6)


def test_without_contacts_they_are_told_from_the_joints():
    clip = replace(sliding(0.15), contacts=None)
    told = replace(clip, contacts=foot_contacts(clip.joints(), clip.fps))
    np.testing.assert_array_equal(lock_feet(clip).rotations, lock_feet(told).rotations)


def test_a_leg_that_is_too_short_stretches_and_no_farther():
    """A body carried away from where its feet are said to stand."""
    still = figure(3)
    drift = np.arange(len(still))[:, None] / 30 * np.array([0.0, -0.5, 0.0])
    clip = replace(still, translation=still.translation + drift, contacts=np.ones((len(still), 4)))
    locked = lock_feet(clip)
    assert np.isfinite(locked.rotations).all()
    assert np.linalg.norm((locked.joints() - clip.joints())[:, TOES, :2], axis=-1).max() < 1.3 * LONGEST
    assert acceleration(locked) < 20


def test_poses_that_must_not_change_do_not_and_lead_over_smoothly():
    clip = sliding(0.15)
    fixed = np.zeros(len(clip), bool)
    fixed[[0, 40, 41]] = True
    locked = lock_feet(clip, fixed=fixed)
    np.testing.assert_array_equal(locked.rotations[fixed], clip.rotations[fixed])
    assert np.abs(locked.rotations - clip.rotations).max() > 0.02
    assert acceleration(locked) < 1.3 * acceleration(clip) + 5.0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.sampled_from([24.0, 30.0, 60.0]))
def test_any_motion_gives_unit_quaternions_and_bounded_shifts(seed, frames, fps):
    clip = random_clip(frames, seed, fps)
    assert np.abs(np.linalg.norm(lock_feet(clip).rotations, axis=-1) - 1).max() < 1e-5
    touching = np.random.default_rng(seed).random((frames, 2)) < 0.7
    places = np.cumsum(np.random.default_rng(seed).normal(size=(frames, 2, 2)), axis=0)
    shift = foot_shift(places, touching, 9)
    assert np.linalg.norm(shift[touching.any(-1)], axis=-1).max(initial=0.0) <= LONGEST


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 90), st.sampled_from([24.0, 30.0, 60.0]))
def test_what_stands_has_no_short_gaps_and_is_never_short(seed, frames, fps):
    joints = np.zeros((frames, 22, 3))
    contacts = np.random.default_rng(seed).random((frames, 4))
    for column in standing(joints, contacts, fps).T:
        assert all(stop - start >= SHORT_SECONDS * fps for start, stop in stretches(column))
        inner = [(a, b) for a, b in stretches(~column) if a > 0 and b < frames]
        assert all(stop - start >= SHORT_SECONDS * fps for start, stop in inner)


def test_a_gap_is_closed_and_a_blink_is_none():
    contacts = np.zeros((40, 4))
    contacts[5:20] = contacts[30:32] = 1.0
    contacts[11:13] = 0.2
    column = standing(np.zeros((40, 22, 3)), contacts, 30.0)[:, 1]
    assert stretches(column) == [(5, 20)]


@pytest.mark.parametrize("frames", [0, 1])
def test_clips_too_short_to_slide(frames):
    clip = random_clip(3, 1).slice(0, frames)
    assert lock_feet(clip) is clip
