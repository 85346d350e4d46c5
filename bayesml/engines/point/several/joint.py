"""The joint normal approximation of coefficients, psi and group effects, for rows with several linear predictors.

As in ``engines/point/joint.py``, with W a matrix for each row, and psi beside the coefficients: with K = M'WM + I the
standardised effects move with them by -T, T = K^-1 M' [W X, -S], where S holds the derivatives of the scores in psi.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.information import AbstractInformation
from bayesml.engines.point.joint import NewRows, mixed_variances, sparse_rows, unseen_variances
from bayesml.frozen import fields_alone
from bayesml.linalg import AbstractBlock, ArrowFactor, RowBlocks, arranged, factorise_identity_plus
from bayesml.linalg.nesting import chain_of_factors
from bayesml.linalg.quadratic_forms import SparseRows, quadratic_forms

__all__ = ["SeveralJoint", "square_root"]


@final
@dataclass(frozen=True)
class SeveralJoint:
    """Coefficients, psi and group effects of one fit.

    Attributes:
        blocks: the blocks over all linear predictors of the rows of the fit.
        factors: Lambda of each.
        information: W.
        slopes: ``(p + m, N)`` the rows of [W X, -S], transposed.
        vcov: ``(p + m, p + m)`` covariance matrix of coefficients and psi.
        root: B with ``B B' = vcov``.
    """

    blocks: tuple[AbstractBlock, ...]
    factors: tuple[np.ndarray, ...]
    information: AbstractInformation
    slopes: np.ndarray
    vcov: np.ndarray
    root: np.ndarray
    __getstate__ = fields_alone

    @property
    def slices(self) -> tuple[slice, ...]:
        """The places of each block among the standardised effects."""
        return self._arranged.arrow.slices if self.blocks else ()

    def solve(self, columns: np.ndarray) -> np.ndarray:
        """Return ``K^-1 columns``, the columns ``(effects, c)``."""
        return self.factor.solve(columns)

    @cached_property
    def _own(self) -> SparseRows:
        return sparse_rows(self.blocks, self.factors, self.blocks, self.slopes.shape[1])

    @cached_property
    def _arranged(self) -> RowBlocks:
        counts = [block.n_levels for block in self.blocks]
        return arranged(self.blocks, counts, self._own.levels, chain_of_factors(self.blocks), reused=False)

    @cached_property
    def factor(self) -> ArrowFactor:
        """K factorised."""
        return factorise_identity_plus(self.information.form(self._arranged, self._own.columns))

    def mixed_variances(self, place: int, root: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the covariances of the effects of levels that are not independent, see ``mixed_variances``."""
        return mixed_variances(self.factor, self._arranged.arrow.slices, place, self.factors[place], root, own)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Return ``M' values`` ``(effects, c)`` for ``(c, N)``."""
        pairs = list(enumerate(self._own.columns))
        sums = [
            np.concatenate([self._arranged.sums(i, columns, row).ravel() for i, columns in pairs]) for row in values
        ]
        return np.ascontiguousarray(np.transpose(sums))

    @property
    def _size(self) -> int:
        return sum(block.n_levels * block.q for block in self.blocks)

    @cached_property
    def shift(self) -> np.ndarray:
        """T, ``(effects, p + m)``."""
        if not self._size or not len(self.slopes):
            return np.zeros((self._size, len(self.slopes)))
        return self.factor.solve(self._sums(self.slopes))

    def covariances(self, rows: NewRows, count: int) -> np.ndarray:
        """Return the covariance matrices of the linear predictors of each row and psi, ``(rows, d + m, d + m)``.

        Args:
            rows: all linear predictors of the rows, ``(d rows,)``; with columns of X for the coefficients.
            count: d.
        """
        N, p = rows.X.shape
        m, n = len(self.vcov) - p, N // count
        moved = np.concatenate([rows.X, np.zeros((N, m))], axis=1)
        own = sparse_rows(self.blocks, self.factors, rows.blocks, N)
        if self.blocks:
            for place, levels, columns in zip(self._arranged.arrow.slices, own.levels, own.columns, strict=True):
                shift = self.shift[place].reshape(len(columns), -1, len(self.vcov))
                for column, by_level in zip(columns, shift, strict=True):
                    moved = moved - column[:, None] * by_level[levels]
        scaled = np.zeros((n, count + m, len(self.vcov)))
        scaled[:, :count] = (moved @ self.root).reshape(count, n, -1).swapaxes(0, 1)
        scaled[:, count:] = self.root[p:]
        out = np.einsum("ris,rjs->rij", scaled, scaled)
        if self.blocks:
            out[:, :count, :count] += self._given(own, count)
        diagonal = np.arange(count)
        out[:, diagonal, diagonal] += unseen_variances(self.blocks, self.factors, rows).reshape(count, n).T
        return out

    def _given(self, rows: SparseRows, count: int) -> np.ndarray:
        """Return ``M K^-1 M'`` within each row, ``(rows, d, d)``: of a and b half of (a + b)^2 - a^2 - b^2."""
        n = len(rows.levels[0]) // count
        parts = [rows.taken(slice(a * n, (a + 1) * n)) for a in range(count)]
        own = [quadratic_forms(self.factor, part) for part in parts]
        out = np.zeros((n, count, count))
        for a in range(count):
            out[:, a, a] = own[a]
            for b in range(a):
                pairs = zip(parts[a].columns, parts[b].columns, strict=True)
                both = SparseRows(parts[a].levels, tuple(x + y for x, y in pairs))
                out[:, a, b] = out[:, b, a] = 0.5 * (quadratic_forms(self.factor, both) - own[a] - own[b])
        return out

    def effective_degrees(self, place: int, X: np.ndarray) -> float:
        """Return the degrees of freedom that a block takes, see ``JointEffects``; X holds its columns, ``(N, p)``."""
        own, diagonal = self._arranged.arrow.slices[place], np.einsum("qqj->", self.factor.level_blocks()[place])
        taken, p = float(diagonal), X.shape[1]
        if p:
            shift = self.shift[:, :p]
            precision = self.slopes[:p] @ X - self._sums(self.slopes[:p]).T @ shift
            taken += float(np.trace(np.linalg.solve(precision, shift[own].T @ shift[own])))
        return own.stop - own.start - taken

    def draw_effects(self, rng: np.random.Generator, moves: np.ndarray) -> list[np.ndarray]:
        """Draw deviations of the effects from their modes, ``(draws, vectors, q)`` for each block.

        Args:
            rng: source of randomness.
            moves: ``(draws, p + m)`` deviations of coefficients and psi from their estimates.
        """
        standard = self._noise(rng, len(moves)) - self.shift @ moves.T
        out, start = [], 0
        for block, factor in zip(self.blocks, self.factors, strict=True):
            size = block.n_levels * block.q
            own = standard[start : start + size].reshape(block.q, block.n_levels, -1)
            out.append(np.einsum("rq,qld->dlr", factor, own))
            start += size
        return out

    def _noise(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Draw ``(effects, draws)`` from N(0, K^-1): K^-1 (M' R e + f) with R R' = W has that covariance."""
        if not self._size:
            return np.zeros((0, draws))
        if not self.information.is_nonnegative:
            root = np.linalg.cholesky(self.factor.solve(np.eye(self._size)))
            return root @ rng.standard_normal((self._size, draws))
        perturbed = self._sums(self.information.root_times(rng.standard_normal((draws, self.slopes.shape[1]))))
        return self.factor.solve(perturbed + rng.standard_normal((self._size, draws)))


def square_root(covariance: np.ndarray) -> np.ndarray:
    """Return B with ``B B'`` the matrix, whose negative eigenvalues, if any, are rounding."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
