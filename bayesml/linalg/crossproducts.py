"""All inner products that a Gaussian mixed model needs, formed once in O(n)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.linalg.arrow import ArrowMatrix
from bayesml.linalg.blocks import AbstractBlock
from bayesml.linalg.fixed_effects import FixedEffects, orthogonalise
from bayesml.linalg.nesting import LevelOrder, chain_of_factors, level_orders
from bayesml.linalg.row_blocks import RowBlocks, arranged

__all__ = ["CrossProducts", "Rows", "cross_products", "with_response"]


@final
@dataclass(frozen=True)
class CrossProducts:
    """``[Z X y]' W [Z X y]`` in blocks, in scaled coordinates, as plain arrays.

    The columns of Z are replaced by ``Z T^-1``, orthonormal over the rows within each correlated block (``bases`` T);
    X is replaced by an orthonormal basis ``Q`` (``fixed``), y by its residual ``y - offset - Q shift``, so that nothing
    cancels. T is lower triangular, so ``T Lambda`` has the shape of Lambda.

    Attributes:
        n: number of rows.
        matrix: the products; its ends are the columns of Q, then the response.
        bases: for each factor the lower-triangular ``(q, q)`` T.
        fixed: ``X = Q R`` and what was dropped.
        shift: ``(p,)`` least-squares coefficients of the response on Q.
        log_weights: sum of the logarithms of the weights.
    """

    n: int
    matrix: ArrowMatrix
    bases: tuple[np.ndarray, ...]
    fixed: FixedEffects
    shift: np.ndarray
    log_weights: float

    @property
    def p(self) -> int:
        """Rank of the fixed effects."""
        return len(self.shift)

    @property
    def counts(self) -> tuple[int, ...]:
        """Number of vectors of effects of each block that have one covariance matrix: of a factor its levels."""
        shapes = self.matrix.arrow.shapes
        return tuple(shapes[i][0] * shapes[i][1] // len(T) for i, T in enumerate(self.bases))


@final
@dataclass(frozen=True)
class Rows:
    """The row-wise arrays behind the cross-products, kept to replace the response and to map results back to rows.

    Attributes:
        blocks: which coefficients each row touches.
        orders: levels and codes of each factor.
        columns: for each factor ``(q, n)`` orthonormal columns ``Z T^-1`` times the root weights.
        W: ``(p + 1, n)`` rows of Q then the response residual, times the root weights.
        root_weights: ``(n,)`` or None.
    """

    blocks: RowBlocks
    orders: tuple[LevelOrder, ...]
    columns: tuple[np.ndarray, ...]
    W: np.ndarray
    root_weights: np.ndarray | None


def cross_products(
    groups: Sequence[AbstractBlock], X: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None
) -> tuple[CrossProducts, Rows]:
    """Form the cross-products of a mixed model, and the row-wise arrays they came from.

    Args:
        groups: grouping factors and other blocks of random effects.
        X: ``(n, p)`` fixed-effects columns, of any rank.
        y: ``(n,)`` response, offset already subtracted.
        weights: ``(n,)`` positive precision weights.

    Raises:
        ModelError: the crossed factors need matrices that are too large.
    """
    root = None if weights is None else np.sqrt(weights)
    basis, fixed = orthogonalise(X, root)
    weighted_y = y if root is None else y * root
    shift = np.linalg.solve(basis.T @ basis, basis.T @ weighted_y)
    W = np.concatenate([basis.T, (weighted_y - basis @ shift)[None]])
    chain = chain_of_factors(groups)
    orders = level_orders(groups, chain)
    weighted = [group.Z if root is None else group.Z * root[:, None] for group in groups]
    pairs = [group.standardised(Z) for Z, group in zip(weighted, groups, strict=True)]
    columns, bases = tuple(Q for Q, _ in pairs), tuple(T for _, T in pairs)
    counts, codes = [len(order.levels) for order in orders], [order.codes for order in orders]
    blocks = arranged(groups, counts, codes, chain, reused=True)
    log_weights = 0.0 if weights is None else float(np.log(weights).sum())
    products = CrossProducts(len(y), blocks.form(columns, W), bases, fixed, shift, log_weights)
    return products, Rows(blocks, orders, columns, W, root)


def with_response(products: CrossProducts, rows: Rows, y: np.ndarray) -> tuple[CrossProducts, Rows]:
    """Return the same cross-products for another response; only its column is formed anew."""
    weighted_y = y if rows.root_weights is None else y * rows.root_weights
    basis, arrow = rows.W[:-1], products.matrix.arrow
    shift = np.linalg.solve(basis @ basis.T, basis @ weighted_y)
    residual = weighted_y - shift @ basis
    faces = [face.copy() for face in products.matrix.faces]
    for stage, face in zip(arrow.stages, faces, strict=True):
        face[:, -1] = rows.blocks.sums(stage.block, rows.columns[stage.block], residual)
    corner = products.matrix.corner.copy()
    tail = [rows.blocks.sums(part.block, rows.columns[part.block], residual).ravel() for part in arrow.tail]
    last = np.concatenate([*tail, basis @ residual, [residual @ residual]])
    corner[-1], corner[:, -1] = last, last
    matrix = replace(products.matrix, faces=tuple(faces), corner=corner)
    return replace(products, matrix=matrix, shift=shift), replace(rows, W=np.concatenate([basis, residual[None]]))
