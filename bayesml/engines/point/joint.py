"""The joint distribution of coefficients and group effects, given the variance parameters, for any design.

With M = Z Lambda, row information W and K = M'WM + I, the standardised effects given beta have covariance K^-1, and
move with beta by -T, T = K^-1 M'WX. For a linear mixed model this is the covariance matrix of Henderson's equations;
for others it is that of the normal approximation at the mode, with the covariance of beta that includes the
uncertainty of the variance parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.engines.point.arrays import PointArrays
from bayesml.engines.point.quadratic import quadratic_forms
from bayesml.engines.point.unbounded import is_unbounded
from bayesml.frozen import fields_alone

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix, csr_matrix

__all__ = ["JointEffects", "NewRows"]

NUMBERS_AT_ONCE = 4_000_000


@final
@dataclass(frozen=True)
class NewRows:
    """Rows at which to evaluate the linear predictor.

    Attributes:
        X: ``(rows, coefs)`` all population-level columns.
        groups: for each group-level term of the model ``(Z, index)``, or None where it is left out. An index at or
            beyond the number of levels is a level without data.
    """

    X: np.ndarray
    groups: tuple[tuple[np.ndarray, np.ndarray] | None, ...]


@final
@dataclass(frozen=True)
class JointEffects:
    """Coefficients and group effects of one fit.

    Attributes:
        arrays: the model.
        factors: Lambda of each term.
        information: ``(rows,)`` W.
        kept: columns of X in the model.
        vcov: covariance matrix of their coefficients.
        vcov_root: ``(kept, kept)`` B with ``B B' = vcov``; of a covariate far from zero sums of vcov cancel.
        unbounded: ``(kept, r)`` directions of the coefficients without a finite estimate.
    """

    arrays: PointArrays
    factors: tuple[np.ndarray, ...]
    information: np.ndarray
    kept: np.ndarray
    vcov: np.ndarray
    vcov_root: np.ndarray
    unbounded: np.ndarray
    __getstate__ = fields_alone  # the factorisation that SuperLU makes cannot be pickled

    @classmethod
    def of(
        cls,
        arrays: PointArrays,
        factors: Sequence[np.ndarray],
        information: np.ndarray,
        kept: np.ndarray,
        vcov: np.ndarray,
        vcov_root: np.ndarray,
        unbounded: np.ndarray,
    ) -> JointEffects:
        """Build it from the parts of an estimate."""
        return cls(arrays, tuple(factors), information, kept, vcov, vcov_root, unbounded)

    @property
    def offsets(self) -> np.ndarray:
        """Place of the first effect of each term, and the number of effects at the end."""
        return np.cumsum([0, *(block.n_levels * block.q for block in self.arrays.blocks)])

    @cached_property
    def own_columns(self) -> csc_matrix:
        """M of the rows of the fit."""
        return self._columns(tuple((block.Z, block.codes) for block in self.arrays.blocks), len(self.arrays.X))

    def _columns(self, groups: Sequence[tuple[np.ndarray, np.ndarray] | None], count: int) -> csc_matrix:
        from scipy.sparse import coo_matrix

        values, rows, places = [np.zeros(0)], [np.zeros(0, dtype=int)], [np.zeros(0, dtype=int)]
        for term, pair in enumerate(groups):
            if pair is None:
                continue
            Z, index = pair
            block = self.arrays.blocks[term]
            known = np.flatnonzero(index < block.n_levels)
            scaled = Z[known] @ self.factors[term]
            for k in range(block.q):
                values.append(scaled[:, k])
                rows.append(known)
                places.append(self.offsets[term] + index[known] * block.q + k)
        entries = (np.concatenate(rows), np.concatenate(places))
        return coo_matrix((np.concatenate(values), entries), (count, self.offsets[-1])).tocsc()

    @cached_property
    def precision(self) -> csc_matrix:
        """K."""
        from scipy.sparse import identity

        M = self.own_columns
        return (M.T @ M.multiply(self.information[:, None]) + identity(M.shape[1])).tocsc()

    @cached_property
    def solver(self) -> Any:
        """The factorisation of K."""
        from scipy.sparse.linalg import splu

        return splu(self.precision, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    @cached_property
    def shift(self) -> np.ndarray:
        """T, ``(effects, kept)``: how the standardised effects answer to the coefficients."""
        if not self.offsets[-1] or not len(self.kept):
            return np.zeros((self.offsets[-1], len(self.kept)))
        weighted = self.information[:, None] * self.arrays.X[:, self.kept]
        return self.solver.solve(np.ascontiguousarray(self.own_columns.T @ weighted))

    def covariance(self) -> np.ndarray:
        """Return the dense covariance matrix of (coefficients, group effects b), term after term, level after level."""
        size = int(self.offsets[-1])
        standard = self.solver.solve(np.eye(size)) if size else np.zeros((0, 0))
        Lambda = np.zeros((size, size))
        for term, block in enumerate(self.arrays.blocks):
            own = slice(self.offsets[term], self.offsets[term + 1])
            Lambda[own, own] = np.kron(np.eye(block.n_levels), self.factors[term])
        moved = Lambda @ self.shift
        across = -moved @ self.vcov
        effects = Lambda @ standard @ Lambda.T + moved @ self.vcov @ moved.T
        return np.block([[self.vcov, across.T], [across, effects]])

    def standard_errors(self, rows: NewRows) -> np.ndarray:
        """Return ``(rows,)`` standard errors of the linear predictor; a level without data has its full variance.

        They are infinite where the linear predictor has no finite estimate.
        """
        columns = self._columns(rows.groups, len(rows.X)).tocsr()
        slopes = rows.X[:, self.kept] - columns @ self.shift
        variance = ((slopes @ self.vcov_root) ** 2).sum(axis=1) + self._unseen(rows)
        if columns.nnz:
            forms = quadratic_forms(self.precision, columns, self._largest_term())
            variance += self._solved_forms(columns) if forms is None else forms
        return np.where(is_unbounded(rows.X[:, self.kept], self.unbounded), np.inf, np.sqrt(np.maximum(variance, 0.0)))

    def _largest_term(self) -> slice:
        largest = int(np.argmax(np.diff(self.offsets)))
        return slice(int(self.offsets[largest]), int(self.offsets[largest + 1]))

    def _solved_forms(self, columns: csr_matrix) -> np.ndarray:
        """Return ``m' K^-1 m`` for every row m by a solve for each."""
        forms = np.empty(columns.shape[0])
        for part in self._chunks(len(forms)):
            chosen = columns[part]
            forms[part] = _row_products(chosen, self.solver.solve(np.ascontiguousarray(chosen.toarray().T)))
        return forms

    def _chunks(self, count: int) -> Iterator[slice]:
        size = max(NUMBERS_AT_ONCE // max(int(self.offsets[-1]), 1), 1)
        yield from (slice(start, min(start + size, count)) for start in range(0, count, size))

    def _unseen(self, rows: NewRows) -> np.ndarray:
        """Return ``(rows,)`` variances z' Lambda Lambda' z of levels without data."""
        total = np.zeros(len(rows.X))
        for term, pair in enumerate(rows.groups):
            if pair is not None:
                Z, index = pair
                new = index >= self.arrays.blocks[term].n_levels
                total[new] += ((Z[new] @ self.factors[term]) ** 2).sum(axis=1)
        return total

    def draw_effects(self, rng: np.random.Generator, moves: np.ndarray) -> list[np.ndarray]:
        """Draw deviations of the group effects from their modes.

        Args:
            rng: source of randomness.
            moves: ``(draws, kept)`` deviations of the coefficients from their estimates.

        Returns:
            For each term ``(draws, levels, q)``.
        """
        standard = self._noise(rng, len(moves)) - moves @ self.shift.T
        out = []
        for term, block in enumerate(self.arrays.blocks):
            own = standard[:, self.offsets[term] : self.offsets[term + 1]].reshape(len(moves), block.n_levels, block.q)
            out.append(own @ self.factors[term].T)
        return out

    def _noise(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Draw from N(0, K^-1): with e and f standard normal, K^-1 (M' W^1/2 e + f) has that covariance."""
        size = int(self.offsets[-1])
        if not size:
            return np.zeros((draws, 0))
        if np.any(self.information < 0):  # no square root: the exact one of K instead
            factor = np.linalg.cholesky(self.precision.toarray())
            return np.linalg.solve(factor.T, rng.standard_normal((size, draws))).T
        root, out = np.sqrt(self.information), np.empty((draws, size))
        step = max(NUMBERS_AT_ONCE // (len(root) + size), 1)
        for start in range(0, draws, step):
            count = min(step, draws - start)
            perturbed = self.own_columns.T @ (root[:, None] * rng.standard_normal((len(root), count)))
            perturbed += rng.standard_normal((size, count))
            out[start : start + count] = self.solver.solve(np.ascontiguousarray(perturbed)).T
        return out


def _row_products(rows: Any, solved: np.ndarray) -> np.ndarray:
    """Return the sums over columns of ``rows * solved'``."""
    return np.asarray(rows.multiply(solved.T).sum(axis=1)).reshape(-1)
