"""Which effects make the blocks of the Hessian: those of the largest factor, and of the factors that it is nested in.

Given everything else, the effects of two levels of a factor are independent. Where the levels of that factor are nested
in those of another, the same holds of the other factor once the effects of the first are eliminated: each level has one
parent there, so that eliminating it changes what is known of this parent alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from jax import numpy as jnp

from bayesml.engines.base import Problem
from bayesml.engines.layout import Layout
from bayesml.engines.nuts.forms.preconditioned.linked import sampled_blocks
from bayesml.linalg.nesting import elimination_chain, parents
from bayesml.response_terms.residuals.grid import BY_SERIES
from bayesml.terms import SampledBlock

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Position

__all__ = ["Blocks", "apart_blocks", "block_chain", "in_layout", "nested_factors", "turned_block"]

LARGEST_TAIL = 100
"""Most effects beside the chain, of crossed factors and smooths, that are factored densely at each gradient."""
LEAST_DENSE = 40
"""Fewest coefficients of a block without levels of rows that stand in for a factor."""
SMALLEST_PARENT = 16
"""Fewest effects of a factor that holds others for which elimination by blocks is worth its operations."""


@final
@dataclass(frozen=True)
class Blocks:
    """Where the effects of one factor lie in the layout's flat vector.

    Attributes:
        levels: number of levels.
        segments: start and stop of each table of effects ``(columns, levels)``, in order.
    """

    levels: int
    segments: tuple[tuple[int, int], ...]

    @property
    def width(self) -> int:
        """Effects of each level."""
        return sum(stop - start for start, stop in self.segments) // self.levels

    @property
    def size(self) -> int:
        """Number of effects."""
        return self.levels * self.width

    def tables(self, effects: Float[Array, "levels width"]) -> Iterator[tuple[int, int, Float[Array, " effects"]]]:
        """Yield start, stop and content of each segment for effects ``(levels, width)``."""
        column = 0
        for start, stop in self.segments:
            columns = (stop - start) // self.levels
            yield start, stop, effects[:, column : column + columns].T.reshape(-1)
            column += columns

    def taken(self, flat: np.ndarray) -> np.ndarray:
        """Return the effects ``(levels, width)`` from the layout's flat vector."""
        return np.concatenate([flat[start:stop].reshape(-1, self.levels).T for start, stop in self.segments], axis=1)


def in_layout(chain: Sequence[Blocks], effects: Sequence[Float[Array, "_ _"]], rest: Float[Array, " rest"]) -> Position:
    """Return the layout's flat vector of the effects of each factor and of all else, by slices alone.

    A gather by a permutation would do the same, but its gradient is a scatter.
    """
    tables = sorted(
        (table for blocks, part in zip(chain, effects, strict=True) for table in blocks.tables(part)),
        key=lambda table: table[0],
    )
    parts, at, used = [], 0, 0
    for start, stop, content in tables:
        parts += [rest[used : used + start - at], content]
        at, used = stop, used + start - at
    return jnp.concatenate([*parts, rest[used:]])


@final
@dataclass(frozen=True)
class _Factor:
    """One grouping factor with its effects in all predictors, the level of each row, and whether it is none."""

    blocks: tuple[SampledBlock, ...]
    codes: np.ndarray
    is_apart: bool

    @property
    def name(self) -> str:
        return self.blocks[0].factor

    @property
    def n_levels(self) -> int:
        field = self.blocks[0].field
        return self.blocks[0].vectors if field is None else field.count

    @property
    def q(self) -> int:
        field = self.blocks[0].field
        return sum(block.q for block in self.blocks) if field is None else field.size // field.count

    @property
    def size(self) -> int:
        return self.n_levels * self.q


def turned_block(blocks: Sequence[SampledBlock]) -> int | None:
    """Return the block whose coefficients can be rotated, see ``gaussian.rotation``: without factors beside it."""
    found = _alike(blocks)
    alone = len(found) == 1 and not any(block.is_factor for block in blocks)
    return found[0] if alone and len(blocks[found[0]].predictors) == 1 else None


