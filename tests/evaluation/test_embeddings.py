"""Metrics on embeddings against what they must be where that is known."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from kmm.evaluation.embeddings import POOL, Texts, diversity, fid, fid_of_halves, mm_distance
from kmm.evaluation.embeddings import r_precision as precision_among
from kmm.evaluation.intervals import estimate

seeds = st.integers(0, 2**32 - 1)


def r_precision(motions, texts, labels, rng, **pool):
    """The others of a pool are the other motions' texts."""
    own = Texts(texts, labels)
    return precision_among(motions, own, own, rng, **pool)


def names(count):
    return [f"text {i}" for i in range(count)]


@given(seed=seeds)
@settings(max_examples=5)
def test_motions_that_are_their_texts_are_always_found(seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, 16))
    assert (r_precision(x, x, names(100), rng) == 1).all()
    assert mm_distance(x, x) == 0


def test_unrelated_motions_find_their_text_as_often_as_by_chance():
    rng = np.random.default_rng(0)
    motions, texts = rng.normal(size=(2, 1500, 8))
    expected = np.arange(1, 4) / POOL
    spread = np.sqrt(expected * (1 - expected) / 1500)
    assert (np.abs(r_precision(motions, texts, names(1500), rng) - expected) < 4 * spread).all()


def test_an_embedding_that_knows_nothing_scores_nothing():
    rng = np.random.default_rng(0)
    assert (r_precision(np.ones((64, 4)), np.ones((64, 4)), names(64), rng) == 0).all()


def test_equal_texts_are_never_in_one_pool():
    # 40 texts, each said of 5 motions; if equal ones met in a pool the own one would be tied and lose
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(40, 8)), 5, axis=0)
    labels = np.repeat(names(40), 5).tolist()
    assert (r_precision(x, x, labels, rng) == 1).all()
    with pytest.raises(ValueError, match="32 different texts, there are 20"):
        r_precision(x, x, np.repeat(names(20), 10).tolist(), rng)


def test_the_rank_of_the_own_text_decides():
    # the texts lie on a line; each motion has its own text behind it and four nearer ones, the last motions fewer
    texts = np.arange(200.0)[:, None]
    found = r_precision(texts + 2.1, texts, names(200), np.random.default_rng(0), pool=200)
    assert np.allclose(found, [1 / 200, 2 / 200, 3 / 200])


@given(seed=seeds, shift=st.floats(0, 5), scale=st.floats(0.3, 3))
@settings(max_examples=10)
def test_fid_of_known_gaussians(seed, shift, scale):
    # whitened samples have exactly this mean and covariance
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, 6))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False))).T
    a, b = x, x * scale + shift
    # |m|^2 + Tr(I + s^2 I - 2 s I)
    assert fid(a, b) == pytest.approx(6 * shift**2 + 6 * (1 - scale) ** 2, abs=1e-8)
    assert fid(b, a) == pytest.approx(fid(a, b), abs=1e-8)


@given(seed=seeds)
@settings(max_examples=10)
def test_fid_is_the_formula_with_a_matrix_square_root(seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)) + rng.normal(size=5) for _ in range(2))
    covs = [np.cov(x, rowvar=False) for x in (a, b)]
    mean = a.mean(0) - b.mean(0)
    expected = mean @ mean + np.trace(covs[0] + covs[1] - 2 * scipy.linalg.sqrtm(covs[0] @ covs[1]).real)
    assert fid(a, b) == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_fid_of_one_set_with_itself_is_zero_even_where_the_set_is_flat():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(20, 3)) @ rng.normal(size=(3, 40))  # rank 3 in 40 dimensions
    assert fid(flat, flat) == pytest.approx(0, abs=1e-6)
    assert fid(flat, flat + 1.0) == pytest.approx(40, rel=1e-6)


def test_diversity_is_the_mean_distance_of_pairs():
    rng = np.random.default_rng(0)
    assert diversity(np.ones((50, 3)), rng) == 0
    # two points at distance 1, half of the motions on each: half of the pairs are apart
    two = np.repeat([[0.0], [1.0]], 5000, axis=0)
    assert diversity(two, rng, pairs=10_000) == pytest.approx(0.5, abs=0.03)
    normal = rng.normal(size=(4000, 1))
    assert diversity(normal, rng, pairs=4000) == pytest.approx(2 / np.sqrt(np.pi), rel=0.06)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    for count in (2, 3, 5, 20, 60):
        runs = [estimate(rng.normal(1.0, 2.0, count).tolist()) for _ in range(3000)]
        covered = np.mean([abs(e.mean - 1.0) <= e.half_width for e in runs])
        assert 0.935 < covered < 0.965, count


def test_one_run_says_nothing_of_its_spread():
    assert estimate([3.0]) == (3.0, float("inf")) and str(estimate([3.0])) == "3"
    assert str(estimate([1.0, 2.0, 3.0])) == "2 +- 2.5"
    with pytest.raises(ValueError):
        estimate([])


@given(seed=seeds)
@settings(max_examples=5, deadline=None)
def test_motion_that_is_like_real_motion_has_the_fid_of_real_motion(seed):
    # FID grows as the sets shrink, so both columns must be of sets of one size, whole and odd ones alike
    rng = np.random.default_rng(seed)
    columns = np.mean([fid_of_halves(*rng.normal(size=(2, 65, 16))) for _ in range(60)], 0)
    assert columns[0] == pytest.approx(columns[1], rel=0.1)
    assert np.mean([fid(*rng.normal(size=(2, 65, 16))) for _ in range(60)]) < 0.7 * columns[1]


def test_the_real_motion_itself_has_exactly_the_fid_of_its_halves():
    real = np.random.default_rng(0).normal(size=(33, 8))
    generated, actual = fid_of_halves(real, real)
    assert generated == pytest.approx(actual) and actual == pytest.approx(fid(real[:16], real[16:]))
    with pytest.raises(ValueError, match="at least two"):
        fid_of_halves(real[:3], real[:3])
