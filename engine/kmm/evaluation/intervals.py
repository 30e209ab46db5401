"""Mean and 95 % confidence interval of a figure over repeated runs (seeds)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

#: 97.5 % quantiles of Student's t for 1, 2, ... degrees of freedom; beyond, the normal's 1.96 is within 2 %.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


class Estimate(NamedTuple):
    """A mean over runs, and half the width of its 95 % interval (infinite where one run says nothing of it)."""

    mean: float
    half_width: float

    def as_dict(self) -> dict[str, float | None]:
        """For JSON, which knows no infinity."""
        return {"mean": self.mean, "half_width": None if np.isinf(self.half_width) else self.half_width}

    def __str__(self) -> str:
        spread = "" if np.isinf(self.half_width) else f" +- {self.half_width:.2g}"
        return f"{self.mean:.4g}{spread}"


def estimate(values: Sequence[float]) -> Estimate:
    """Mean and half-width by Student's t, since seeds are few (Guo et al. 2022 use 1.96 with 20 runs)."""
    count = len(values)
    if count == 0:
        raise ValueError("a mean needs at least one run")
    mean = float(np.mean(values))
    if count == 1:
        return Estimate(mean, float("inf"))
    quantile = _T[count - 2] if count - 2 < len(_T) else 1.96
    return Estimate(mean, quantile * float(np.std(values, ddof=1)) / count**0.5)
