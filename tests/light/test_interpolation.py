"""The curve through given values, against scipy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from kmm.interpolation import through
from scipy.interpolate import PchipInterpolator

knots = st.lists(st.integers(1, 40), min_size=1, max_size=8).flatmap(
    lambda gaps: st.tuples(
        st.just(np.cumsum([3, *gaps])),
        st.lists(
            st.tuples(*[st.floats(-5, 5, width=32)] * 2), min_size=len(gaps) + 1, max_size=len(gaps) + 1
        ),
    )
)


@given(knots)
def test_it_is_scipy_s_between_the_inner_values(case):
    at, values = case[0], np.array(case[1])
    frames = np.linspace(at[0] - 5, at[-1] + 5, 97)
    got = through(at, values, frames)
    np.testing.assert_allclose(through(at, values, at), values, atol=1e-12)
    assert np.abs(got[frames <= at[0]] - values[0]).max() < 1e-12
    assert np.abs(got[frames >= at[-1]] - values[-1]).max() < 1e-12
    if len(at) > 3:
        inner = (frames >= at[1]) & (frames <= at[-2])
        np.testing.assert_allclose(got[inner], PchipInterpolator(at, values)(frames[inner]), atol=1e-9)


@given(knots)
def test_it_stays_between_its_values_and_has_no_corners(case):
    at, values = case[0], np.array(case[1])
    frames = np.arange(at[0] - 4.0, at[-1] + 4.0, 0.01)
    got = through(at, values, frames)
    i = np.clip(np.searchsorted(at, frames, side="right") - 1, 0, len(at) - 2)
    low, high = np.minimum(values[i], values[i + 1]), np.maximum(values[i], values[i + 1])
    assert (got >= low - 1e-9).all() and (got <= high + 1e-9).all()
    # slopes change by no more than a piece's bending allows in a hundredth of a frame
    assert np.abs(np.diff(got, n=2, axis=0)).max() < 1e-4 * 12 * (np.abs(values).max() + 1)


def test_one_value_is_everywhere():
    np.testing.assert_array_equal(through([4], [[1.0, 2.0]], np.arange(9)), np.tile([1.0, 2.0], (9, 1)))
