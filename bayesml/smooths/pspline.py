"""P-splines, ``bs="ps"``: B-splines at equal distances, with a penalty on differences of their coefficients.

Source: Eilers and Marx (1996), Flexible smoothing with B-splines and penalties, Statistical Science 11, 89-121; Wood
(2017), section 5.3.3. Knots are placed as in mgcv: 0.1% of the range beyond the data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.errors import DataError, FormulaError
from bayesml.lazy import lazy_module
from bayesml.smooths.base import AbstractSpline, Request
from bayesml.smooths.checks import check_count, one_covariate, whole

__all__ = ["DEFAULT_K", "PSpline", "build_pspline", "knots_of"]

interpolate = lazy_module("scipy.interpolate")

DEFAULT_K = 10
MARGIN = 0.001


@final
@dataclass(frozen=True, eq=False)
class PSpline(AbstractSpline):
    """B-splines of one covariate; beyond their range they go on as straight lines.

    Attributes:
        knots: ``(k + degree + 1,)``, increasing.
        degree: of the pieces.
        sizes: what each function is multiplied by, ``(k,)``.
    """

    knots: np.ndarray
    degree: int
    sizes: np.ndarray

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the basis functions, ``(rows, k)``, at ``values``, ``(rows, 1)``."""
        x = values[:, 0]
        first, last = self.knots[self.degree], self.knots[-self.degree - 1]
        inside = np.clip(x, first, last)
        spline = interpolate.BSpline(self.knots, np.eye(len(self.sizes)), self.degree)
        slopes = spline.derivative()(np.array([first, last])) if self.degree else np.zeros((2, len(self.sizes)))
        away = (x - inside)[:, None]
        basis: np.ndarray = spline(inside) + away * np.where(away < 0.0, slopes[0], slopes[1])
        return basis * self.sizes

    def scaled(self, factors: np.ndarray) -> PSpline:
        """Return the spline whose functions are these, each multiplied by a factor; ``(k,)``."""
        return replace(
            self, penalty=self.penalty * np.outer(factors, factors), polynomials=self.polynomials / factors[:, None],
            sizes=self.sizes * factors,
        )  # fmt: skip


def build_pspline(values: np.ndarray, request: Request) -> PSpline:
    """Build a P-spline for ``values``, ``(rows, 1)``.

    ``m`` is the order of the splines below their degree, mgcv's ``m[1]``, and that of the differences, ``m[2]``; one
    number is both. The default is 2: cubic pieces and second differences.
    """
    one_covariate(request)
    order, differences = _orders(request)
    distinct = np.unique(values)
    k = max(DEFAULT_K, order + 1) if request.k is None else whole(request.k, "k", request.label, 1)
    check_count(request, k, max(order + 1, differences + 1), len(distinct))
    degree = order + 1
    knots = knots_of(distinct, k, degree, request)
    D = np.diff(np.eye(k), n=differences, axis=0)
    # Powers of the number of a coefficient have no differences of higher order.
    number = np.linspace(-1.0, 1.0, k)
    polynomials = np.column_stack([number**power for power in reversed(range(differences))] or [np.zeros((k, 0))])
    return PSpline(D.T @ D, polynomials, knots, degree, np.ones(k))


def _orders(request: Request) -> tuple[int, int]:
    given = (2, 2) if request.order is None else request.order
    pair = given if isinstance(given, tuple) else (given, given)
    if len(pair) != 2:
        raise FormulaError(f"In `{request.label}`, m of a P-spline is one number or two, m=c(2, 1).")
    return whole(pair[0], "m[1]", request.label, 0, 10), whole(pair[1], "m[2]", request.label, 0, 10)


def knots_of(distinct: np.ndarray, k: int, degree: int, request: Request) -> np.ndarray:
    """Return equally distant knots around the data, or those given: the two ends or all of them.

    Raises:
        FormulaError: another number of knots is given.
        DataError: they do not enclose the data.
    """
    lower, upper = float(distinct[0]), float(distinct[-1])
    inner = k - degree + 1
    if request.knots is not None:
        given = np.unique(np.asarray(request.knots, dtype=np.float64))
        if len(given) not in (2, k + degree + 1) or not np.isfinite(given).all():
            raise FormulaError(
                f"`{request.label}` takes 2 different knots, the ends, or all {k + degree + 1}; it has {len(given)}."
            )
        if len(given) > 2:
            lower, upper = given[degree], given[-degree - 1]
        else:
            lower, upper = given
        if lower > distinct[0] or upper < distinct[-1]:
            raise DataError(f"`{request.label}`: the knots enclose {lower:g} to {upper:g}, the data do not stay there.")
        if len(given) > 2:
            return given
    reach = upper - lower
    lower, upper = lower - MARGIN * reach, upper + MARGIN * reach
    step = (upper - lower) / (inner - 1)
    return np.linspace(lower - step * degree, upper + step * degree, inner + 2 * degree)
