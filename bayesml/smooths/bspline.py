"""B-splines ``bs="bs"``, whose integrated squared derivative is penalised, and cyclic P-splines ``bs="cp"``.

Source: Wood (2017), P-splines with derivative based penalties and tensor product smoothing of unevenly distributed
data, Statistics and Computing 27, 985-989; Wood (2017), Generalized Additive Models, section 5.3.3. Knots are placed as
in mgcv: of ``"bs"`` 0.1% of the range beyond the data, of ``"cp"`` from the smallest to the largest value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.errors import DataError, FormulaError
from bayesml.lazy import lazy_module
from bayesml.smooths.base import AbstractSpline, Request
from bayesml.smooths.checks import check_count, one_covariate, whole
from bayesml.smooths.pspline import DEFAULT_K, PSpline, knots_of

__all__ = ["CyclicPSpline", "build_bspline", "build_cyclic_pspline"]

interpolate = lazy_module("scipy.interpolate")


@final
@dataclass(frozen=True, eq=False)
class CyclicPSpline(AbstractSpline):
    """B-splines at equal distances on a circle.

    Attributes:
        ends: where the curve begins, and where it begins again.
        degree: of the pieces.
        sizes: what each function is multiplied by, ``(k,)``.
    """

    ends: tuple[float, float]
    degree: int
    sizes: np.ndarray

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the basis functions, ``(rows, k)``, at ``values``, ``(rows, 1)``."""
        (first, last), k, degree = self.ends, len(self.sizes), self.degree
        x = first + np.mod(values[:, 0] - first, last - first)
        step = (last - first) / k
        knots = first + step * np.arange(-degree, k + degree + 1)
        pieces = interpolate.BSpline(knots, np.eye(k + degree), degree)(x)
        basis = pieces[:, :k].copy()
        basis[:, :degree] += pieces[:, k:]  # the last functions go on at the beginning
        wrapped: np.ndarray = basis * self.sizes
        return wrapped

    def scaled(self, factors: np.ndarray) -> CyclicPSpline:
        """Return the spline whose functions are these, each multiplied by a factor; ``(k,)``."""
        return replace(
            self, penalty=self.penalty * np.outer(factors, factors), polynomials=self.polynomials / factors[:, None],
            sizes=self.sizes * factors,
        )  # fmt: skip


def build_cyclic_pspline(values: np.ndarray, request: Request) -> CyclicPSpline:
    """Build a P-spline that begins again at its end; ``m`` is that of ``bs="ps"``, ``knots`` are its two ends."""
    one_covariate(request)
    order, differences = _pair(request, (2, 2), repeat=0)
    distinct = np.unique(values)
    k = max(DEFAULT_K, order + 2) if request.k is None else whole(request.k, "k", request.label, 1)
    check_count(request, k, max(order + 2, differences + 1), len(distinct))
    D = np.eye(k)
    for _ in range(differences):
        D = D - np.roll(D, 1, axis=1)
    free = np.ones((k, 1)) if differences else np.zeros((k, 0))
    return CyclicPSpline(D.T @ D, free, _ends(distinct, request), order + 1, np.ones(k))


def _ends(distinct: np.ndarray, request: Request) -> tuple[float, float]:
    given = np.unique(np.asarray(distinct[[0, -1]] if request.knots is None else request.knots, dtype=np.float64))
    if len(given) != 2 or not np.isfinite(given).all():
        raise FormulaError(f"`{request.label}` takes 2 different knots, the ends, where the curve begins again.")
    if distinct[0] < given[0] or distinct[-1] > given[1]:
        raise DataError(
            f"`{request.label}` begins again at {given[0]:g} and {given[1]:g}; `{request.names[0]}` goes from "
            f"{distinct[0]:g} to {distinct[-1]:g}. Give knots that enclose it."
        )
    return float(given[0]), float(given[1])


def build_bspline(values: np.ndarray, request: Request) -> PSpline:
    """Build B-splines whose integrated squared derivative is penalised.

    ``m`` is the degree of the pieces, mgcv's ``m[1]``, and the order of the derivative, ``m[2]``, by default one less.
    """
    one_covariate(request)
    degree, order = _pair(request, (3, 2), repeat=-1)
    if not 0 <= order <= degree or degree < 1:
        raise FormulaError(
            f"In `{request.label}`, pieces of degree {degree} have no derivative of order {order} to penalise; write "
            "m=c(3, 2), or a second number up to the first."
        )
    distinct = np.unique(values)
    k = max(DEFAULT_K, degree + 1) if request.k is None else whole(request.k, "k", request.label, 1)
    check_count(request, k, max(degree + 1, order + 1), len(distinct))
    knots = knots_of(distinct, k, degree, request)
    penalty = _roughness(knots, degree, order, k)
    # The coefficient of a B-spline in a polynomial of degree below the pieces' is another polynomial of the middle of
    # its knots (Marsden); that of x^0 is 1.
    places = np.linspace(knots[degree], knots[-degree - 1], 4 * k)
    at = interpolate.BSpline(knots, np.eye(k), degree)(places)
    unit = 2.0 * (places - places[0]) / (places[-1] - places[0]) - 1.0
    wanted = np.column_stack([unit**power for power in reversed(range(order))] or [np.zeros((len(unit), 0))])
    return PSpline(penalty, np.linalg.lstsq(at, wanted, rcond=None)[0], knots, degree, np.ones(k))


def _roughness(knots: np.ndarray, degree: int, order: int, k: int) -> np.ndarray:
    """Return the integral of the product of two functions' derivatives, exact by Gauss's rule on each piece."""
    nodes, weights = np.polynomial.legendre.leggauss(degree - order + 1)
    inner = knots[degree : len(knots) - degree]
    half = np.diff(inner)[:, None] / 2.0
    places = (inner[:-1, None] + half * (1.0 + nodes)).ravel()
    spline = interpolate.BSpline(knots, np.eye(k), degree)
    slopes = (spline.derivative(order) if order else spline)(places)
    penalty: np.ndarray = slopes.T @ ((half * weights).ravel()[:, None] * slopes)
    return (penalty + penalty.T) / 2.0


def _pair(request: Request, default: tuple[int, int], repeat: int) -> tuple[int, int]:
    """Return the two numbers of ``m``; of one number the second is the first and ``repeat``."""
    if request.order is None:
        return default
    given = request.order if isinstance(request.order, tuple) else (request.order,)
    if len(given) not in (1, 2):
        raise FormulaError(f"In `{request.label}`, m is one number or two, m=c({default[0]}, {default[1]}).")
    first = whole(given[0], "m[1]", request.label, 0, 10)
    return first, whole(given[1], "m[2]", request.label, 0, 10) if len(given) == 2 else max(first + repeat, 0)
