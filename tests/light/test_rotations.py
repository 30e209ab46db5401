"""Our rotations against scipy's."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kmm import rotations as rot
from scipy.spatial.transform import Rotation, Slerp

N = 8
SEEDS = st.integers(0, 2**32 - 1)
ORDERS = ["".join(p) for p in itertools.permutations("XYZ")]
DTYPES = st.sampled_from([np.float32, np.float64])


def random_quaternions(seed, dtype=np.float64):
    """Of all angles, with the identity, half turns and either sign among them."""
    rng = np.random.default_rng(seed)
    q = rot.normalize(rng.normal(size=(N, 4)))
    q[0] = [1, 0, 0, 0]
    q[1, 0] = 0
    q[2, 1:] *= 1e-7
    return rot.normalize(q).astype(dtype)


def scipy_of(q):
    return Rotation.from_quat(np.asarray(q, dtype=float), scalar_first=True)


def angle_between(q, r):
    """Largest angle between our quaternions and scipy's rotations."""
    return (scipy_of(q).inv() * r).magnitude().max()


def close(dtype):
    return 2e-6 if dtype == np.float32 else 1e-12


@given(SEEDS, SEEDS, DTYPES)
def test_multiply_and_inv(a, b, dtype):
    p, q = random_quaternions(a, dtype), random_quaternions(b, dtype)[::-1]
    assert angle_between(rot.multiply(p, q), scipy_of(p) * scipy_of(q)) < close(dtype)
    assert angle_between(rot.inv(p), scipy_of(p).inv()) < close(dtype)
    assert rot.multiply(p, q).dtype == rot.inv(p).dtype == dtype


@given(SEEDS, arrays(float, (N, 3), elements=st.floats(-100, 100)))
def test_apply_and_matrix(seed, vectors):
    q = random_quaternions(seed)
    assert np.allclose(rot.apply(q, vectors), scipy_of(q).apply(vectors), atol=1e-10)
    assert np.allclose(rot.as_matrix(q), scipy_of(q).as_matrix(), atol=1e-12)
    assert np.allclose(
        rot.apply(q[:, None], vectors), np.einsum("nij,mj->nmi", rot.as_matrix(q), vectors), atol=1e-10
    )


@given(
    arrays(float, (N, 3), elements=st.floats(-10, 10))
    | arrays(float, (N, 3), elements=st.floats(-1e-5, 1e-5))
)
def test_rotation_vectors(vectors):
    q = rot.from_rotvec(vectors)
    assert np.allclose(np.linalg.norm(q, axis=-1), 1, atol=1e-12)
    assert angle_between(q, Rotation.from_rotvec(vectors)) < 1e-12
    back = rot.as_rotvec(q)
    assert np.linalg.norm(back, axis=-1).max() <= np.pi + 1e-12
    assert angle_between(rot.from_rotvec(back), Rotation.from_rotvec(vectors)) < 1e-12
    assert np.allclose(rot.magnitude(q), Rotation.from_rotvec(vectors).magnitude(), atol=1e-7)


@given(SEEDS, DTYPES)
def test_matrix_and_6d_round_trips(seed, dtype):
    q = random_quaternions(seed, dtype)
    tolerance = 2e-3 if dtype == np.float32 else 1e-7  # angles lose half the digits near zero
    assert angle_between(rot.from_matrix(rot.as_matrix(q)), scipy_of(q)) < tolerance
    assert angle_between(rot.from_6d(rot.as_6d(q)), scipy_of(q)) < tolerance


@given(SEEDS, st.floats(0.01, 100), st.floats(-5, 5))
def test_6d_is_made_orthonormal(seed, scale, lean):
    """Neither the lengths of the two columns nor the part of the second along the first matter."""
    q = random_quaternions(seed)
    d = rot.as_6d(q)
    d[:, 3:] = 3 * d[:, 3:] + lean * d[:, :3]
    assert angle_between(rot.from_6d(d * scale), scipy_of(q)) < 1e-6


@given(arrays(float, (N, 3), elements=st.floats(-7, 7)), st.sampled_from(ORDERS), st.booleans())
def test_from_euler(angles, order, intrinsic):
    order = order if intrinsic else order.lower()
    assert angle_between(rot.from_euler(order, angles), Rotation.from_euler(order, angles)) < 1e-12


