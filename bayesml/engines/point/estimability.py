"""Which combinations of coefficients the data determine where columns of X depend on each other."""

from __future__ import annotations

import numpy as np

from bayesml.engines.point.estimate import AbstractEstimate

__all__ = ["estimable"]

ROUNDING = 10.0 * float(np.finfo(float).eps)
SAFETY = 10.0
CANCELLED = 1e-7  # of the terms of a sum; a numerical derivative is that far from the exact row


def estimable(estimate: AbstractEstimate, rows: np.ndarray) -> np.ndarray:
    """Return whether each row of weights over all columns of X can be estimated, being a combination of rows of X.

    With ``X_dropped = X_kept M``, a row can be estimated if its dropped part is its kept part times M; its estimate is
    then the kept part times the estimated coefficients, whichever columns were dropped.

    An entry of M is known no better than the dropped column is met by the kept ones: its error has the length of what
    is left over, or of rounding, divided by the length of the part of the kept column outside all other kept ones. What
    differs by no more is taken for equal. All of these lengths change with the units of the columns as M does.

    Args:
        estimate: the estimates.
        rows: ``(rows, coefs)`` weights of all coefficients.
    """
    kept = estimate.kept_columns
    left_out = np.setdiff1d(np.arange(len(estimate.arrays.coefs)), kept)
    if not len(left_out):
        return np.ones(len(rows), dtype=bool)
    rows = rows[:, estimate.column_places]
    M, errors = _dependence(_rows_that_count(estimate), kept, left_out)
    used, lost = rows[:, kept], rows[:, left_out]
    allowed = CANCELLED * (np.abs(used) @ np.abs(M) + np.abs(lost)) + np.abs(used) @ errors
    return np.asarray(np.all(np.abs(used @ M - lost) <= allowed, axis=1))


def _rows_that_count(estimate: AbstractEstimate) -> np.ndarray:
    X, weights = estimate.arrays.X, estimate.arrays.weights
    return X if weights is None else X[weights > 0]


def _dependence(X: np.ndarray, kept: np.ndarray, left_out: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return M ``(kept, dropped)`` and how far its entries may be off."""
    lengths = np.linalg.norm(X[:, kept], axis=0)
    Q, R = np.linalg.qr(X[:, kept] / lengths)
    gamma = Q.T @ X[:, left_out]
    inverse = np.linalg.inv(R)
    left_over = np.linalg.norm(X[:, left_out] - Q @ gamma, axis=0)
    rounding = ROUNDING * np.linalg.norm(X[:, left_out], axis=0)
    outside = lengths / np.linalg.norm(inverse, axis=1)
    return inverse @ gamma / lengths[:, None], np.outer(1.0 / outside, SAFETY * left_over + rounding)
