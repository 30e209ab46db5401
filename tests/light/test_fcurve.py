"""F-curves by what is known of them; tests/blender compares them with Blender's own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kmm import fcurve


def curve(seed: int, keys: int, reach: float = 1 / 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random keys with handles that reach so far to the neighbours."""
    rng = np.random.default_rng(seed)
    frames = np.cumsum(rng.uniform(0.5, 9.0, keys))
    co = np.stack([frames, rng.normal(size=keys)], axis=1)
    spans = np.diff(frames, prepend=frames[0] - 1, append=frames[-1] + 1) * reach
    left = co + np.stack([-spans[:-1], rng.normal(size=keys)], axis=1)
    right = co + np.stack([spans[1:], rng.normal(size=keys)], axis=1)
    return co, left, right


curves = st.builds(curve, st.integers(0, 2**32 - 1), st.integers(2, 8))


@given(curves)
def test_handles_a_third_of_the_way_give_a_cubic_in_time(keys):
    co, left, right = keys
    for k in range(len(co) - 1):
        frames = np.linspace(co[k, 0], co[k + 1, 0], 30)
        s = (frames - co[k, 0]) / (co[k + 1, 0] - co[k, 0])
        numbers = co[k, 1], right[k, 1], left[k + 1, 1], co[k + 1, 1]
        weights = (1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3
        want = sum(w * n for w, n in zip(weights, numbers, strict=True))
        np.testing.assert_allclose(fcurve.evaluate(frames, co, left, right)[1:-1], want[1:-1], atol=1e-8)


@given(st.builds(curve, st.integers(0, 2**32 - 1), st.integers(2, 8), st.floats(0.0, 3.0)))
def test_whatever_the_handles_the_curve_goes_through_its_keys_and_stays_within_its_points(keys):
    co, left, right = keys
    np.testing.assert_array_equal(fcurve.evaluate(co[:, 0], co, left, right), co[:, 1])
    for k in range(len(co) - 1):
        found = fcurve.evaluate(np.linspace(co[k, 0], co[k + 1, 0], 50), co, left, right)
        hull = co[k, 1], right[k, 1], left[k + 1, 1], co[k + 1, 1]
        assert min(hull) - 1e-9 <= found.min() and found.max() <= max(hull) + 1e-9


@given(curves)
def test_linear_and_constant(keys):
    co, left, right = keys
    frames = np.linspace(co[0, 0] - 3, co[-1, 0] + 3, 200)
    linear = fcurve.evaluate(frames, co, left, right, "LINEAR")
    np.testing.assert_allclose(linear, np.interp(frames, *co.T), atol=1e-3)
    assert set(fcurve.evaluate(frames, co, left, right, "CONSTANT")) <= set(co[:, 1])


def test_each_key_has_its_own_interpolation():
    co = np.array([[0, 0], [10, 1], [20, 0], [30, 4.0]])
    reach = np.array([3.0, 0.0])
    kinds = ["LINEAR", "CONSTANT", "BEZIER", "LINEAR"]
    found = fcurve.evaluate([5, 15, 25, 40], co, co - reach, co + reach, kinds)
    np.testing.assert_allclose(found, [0.5, 1.0, 2.0, 4.0], atol=1e-9)


def test_one_key_holds_for_ever_and_bad_input_is_said():
    one = np.array([[3.0, 2.0]])
    assert fcurve.evaluate([-5, 3, 9], one, one, one).tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="without keys"):
        fcurve.evaluate([0], np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 2)))
    with pytest.raises(ValueError, match="BEZIER"):
        fcurve.evaluate([0], one, one, one, "BOUNCE")
