"""Factors nested in one another: eliminated from the leaf to the root without fill, at the cost of the levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.blocks import AbstractBlocks, AbstractFactor, Columns, NotPositiveDefinite, split
from bayesml.linalg.levels import apply, contract, crossed, inverse_cholesky
from bayesml.linalg.nesting import parents

__all__ = ["Chain", "ChainFactor", "nested_order", "root_inverse"]


def nested_order(columns: Sequence[Columns]) -> tuple[int, ...] | None:
    """Return the factors from the leaf to the root where each is nested in the next, else None."""
    order = sorted(range(len(columns)), key=lambda i: (-columns[i].n_levels, i))
    for child, parent in zip(order, order[1:], strict=False):
        if parents(columns[child].codes, columns[parent].codes, columns[child].n_levels) is None:
            return None
    return tuple(order)


def root_inverse(matrices: np.ndarray) -> tuple[np.ndarray, float]:
    """Return lower-triangular ``C`` with ``C'C = A^-1`` of each matrix ``(q, q, J)``, and ``sum_j log |A_j|``.

    Raises:
        NotPositiveDefinite: one of them is not.
    """
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        inverse = inverse_cholesky(matrices)
        log_determinant = -2.0 * sum(float(np.log(inverse[k, k]).sum()) for k in range(len(inverse)))
    if not np.isfinite(log_determinant):
        raise NotPositiveDefinite
    return inverse, log_determinant


@final
@dataclass(frozen=True)
class Stage:
    """One eliminated factor: ``inverse`` its own ``A^-1``, ``explained`` is ``A^-1`` times its other columns."""

    root: np.ndarray
    inverse: np.ndarray
    explained: np.ndarray


@final
@dataclass(frozen=True)
class Chain(AbstractBlocks):
    """Nested factors.

    Attributes:
        columns: the factors in the order of the model.
        order: the factors from leaf to root.
        up: for each factor in ``order`` but the last, the level of the next factor that each level belongs to.
    """

    columns: tuple[Columns, ...]
    order: tuple[int, ...]
    up: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, columns: Sequence[Columns], order: Sequence[int]) -> Chain:
        """Build the structure of factors in nested order."""
        up = []
        for child, parent in zip(order, order[1:], strict=False):
            found = parents(columns[child].codes, columns[parent].codes, columns[child].n_levels)
            assert found is not None  # the order was chosen so
            up.append(found)
        return cls(tuple(columns), tuple(order), tuple(up))

    def factorise(self, weights: np.ndarray, rows: Sequence[np.ndarray]) -> ChainFactor:
        """Eliminate the factors from leaf to root."""
        stacked = np.concatenate([rows[i] for i in self.order]) if self.order else np.empty((0, len(weights)))
        stages, log_determinant = [], 0.0
        products = self._leaf_products(weights, stacked)
        for place, i in enumerate(self.order):
            q = len(self.columns[i].Z)
            own = products[:q, :q].copy()
            own[np.arange(q), np.arange(q)] += 1.0
            root, part = root_inverse(own)
            inverse = crossed(root, root)
            explained = apply(inverse, products[:q, q:])
            stages.append(Stage(root, inverse, explained))
            log_determinant += part
            if place < len(self.up):
                rest = products[q:, q:] - crossed(products[:q, q:], explained)
                products = _sum_children(rest, self.up[place], self.columns[self.order[place + 1]].n_levels)
        return ChainFactor(self, stacked, tuple(stages), log_determinant)

    def _leaf_products(self, weights: np.ndarray, stacked: np.ndarray) -> np.ndarray:
        if not self.order:
            return np.empty((0, 0, 0))
        leaf = self.columns[self.order[0]]
        products = np.empty((len(stacked), len(stacked), leaf.n_levels))
        for a, first in enumerate(stacked):
            weighted = weights * first
            for b in range(a + 1):
                products[a, b] = products[b, a] = np.bincount(leaf.codes, weighted * stacked[b], leaf.n_levels)
        return products


@final
@dataclass(frozen=True)
class ChainFactor(AbstractFactor):
    """A factorised chain.

    Attributes:
        chain: the structure.
        stacked: ``(sum q, n)`` the rows of all factors in elimination order.
        stages: one per factor.
        total: ``log |K|``.
    """

    chain: Chain
    stacked: np.ndarray
    stages: tuple[Stage, ...]
    total: float

    @property
    def log_determinant(self) -> float:
        """``log |K|``."""
        return self.total

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return ``K^-1 right``."""
        if right.ndim == 2:
            return np.stack([self.solve(column) for column in right.T], axis=1)
        result = np.empty(len(right))
        given, wanted = split(self.chain.columns, right), split(self.chain.columns, result)
        reduced = self._forward(given)
        above = np.empty((0, 0))
        for place in reversed(range(len(self.stages))):
            i, stage = self.chain.order[place], self.stages[place]
            own = apply(stage.inverse, reduced[place][:, None])[:, 0]
            if place < len(self.chain.up):
                above = above[:, self.chain.up[place]]
                own = own - apply(stage.explained, above[:, None])[:, 0]
                above = np.concatenate([own, above])
            else:
                above = own
            wanted[i][:] = own
        return result

    def _forward(self, given: Sequence[np.ndarray]) -> list[np.ndarray]:
        reduced = []
        carry = np.zeros((len(self.stacked), 0))
        for place, stage in enumerate(self.stages):
            i = self.chain.order[place]
            q = len(stage.inverse)
            own = given[i] if not place else given[i] - carry[:q]
            reduced.append(own)
            if place < len(self.chain.up):
                passed = crossed(stage.explained, own[:, None])[:, 0]
                passed = passed if not place else passed + carry[q:]
                size = self.chain.columns[self.chain.order[place + 1]].n_levels
                carry = _sum_children(passed, self.chain.up[place], size)
        return reduced

    @cached_property
    def inverse_blocks(self) -> tuple[np.ndarray, ...]:
        """For each factor in elimination order, ``K^-1`` at its levels and their ancestors, ``(Q, Q, levels)``."""
        blocks: list[np.ndarray] = []
        for place in reversed(range(len(self.stages))):
            stage = self.stages[place]
            if not blocks:
                blocks.append(stage.inverse)
                continue
            above = blocks[-1][:, :, self.chain.up[place]]
            off = -apply(stage.explained, above)
            own = stage.inverse - contract(off, stage.explained)
            upper, lower = np.concatenate([own, off], axis=1), np.concatenate([off.swapaxes(0, 1), above], axis=1)
            blocks.append(np.concatenate([upper, lower]))
        return tuple(reversed(blocks))

    def row_solutions(self) -> tuple[np.ndarray, ...]:
        """Return ``K^-1 m_i`` at the levels of each row."""
        out: list[np.ndarray] = [np.empty(0)] * len(self.stages)
        if not self.stages:
            return ()
        codes = self.chain.columns[self.chain.order[0]].codes
        solved = solutions_of_rows(self.inverse_blocks[0], codes, self.stacked)
        start = 0
        for i, stage in zip(self.chain.order, self.stages, strict=True):
            q = len(stage.inverse)
            out[i] = solved[start : start + q]
            start += q
        return tuple(out)

    def level_blocks(self) -> tuple[np.ndarray, ...]:
        """Return the diagonal blocks of ``K^-1``."""
        out: list[np.ndarray] = [np.empty(0)] * len(self.stages)
        for i, stage, block in zip(self.chain.order, self.stages, self.inverse_blocks, strict=True):
            q = len(stage.inverse)
            out[i] = block[:q, :q]
        return tuple(out)


def solutions_of_rows(blocks: np.ndarray, codes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Multiply each row's vector ``(q, n)`` by the matrix ``(q, q, levels)`` of its level."""
    if len(rows) == 1:
        return blocks[0][:, codes] * rows
    return np.stack([sum(part[b][codes] * rows[b] for b in range(len(rows))) for part in blocks])


def _sum_children(values: np.ndarray, up: np.ndarray, size: int) -> np.ndarray:
    """Sum ``(..., children)`` over the children of each parent."""
    flat = values.reshape(-1, values.shape[-1])
    sums = np.stack([np.bincount(up, row, size) for row in flat]) if len(flat) else np.empty((0, size))
    return sums.reshape(*values.shape[:-1], size)
