"""Metrics on the evaluator's embeddings, as text-to-motion papers define them.

Guo et al., "Generating Diverse and Natural 3D Human Motions from Text" (CVPR 2022), section 5.1, unless said
otherwise.
N motions and N texts are rows of (N, dim) arrays; row i of both belongs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

POOL = 32  #: texts that a motion chooses among: its own and 31 others
PAIRS = 300  #: size of the two subsets that diversity compares


@dataclass(frozen=True)
class Texts:
    """Embedded texts (N, dim); those of equal labels say the same thing."""

    rows: Array
    labels: Sequence[str]


def r_precision(
    motions: Array, own: Texts, others: Texts, rng: np.random.Generator, pool: int = POOL
) -> NDArray[np.float64]:
    """(3,) how often a motion's own text is among the 1, 2 and 3 nearest of a pool of texts.

    Motion i has text i of `own`; the rest of its pool is drawn from `others`, of one label at most one and none of
    its own label, since texts that say the same cannot be told apart (FlowMDM, arXiv 2402.15509, leaves equal texts
    out too). Of equally near texts the own one counts as the farthest. ValueError if `others` has too few labels.
    """
    names, label = np.unique(others.labels, return_inverse=True)
    members = [np.flatnonzero(label == k) for k in range(len(names))]
    hits = np.zeros(3)
    for i, name in enumerate(own.labels):
        unlike = np.flatnonzero(names != name)
        if len(unlike) < pool - 1:
            raise ValueError(f"R-precision needs {pool} different texts, there are {len(unlike) + 1}.")
        chosen = [rng.choice(members[k]) for k in rng.choice(unlike, pool - 1, replace=False)]
        distance = np.linalg.norm(others.rows[chosen] - motions[i], axis=-1)
        rank = int((distance <= np.linalg.norm(own.rows[i] - motions[i])).sum())
        hits[rank:] += 1
    return np.asarray(hits / len(motions))


def mm_distance(motions: Array, texts: Array) -> float:
    """MultiModal distance: mean distance of motions from their own texts."""
    return float(np.linalg.norm(motions - texts, axis=-1).mean())


def diversity(motions: Array, rng: np.random.Generator, pairs: int = PAIRS) -> float:
    """Mean distance between two random subsets of equal size (without replacement within each), taken in pairs."""
    size = min(pairs, len(motions))
    first, second = (rng.choice(len(motions), size, replace=False) for _ in range(2))
    return float(np.linalg.norm(motions[first] - motions[second], axis=-1).mean())


def fid(a: Array, b: Array) -> float:
    """Frechet distance of the Gaussians fitted to two sets (Heusel et al., arXiv 1706.08500):

    |m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)).
    """
    if min(len(a), len(b)) < 2:
        raise ValueError("FID needs at least two motions on each side.")
    (mean_a, root_a), (mean_b, root_b) = _gaussian(a), _gaussian(b)
    # with C = R^T R, the eigenvalues of C_a C_b are the squared singular values of R_a R_b^T
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    total = ((mean_a - mean_b) ** 2).sum() + (root_a**2).sum() + (root_b**2).sum() - 2 * shared
    return float(total)


def fid_of_halves(generated: Array, real: Array) -> tuple[float, float]:
    """FID of generated and of real motion, each against real motion, from sets of equal sizes.

    FID of sets of N motions lies above that of the distributions by about 1/N (Chong & Forsyth, arXiv 1911.07023):
    N against N beside one half against the other would flatter what is generated. Real is one half against the other;
    generated is the mean of each half against the real half that has other texts, as the real halves have.
    Rows belong together where both have one row a text, and are in random order. ValueError below 4 rows.
    """
    half = min(len(generated), len(real)) // 2
    first, second = real[:half], real[half:]
    across = (fid(generated[:half], second) + fid(generated[half:], first)) / 2
    return across, fid(first, second)


def _gaussian(x: Array) -> tuple[Array, Array]:
    """Mean (dim,) and a root R (rank, dim) of the covariance R^T R; exact however few the motions are."""
    x = np.asarray(x, float)
    mean = x.mean(0)
    _, value, vector = np.linalg.svd(x - mean, full_matrices=False)
    return mean, value[:, None] * vector / (len(x) - 1) ** 0.5
