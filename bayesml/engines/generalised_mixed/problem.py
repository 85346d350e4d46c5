"""The data of a generalised linear mixed model in the coordinates of the optimisation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, final

import numpy as np

from bayesml.engines.generalised_mixed.blocks import Columns
from bayesml.engines.generalised_mixed.information import AbstractInformation
from bayesml.engines.generalised_mixed.response import ResponseModel
from bayesml.errors import DataError
from bayesml.linalg import (
    AbstractBlock,
    ArrowFactor,
    FixedEffects,
    RowBlocks,
    ThetaLayout,
    arranged,
    factorise_identity_plus,
    inverse_triangle,
    orthogonalise,
)
from bayesml.linalg.nesting import chain_of_factors

__all__ = ["Curvature", "Parameters", "Penalty", "PenaltyValue", "Problem", "build_problem"]

Curvature = Literal["observed", "fisher"]


@final
@dataclass(frozen=True)
class PenaltyValue:
    """Minus twice a log prior and its gradient.

    Attributes:
        value: ``-2 log p(theta, beta, psi)``.
        theta: ``(k,)`` derivatives with respect to the entries of the covariance factors.
        beta: ``(p,)`` with respect to the coefficients that are in the model.
        psi: ``(m,)`` with respect to the auxiliary parameters on their unbounded scale (mostly the logarithm).
    """

    value: float
    theta: np.ndarray
    beta: np.ndarray
    psi: np.ndarray

    def plus(self, other: PenaltyValue, factor: float) -> PenaltyValue:
        """Return the sum of this and ``factor`` times another."""
        return PenaltyValue(
            self.value + factor * other.value,
            self.theta + factor * other.theta,
            self.beta + factor * other.beta,
            self.psi + factor * other.psi,
        )


Penalty = Callable[[np.ndarray, np.ndarray, np.ndarray], PenaltyValue]


@final
@dataclass(frozen=True)
class Parameters:
    """One point of the outer optimisation, in scaled coordinates.

    Attributes:
        theta: ``(k,)`` entries of ``T Lambda``, the covariance factors of the orthogonal columns.
        gamma: ``(p,)`` coefficients of the orthogonal basis of X.
        psi: ``(m,)`` auxiliary parameters on their unbounded scale (mostly the logarithm).
    """

    theta: np.ndarray
    gamma: np.ndarray
    psi: np.ndarray

    @property
    def flat(self) -> np.ndarray:
        """All parameters in one vector."""
        return np.concatenate([self.theta, self.gamma, self.psi])


@final
@dataclass(frozen=True)
class Problem:
    """Everything that stays fixed during a fit.

    Attributes:
        response: the response distribution with its data.
        groups: the blocks of random effects as given.
        columns: the same with orthogonal columns Q in place of Z = Q T, of unit root mean square where they are not 0.
        blocks: the shape of ``K = Lambda'Z'WZ Lambda + I``.
        layout: the places of theta.
        bases: lower-triangular T of each factor.
        basis: ``(p, n)`` orthogonal basis of the columns of X, each of mean square one.
        fixed: the map from the basis to the coefficients; with what was dropped.
        offset: ``(n,)`` or None.
        weights: ``(n,)`` powers of the densities, or None.
        curvature: whose log determinant enters the criterion.
        psi_start: ``(m,)`` rough auxiliary parameters.
    """

    response: ResponseModel
    groups: tuple[AbstractBlock, ...]
    columns: tuple[Columns, ...]
    blocks: RowBlocks
    layout: ThetaLayout
    bases: tuple[np.ndarray, ...]
    basis: np.ndarray
    fixed: FixedEffects
    offset: np.ndarray | None
    weights: np.ndarray | None
    curvature: Curvature
    psi_start: np.ndarray

    @property
    def n(self) -> int:
        """Number of rows; of those with several linear predictors each of these counts."""
        return self.basis.shape[1]

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Numbers of entries of theta, gamma and psi."""
        return self.layout.size, len(self.basis), len(self.response.auxiliary)

    @property
    def size(self) -> int:
        """Number of parameters of the outer optimisation."""
        return sum(self.sizes)

    def parameters(self, flat: np.ndarray) -> Parameters:
        """Split a vector into its parts."""
        k, p, _ = self.sizes
        return Parameters(flat[:k], flat[k : k + p], flat[k + p :])

    def factorise(self, information: AbstractInformation, rows: Sequence[np.ndarray]) -> ArrowFactor:
        """Factorise K.

        Args:
            information: W.
            rows: ``(q, n)`` columns ``Lambda'Z'`` of each factor.

        Raises:
            NotPositiveDefinite: K is not positive definite.
        """
        return factorise_identity_plus(information.form(self.blocks, rows))

    def fixed_part(self, gamma: np.ndarray) -> np.ndarray:
        """Return the linear predictor without group effects."""
        # einsum, since threaded BLAS costs more than it gains on vectors (and far more on a busy machine)
        eta = np.einsum("pn,p->n", self.basis, gamma)
        return eta if self.offset is None else eta + self.offset

    def basis_sums(self, rows: np.ndarray) -> np.ndarray:
        """Return ``(p,)`` inner products of ``(n,)`` values with the basis."""
        return np.einsum("pn,n->p", self.basis, rows)

    def theta(self, scaled: np.ndarray) -> np.ndarray:
        """Return theta on the user's scale, each column of Lambda with a nonnegative diagonal."""
        return self.from_internal @ (self.signs(scaled) * scaled)

    @cached_property
    def from_internal(self) -> np.ndarray:
        """``(k, k)``: theta on the user's scale from the scaled one, a linear map within each column of Lambda."""
        return self.layout.through([inverse_triangle(T) for T in self.bases])

    def beta(self, gamma: np.ndarray) -> np.ndarray:
        """Return the coefficients of the columns of X that are in the model."""
        return self.fixed.coefficients(gamma)

    def signs(self, theta: np.ndarray) -> np.ndarray:
        """Return ``(k,)`` the sign of the diagonal above or at each entry; u and -u have the same distribution."""
        layout = self.layout
        negative = [(layout.group[i], layout.column[i]) for i in np.flatnonzero(layout.is_diagonal & (theta < 0))]
        pairs = zip(layout.group, layout.column, strict=True)
        return np.array([-1.0 if pair in negative else 1.0 for pair in pairs])


