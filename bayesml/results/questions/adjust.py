"""P values and intervals for several comparisons at once."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.frequentist.degrees_of_freedom import quantile, two_sided

__all__ = ["Adjustment", "adjusted_p", "critical_values"]

Adjustment = Literal["none", "tukey", "holm", "bonferroni", "sidak", "fdr"]


def check_adjustment(name: object) -> None:
    """Raise a ModelError where there is no such adjustment."""
    if name not in get_args(Adjustment):
        listed = ", ".join(f'"{a}"' for a in get_args(Adjustment))
        raise ModelError(f"`adjust` is one of {listed}; got {name!r}{did_you_mean(str(name), get_args(Adjustment))}.")


def adjusted_p(statistic: np.ndarray, df: np.ndarray, adjust: Adjustment, means: int) -> np.ndarray:
    """Return two-sided p values of one family of comparisons.

    Args:
        statistic: ``(m,)`` t or z.
        df: ``(m,)`` degrees of freedom, infinite for z.
        adjust: ``"tukey"`` takes the studentized range of ``means`` means (exact for pairwise comparisons of equal
            precision); Holm (1979); Bonferroni; Sidak; ``"fdr"`` Benjamini and Hochberg (1995).
        means: number of means compared.
    """
    p = two_sided(statistic, df)
    m = int(np.isfinite(p).sum())
    if adjust == "tukey" and means > 2:
        return np.array([_tukey(t, d, means) for t, d in zip(statistic, df, strict=True)])
    if adjust == "bonferroni":
        return np.minimum(p * m, 1.0)
    if adjust == "sidak":
        return -np.expm1(m * np.log1p(-p))
    if adjust in ("holm", "fdr"):
        return _stepwise(p, adjust)
    return p


def _tukey(t: float, df: float, means: int) -> float:
    from scipy.stats import studentized_range

    if not np.isfinite(t):
        return float("nan")
    return float(np.clip(studentized_range.sf(np.sqrt(2.0) * abs(t), means, df), 0.0, 1.0))


def _stepwise(p: np.ndarray, adjust: Adjustment) -> np.ndarray:
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    m = len(order)
    if adjust == "holm":
        out[order] = np.minimum(np.maximum.accumulate(p[order] * (m - np.arange(m))), 1.0)
    else:
        scaled = p[order] * m / np.arange(1, m + 1)
        out[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return out


def critical_values(df: np.ndarray, level: float, adjust: Adjustment, means: int) -> np.ndarray:
    """Return by how many standard errors the intervals reach; for Holm and fdr as for Bonferroni."""
    m = len(df)
    if adjust == "tukey" and means > 2:
        from scipy.stats import studentized_range

        return np.array([float(studentized_range.ppf(level, means, d)) / np.sqrt(2.0) for d in df])
    if adjust == "sidak":
        return quantile(0.5 + level ** (1.0 / m) / 2.0, df)
    if adjust in ("none", "tukey"):
        return quantile(0.5 + level / 2.0, df)
    return quantile(1.0 - (1.0 - level) / (2.0 * m), df)
