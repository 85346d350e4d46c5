"""What the collapsed form needs from the rows of the data, as plain arrays, before they are summed up and forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.linalg import AbstractBlock

__all__ = ["GaussianRows", "SlopePriors", "pilot"]


@final
@dataclass(frozen=True)
class SlopePriors:
    """Priors of the coefficients that are integrated out.

    Attributes:
        mean: ``(p,)`` means; 0 where flat.
        sd: ``(p,)`` standard deviations; infinite where flat.
    """

    mean: np.ndarray
    sd: np.ndarray


@final
@dataclass(frozen=True)
class GaussianRows:
    """``y ~ N(kept a + design b + sum_t Z_t u_t, sigma^2 / weights)`` with b and the u_t integrated out.

    Attributes:
        y: ``(n,)`` response, on the log scale for lognormal, its offset subtracted.
        weights: ``(n,)`` precisions relative to ``1 / sigma^2``.
        kept: ``(n, k)`` columns whose coefficients a stay sampled.
        design: ``(n, p)`` columns whose coefficients b are integrated out.
        slopes: priors of b.
        blocks: the coefficients u_t that are integrated out: the effects of a factor, or coefficients that every row
            touches.
        count: sum of the weights of the log-likelihood if sigma is a parameter, else 0: the power of sigma.
        constant: what the log density has beside, ``-1/2 log(2 pi)`` a row to begin with.
        standardised: how many of the coefficients b, the last ones, stay sampled all the same, in units of their
            conditional distribution; what ``slopes`` says of them is then but an approximation of their prior.
    """

    y: np.ndarray
    weights: np.ndarray
    kept: np.ndarray
    design: np.ndarray
    slopes: SlopePriors
    blocks: tuple[AbstractBlock, ...]
    count: float
    constant: float
    standardised: int = 0


def pilot(rows: GaussianRows) -> np.ndarray:
    """Return weighted least-squares coefficients of the kept and the integrated columns, ``(k + p,)``.

    The statistics are formed of the residuals from them, so that nothing cancels however far y lies from 0. Columns are
    scaled, and the solution of least norm is taken where they depend on each other.
    """
    columns = np.concatenate([rows.kept, rows.design], axis=1)
    if not columns.shape[1]:
        return np.zeros(0)
    root = np.sqrt(rows.weights)
    size = np.sqrt(np.einsum("ij,ij,i->j", columns, columns, rows.weights))
    size = np.where(size > 0, size, 1.0)
    return np.linalg.lstsq(columns / size * root[:, None], rows.y * root, rcond=None)[0] / size
