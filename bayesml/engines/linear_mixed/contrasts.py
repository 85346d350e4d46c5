"""Tests of linear combinations of the fixed effects: one result for every way of counting degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, stdtr

from bayesml.errors import ModelError

__all__ = ["FTest", "TTest", "check_contrast", "f_p_value", "t_p_value"]


@dataclass(frozen=True)
class TTest:
    """A test that one linear combination of the fixed effects equals a value.

    Attributes:
        estimate: the combination minus the value.
        standard_error: its standard error.
        df: degrees of freedom.
        t: ``estimate / standard_error``.
        p_value: two-sided.
    """

    estimate: float
    standard_error: float
    df: float
    t: float
    p_value: float


@dataclass(frozen=True)
class FTest:
    """A joint test that several linear combinations of the fixed effects equal zero.

    Attributes:
        F: the statistic, scaled where the method scales it.
        numerator_df: rank of the combinations.
        denominator_df: degrees of freedom.
        p_value: upper tail of F.
        scale: Kenward and Roger's scaling, 1 for Satterthwaite; ``F / scale`` is the unscaled statistic.
        mean_square: ``F sigma^2``, what an analysis of variance table prints.
    """

    F: float
    numerator_df: int
    denominator_df: float
    p_value: float
    scale: float
    mean_square: float


def t_p_value(t: float, df: float) -> float:
    """Two-sided tail probability of Student's t."""
    return float(2.0 * stdtr(df, -abs(t))) if np.isfinite(df) else float(2.0 * stdtr(1e15, -abs(t)))


def f_p_value(F: float, numerator: float, denominator: float) -> float:
    """Upper tail probability of the F distribution."""
    return float(betainc(denominator / 2.0, numerator / 2.0, denominator / (denominator + numerator * max(F, 0.0))))


def check_contrast(L: np.ndarray, rank: int) -> np.ndarray:
    """Return the contrast as ``(rows, rank)``, or raise `ModelError`."""
    L = np.atleast_2d(np.asarray(L, dtype=float))
    if L.ndim != 2 or L.shape[1] != rank or not np.isfinite(L).all():
        raise ModelError(f"a contrast of shape {L.shape} does not fit the {rank} estimated fixed effects")
    if not np.any(L):
        raise ModelError("a contrast without a non-zero coefficient tests nothing")
    return L
