"""Thin plate regression splines: ``bs="tp"``, and ``bs="ts"``, which is shrunk towards zero as a whole.

A thin plate spline has a radial function ``eta(|x - x_i|)`` at each of the different data values ("sites") ``x_i`` and
polynomials of degree below m; weights ``d`` of the radial functions have the penalty ``d' E d`` with
``E_ij = eta(|x_i - x_j|)`` and satisfy ``T' d = 0``, where T holds the polynomials at the sites. The regression spline
keeps of the radial functions the space of the k eigenvectors of E with the largest absolute eigenvalues.

Source: Wood (2003), Thin plate regression splines, JRSS B 65(1), 95-114; Wood (2017), section 5.5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import factorial, gamma, log, pi
from typing import final

import numpy as np

from bayesml.errors import DataError, FormulaError
from bayesml.lazy import lazy_module
from bayesml.smooths.base import AbstractSpline, Request
from bayesml.smooths.checks import check_count, distinct_rows, listed, whole
from bayesml.smooths.cubic import CubicSpline
from bayesml.smooths.directions import turned_ties

__all__ = [
    "MOST_SITES",
    "ThinPlate",
    "build_duchon",
    "build_shrunk",
    "build_thin_plate",
    "build_unscaled",
    "distances",
    "leading",
    "thinned",
]

MOST_SITES = 2000
SITES_OF_ONE = 1000  # of one covariate with more: they lie evenly, and are denser than a curve can bend
DIRECT_SITES = 500  # up to here all eigenvectors cost less than importing what finds a few
MORE = 10  # eigenvectors beyond k, among which are those of the same eigenvalue
TIE = 1e-11  # eigenvalues this close to each other, relative to the largest, count as equal
BLOCK = 4_000_000  # elements of the matrix of distances held at a time
SHRINKAGE = 0.1  # mgcv's "ts": penalty of the polynomials by the smallest positive eigenvalue of the penalty

sparse_linalg = lazy_module("scipy.sparse.linalg")


@final
@dataclass(frozen=True)
class Radial:
    """The radial function ``constant r^power``, with an even power ``constant r^power log r``.

    Which eigenvectors are largest depends on the unit of r in the latter, so that distances are measured in the unit of
    the data (Wood 2017, section 5.5.1, after Duchon 1977).
    """

    power: float
    constant: float

    @classmethod
    def thin_plate(cls, order: int, dimensions: int) -> Radial:
        """Return that of a thin plate spline."""
        return cls(2 * order - dimensions, _radial_constant(order, dimensions))

    @classmethod
    def duchon(cls, order: int, weight: float, dimensions: int) -> Radial:
        """Return that of a Duchon spline, whose penalty weighs frequencies by their power ``2 weight``."""
        power = 2 * order + 2 * weight - dimensions
        return cls(power, 1.0 if int(power // 2) % 2 else -1.0)

    def at(self, r: np.ndarray, unit: float) -> np.ndarray:
        """Return the function at distances ``r`` in multiples of ``unit``."""
        if self.power == 3.0:
            return self.constant * (r * r * r)
        if self.power % 2:
            return self.constant * r**self.power
        logarithm = np.log(np.where(r > 0.0, r, 1.0)) + log(unit)
        return np.asarray(self.constant * r**self.power * logarithm)


@final
@dataclass(frozen=True, eq=False)
class ThinPlate(AbstractSpline):
    """A thin plate regression spline of one or more covariates.

    Attributes:
        shift: the mean of each covariate, which is subtracted.
        unit: what distances are divided by.
        sites: the different data values in these units, ``(sites, covariates)``.
        radial: weights of the radial functions in each basis function, ``(sites, k - polynomials)``.
        exponents: the powers of the covariates in each polynomial.
        heights: what each polynomial is divided by.
        radius: the radial function.
    """

    shift: np.ndarray
    unit: float
    sites: np.ndarray
    radial: np.ndarray
    exponents: tuple[tuple[int, ...], ...]
    heights: np.ndarray
    radius: Radial

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the basis functions, ``(rows, k)``, at ``values``, ``(rows, covariates)``."""
        return self._at((values - self.shift) / self.unit)

    def scaled(self, factors: np.ndarray) -> ThinPlate:
        """Return the spline whose functions are these, each multiplied by a factor; ``(k,)``."""
        radial = self.radial.shape[1]
        return replace(
            self, penalty=self.penalty * np.outer(factors, factors), polynomials=self.polynomials / factors[:, None],
            radial=self.radial * factors[:radial], heights=self.heights / factors[radial:],
        )  # fmt: skip

    @property
    def is_cubic(self) -> bool:
        """Whether its functions are cubic splines: those of one covariate whose second derivatives are penalised."""
        return self.sites.shape[1] == 1 and self.radius.power == 3.0 and len(self.exponents) == 2

    def as_cubic(self) -> CubicSpline:
        """Return the same functions of one covariate, of order 2, by their values and second derivatives at the sites.

        ``|x - x_i|^3`` is cubic on both sides of ``x_i``, so that these functions are cubic splines with knots at the
        sites, and straight beyond them because ``T' d = 0``. Evaluated as such they take k operations a row instead of
        as many as there are sites.
        """
        bends = 6.0 * self.radius.constant * distances(self.sites, self.sites) @ self.radial / self.unit**2
        bends = np.column_stack([bends, np.zeros((len(self.sites), len(self.exponents)))])
        knots = self.sites[:, 0] * self.unit + self.shift[0]
        return CubicSpline(self.penalty, self.polynomials, knots, self._at(self.sites), bends, cyclic=False)

    def _at(self, points: np.ndarray) -> np.ndarray:
        basis = np.empty((len(points), self.radial.shape[1] + len(self.exponents)))
        step = max(1, BLOCK // len(self.sites))
        for start in range(0, len(points), step):
            block = points[start : start + step]
            kernel = self.radius.at(distances(block, self.sites), self.unit)
            basis[start : start + step, : self.radial.shape[1]] = kernel @ self.radial
        basis[:, self.radial.shape[1] :] = _monomials(points, self.exponents) / self.heights
        return basis


def build_thin_plate(values: np.ndarray, request: Request) -> AbstractSpline:
    """Build a thin plate regression spline for ``values``, ``(rows, covariates)``.

    As in mgcv each basis function has a root mean square of 1 over the rows.
    """
    spline = build_unscaled(values, request)
    return spline.scaled(1.0 / np.sqrt(np.mean(spline.evaluate(values) ** 2, axis=0)))


def build_unscaled(values: np.ndarray, request: Request) -> AbstractSpline:
    """Build the same functions of any size."""
    plate = plate_of(values, request)
    return plate.as_cubic() if plate.is_cubic else plate


def plate_of(values: np.ndarray, request: Request) -> ThinPlate:
    """Build a thin plate regression spline whose functions have any size."""
    if request.knots is not None:
        raise FormulaError(f'`{request.label}`: a smooth with bs="{request.kind}" has no knots; write bs="cr".')
    dimensions = values.shape[1]
    order = _order(request, dimensions)
    exponents = _exponents(order, dimensions)
    k, distinct = _count(request, len(exponents), dimensions), distinct_rows(values)
    check_count(request, k, len(exponents) + 1, len(distinct))
    shift = values.mean(axis=0)
    unit = float(np.sqrt(np.mean((values - shift) ** 2)))
    sites = (thinned(distinct, dimensions) - shift) / unit
    radius = Radial.thin_plate(order, dimensions)
    radial, penalty = _truncated(sites, exponents, k, radius, unit, request)
    polynomials = np.vstack([np.zeros((radial.shape[1], len(exponents))), np.eye(len(exponents))])
    return ThinPlate(penalty, polynomials, shift, unit, sites, radial, exponents, np.ones(len(exponents)), radius)


def build_shrunk(values: np.ndarray, request: Request) -> AbstractSpline:
    """Build a thin plate regression spline whose polynomials have a small penalty too, so that none is left free."""
    spline = build_thin_plate(values, request)
    free = np.any(spline.polynomials != 0.0, axis=1)
    smallest = np.linalg.eigvalsh(spline.penalty[np.ix_(~free, ~free)])[0]
    penalty = spline.penalty + np.diag(SHRINKAGE * smallest * free)
    return replace(spline, penalty=penalty, polynomials=spline.polynomials[:, :0])


def build_duchon(values: np.ndarray, request: Request) -> AbstractSpline:
    """Build a Duchon spline, ``bs="ds"``: ``m=c(1, 0.5)`` penalises first derivatives of a surface, say.

    The first number is the order of the derivatives, the second the power of the frequencies that weighs them, a
    multiple of 1/2 between minus and plus half the number of covariates; together they exceed half of that number.
    """
    dimensions = values.shape[1]
    order, weight = _duchon_orders(request, dimensions)
    exponents = _exponents(order, dimensions)
    k = (
        len(exponents) + {1: 10, 2: 30}.get(dimensions, 100)
        if request.k is None
        else whole(request.k, "k", request.label, 1)
    )
    distinct = distinct_rows(values)
    check_count(request, k, len(exponents) + 1, len(distinct))
    shift = values.mean(axis=0)
    sites, radius = thinned(distinct, dimensions) - shift, Radial.duchon(order, weight, dimensions)
    radial, penalty = _truncated(sites, exponents, k, radius, 1.0, request, ascending=False)
    polynomials = np.vstack([np.zeros((radial.shape[1], len(exponents))), np.eye(len(exponents))])
    plate = ThinPlate(penalty, polynomials, shift, 1.0, sites, radial, exponents, np.ones(len(exponents)), radius)
    return plate.as_cubic() if plate.is_cubic else plate


def _duchon_orders(request: Request, dimensions: int) -> tuple[int, float]:
    given = (2, 0.0) if request.order is None else request.order
    pair = given if isinstance(given, tuple) else (given, 0.0)
    if len(pair) != 2 or isinstance(pair[1], bool) or 2.0 * pair[1] != round(2.0 * pair[1]):
        raise FormulaError(
            f"In `{request.label}`, m of a Duchon spline is an order and a multiple of 1/2, m=c(1, 0.5)."
        )
    order, weight = whole(pair[0], "m[1]", request.label, 1, 10), float(pair[1])
    if not abs(weight) < dimensions / 2 or not order + weight > dimensions / 2:
        raise FormulaError(
            f"In `{request.label}`, m={order}, {weight:g} makes no continuous curve: the second number lies between "
            f"{-dimensions / 2:g} and {dimensions / 2:g}, and their sum is larger than {dimensions / 2:g}."
        )
    return order, weight


def _order(request: Request, dimensions: int) -> int:
    if isinstance(request.order, tuple):
        raise FormulaError(f'In `{request.label}`, m is one number for bs="{request.kind}"; bs="ds" takes two.')
    if request.order is None:
        return (dimensions + 1) // 2 + 1  # the smallest m with 2m > d + 1
    order = whole(request.order, "m", request.label, 1, 10)
    if 2 * order <= dimensions:
        raise FormulaError(
            f"In `{request.label}`, m is {order}; a smooth of {dimensions} covariates needs m={dimensions // 2 + 1} or "
            "more."
        )
    return order


def _count(request: Request, polynomials: int, dimensions: int) -> int:
    if request.k is not None:
        return whole(request.k, "k", request.label, 1)
    return polynomials + {1: 8, 2: 27}.get(dimensions, 100)


def _exponents(order: int, dimensions: int) -> tuple[tuple[int, ...], ...]:
    """Return the powers of all monomials of degree below ``order``, the constant last: ``x``, ``x^2``, ``z``, ``xz``.

    With `_truncated` this order determines `SmoothBasis.penalty_scale`; it is mgcv's.
    """
    powers = (p[::-1] for p in product(range(order), repeat=dimensions))
    return (*(p for p in powers if 0 < sum(p) < order), (0,) * dimensions)


def _monomials(points: np.ndarray, exponents: tuple[tuple[int, ...], ...]) -> np.ndarray:
    return np.column_stack([np.prod(points ** np.asarray(powers), axis=1) for powers in exponents])


def thinned(distinct: np.ndarray, dimensions: int) -> np.ndarray:
    """Return the sites; of more than ``MOST_SITES`` every so manieth, of several covariates a random sample."""
    if len(distinct) <= MOST_SITES:
        return distinct
    if dimensions == 1:
        return distinct[np.round(np.linspace(0, len(distinct) - 1, SITES_OF_ONE)).astype(int)]
    kept = np.random.default_rng(1).choice(len(distinct), MOST_SITES, replace=False)
    return distinct[np.sort(kept)]


def distances(points: np.ndarray, sites: np.ndarray) -> np.ndarray:
    """Return the distance of each point from each site, ``(points, sites)``."""
    if points.shape[1] == 1:
        return np.abs(points - sites.T)
    squares = np.zeros((len(points), len(sites)))
    for column in range(points.shape[1]):
        squares += (points[:, column, None] - sites[None, :, column]) ** 2
    return np.sqrt(squares)


def _radial_constant(order: int, dimensions: int) -> float:
    if dimensions % 2:
        below = 2 ** (2 * order) * pi ** (dimensions / 2) * factorial(order - 1)
        return gamma(dimensions / 2 - order) / below
    below = 2 ** (2 * order - 1) * pi ** (dimensions / 2) * factorial(order - 1) * factorial(order - dimensions // 2)
    return float((-1) ** (order + 1 + dimensions // 2) / below)


def _truncated(
    sites: np.ndarray,
    exponents: tuple[tuple[int, ...], ...],
    k: int,
    radius: Radial,
    unit: float,
    request: Request,
    ascending: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of the radial functions, ``(sites, k - polynomials)``, and the penalty, ``(k, k)``.

    With ``E ~ U D U'`` cut off at k, weights are ``d = U Z a`` where the columns of Z span the solutions of
    ``T' U z = 0``, and their penalty is ``a' Z' D Z a``.

    Which basis Z of that space is taken matters for nothing but `penalty_scale`. That of Householder's QR
    decomposition gives mgcv's, with the eigenvalues in increasing order, of Duchon splines in decreasing order.
    """
    eigenvalues, U = leading(radius.at(distances(sites, sites), unit), k)
    if not ascending:
        eigenvalues, U = eigenvalues[::-1], U[:, ::-1]
    T = np.roll(_monomials(sites, exponents), 1, axis=1)  # the constant first: Householder's vectors follow this order
    if np.linalg.matrix_rank(T) < T.shape[1]:
        raise DataError(
            f"The values of {listed(request.names)} in `{request.label}` lie on a line or a curve, so that no surface "
            "over them is determined. Leave out a covariate that follows from the others."
        )
    Z = np.linalg.qr(U.T @ T, mode="complete")[0][:, T.shape[1] :]
    penalty = np.zeros((k, k))
    penalty[: Z.shape[1], : Z.shape[1]] = Z.T @ (eigenvalues[:, None] * Z)
    return U @ Z, (penalty + penalty.T) / 2.0


def leading(E: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k eigenvalues of largest absolute value, in increasing order, and their eigenvectors.

    Sites on a grid have equal eigenvalues, of which k may take some and leave others.
    """
    if len(E) <= DIRECT_SITES or 2 * k > len(E):
        values, vectors = np.linalg.eigh(E)
    else:
        values, vectors = sparse_linalg.eigsh(E, k=k + MORE, which="LM", v0=np.linspace(1.0, 2.0, len(E)))
    near = np.argsort(-np.abs(values))[: k + MORE]
    near = near[np.argsort(values[near])]
    vectors = vectors[:, near]
    values, vectors = turned_ties(values[near], vectors, vectors[::-1], TIE * np.abs(values).max())
    kept = np.sort(np.argsort(-np.abs(values), kind="stable")[:k])
    return values[kept], vectors[:, kept]
