"""Combinations of coefficients without a finite estimate: the likelihood rises without end along a direction."""

from __future__ import annotations

import numpy as np

__all__ = ["combination_errors", "is_held", "is_unbounded", "without_unbounded"]

ROUNDING = 1e-8


def is_unbounded(rows: np.ndarray, unbounded: np.ndarray) -> np.ndarray:
    """Return which combinations ``(rows, p)`` depend on a direction ``(p, r)`` without a finite estimate."""
    return np.asarray(_moves(rows, unbounded).any(axis=1))


def _moves(rows: np.ndarray, unbounded: np.ndarray) -> np.ndarray:
    """``(rows, r)``: how far each combination moves along each direction, 0 where its terms cancel, in any units."""
    moves = rows @ unbounded
    return np.where(np.abs(moves) > ROUNDING * (np.abs(rows) @ np.abs(unbounded)), moves, 0.0)


def is_held(rows: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return which combinations ``(rows, p)`` depend on nothing but combinations ``(r, p)`` that lie at a bound."""
    if not len(held):
        return np.zeros(len(rows), dtype=bool)
    rest = rows - rows @ np.linalg.pinv(held) @ held
    return np.asarray(np.abs(rest).max(axis=1) <= ROUNDING * np.abs(rows).max(axis=1))


def combination_errors(
    rows: np.ndarray, vcov: np.ndarray, unbounded: np.ndarray, held: np.ndarray | None = None
) -> np.ndarray:
    """Return ``(rows,)`` standard errors of combinations of the coefficients.

    They are infinite without a finite estimate and NaN where all depends on what lies at a bound of its prior.
    """
    variance = np.einsum("rp,pq,rq->r", rows, vcov, rows)
    if held is not None:
        variance = np.where(is_held(rows, held), np.nan, variance)
    return np.where(is_unbounded(rows, unbounded), np.inf, np.sqrt(np.maximum(variance, 0.0)))


def without_unbounded(rows: np.ndarray, unbounded: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the combinations of some rows ``(rows, p)`` that have a finite estimate, and how many rows that loses."""
    moves = _moves(rows, unbounded)
    touched = moves.any(axis=1)
    if not touched.any():
        return rows, 0
    moves = moves / np.maximum(np.abs(moves).max(axis=0), np.finfo(float).tiny)
    size = np.abs(moves[touched]).max(axis=1, keepdims=True)
    left, values, _ = np.linalg.svd(moves[touched] / size)
    lost = int((values > ROUNDING * values[0]).sum())
    return np.concatenate([rows[~touched], left[:, lost:].T @ (rows[touched] / size)]), lost