@given(SEEDS, st.sampled_from(ORDERS), st.booleans())
def test_as_euler(seed, order, intrinsic):
    order = order if intrinsic else order.lower()
    q = random_quaternions(seed)
    angles = rot.as_euler(order, q)
    assert angle_between(rot.from_euler(order, angles), scipy_of(q)) < 1e-7
    free = np.abs(angles[:, 1]) < 1.5
    assert np.allclose(np.cos(angles[free] - scipy_of(q).as_euler(order)[free]), 1, atol=1e-10)


@given(
    st.floats(-3.1, 3.1), st.floats(-3.1, 3.1), st.sampled_from([1, -1]),
    st.sampled_from([0, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3]), st.sampled_from(ORDERS),
)  # fmt: skip
def test_euler_at_and_near_gimbal_lock(first, third, sign, away, order):
    q = rot.from_euler(order, np.array([first, sign * (np.pi / 2 - away), third]))
    angles = rot.as_euler(order, q)
    assert angle_between(rot.from_euler(order, angles), scipy_of(q)) < 1e-7
    if away == 0:
        assert angles[2] == pytest.approx(0, abs=1e-7)


@given(SEEDS, SEEDS, st.floats(0, 1))
def test_slerp(a, b, t):
    p, q = random_quaternions(a), random_quaternions(b)[::-1]
    for i in range(N):
        keys = Rotation.concatenate([scipy_of(p[i]), scipy_of(q[i])])
        if (keys[0].inv() * keys[1]).magnitude() < 3.1:  # opposite rotations have no shorter way
            assert angle_between(rot.slerp(p[i], q[i], t), Slerp([0, 1], keys)([t])) < 1e-7


@given(arrays(float, (N, 3), elements=st.floats(-5, 5)), arrays(float, (N, 3), elements=st.floats(-5, 5)))
def test_shortest_arc(u, v):
    keep = (np.linalg.norm(u, axis=-1) > 1e-3) & (np.linalg.norm(v, axis=-1) > 1e-3)
    u, v = (
        u[keep] / np.linalg.norm(u[keep], axis=-1)[:, None],
        v[keep] / np.linalg.norm(v[keep], axis=-1)[:, None],
    )
    q = rot.shortest_arc(u, v)
    assert np.allclose(rot.apply(q, u), v, atol=1e-4)
    angle = np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), (u * v).sum(-1))
    assert np.allclose(rot.magnitude(q), angle, atol=1e-4)
    assert np.allclose(rot.apply(rot.shortest_arc(u, -u), u), -u, atol=1e-12)


@given(SEEDS, SEEDS)
def test_twist_and_swing(seed, axes):
    q, axis = random_quaternions(seed), np.random.default_rng(axes).normal(size=3)
    axis /= np.linalg.norm(axis)
    twist = rot.twist(q, axis)
    assert np.allclose(rot.apply(twist, axis), axis)
    swing = rot.multiply(q, rot.inv(twist))
    assert np.abs((swing[:, 1:] * axis).sum(-1)).max() < 1e-7  # the swing turns about no part of the axis


@given(SEEDS)
def test_unflip_changes_signs_only_and_leaves_no_jump(seed):
    rng = np.random.default_rng(seed)
    steps = rot.from_rotvec(rng.uniform(-0.5, 0.5, (40, 3, 3)))
    path = list(itertools.accumulate(steps, rot.multiply))
    flipped = np.array(path) * rng.choice([-1, 1], size=(40, 3, 1))
    out = rot.unflip(flipped)
    assert np.array_equal(np.abs(out), np.abs(flipped)) and np.array_equal(out[0], flipped[0])
    assert ((out[1:] * out[:-1]).sum(-1) > 0).all()
    assert len(rot.unflip(flipped[:0])) == 0


def test_lists_and_integers_are_welcome():
    assert rot.from_rotvec([0, 0, 0]).tolist() == [1, 0, 0, 0]
    assert rot.normalize([0, 0, 2, 0]).tolist() == [0, 0, 1, 0]
    assert rot.normalize([0, 0, 0, 0]).tolist() == [1, 0, 0, 0]
    assert rot.apply([1, 0, 0, 0], [1, 2, 3]).tolist() == [1, 2, 3]
