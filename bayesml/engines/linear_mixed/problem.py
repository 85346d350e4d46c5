"""The arrays of a linear mixed model, checked and reduced to cross-products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bayesml.errors import DataError
from bayesml.linalg import AbstractBlock, CrossProducts, ThetaLayout, cross_products, inverse_triangle
from bayesml.linalg.crossproducts import Rows, with_response

__all__ = ["LinearMixedProblem", "prepare"]

EXPLAINED = 1e-10  # share of a column of Z left over by the fixed effects below which nothing is left
LARGEST_VALUE = 1e140  # squares must not overflow
EXACT_FIT = 1e-13  # the response is reproduced by the fixed effects when its residual is this much shorter than itself


@dataclass(frozen=True)
class LinearMixedProblem:
    """A linear mixed model ready to be fitted, as often as needed.

    Attributes:
        groups: the grouping factors.
        X: ``(n, p)`` fixed-effects columns as given.
        y: ``(n,)`` response.
        weights: ``(n,)`` precision weights, or None.
        offset: ``(n,)`` known part of the mean, or None.
        layout: places of theta.
        products: the cross-products.
        rows: the row-wise arrays behind them.
    """

    groups: tuple[AbstractBlock, ...]
    X: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    offset: np.ndarray | None
    layout: ThetaLayout
    products: CrossProducts
    rows: Rows

    @cached_property
    def from_internal(self) -> np.ndarray:
        """``(k, k)``: theta from the internal coordinates ``T Lambda`` of the cross-products, a linear map."""
        return self.layout.through([inverse_triangle(T) for T in self.products.bases])

    def internal(self, theta: np.ndarray) -> np.ndarray:
        """Return the internal coordinates of a theta."""
        pairs = zip(self.products.bases, self.layout.matrices(np.asarray(theta, dtype=float)), strict=True)
        return self.layout.gather([T @ lam for T, lam in pairs])

    def with_response(self, y: np.ndarray) -> LinearMixedProblem:
        """Return the same model for another response; the structure is shared, only the column of y is formed anew."""
        y = _vector("y", y, len(self.y))
        products, rows = with_response(self.products, self.rows, y if self.offset is None else y - self.offset)
        _check_variation(products, rows, y)
        return replace(self, y=y, products=products, rows=rows)


def prepare(
    groups: Sequence[AbstractBlock],
    X: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    offset: np.ndarray | None = None,
    allow_saturated: bool = False,
) -> LinearMixedProblem:
    """Check the arrays and form the cross-products.

    Args:
        groups: at least one grouping factor or other block of random effects.
        X: ``(n, p)`` fixed-effects columns.
        y: ``(n,)`` response.
        weights: ``(n,)`` positive; the residual variance of row i is ``sigma^2 / weights[i]``.
        offset: ``(n,)`` added to the linear predictor.
        allow_saturated: accept a factor with as many coefficients as rows (sigma known, or priors).

    Raises:
        DataError: arrays that do not fit together, values that are not finite, non-positive weights, a factor with
            one level or with as many coefficients as rows, a response without residual variation.
    """
    y = _vector("y", y, None)
    n = len(y)
    X = np.asarray(X, dtype=float)
    if X.ndim != 2 or len(X) != n:
        raise DataError(f"X has shape {X.shape}; it needs one row for each of the {n} values of y")
    weights = None if weights is None else _vector("weights", weights, n)
    offset = None if offset is None else _vector("offset", offset, n)
    if weights is not None and weights.min(initial=1.0) <= 0:
        bad = int((weights <= 0).sum())
        raise DataError(
            f"{bad} of the {n} weights are zero or negative; a weight must be positive: leave those rows out"
        )
    _check_finite("X", X)
    groups = tuple(_check_group(group, n, allow_saturated) for group in groups)
    if not groups:
        raise DataError("a linear mixed model needs at least one grouping factor")
    products, rows = cross_products(groups, X, y if offset is None else y - offset, weights)
    if products.p >= n:
        raise DataError(f"{products.p} fixed effects for {n} rows leave nothing to estimate the residual from")
    _check_variation(products, rows, y)
    _check_identified(products, groups)
    layout = ThetaLayout.of([group.blocks for group in groups])
    return LinearMixedProblem(groups, X, y, weights, offset, layout, products, rows)


def _vector(name: str, values: np.ndarray, n: int | None) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or (n is not None and len(values) != n):
        raise DataError(f"{name} has shape {values.shape}; it must be a vector" + (f" of {n} values" if n else ""))
    _check_finite(name, values)
    return values


def _check_finite(name: str, values: np.ndarray) -> None:
    largest = np.abs(values).max(initial=0.0)
    if not np.isfinite(largest):
        raise DataError(f"{name} holds {int((~np.isfinite(values)).sum())} values that are not finite numbers")
    if largest > LARGEST_VALUE:
        raise DataError(f"{name} holds values as large as {largest:.3g}; use other units")


def _check_group(group: AbstractBlock, n: int, allow_saturated: bool) -> AbstractBlock:
    group = replace(group, codes=np.asarray(group.codes, dtype=np.intp), Z=np.asarray(group.Z, dtype=float))
    group.check(n)
    _check_finite(f"the columns of group `{group.name}`", group.Z)
    if not group.is_factor:
        return group
    observed = int((np.bincount(group.codes, minlength=1) > 0).sum())
    if observed < 2:
        raise DataError(f"group `{group.name}` has {observed} level: a variance between levels needs two or more")
    widest = max(group.blocks)
    if not allow_saturated and observed * widest >= n:
        what = f"{observed} levels" if widest == 1 else f"{observed} levels x {widest} coefficients"
        raise DataError(
            f"group `{group.name}` has {what} for {n} rows: its variances and the residual variance cannot be told "
            "apart. Leave out a coefficient, use a coarser factor, or give sigma or priors"
        )
    return group


def _check_identified(products: CrossProducts, groups: tuple[AbstractBlock, ...]) -> None:
    """Refuse a column of Z that the fixed effects contain level by level, or that is zero."""
    p, matrix = products.p, products.matrix
    m = matrix.arrow.width
    left: dict[int, np.ndarray] = {}
    for stage, face in zip(matrix.arrow.stages, matrix.faces, strict=True):
        ends = face[:, -p - 1 : -1]
        left[stage.block] = face[:, : stage.q].sum(axis=2) - np.einsum("apj,bpj->ab", ends, ends)
    for part in matrix.arrow.tail:
        shape = (len(products.bases[part.block]), products.counts[part.block])
        own = matrix.corner[part.rows, part.rows].reshape(*shape, *shape)
        ends = matrix.corner[part.rows, m : m + p].reshape(*shape, p)
        left[part.block] = np.einsum("ajbj->ab", own) - np.einsum("ajp,bjp->ab", ends, ends)
    for place, group in enumerate(groups):
        T = products.bases[place]
        share = np.diagonal(T.T @ left[place] @ T) / (products.n * np.diagonal(T.T @ T))
        for column in np.flatnonzero(share < EXPLAINED):
            raise DataError(
                f"the variance of `{group.labels()[column]}` over `{group.name}` cannot be estimated: the column is "
                "zero, or the fixed effects already hold one coefficient for each level. Leave out one of the two"
            )


def _check_variation(products: CrossProducts, rows: Rows, y: np.ndarray) -> None:
    residual = float(np.sqrt(products.matrix.corner[-1, -1]))
    weight = 1.0 if rows.root_weights is None else float(rows.root_weights.max())
    if residual <= EXACT_FIT * float(np.sqrt(y @ y)) * weight:
        raise DataError("the fixed effects reproduce the response exactly (a constant response?): no variance is left")
    if residual < 1.0 / LARGEST_VALUE:
        raise DataError(f"the response varies by less than {1.0 / LARGEST_VALUE:.0e}; use other units")
