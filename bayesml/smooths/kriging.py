"""Smooths ``bs="gp"``: the leading functions of a Gaussian process with a given range, and a plane without a penalty.

The process has the correlation function ``c(r / range)`` of distances r, and its leading eigenvectors at the different
values of the data are the functions; unlike that of ``gp(x)`` its range is not estimated.

Source: Kammann and Wand (2003), Geoadditive models, Applied Statistics 52, 1-18; Wood (2017), section 5.8.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.errors import DataError, FormulaError
from bayesml.smooths.base import AbstractSpline, Request
from bayesml.smooths.checks import check_count, distinct_rows, listed, whole
from bayesml.smooths.thin_plate import distances, leading, thinned

__all__ = ["Kriging", "build_kriging"]

MATERN_15 = 3
CORRELATIONS: dict[int, Callable[[np.ndarray, float], np.ndarray]] = {
    1: lambda r, power: np.where(r < 1.0, 1.0 - 1.5 * r + 0.5 * r**3, 0.0),
    2: lambda r, power: np.exp(-(r**power)),
    3: lambda r, power: (1.0 + r) * np.exp(-r),
    4: lambda r, power: (1.0 + r + r**2 / 3.0) * np.exp(-r),
    5: lambda r, power: (1.0 + r + 0.4 * r**2 + r**3 / 15.0) * np.exp(-r),
}
"""mgcv's numbers: spherical, power exponential, and Matern functions with 1.5, 2.5 and 3.5."""


@final
@dataclass(frozen=True, eq=False)
class Kriging(AbstractSpline):
    """Functions of one or more covariates.

    Attributes:
        shift: the mean of each covariate, which is subtracted.
        sites: the different data values, ``(sites, covariates)``.
        weights: of the correlations with the sites in each function, ``(sites, functions)``.
        form: mgcv's number of the correlation function.
        range: what distances are divided by.
        power: of distances, where the correlation function has one.
        sizes: what each polynomial is multiplied by: of each covariate, and of the constant if it is free.
    """

    shift: np.ndarray
    sites: np.ndarray
    weights: np.ndarray
    form: int
    range: float
    power: float
    sizes: np.ndarray

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the basis functions, ``(rows, k)``, at ``values``, ``(rows, covariates)``."""
        points = values - self.shift
        correlated = CORRELATIONS[self.form](distances(points, self.sites) / self.range, self.power) @ self.weights
        plane = np.column_stack([points, np.ones(len(points))])[:, -len(self.sizes) :]
        return np.hstack([correlated, plane * self.sizes])

    def scaled(self, factors: np.ndarray) -> Kriging:
        """Return the spline whose functions are these, each multiplied by a factor; ``(k,)``."""
        count = self.weights.shape[1]
        return replace(
            self, penalty=self.penalty * np.outer(factors, factors), polynomials=self.polynomials / factors[:, None],
            weights=self.weights * factors[:count], sizes=self.sizes * factors[count:],
        )  # fmt: skip


def build_kriging(values: np.ndarray, request: Request) -> Kriging:
    """Build the functions for ``values``, ``(rows, covariates)``.

    ``m`` is the number of the correlation function, 3 by default, its range, by default the largest distance, and the
    power of the second function; a negative number leaves the plane out.

    Raises:
        FormulaError: an argument is impossible.
        DataError: the covariates do not determine a plane.
    """
    if request.knots is not None:
        raise FormulaError(f'`{request.label}`: a smooth with bs="gp" has no knots.')
    dimensions = values.shape[1]
    number, reach, power = _form(request)
    free = 1 if number < 0 else dimensions + 1
    default = free + {1: 10, 2: 30}.get(dimensions, 100)
    k = default if request.k is None else whole(request.k, "k", request.label, 1)
    distinct = distinct_rows(values)
    check_count(request, k, free + 1, len(distinct))
    shift = values.mean(axis=0)
    sites = thinned(distinct, dimensions) - shift
    if free > 1 and np.linalg.matrix_rank(np.column_stack([np.ones(len(sites)), sites])) <= dimensions:
        raise DataError(
            f"The values of {listed(request.names)} in `{request.label}` lie on a line or a plane, so that no surface "
            "over them is determined. Leave out a covariate that follows from the others."
        )
    apart = distances(sites, sites)
    reach = float(apart.max()) if reach is None else reach
    found, vectors = leading(CORRELATIONS[abs(number)](apart / reach, power), k - free)
    penalty = np.zeros((k, k))
    penalty[: k - free, : k - free] = np.diag(found)
    polynomials = np.vstack([np.zeros((k - free, free)), np.eye(free)])
    return Kriging(penalty, polynomials, shift, sites, vectors, abs(number), reach, power, np.ones(free))


def _form(request: Request) -> tuple[int, float | None, float]:
    """Return the number of the correlation function, the range if it is given, and the power."""
    given = (MATERN_15,) if request.order is None else request.order
    parts = given if isinstance(given, tuple) else (given,)
    number, reach, power = (*parts, *(None, None)[: 3 - len(parts)])[:3] if len(parts) < 4 else (0, None, None)
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool) and abs(number) in CORRELATIONS
    positive = all(v is None or (isinstance(v, (int, float)) and 0.0 < v < np.inf) for v in (reach, power))
    if not is_number or not positive or (power or 1.0) > 2.0:
        raise FormulaError(
            f"In `{request.label}`, m is the number of a correlation function (1 spherical, 2 power exponential, 3, 4 "
            "and 5 Matern with 1.5, 2.5 and 3.5; negative without a plane), its range and a power up to 2: m=c(3, 0.5)."
        )
    return int(number), None if reach is None else float(reach), float(power or 1.0)
