"""The joint distribution of coefficients and group effects, given the variance parameters, for any design.

With M = Z Lambda, row information W and K = M'WM + I, the standardised effects given beta have covariance K^-1, and
move with beta by -T, T = K^-1 M'WX. For a linear mixed model this is the covariance matrix of Henderson's equations;
for others it is that of the normal approximation at the mode, with the covariance of beta that includes the
uncertainty of the variance parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.engines.point.arrays import PointArrays
from bayesml.engines.point.unbounded import is_unbounded
from bayesml.frozen import fields_alone
from bayesml.linalg import AbstractBlock, ArrowFactor, RowBlocks, arranged, factorise_identity_plus
from bayesml.linalg.nesting import chain_of_factors
from bayesml.linalg.quadratic_forms import SparseRows, quadratic_forms

__all__ = ["JointEffects", "NewRows", "mixed_variances", "sparse_rows", "unseen_variances"]

NUMBERS_AT_ONCE = 4_000_000


@final
@dataclass(frozen=True)
class NewRows:
    """Rows at which to evaluate the linear predictor.

    Attributes:
        X: ``(rows, coefs)`` all columns whose coefficients have no distribution.
        blocks: each block of the model at these rows, or None where it is left out. A code at or beyond the number of
            levels is a level without data.
    """

    X: np.ndarray
    blocks: tuple[AbstractBlock | None, ...]


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
    __getstate__ = fields_alone  # what is computed on demand is not saved

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
    def blocks(self) -> tuple[AbstractBlock, ...]:
        """The blocks of effects."""
        return self.arrays.blocks

    @property
    def slices(self) -> tuple[slice, ...]:
        """The places of each block among the standardised effects."""
        return self._blocks.arrow.slices if self.blocks else ()

    def solve(self, columns: np.ndarray) -> np.ndarray:
        """Return ``K^-1 columns``, the columns ``(effects, c)``."""
        return self._factor.solve(columns)

    @cached_property
    def _own(self) -> SparseRows:
        """M of the rows of the fit."""
        return self._rows(self.arrays.blocks, len(self.arrays.X))

    def _rows(self, blocks: Sequence[AbstractBlock | None], count: int) -> SparseRows:
        return sparse_rows(self.arrays.blocks, self.factors, blocks, count)

    @cached_property
    def _blocks(self) -> RowBlocks:
        blocks = self.arrays.blocks
        counts = [block.n_levels for block in blocks]
        return arranged(blocks, counts, self._own.levels, chain_of_factors(blocks), reused=False)

    @cached_property
    def _factor(self) -> ArrowFactor:
        """K factorised."""
        return factorise_identity_plus(self._blocks.form(self._own.columns, weights=self.information))

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Return ``M' values`` ``(effects, c)`` for ``(c, rows)``."""
        pairs = list(enumerate(self._own.columns))
        sums = [np.concatenate([self._blocks.sums(i, columns, row).ravel() for i, columns in pairs]) for row in values]
        return np.ascontiguousarray(np.transpose(sums))

    @cached_property
    def shift(self) -> np.ndarray:
        """T, ``(effects, kept)``: how the standardised effects answer to the coefficients."""
        if not self.arrays.blocks or not len(self.kept):
            return np.zeros((self._size, len(self.kept)))
        return self._factor.solve(self._sums(self.information * self.arrays.X[:, self.kept].T))

    @property
    def _size(self) -> int:
        """Number of effects."""
        return sum(block.n_levels * block.q for block in self.arrays.blocks)

    def _scaled(self, standard: np.ndarray) -> list[np.ndarray]:
        """Return effects b for standardised ones ``(effects, c)``: for each term ``(c, levels, q)``."""
        out, start = [], 0
        for block, factor in zip(self.arrays.blocks, self.factors, strict=True):
            stop = start + block.n_levels * block.q
            own = standard[start:stop].reshape(block.q, block.n_levels, -1)
            out.append(np.einsum("ab,bjc->cja", factor, own, optimize=True))
            start = stop
        return out

    def _stacked(self, standard: np.ndarray) -> np.ndarray:
        """Return effects b ``(effects, c)``, term after term, level after level."""
        parts = [part.reshape(len(part), -1).T for part in self._scaled(standard)]
        return np.concatenate(parts) if parts else standard

    def covariance(self) -> np.ndarray:
        """Return the dense covariance matrix of (coefficients, group effects b), term after term, level after level."""
        standard = self._factor.solve(np.eye(self._size)) if self._size else np.zeros((0, 0))
        moved = self._stacked(self.shift)
        across = -moved @ self.vcov
        effects = self._stacked(self._stacked(standard).T) + moved @ self.vcov @ moved.T
        return np.block([[self.vcov, across.T], [across, effects]])

    def standard_errors(self, rows: NewRows) -> np.ndarray:
        """Return ``(rows,)`` standard errors of the linear predictor; a level without data has its full variance.

        They are infinite where the linear predictor has no finite estimate.
        """
        own, slopes = self._rows(rows.blocks, len(rows.X)), rows.X[:, self.kept]
        if self.arrays.blocks:
            places = zip(self._blocks.arrow.slices, own.levels, own.columns, strict=True)
            for place, levels, columns in places:
                shift = self.shift[place].reshape(len(columns), -1, len(self.kept))
                for column, by_level in zip(columns, shift, strict=True):
                    slopes = slopes - column[:, None] * by_level[levels]
        variance = ((slopes @ self.vcov_root) ** 2).sum(axis=1) + self._unseen(rows)
        if self.arrays.blocks:
            variance += quadratic_forms(self._factor, own)
        return np.where(is_unbounded(rows.X[:, self.kept], self.unbounded), np.inf, np.sqrt(np.maximum(variance, 0.0)))

    def _unseen(self, rows: NewRows) -> np.ndarray:
        return unseen_variances(self.arrays.blocks, self.factors, rows)

    def mixed_variances(self, place: int, root: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the covariances of the effects of levels that are not independent, see ``mixed_variances``."""
        return mixed_variances(self._factor, self._blocks.arrow.slices, place, self.factors[place], root, own)

    @cached_property
    def conditional_vcov(self) -> np.ndarray:
        """The covariance matrix of the coefficients given the variance parameters, ``(X'WX - X'WM T)^-1``."""
        X = self.arrays.X[:, self.kept]
        weighted = self.information[:, None] * X
        precision = weighted.T @ X
        if self.arrays.blocks:
            precision = precision - self._sums(weighted.T).T @ self.shift
        return np.asarray(np.linalg.inv(precision))

    def effective_degrees(self, place: int) -> float:
        """Return the degrees of freedom that the coefficients of a block take, given the variance parameters.

        With standardised coefficients, whose penalty is u'u, they are the trace of the block of I - C, where C is their
        covariance: K^-1, and T V T' for the coefficients of X, V = (X'WX - X'WM T)^-1.

        Source: Wood (2017), Generalized Additive Models, 2nd edition, section 6.1.2.
        """
        own, diagonal = self._blocks.arrow.slices[place], np.einsum("qqj->", self._factor.level_blocks()[place])
        taken = float(diagonal)
        if len(self.kept):
            taken += float(np.trace(self.conditional_vcov @ (self.shift[own].T @ self.shift[own])))
        return own.stop - own.start - taken

    def draw_effects(self, rng: np.random.Generator, moves: np.ndarray) -> list[np.ndarray]:
        """Draw deviations of the group effects from their modes.

        Args:
            rng: source of randomness.
            moves: ``(draws, kept)`` deviations of the coefficients from their estimates.

        Returns:
            For each term ``(draws, levels, q)``.
        """
        return self._scaled(self._noise(rng, len(moves)) - self.shift @ moves.T)

    def _noise(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Draw ``(effects, draws)`` from N(0, K^-1).

        With e and f standard normal, K^-1 (M' W^1/2 e + f) has that covariance. Where a row has negative information
        there is no square root of it: the exact one of K instead.
        """
        if not self._size:
            return np.zeros((0, draws))
        if np.any(self.information < 0):
            factor = np.linalg.cholesky(self._factor.solve(np.eye(self._size)))
            return factor @ rng.standard_normal((self._size, draws))
        root, out = np.sqrt(self.information), np.empty((self._size, draws))
        step = max(NUMBERS_AT_ONCE // (len(root) + self._size), 1)
        for start in range(0, draws, step):
            count = min(step, draws - start)
            perturbed = self._sums(root * rng.standard_normal((count, len(root))))
            perturbed += rng.standard_normal((self._size, count))
            out[:, start : start + count] = self._factor.solve(perturbed)
        return out


def sparse_rows(
    own: Sequence[AbstractBlock],
    factors: Sequence[np.ndarray],
    blocks: Sequence[AbstractBlock | None],
    count: int,
) -> SparseRows:
    """Return rows of M = Z Lambda; levels without data and blocks that are left out have entries of 0.

    Args:
        own: the blocks of the fit.
        factors: Lambda of each.
        blocks: the blocks at the rows requested, None where one is left out.
        count: number of rows.
    """
    levels, columns = [], []
    for of_fit, factor, block in zip(own, factors, blocks, strict=True):
        if block is None:
            levels.append(np.zeros(count, dtype=np.intp))
            columns.append(np.zeros((of_fit.row_shape(of_fit.n_levels)[0], count)))
            continue
        known = block.codes < of_fit.n_levels
        levels.append(np.where(known, block.codes, 0))
        columns.append(block.scaled(block.Z, factor) * known)
    return SparseRows(tuple(levels), tuple(columns))


def unseen_variances(own: Sequence[AbstractBlock], factors: Sequence[np.ndarray], rows: NewRows) -> np.ndarray:
    """Return ``(rows,)`` variances z' Lambda Lambda' z of levels without data."""
    total = np.zeros(len(rows.X))
    for of_fit, factor, block in zip(own, factors, rows.blocks, strict=True):
        if block is not None and block.is_factor:
            new = block.codes >= of_fit.n_levels
            total[new] += ((block.Z[new] @ factor) ** 2).sum(axis=1)
    return total


def mixed_variances(
    K: ArrowFactor, places: Sequence[slice], number: int, factor: np.ndarray, root: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """Return the covariances ``(levels, coefs, coefs)`` of effects ``root b`` given everything else.

    Args:
        K: precision of the standardised effects of all blocks.
        places: those of each block among them.
        number: which block it is.
        factor: ``(q, q)`` its Lambda: ``b = Lambda u``.
        root: ``(levels, vectors)``.
        own: ``(vectors, coefs)`` which entries of each vector count.
    """
    (levels, count), q = own.shape, len(factor)
    combined = np.zeros((q, levels, levels, count))  # by entry and vector of b, of each level and coefficient
    for vector in range(levels):
        for coef in range(count):
            combined[own[vector, coef], vector, :, coef] = root[:, vector]
    columns = np.zeros((max(place.stop for place in places), levels * count))
    columns[places[number]] = np.einsum("ab,avjc->bvjc", factor, combined).reshape(q * levels, -1)
    solved = K.solve(columns).reshape(-1, levels, count)
    return np.einsum("xja,xjb->jab", columns.reshape(-1, levels, count), solved)
