"""Cubic regression splines, ``bs="cr"``, and cyclic ones, ``bs="cc"``, by their values at knots.

Source: Wood (2017), Generalized Additive Models, 2nd edition, sections 5.3.1 and 5.3.2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.errors import DataError, FormulaError
from bayesml.lazy import lazy_module
from bayesml.smooths.base import AbstractSpline, Request
from bayesml.smooths.checks import check_count, one_covariate, whole
from bayesml.smooths.natural import without_penalty

__all__ = ["CubicSpline", "build_cyclic", "build_regression", "build_shrunk_regression"]

sparse = lazy_module("scipy.sparse")

DEFAULT_K = 10
SMALLEST_K = 3
SMALLEST_CYCLIC_K = 4
SHRINKAGE = 0.1
MANY_ROWS = 5000
"""From here on a sparse product takes half as long; before, importing it would take longer."""


@final
@dataclass(frozen=True, eq=False)
class CubicSpline(AbstractSpline):
    """Cubic splines by their values and second derivatives at knots.

    With knots ``x_j``, ``h = x_(j+1) - x_j``, values ``b_j`` and second derivatives ``d_j`` there, the curve on
    ``[x_j, x_(j+1)]`` is

        b_j (x_(j+1) - x) / h + b_(j+1) (x - x_j) / h
        + d_j [(x_(j+1) - x)^3 / h - h (x_(j+1) - x)] / 6 + d_(j+1) [(x - x_j)^3 / h - h (x - x_j)] / 6.

    Beyond the outer knots it is a straight line, or, where it is cyclic, begins again.

    Attributes:
        knots: ``(knots,)``, increasing.
        values: of each basis function at the knots, ``(knots, k)``.
        bends: the second derivative of each basis function there, ``(knots, k)``.
        cyclic: whether the curve begins again at its end.
    """

    knots: np.ndarray
    values: np.ndarray
    bends: np.ndarray
    cyclic: bool

    def evaluate(self, values: np.ndarray) -> np.ndarray:
        """Return the basis functions, ``(rows, k)``, at ``values``, ``(rows, 1)``."""
        x, first, last = values[:, 0], self.knots[0], self.knots[-1]
        if self.cyclic:
            return self._inside(first + np.mod(x - first, last - first))
        inside = np.clip(x, first, last)
        basis = self._inside(inside)
        below, above = np.flatnonzero(x < first), np.flatnonzero(x > last)
        basis[below] += (x - inside)[below, None] * self._slope(0, -1.0)
        basis[above] += (x - inside)[above, None] * self._slope(len(self.knots) - 2, 1.0)
        return basis

    def scaled(self, factors: np.ndarray) -> CubicSpline:
        """Return the spline whose functions are these, each multiplied by a factor; ``(k,)``."""
        return replace(
            self, penalty=self.penalty * np.outer(factors, factors), polynomials=self.polynomials / factors[:, None],
            values=self.values * factors, bends=self.bends * factors,
        )  # fmt: skip

    def _inside(self, x: np.ndarray) -> np.ndarray:
        left = np.clip(np.searchsorted(self.knots, x, side="right") - 1, 0, len(self.knots) - 2)
        width = self.knots[left + 1] - self.knots[left]
        after, before = x - self.knots[left], self.knots[left + 1] - x
        weights = (
            before / width,
            after / width,
            (before * before * before / width - width * before) / 6.0,
            (after * after * after / width - width * after) / 6.0,
        )
        return self._combined(left, weights)

    def _combined(self, left: np.ndarray, weights: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return values and second derivatives at the knots left and right of each row, times their weights."""
        tables = (self.values, self.values, self.bends, self.bends)
        if len(left) < MANY_ROWS:
            places = (left, left + 1, left, left + 1)
            return np.asarray(sum(w[:, None] * t[p] for w, t, p in zip(weights, tables, places, strict=True)))
        count = len(self.knots)
        entries = np.stack([left, left + 1, left + count, left + count + 1], axis=1)
        rows = np.arange(0, 4 * len(left) + 1, 4)
        shape = (len(left), 2 * count)
        matrix = sparse.csr_array((np.stack(weights, axis=1).ravel(), entries.ravel(), rows), shape=shape)
        return np.asarray(matrix @ np.concatenate([self.values, self.bends]))

    def _slope(self, piece: int, side: float) -> np.ndarray:
        """Return the derivative of each basis function at an outer knot, where the second derivative is 0.

        Differentiating the curve at ``x_j`` with ``d_j = 0`` leaves ``(b_(j+1) - b_j) / h - d_(j+1) h / 6``, and at
        ``x_(j+1)`` with ``d_(j+1) = 0`` it is ``(b_(j+1) - b_j) / h + d_j h / 6``.
        """
        width = self.knots[piece + 1] - self.knots[piece]
        inner = piece + 1 if side < 0 else piece
        rise: np.ndarray = self.values[piece + 1] - self.values[piece]
        return rise / width + side * self.bends[inner] * width / 6.0


