"""A motion led along another way passes it exactly, and its feet stand as they did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.clip import Clip, heading
from kmm.foot_lock import standing
from kmm.path_editing import follow
from kmm.skeleton import JOINT_INDEX

from ..data.figures import walk
from .motions import random_clip

TOES = [JOINT_INDEX["left_foot"], JOINT_INDEX["right_foot"]]
WALK = walk(1.1, 5)
METRES = float(np.linalg.norm(WALK.translation[-1, :2] - WALK.translation[0, :2]))


def slide(clip: Clip) -> float:
    """Mean metres a second of the toes where those of `WALK` stand."""
    planted = standing(WALK.joints(), WALK.contacts, WALK.fps)
    both = (planted[1:] & planted[:-1])[:, [1, 3]]
    steps = np.linalg.norm(np.diff(clip.joints()[:, TOES, :2], axis=0), axis=-1)
    return float(steps[both].mean()) * clip.fps


def jerk(clip: Clip) -> float:
    return float(np.linalg.norm(np.diff(clip.joints(), n=2, axis=0), axis=-1).max()) * clip.fps**2


def arc(degrees: float, count: int, stretch: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Frames, and places on an arc to the left that is as long as the walk, or so many times."""
    frames = np.linspace(0, len(WALK) - 1, count).astype(int)
    angle = np.radians(degrees) * frames / (len(WALK) - 1)
    radius = stretch * METRES / np.radians(degrees)
    return frames, radius * np.stack([1 - np.cos(angle), -np.sin(angle)], axis=-1)


@st.composite
def ways(draw: st.DrawFn, count: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frames = np.array(sorted(draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=8))))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    headings = np.where(rng.random(len(frames)) < 0.3, rng.uniform(-3, 3, len(frames)), np.nan)
    return frames, rng.uniform(-5, 5, (len(frames), 2)), headings


@settings(max_examples=40)
@given(way=ways(), seed=st.integers(0, 100))
def test_any_motion_passes_any_places_and_faces_where_it_must(way, seed):
    frames, places, headings = way
    clip = random_clip(40, seed)
    before = clip.translation.copy(), clip.rotations.copy()
    led = follow(clip, frames, places, headings)
    np.testing.assert_allclose(led.translation[frames, :2], places, atol=1e-9)
    np.testing.assert_array_equal(led.translation[:, 2], clip.translation[:, 2])
    faces = np.isfinite(headings)
    off = heading(led.rotations[frames, 0])[faces] - headings[faces]
    assert np.abs((off + np.pi) % (2 * np.pi) - np.pi).max(initial=0) < 1e-6
    assert np.isfinite(led.rotations).all()
    assert np.abs(np.linalg.norm(led.rotations, axis=-1) - 1).max() < 1e-6
    np.testing.assert_array_equal(clip.translation, before[0])
    np.testing.assert_array_equal(clip.rotations, before[1])


@settings(max_examples=15)
@given(degrees=st.floats(20, 180), side=st.sampled_from([-1, 1]), count=st.integers(3, 30))
def test_a_walk_along_an_arc_stays_a_walk(degrees, side, count):
    frames, places = arc(side * degrees, count)
    led = follow(WALK, frames, places)
    turned = np.unwrap(heading(led.rotations[:, 0]))
    # it faces where it goes: from middle to middle of the first and last stretch, at least
    assert np.degrees(turned[-1] - turned[0]) * side > degrees * (1 - 1 / (count - 1)) - 20
    assert slide(led) < max(slide(WALK), 0.05)
    assert jerk(led) < 1.5 * jerk(WALK) + 5


@settings(max_examples=10)
@given(stretch=st.floats(0.75, 1.25))
def test_steps_become_shorter_or_longer(stretch):
    frames, places = arc(40, 6, stretch)
    led = follow(WALK, frames, places)
    assert slide(led) < max(slide(WALK), 0.1)
    assert jerk(led) < 1.5 * jerk(WALK) + 5


@settings(max_examples=15)
@given(yaw=st.floats(-3, 3), x=st.floats(-5, 5), y=st.floats(-5, 5))
def test_where_the_world_is_does_not_matter(yaw, x, y):
    frames, places = arc(70, 5)
    led = follow(WALK, frames, places).transform(yaw, [x, y, 0.0])
    cos, sin = np.cos(yaw), np.sin(yaw)
    there = places @ np.array([[cos, sin], [-sin, cos]]) + [x, y]
    moved = follow(WALK, frames, there)
    # what the turns have left missing, some micrometres, is spread along the world's axes
    np.testing.assert_allclose(moved.joints(), led.joints(), atol=1e-4)


def test_fixed_poses_stay():
    frames, places = np.array([50, len(WALK) - 1]), np.array([[0.3, -2.0], [2.0, -3.5]])
    led = follow(WALK, frames, places, fixed=[0, 20])
    np.testing.assert_allclose(led.joints()[[0, 20]], WALK.joints()[[0, 20]], atol=1e-9)
    np.testing.assert_allclose(led.translation[frames, :2], places, atol=1e-9)
    with pytest.raises(ValueError, match="must not change"):
        follow(WALK, frames, places, fixed=[50])


def test_its_own_way_changes_nothing_but_sliding_feet():
    frames = np.array([0, 40, 90, len(WALK) - 1])
    led = follow(WALK, frames, WALK.translation[frames, :2])
    others = [i for i in range(22) if i not in (1, 2, 4, 5, 7, 8)]
    np.testing.assert_allclose(led.translation, WALK.translation, atol=1e-6)
    np.testing.assert_allclose(led.rotations[:, others], WALK.rotations[:, others], atol=1e-6)


def test_one_place_moves_the_whole():
    led = follow(WALK, [30], [[4.0, 2.0]])
    step = np.array([4.0, 2.0]) - WALK.translation[30, :2]
    np.testing.assert_allclose(led.translation[:, :2], WALK.translation[:, :2] + step, atol=1e-9)


def test_one_who_stands_is_slid_there_and_turns_nowhere():
    still = replace(WALK, translation=np.tile(WALK.translation[:1], (len(WALK), 1)))
    led = follow(still, [0, len(WALK) - 1], [[0, 0], [1.0, 0.0]])
    np.testing.assert_allclose(led.rotations[:, 0], WALK.rotations[:, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("frames", "places", "headings"),
    [
        ([], np.zeros((0, 2)), None),
        ([1, 1], np.zeros((2, 2)), None),
        ([2, 1], np.zeros((2, 2)), None),
        ([0, 10_000], np.zeros((2, 2)), None),
        ([-1], np.zeros((1, 2)), None),
        ([0], np.zeros((1, 3)), None),
        ([0], np.zeros((1, 2)), [0.0, 1.0]),
    ],
)
def test_what_does_not_fit_together(frames, places, headings):
    with pytest.raises(ValueError, match="path"):
        follow(WALK, frames, places, headings)
