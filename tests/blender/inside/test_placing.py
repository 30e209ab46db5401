"""Where a motion goes, and how it meets poses that are given: pure numpy, tested by itself."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.clip import Clip, heading, sample
from kmm.skeleton import UPRIGHT

from .install import PACKAGE

asking, placing, takes = (
    importlib.import_module(f"{PACKAGE}.{name}") for name in ("asking", "placing", "takes")
)


def smooth(seed: int, frames: int) -> Clip:
    """A motion without jerks: slow waves of every channel."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2, frames)[:, None, None]
    turns = (rng.normal(size=(1, 22, 3)) * np.sin(time + rng.uniform(0, 6, (1, 22, 1)))) * 0.4
    rotations = rot.from_rotvec(turns)
    rotations[:, 0] = rot.multiply(rotations[:, 0], UPRIGHT)
    walk = np.concatenate([time[:, 0] * rng.normal(size=(1, 2)), 0.9 + 0 * time[:, 0]], axis=1)
    return Clip(walk, rotations)


def rotation_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(rot.as_rotvec(rot.multiply(a, rot.inv(b))), axis=-1)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 99),
    frames=st.sets(st.integers(0, 79), min_size=1, max_size=12),
    reach=st.integers(1, 30),
)
def test_given_poses_are_met_without_a_jump(seed: int, frames: set[int], reach: int) -> None:
    """Exactly there; never further off elsewhere than at the worst of them; and untouched out of reach."""
    clip, other = smooth(seed, 80), smooth(seed + 1000, 80)
    at = np.array(sorted(frames))
    poses = other.slice(0, 80)
    poses = Clip(poses.translation[at], poses.rotations[at])
    met = placing.meet(clip, at, poses, reach)
    np.testing.assert_array_equal(met.translation[at], poses.translation)
    np.testing.assert_array_equal(met.rotations[at], poses.rotations)
    away = np.abs(np.arange(80)[:, None] - at).min(axis=1)
    moved = np.linalg.norm(met.translation - clip.translation, axis=-1)
    turned = rotation_between(met.rotations, clip.rotations)
    np.testing.assert_allclose(moved[away > reach], 0, atol=1e-9)
    np.testing.assert_allclose(turned[away > reach], 0, atol=1e-6)
    assert moved.max() <= moved[at].sum() + 1e-6
    if reach >= 10 and len(at) == 1:  # what is added in one step is a small part of the whole
        assert np.abs(np.diff(moved)).max() < 0.25 * moved.max() + 1e-6


def test_poses_that_are_there_already_change_nothing() -> None:
    clip, at = smooth(1, 60), np.array([5, 6, 30])
    met = placing.meet(clip, at, Clip(clip.translation[at], clip.rotations[at]), 10)
    np.testing.assert_allclose(met.translation, clip.translation, atol=1e-9)
    assert rotation_between(met.rotations, clip.rotations).max() < 1e-6


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_pieces_are_placed_as_the_whole(mirror: bool, in_place: bool) -> None:
    """Where the character stood, facing its way."""
    clip = smooth(3, 50).canonical()
    stood = smooth(4, 9).transform(2.0, (3.0, -1.0, 0.0))
    start = placing.Start.of(stood)
    place, again = (placing.Placing(start, mirror, in_place) for _ in range(2))
    pieces = [place(clip.slice(a, b)) for a, b in ((0, 1), (1, 20), (20, 20), (20, 50))]
    whole = again(clip)
    translation = np.concatenate([p.translation for p in pieces])
    np.testing.assert_allclose(translation, whole.translation, atol=1e-9)
    np.testing.assert_allclose(whole.translation[0, :2], stood.translation[0, :2], atol=1e-9)
    np.testing.assert_allclose(heading(whole.rotations[0, 0]), heading(stood.rotations[0, 0]), atol=1e-6)
    if in_place:
        assert np.ptp(whole.translation[:, :2], axis=0).max() < 1e-9
    assert np.linalg.norm(whole.translation[:, 2] - clip.translation[:, 2]) < 1e-9


@settings(deadline=None, max_examples=60)
@given(
    mask=st.lists(st.booleans(), min_size=4, max_size=200).filter(any),
    ratio=st.sampled_from([0.5, 1.0, 1.25, 30 / 29.97, 2.5]),
)
def test_given_frames_at_the_engines_rate(mask: list[bool], ratio: float) -> None:
    """Each is the motion at its own time within a given stretch, or is nearest to a pose that stands alone."""
    frames = np.flatnonzero(mask)
    clip = smooth(5, len(mask))
    total = int(np.ceil((len(mask) - 1) * ratio - 1e-10)) + 1
    found = asking.at_engine_frames(
        frames, Clip(clip.translation[frames], clip.rotations[frames]), ratio, total
    )
    assert len(found.frames) > 0 and found.frames.max() < total
    time = found.frames / ratio
    for at, translation, rotations in zip(time, found.translation, found.rotations, strict=True):
        distance = np.abs(frames - at)
        nearest = frames[distance <= distance.min() + 1e-6]  # two, where the time is halfway between them
        around = [int(np.floor(at + 1e-6)), int(np.ceil(at - 1e-6))]
        inside = around[1] < len(mask) and mask[around[0]] and mask[around[1]]
        assert inside or distance.min() <= 0.5 / ratio + 0.5
        want, turned, _ = sample(clip, np.array([at]) if inside else nearest)
        which = np.linalg.norm(want - translation, axis=-1).argmin()
        np.testing.assert_allclose(translation, want[which], atol=1e-4)
        assert rotation_between(rotations, turned[which]).max() < 1e-3
    if ratio == 1.0:
        np.testing.assert_array_equal(found.frames, frames)


def test_runs() -> None:
    mask = np.array([True, True, False, True, False, False, True])
    assert list(takes.runs(mask, 10)) == [(10, 12), (13, 14), (16, 17)]
    assert list(takes.runs(~mask)) == [(2, 3), (4, 6)]
    assert not list(takes.runs(np.zeros(3, bool)))