def build_regression(values: np.ndarray, request: Request) -> CubicSpline:
    """Build a cubic regression spline for ``values``, ``(rows, 1)``; its coefficients are its values at the knots."""
    knots = _placed(values, request, SMALLEST_K)
    k, h = len(knots), np.diff(knots)
    # Second derivatives d of the natural spline through b: B d = D b at inner knots, and 0 at the outer ones, because
    # the first derivatives of neighbouring pieces agree at inner knots.
    inner = np.arange(k - 2)
    D, B = np.zeros((k - 2, k)), np.diag((h[:-1] + h[1:]) / 3.0)
    D[inner, inner], D[inner, inner + 1], D[inner, inner + 2] = 1 / h[:-1], -1 / h[:-1] - 1 / h[1:], 1 / h[1:]
    B[inner[:-1], inner[1:]] = B[inner[1:], inner[:-1]] = h[1:-1] / 6.0
    bends = np.zeros((k, k))
    bends[1:-1] = np.linalg.solve(B, D)
    # The second derivative is piecewise linear, so that its integrated square is d' B d = b' D' B^-1 D b.
    penalty = D.T @ bends[1:-1]
    straight = np.column_stack([knots - knots.mean(), np.ones(k)])
    return CubicSpline((penalty + penalty.T) / 2.0, straight, knots, np.eye(k), bends, cyclic=False)


def build_shrunk_regression(values: np.ndarray, request: Request) -> CubicSpline:
    """Build a cubic regression spline whose straight line and constant have small penalties too, ``bs="cs"``.

    Of the two functions without a penalty, the one that is 0 at the first knot gets a hundredth of the smallest
    penalty and the other one, which is orthogonal to it, a tenth: eigenvectors of the eigenvalue 0 that mgcv finds.
    """
    spline = build_regression(values, request)
    values_of, vectors = np.linalg.eigh(spline.penalty)
    first, second = without_penalty(spline.polynomials).T
    small = SHRINKAGE * values_of[2]
    bent = vectors[:, 2:]
    penalty = (bent * values_of[2:]) @ bent.T + small * np.outer(first, first)
    penalty = penalty + SHRINKAGE * small * np.outer(second, second)
    return replace(spline, penalty=(penalty + penalty.T) / 2.0, polynomials=spline.polynomials[:, :0])


def build_cyclic(values: np.ndarray, request: Request) -> CubicSpline:
    """Build a spline that begins again at the largest value of ``values``, ``(rows, 1)``, as at the smallest."""
    knots = _placed(values, request, SMALLEST_CYCLIC_K)
    k, h = len(knots) - 1, np.diff(knots)
    here, after = np.arange(k), np.roll(np.arange(k), -1)
    before = np.roll(h, 1)  # width of the piece that ends in each knot
    D, B = np.diag(-1 / before - 1 / h), np.diag((before + h) / 3.0)
    D[here, after] = D[after, here] = 1 / h
    B[here, after] = B[after, here] = h / 6.0
    bends = np.linalg.solve(B, D)
    penalty = D.T @ bends
    again = np.append(here, 0)  # the last knot is the first one again
    return CubicSpline((penalty + penalty.T) / 2.0, np.ones((k, 1)), knots, np.eye(k)[again], bends[again], cyclic=True)


def _placed(values: np.ndarray, request: Request, smallest: int) -> np.ndarray:
    """Return the knots: those given, or the data's at equal distances in their order, each value counted once."""
    one_covariate(request)
    if request.order is not None:
        raise FormulaError(f'`{request.label}`: m is for bs="tp"; a smooth with bs="{request.kind}" is cubic.')
    distinct = np.unique(values)
    if request.knots is None:
        k = DEFAULT_K if request.k is None else whole(request.k, "k", request.label, 1)
        check_count(request, k, smallest, len(distinct))
        return _quantiles(distinct, k)
    given = _given(request.knots, request)
    if request.kind == "cc":
        _check_ends(given, distinct, request)
    if request.kind == "cc" and len(given) == 2:
        k = DEFAULT_K if request.k is None else whole(request.k, "k", request.label, smallest)
        check_count(request, k, smallest, len(distinct))
        return _quantiles(np.union1d(distinct, given), k)
    if len(given) < smallest or request.k not in (None, len(given)):
        wanted = f"at least {smallest}" if request.k is None else str(request.k)
        raise FormulaError(f"`{request.label}` needs {wanted} different knots; {len(given)} were given.")
    return given


def _given(knots: tuple[float, ...], request: Request) -> np.ndarray:
    try:
        given = np.unique(np.asarray(knots, dtype=np.float64))
    except (TypeError, ValueError):
        given = np.array([])
    if given.size == 0 or not np.isfinite(given).all():
        raise FormulaError(f"`{request.label}`: knots are finite numbers, not {knots!r}.")
    return given


def _check_ends(knots: np.ndarray, distinct: np.ndarray, request: Request) -> None:
    if distinct[0] < knots[0] or distinct[-1] > knots[-1]:
        raise DataError(
            f"The outer knots of `{request.label}` are {knots[0]:g} and {knots[-1]:g}, where the curve begins again; "
            f"`{request.names[0]}` goes from {distinct[0]:g} to {distinct[-1]:g}. Give outer knots that enclose it."
        )


def _quantiles(distinct: np.ndarray, k: int) -> np.ndarray:
    knots: np.ndarray = np.quantile(distinct, np.linspace(0.0, 1.0, k))
    return knots