def apart_blocks(blocks: Sequence[SampledBlock]) -> tuple[int, ...]:
    """Return the blocks that stand beside factors and are rotated for themselves, see ``gaussian.rotation``.

    Their vectors are too many to be factored as a dense matrix at each gradient.
    """
    if turned_block(blocks) is not None:
        return ()
    return tuple(i for i in _alike(blocks) if blocks[i].size > LARGEST_TAIL and len(blocks[i].predictors) == 1)


def _alike(blocks: Sequence[SampledBlock]) -> list[int]:
    """Return the blocks without levels of rows whose coefficients have one standard deviation."""
    single = [i for i, b in enumerate(blocks) if b.spread is not None and b.q == 1 and b.shape is None]
    return [i for i in single if blocks[i].field is None]


def nested_factors(problem: Problem) -> tuple[_Factor, ...]:
    """Return the chain of nested factors with the most effects, the innermost first.

    Coordinates of many areas, of blocks that are rotated for themselves and of blocks that a dense matrix scales
    (places of a process, levels with known covariances) are independent already: those of one block stand in for a
    factor where no factor has more effects.
    """
    factors = sorted(_factors(problem), key=lambda factor: -factor.size)
    if factors and factors[0].is_apart:
        return tuple(factors[:1])
    factors = [factor for factor in factors if not factor.is_apart]
    together = _dependent_rows(problem)
    if together is not None:  # the levels of a factor are independent where rows that are not lie in one of them
        factors = [f for f in factors if parents(together, f.codes, int(together.max()) + 1) is not None]
    large = [factor for i, factor in enumerate(factors) if i == 0 or factor.size >= SMALLEST_PARENT]
    return tuple(large[i] for i in elimination_chain(large)) if large else ()


def _factors(problem: Problem) -> list[_Factor]:
    """Return the factors; a block that is rotated stands in for one where there is none."""
    by_name: dict[str, list[SampledBlock]] = {}
    every = sampled_blocks(problem)
    for block in every:
        if block.is_factor:
            by_name.setdefault(block.factor, []).append(block)
        elif block.field is not None:
            by_name[block.site] = [block]
    turned = turned_block(every)
    dense = [b for b in every if not b.is_factor and b.field is None and b.size >= LEAST_DENSE]
    by_name |= {block.site: [block] for block in dense if turned is None or block is not every[turned]}
    if turned is not None:
        by_name[every[turned].factor] = [every[turned]]
    arrays = problem.design.arrays
    return [
        _Factor(tuple(blocks), blocks[0].codes(blocks[0].predictors[0], arrays), name == blocks[0].site)
        for name, blocks in by_name.items()
    ]


def _dependent_rows(problem: Problem) -> np.ndarray | None:
    """Return a number that rows share which depend on each other given the predictors; None where none do."""
    if not problem.likelihood.traits.rows_depend:
        return None
    n_rows, table = problem.design.n_rows, problem.design.response.arrays.get(BY_SERIES)
    together = np.zeros(n_rows, np.intp)
    if table is not None:
        for number, rows in enumerate(np.asarray(table).T):
            together[rows[rows < n_rows]] = number
    return together


def _parents(inner: _Factor, outer: _Factor) -> np.ndarray:
    parent_of = parents(inner.codes, outer.codes, inner.n_levels)
    assert parent_of is not None  # nested is transitive, and the chain was chosen so
    return parent_of


def block_chain(problem: Problem, layout: Layout) -> tuple[tuple[Blocks, ...], tuple[tuple[np.ndarray, ...], ...]]:
    """Return the blocks of the chain, the innermost first, and for each the parents of its levels in all later ones."""
    chain = nested_factors(problem)
    places = dict(zip((site.name for site in layout.sites), layout.slices(), strict=True))
    blocks = []
    for factor in chain:
        segments = (places[block.site] for block in factor.blocks)
        blocks.append(Blocks(factor.n_levels, tuple(sorted((place.start, place.stop) for place in segments))))
    above = tuple(tuple(_parents(inner, outer) for outer in chain[i + 1 :]) for i, inner in enumerate(chain))
    return tuple(blocks), above