def build_problem(
    response: ResponseModel,
    X: np.ndarray,
    groups: Sequence[AbstractBlock],
    offset: np.ndarray | None,
    weights: np.ndarray | None,
    curvature: Curvature,
) -> Problem:
    """Check the arrays and bring them into the coordinates of the optimisation.

    Raises:
        DataError: shapes do not fit together, a value is not finite, or a weight is negative.
    """
    _check(X, groups, offset, weights)
    basis, fixed = _basis(X, weights)
    columns, bases = zip(*(_columns(group) for group in groups), strict=True) if groups else ((), ())
    layout = ThetaLayout.of([group.blocks for group in groups])
    counts, codes = [group.n_levels for group in groups], [part.codes for part in columns]
    blocks = arranged(groups, counts, codes, chain_of_factors(groups), reused=False)
    psi = np.asarray(response.start_psi(), dtype=float)
    return Problem(
        response,
        tuple(groups),
        tuple(columns),
        blocks,
        layout,
        tuple(bases),
        basis,
        fixed,
        offset,
        weights,
        curvature,
        psi,
    )


def _check(
    X: np.ndarray, groups: Sequence[AbstractBlock], offset: np.ndarray | None, weights: np.ndarray | None
) -> None:
    n = len(X)
    for name, values in (("X", X), ("offset", offset), ("weights", weights)):
        if values is None:
            continue
        if len(values) != n:
            raise DataError(f"`{name}` has {len(values)} rows, X has {n}")
        if not np.isfinite(values).all():
            raise DataError(f"`{name}` has a missing or infinite value in row {_first_bad(values)}")
    if weights is not None and (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise DataError(f"weights must not be negative; row {row} has {weights[row]:g}")
    for group in groups:
        group.check(n)
        if not np.isfinite(group.Z).all():
            raise DataError(f"group `{group.name}` has a missing or infinite value in row {_first_bad(group.Z)} of Z")


def _first_bad(values: np.ndarray) -> int:
    return int(np.argmax(~np.isfinite(values.reshape(len(values), -1)).all(axis=1)))


def _basis(X: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, FixedEffects]:
    """Orthogonalise the rows that count; the others follow by the same triangular map."""
    if weights is None or (weights > 0).all():
        basis, fixed = orthogonalise(X)
    else:
        _, fixed = orthogonalise(X[weights > 0])
        basis = np.linalg.solve(fixed.R.T, X[:, fixed.kept].T).T if len(fixed.kept) else np.empty((len(X), 0))
    root = np.sqrt(max(len(X), 1))
    return np.ascontiguousarray(basis.T * root), FixedEffects(fixed.R / root, fixed.kept, fixed.dropped)


def _columns(group: AbstractBlock) -> tuple[Columns, np.ndarray]:
    Q, T = group.standardised(np.asarray(group.Z, dtype=float))
    codes = np.ascontiguousarray(group.codes, dtype=np.intp)
    levels = group.row_shape(group.n_levels)[1]
    if not group.is_factor:
        return Columns(codes, levels, Q, group.q), T
    used = np.count_nonzero(Q, axis=1)
    scale = np.sqrt(np.einsum("qn,qn->q", Q, Q) / np.maximum(used, 1))
    scale = np.where(scale > 0, scale, 1.0)
    return Columns(codes, levels, Q / scale[:, None], group.q), T * scale[:, None]
