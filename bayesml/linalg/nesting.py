"""Which grouping factors are nested in which, and which can be eliminated without fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bayesml.linalg.blocks import AbstractBlock

__all__ = ["Factor", "LevelOrder", "chain_of_factors", "elimination_chain", "level_orders", "parents"]


class Factor(Protocol):
    """A grouping factor with its effects."""

    @property
    def codes(self) -> np.ndarray:
        """Level of each row, ``(n,)``."""

    @property
    def n_levels(self) -> int:
        """Number of levels."""

    @property
    def q(self) -> int:
        """Effects of each level."""


@dataclass(frozen=True)
class LevelOrder:
    """The levels of a factor that have rows, in the order in which they are stored; all vectors of any other block.

    Attributes:
        levels: ``(J,)`` the block's own number of the vector at each stored place.
        codes: ``(n,)`` stored place of each row; of a block that is no factor as it was.
    """

    levels: np.ndarray
    codes: np.ndarray


def parents(child: np.ndarray, parent: np.ndarray, n_levels: int) -> np.ndarray | None:
    """Return the one ``parent`` level of each of the ``n_levels`` child levels, or None where the factors cross."""
    lookup = np.zeros(n_levels, dtype=np.intp)
    lookup[child] = parent
    return lookup if np.array_equal(lookup[child], parent) else None


def elimination_chain(groups: Sequence[Factor]) -> tuple[int, ...]:
    """Return the chain of factors, each nested in the next, with the most coefficients; the leaf comes first.

    Eliminating such a chain from the leaf upwards keeps every factor in it block-diagonal, so its cost is the sum
    of the levels; all other factors form the dense tail.
    """
    order = sorted(range(len(groups)), key=lambda i: (-groups[i].n_levels, -groups[i].q, i))
    best: dict[int, tuple[int, tuple[int, ...]]] = {}
    for place in reversed(range(len(order))):
        i = order[place]
        weight, chain = 0, tuple[int, ...]()
        for j in order[place + 1 :]:
            better = best[j][0] > weight
            if better and parents(groups[i].codes, groups[j].codes, groups[i].n_levels) is not None:
                weight, chain = best[j]
        best[i] = weight + groups[i].q * groups[i].n_levels, (i, *chain)
    return max((best[i] for i in order), key=lambda entry: entry[0], default=(0, ()))[1]


def chain_of_factors(blocks: Sequence[AbstractBlock]) -> tuple[int, ...]:
    """Return the `elimination_chain` of the blocks that belong to factors; all others go to the tail."""
    factors = [i for i, block in enumerate(blocks) if block.is_factor]
    return tuple(factors[i] for i in elimination_chain([blocks[i] for i in factors]))


def level_orders(groups: Sequence[AbstractBlock], chain: Sequence[int]) -> tuple[LevelOrder, ...]:
    """Order the levels of every factor so that the children of a level of the chain are contiguous."""
    orders: dict[int, LevelOrder] = {}
    above: LevelOrder | None = None
    for i in reversed(chain):
        orders[i] = above = _order(groups[i], above)
    return tuple(orders[i] if i in orders else _order(group, None) for i, group in enumerate(groups))


def _order(group: AbstractBlock, above: LevelOrder | None) -> LevelOrder:
    if not group.is_factor:
        return LevelOrder(np.arange(group.n_levels), group.codes)
    levels = np.flatnonzero(np.bincount(group.codes, minlength=group.n_levels))
    if above is not None:
        parent = np.zeros(group.n_levels, dtype=np.intp)
        parent[group.codes] = above.codes
        levels = levels[np.argsort(parent[levels], kind="stable")]
    if len(levels) == group.n_levels and (above is None or np.all(np.diff(levels) > 0)):
        return LevelOrder(levels, np.ascontiguousarray(group.codes, dtype=np.intp))
    place = np.zeros(group.n_levels, dtype=np.intp)
    place[levels] = np.arange(len(levels))
    return LevelOrder(levels, place[group.codes])
