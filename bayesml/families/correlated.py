"""Log densities of rows whose responses have correlated residuals, all of them or those that a row has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi
from typing import TYPE_CHECKING, Any, final

from bayesml.families.rising import log_rising

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, PerRow

__all__ = ["Residual", "log_correlated", "sub_factor"]


@final
@dataclass(frozen=True, eq=False)
class Residual:
    """What the density needs of one response.

    Attributes:
        value: (y - mu) / sigma of each row.
        scale: sigma.
        measured: log density of measurements of y, 0 without measurement error.
    """

    value: PerRow
    scale: PerRow
    measured: PerRow


def sub_factor(factor: Numbers, places: Sequence[int]) -> list[list[Any]]:
    """Return the Cholesky factor of some rows and columns of R = L L', element by element.

    Args:
        factor: L, ``(..., k, k)``.
        places: the rows and columns.
    """
    k = factor.shape[-1]
    if list(places) == list(range(len(places))):
        return [[factor[..., i, j] for j in range(i + 1)] for i in places]
    from jax import numpy as jnp

    rows: list[list[Any]] = []
    for a, i in enumerate(places):
        row: list[Any] = []
        for b in range(a + 1):
            j = places[b]
            entry = sum(factor[..., i, m] * factor[..., j, m] for m in range(min(i, j, k - 1) + 1))
            entry = entry - sum(row[m] * rows[b][m] for m in range(b)) if b < a else entry - sum(x**2 for x in row)
            row.append(entry / rows[b][b] if b < a else jnp.sqrt(entry))
        rows.append(row)
    return rows


def log_correlated(residuals: Sequence[Residual], factor: Numbers, places: Sequence[int], nu: Numbers | None) -> PerRow:
    """Return the log density of some responses of each row.

    With e their residuals and R = L L' the correlations among them, u solves L u = e, so that e' R^-1 e = u' u, and the
    determinant of the covariance matrix diag(sigma) R diag(sigma) is the square of the product of all sigma_i L_ii.
    Fewer responses than all have the same distribution with a part of R, for Student t with the same nu.

    Args:
        residuals: of every response.
        factor: the Cholesky factor of the correlations of all.
        places: the responses that are meant.
        nu: degrees of freedom of Student t; None for the normal distribution.
    """
    from jax import numpy as jnp

    rows = sub_factor(factor, places)
    u: list[PerRow] = []
    log_scale: PerRow = 0.0
    measured: PerRow = 0.0
    for row, place in zip(rows, places, strict=True):
        rest = residuals[place].value
        for weight, earlier in zip(row, u, strict=False):
            rest = rest - weight * earlier
        u.append(rest / row[len(u)])
        log_scale = log_scale + jnp.log(residuals[place].scale * row[-1])
        measured = measured + residuals[place].measured
    k, square = len(u), sum(each**2 for each in u)
    if nu is None:
        return measured - 0.5 * square - log_scale - 0.5 * k * log(2 * pi)
    # Gamma((nu + k) / 2) / Gamma(nu / 2) (nu pi)^(-k/2) (1 + u'u / nu)^(-(nu + k) / 2) / prod sigma_i L_ii, where
    # log Gamma((nu + k) / 2) - log Gamma(nu / 2) - k/2 log nu is log_rising(nu / 2, k / 2) - k/2 log 2.
    constant = log_rising(0.5 * nu, 0.5 * k) - 0.5 * k * log(2 * pi)
    return measured + constant - log_scale - 0.5 * (nu + k) * jnp.log1p(square / nu)
