"""Rotations as the numbers of a bone's rotation mode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm import rotations as rot
from kmm.retarget.rotation_modes import MODES, decode, encode, width

modes = st.sampled_from(MODES)
seeds = st.integers(0, 2**32 - 1)


def smooth(seed, frames=200):
    """A motion that turns far, by small steps, through every angle."""
    rng = np.random.default_rng(seed)
    step = rot.from_rotvec(rng.normal(size=3) * rng.uniform(0.005, 0.15))
    turning = rot.from_rotvec(rng.normal(size=3) * 0.02)
    q = [rot.normalize(rng.normal(size=4))]
    for _ in range(frames - 1):
        step = rot.multiply(turning, rot.multiply(step, rot.inv(turning)))
        q.append(rot.normalize(rot.multiply(step, q[-1])) * rng.choice([-1, 1]))
    return np.array(q)


def same(a, b):
    return rot.magnitude(rot.multiply(rot.inv(a), b)).max()


@given(modes, seeds)
@settings(max_examples=80, deadline=None)
def test_the_rotation_is_kept(mode, seed):
    q = rot.normalize(np.random.default_rng(seed).normal(size=(20, 4)))
    values = encode(mode, q)
    assert values.shape == (20, width(mode))
    assert same(decode(mode, values), q) < 1e-6


@given(modes, seeds)
@settings(max_examples=80, deadline=None)
def test_halfway_between_two_keys_is_between_their_rotations(mode, seed):
    """But where an Euler order is locked: there no numbers can do it."""
    q = smooth(seed)
    values = encode(mode, q)
    between = decode(mode, (values[1:] + values[:-1]) / 2)
    want = rot.slerp(q[:-1], q[1:], 0.5)
    error = rot.magnitude(rot.multiply(rot.inv(between), want))
    if mode in ("QUATERNION",):
        assert error.max() < 1e-3
    elif mode == "AXIS_ANGLE":
        # near no rotation at all the axis swings fast
        assert error[np.abs(np.sin(values[:-1, 0] / 2)) > 0.3].max(initial=0) < 0.05
    else:
        # the error goes with the square of the step, and grows towards the lock
        from_lock = np.abs(np.cos(values[:, "XYZ".index(mode[1])]))
        from_lock = np.minimum(from_lock[1:], from_lock[:-1])
        step = rot.magnitude(rot.multiply(rot.inv(q[:-1]), q[1:]))
        free = from_lock > 0.4
        assert (error[free] < 0.25 * step[free] ** 2 / from_lock[free]).all()


@given(modes, seeds, st.integers(1, 199))
@settings(max_examples=80, deadline=None)
def test_chunks_make_the_same_as_the_whole(mode, seed, cut):
    q = smooth(seed)
    whole = encode(mode, q)
    first = encode(mode, q[:cut])
    np.testing.assert_allclose(np.concatenate([first, encode(mode, q[cut:], first[-1])]), whole, atol=1e-9)


@pytest.mark.parametrize("mode", MODES)
def test_at_rest_and_nothing_at_all(mode):
    assert encode(mode, np.zeros((0, 4))).shape == (0, width(mode))
    still = encode(mode, np.tile(rot.IDENTITY, (3, 1)))
    np.testing.assert_allclose(still, np.tile(still[0], (3, 1)))
    assert same(decode(mode, still), np.tile(rot.IDENTITY, (3, 1))) == 0


@pytest.mark.parametrize("mode", ["YXZ", "AXIS_ANGLE"])
def test_whole_turns_are_counted(mode):
    turns = np.linspace(0, 6 * np.pi, 100)
    axis = np.array([0.0, 0, 1])
    values = encode(mode, rot.from_rotvec(turns[:, None] * axis))
    assert np.ptp(values, axis=0).max() == pytest.approx(6 * np.pi)
    assert np.abs(np.diff(values, axis=0)).max() < 0.2


def test_an_unknown_mode_is_named():
    for function in (encode, decode):
        with pytest.raises(ValueError, match="got 'XYX'"):
            function("XYX", np.ones((1, 4)))
