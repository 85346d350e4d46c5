"""Combinations of coefficients without a finite estimate: the likelihood rises without end along a direction."""

from __future__ import annotations

import numpy as np

__all__ = ["combination_errors", "is_unbounded"]

ROUNDING = 1e-8


def is_unbounded(rows: np.ndarray, unbounded: np.ndarray) -> np.ndarray:
    """Return which combinations ``(rows, p)`` depend on a direction ``(p, r)`` without a finite estimate."""
    size = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return np.asarray((np.abs(rows @ unbounded) > ROUNDING * size).any(axis=1))


def combination_errors(rows: np.ndarray, vcov: np.ndarray, unbounded: np.ndarray) -> np.ndarray:
    """Return ``(rows,)`` standard errors of combinations of the coefficients; infinite without a finite estimate."""
    variance = np.einsum("rp,pq,rq->r", rows, vcov, rows)
    return np.where(is_unbounded(rows, unbounded), np.inf, np.sqrt(np.maximum(variance, 0.0)))
