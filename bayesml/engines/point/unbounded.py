"""Combinations of coefficients without a finite estimate: the likelihood rises without end along a direction."""

from __future__ import annotations

import numpy as np

__all__ = ["combination_errors", "is_unbounded", "without_unbounded"]

ROUNDING = 1e-8


def is_unbounded(rows: np.ndarray, unbounded: np.ndarray) -> np.ndarray:
    """Return which combinations ``(rows, p)`` depend on a direction ``(p, r)`` without a finite estimate."""
    size = np.sqrt((rows**2).sum(axis=1, keepdims=True))
    return np.asarray((np.abs(rows @ unbounded) > ROUNDING * size).any(axis=1))


def combination_errors(rows: np.ndarray, vcov: np.ndarray, unbounded: np.ndarray) -> np.ndarray:
    """Return ``(rows,)`` standard errors of combinations of the coefficients; infinite without a finite estimate."""
    variance = np.einsum("rp,pq,rq->r", rows, vcov, rows)
    return np.where(is_unbounded(rows, unbounded), np.inf, np.sqrt(np.maximum(variance, 0.0)))


def without_unbounded(rows: np.ndarray, unbounded: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the combinations of some rows ``(rows, p)`` that have a finite estimate, and how many rows that loses."""
    touched = is_unbounded(rows, unbounded)
    if not touched.any():
        return rows, 0
    size = np.sqrt((rows[touched] ** 2).sum(axis=1, keepdims=True))
    left, values, _ = np.linalg.svd(rows[touched] / size @ unbounded)
    lost = int((values > ROUNDING).sum())
    return np.concatenate([rows[~touched], left[:, lost:].T @ (rows[touched] / size)]), lost
