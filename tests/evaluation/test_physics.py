"""Jerk, skating and sinking of motions whose figures are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm.evaluation.physics import (
    TOES,
    FootSkate,
    boundary_window,
    foot_skate,
    jerk,
    penetration,
    transition_jerk,
)

from ..data.figures import figure, jump, walk

T = np.arange(60.0)


def moving(path):
    """22 joints, all going along (T, 3)."""
    return np.repeat(path[:, None], 22, axis=1)


def test_jerk_of_polynomials():
    x = np.stack([T**2, 3 * T, 0 * T + 1], -1)
    assert np.allclose(jerk(moving(x)), 0, atol=1e-9)
    cubic = np.stack([2 * T**3, -(T**3), 0 * T], -1)
    # third difference of t^3 is 3!, summed over the axes
    assert np.allclose(jerk(moving(cubic)), 18)


def test_the_worst_joint_counts():
    joints = moving(np.zeros((60, 3)))
    joints[30, 20, 2] = 0.1
    assert jerk(joints).max() == pytest.approx(0.3)
    assert jerk(joints)[:27].max() == jerk(joints)[31:].max() == 0


def test_peak_and_area_are_of_the_mean_curve():
    curves = np.array([[0.0, 2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]])
    assert transition_jerk(curves, 0.0) == (1.0, 2.0)
    # smoother than real motion is as far from it as rougher
    assert transition_jerk(np.zeros((3, 4)), 0.5).area == transition_jerk(np.ones((3, 4)), 0.5).area == 2.0


@given(boundary=st.integers(0, 200), frames=st.integers(0, 200))
def test_a_window_is_around_its_boundary_or_not_at_all(boundary, frames):
    window = boundary_window(boundary, frames)
    if window is None:
        assert boundary < 15 or boundary + 15 > frames
    else:
        assert (window.start, window.stop) == (boundary - 15, boundary + 15)


def test_a_foot_sliding_over_the_floor_skates():
    path = np.stack([0.02 * T, 0 * T, 0 * T + 0.02], -1)  # 0.6 m/s
    got = foot_skate(moving(path), 30)
    assert got.ratio == 1 and got.speed == pytest.approx(0.6)
    slow = foot_skate(moving(path * [0.5, 1, 1]), 30)
    assert slow.ratio == 0 and slow.speed == pytest.approx(0.3)
    # the same motion sampled twice as often skates as much
    dense = foot_skate(moving(np.stack([0.01 * T, 0 * T, 0 * T + 0.02], -1)), 60)
    assert (dense.ratio, dense.speed) == (1, pytest.approx(0.6))


def test_a_foot_in_the_air_may_move():
    got = foot_skate(moving(np.stack([0.1 * T, 0 * T, 0 * T + 0.3], -1)), 30)
    assert got == FootSkate(0, 0, 0.0, 30) and got.ratio == got.speed == 0


def test_planted_feet_do_not_skate_and_a_shoved_walk_does():
    clip = walk(1.2)
    assert foot_skate(clip.joints(), 30).ratio < 0.02
    shoved = clip.joints() + np.array([1.0, 0, 0]) * np.arange(len(clip))[:, None, None] / 30
    assert foot_skate(shoved, 30).ratio > 0.9


def test_counts_add_up():
    joints = walk(1.2).joints()
    whole, parts = foot_skate(joints, 30), [foot_skate(joints[:61], 30), foot_skate(joints[60:], 30)]
    total = parts[0] + parts[1]
    assert total[:2] == whole[:2] and total.slide == pytest.approx(whole.slide)


def test_a_sunken_body_is_as_deep_as_it_was_sunk():
    standing = figure(2).joints()
    assert penetration(standing).max() < 0.005
    sunk = penetration(standing - np.array([0, 0, 0.1]))
    assert np.allclose(sunk, 0.1, atol=0.005)
    assert penetration(jump().joints() + np.array([0, 0, 0.1])).max() == 0
    toes_only = standing.copy()
    toes_only[:, TOES, 2] = 0.005
    assert penetration(toes_only).max() == pytest.approx(0.015)
