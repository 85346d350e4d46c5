"""Newton steps for the coefficients of one predictor, by the elimination that point estimates use too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.linalg import AbstractBlock, NotPositiveDefinite, RowBlocks, arranged, factorise_identity_plus
from bayesml.linalg.nesting import chain_of_factors

__all__ = ["NormalEquations"]


@final
@dataclass(frozen=True)
class NormalEquations:
    """The matrix ``A'WA + P`` of one predictor: A has the columns of its coefficients, P is their prior precision.

    Coefficients of a block are tables ``(vectors, entries)``.

    Attributes:
        blocks: the columns.
        rows: how they are arranged.
    """

    blocks: tuple[AbstractBlock, ...]
    rows: RowBlocks

    @classmethod
    def of(cls, blocks: Sequence[AbstractBlock]) -> NormalEquations:
        """Arrange the columns of a predictor."""
        counts, codes = [block.n_levels for block in blocks], [block.codes for block in blocks]
        return cls(tuple(blocks), arranged(blocks, counts, codes, chain_of_factors(blocks), reused=False))

    def sums(self, values: np.ndarray) -> list[np.ndarray]:
        """Return ``A'v`` of values v ``(rows,)``, for each block."""
        pairs = enumerate(self.blocks)
        return [self.rows.sums(i, block.Z.T, values).reshape(block.q, block.n_levels).T for i, block in pairs]

    def solve(
        self, weights: np.ndarray, factors: Sequence[np.ndarray], right: Sequence[np.ndarray]
    ) -> list[np.ndarray]:
        """Return ``(A'WA + P)^-1 right``.

        With ``P^-1 = Lambda Lambda'`` it is ``Lambda (I + Lambda'A'WA Lambda)^-1 Lambda' right``, which needs no
        inverse of Lambda.

        Args:
            weights: ``(rows,)`` the diagonal of W.
            factors: ``(entries, entries)`` Lambda of the vectors of each block.
            right: for each block.

        Raises:
            ArithmeticError: neither rows nor priors determine the coefficients.
        """
        columns = [block.scaled(block.Z, factor) for block, factor in zip(self.blocks, factors, strict=True)]
        scaled = [(given @ factor).T.ravel() for given, factor in zip(right, factors, strict=True)]
        try:
            matrix = factorise_identity_plus(self.rows.form(columns, weights=weights))
        except NotPositiveDefinite:
            raise ArithmeticError("neither the rows nor the priors determine all coefficients") from None
        solved = matrix.solve(np.concatenate(scaled))
        parts = (solved[place] for place in self.rows.arrow.slices)
        return [
            part.reshape(block.q, block.n_levels).T @ factor.T
            for part, block, factor in zip(parts, self.blocks, factors, strict=True)
        ]
