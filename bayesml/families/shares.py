"""What families of compositions share: the columns, the check of the shares of a whole, and how they are drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesml.errors import DataError
from bayesml.families.records import RawResponse
from bayesml.families.response import require
from bayesml.families.softmax import mu_names

__all__ = ["draw_shares", "share_columns", "shares"]

TOLERANCE = 1e-6
"""How far the sum of the shares of a row may be from 1, which is rounding."""


def share_columns(response: RawResponse, family: str) -> tuple[str, ...]:
    """Return the labels of the columns.

    Raises:
        DataError: there are fewer than two, or their linear predictors would have the same name.
    """
    labels = response.columns
    if len(labels) < 2:
        raise DataError(
            f"The family {family} takes shares in two or more columns, `cbind(a, b, c) ~ ...`; `{response.name}` "
            "is one column. One share alone has the family beta."
        )
    mu_names(labels, "The linear predictors of the shares")
    return labels


def shares(response: RawResponse, labels: tuple[str, ...]) -> np.ndarray:
    """Return rows of shares strictly between 0 and 1 that sum to 1.

    Raises:
        DataError: a share is out of bounds, or a row does not sum to 1.
    """
    y = np.asarray(response.values, dtype=float)
    cure = "Zeros need another family, or a small shift: (y (n - 1) + 1 / k) / n of n rows and k columns."
    for k, label in enumerate(labels):
        column = replace(response, name=label, values=y[:, k])
        require(column, y[:, k], np.isfinite(y[:, k]), "must be finite", "Drop or correct such rows.")
        require(column, y[:, k], (y[:, k] > 0) & (y[:, k] < 1), "must lie strictly between 0 and 1", cure)
    sums = y.sum(axis=1)
    divide = 'Divide each row by its sum; counts have the family "multinomial".'
    require(response, sums, np.abs(sums - 1) <= TOLERANCE, "has shares that do not sum to 1 (sum shown)", divide)
    return y


def draw_shares(rng: np.random.Generator, alpha: np.ndarray) -> np.ndarray:
    """Draw from Dirichlet distributions of the concentrations ``(..., columns)``.

    They are gamma variables G_k of shapes alpha_k, divided by their sum. log G of a small shape alpha is that of
    G' U^(1 / alpha) with G' of the shape alpha + 1 and U uniform, which does not underflow.
    """
    alpha = np.maximum(alpha, np.finfo(float).tiny)
    logs = np.log(rng.standard_gamma(alpha + 1.0)) + np.log1p(-rng.random(alpha.shape)) / alpha
    logs -= logs.max(axis=-1, keepdims=True)
    drawn = np.exp(logs)
    return drawn / drawn.sum(axis=-1, keepdims=True)
