"""Sums over the rows, formed once in float64: all that the collapsed density ever sees of the data.

The blocks of coefficients are arranged as in `bayesml.linalg`: a chain of nested factors, the *leaf* first, each of
which stays block-diagonal when it is eliminated, and a dense *tail* of all other factors and of the blocks that every
row touches (the coefficients of splines), followed by the integrated slopes. The leaf is triangularised level by level,
``sqrt(W) Z_j = Q_j R_j``: its level j becomes q rows ``[R_j, Q_j' .]`` and the rest of its rows, orthogonal to them,
join the sums of the later stages. So the marginal covariance of the q rows, ``sigma^2 I + R Sigma R'``, is all there is
to it, sums of squares are added and never subtracted, and nothing is divided by a standard deviation that may be 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, pilot
from bayesml.linalg.nesting import LevelOrder, chain_of_factors, level_orders, parents
from bayesml.terms.gather import level_rows

__all__ = ["Arrangement", "Center", "Stage", "Statistics", "arrange", "statistics"]

Array = Any
NEGLIGIBLE = 1e-10  # a column is dependent within a level if less than this share of its length is left


class Arrangement(NamedTuple):
    """Which block is eliminated when, and how large it is; structure, known before tracing.

    Attributes:
        chain: indices of the nested factors, the leaf first.
        tail: indices of the blocks in the dense tail, those that every row touches last.
        sampled: indices of the factors whose effects stay sampled: their columns are the first of the kept ones.
        levels: number of independent vectors of every block: of a factor its levels, with or without rows.
        sizes: number of coefficients of each of these vectors.
        triangular: whether the leaf is triangularised, which needs one residual standard deviation; if not, its stage
            holds products with Z' like the others.
        ordered: whether levels are sorted by those that hold them, and those without rows left out; else all levels of
            the chain stay in their own order.
    """

    chain: tuple[int, ...]
    tail: tuple[int, ...]
    sampled: tuple[int, ...]
    levels: tuple[int, ...]
    sizes: tuple[int, ...]
    triangular: bool = True
    ordered: bool = True

    @property
    def size(self) -> int:
        """Number of coefficients of all blocks."""
        return sum(levels * size for levels, size in zip(self.levels, self.sizes, strict=True))


class Stage(NamedTuple):
    """One factor of the chain. For the leaf the q rows left of each level, for others the products with Z'.

    Attributes:
        own: ``(q, q, J)`` the triangle R of the leaf; ``Z'WZ`` of the others.
        upper: for each later factor of the chain ``(q, q', J)``.
        design: ``(q, m + p, J)`` with the columns of the tail and of the slopes.
        kept: ``(q, k, J)``.
        response: ``(q, J)``.
        parents: for each later factor of the chain its level that holds each level here, as ``at_rows`` reads it.
        levels: ``(J,)`` the factor's own number of each level.
        multiplicity: ``(J,)`` how many levels a row of the leaf stands for in the log determinant.
    """

    own: Array
    upper: tuple[Array, ...]
    design: Array
    kept: Array
    response: Array
    parents: tuple[dict[str, Any], ...]
    levels: Array
    multiplicity: Array


class Center(NamedTuple):
    """Where the linear coefficients are counted from, and their priors in scaled coordinates b = base + scale * v.

    Attributes:
        kept: ``(k,)`` pilot values of the kept coefficients.
        base: ``(p,)`` pilot values of the slopes.
        scale: ``(p,)`` prior standard deviations; inverse column sizes where flat.
        precision: ``(p,)`` prior precision of v: 1, or 0 where flat.
        shift: ``(p,)`` precision times prior mean of v.
        constant: of the log density.
        count: power of sigma.
    """

    kept: Array
    base: Array
    scale: Array
    precision: Array
    shift: Array
    constant: Array
    count: Array


class Statistics(NamedTuple):
    """All sums: the stages of the chain, and products of the columns [tail, slopes, kept, response] beside the leaf."""

    stages: tuple[Stage, ...]
    corner: Array
    center: Center


def arrange(rows: GaussianRows, largest_only: bool = False, triangular: bool = True) -> Arrangement:
    """Decide the order of elimination: the chain of nested factors with the most coefficients, then all other blocks.

    Args:
        rows: the model.
        largest_only: leave the effects of all factors outside the chain sampled; other blocks are integrated out.
        triangular: whether there is one residual standard deviation.
    """
    blocks = rows.blocks
    chain = chain_of_factors(blocks)
    factors = (i for i, block in enumerate(blocks) if block.is_factor and i not in chain)
    crossed = tuple(sorted(factors, key=lambda i: -blocks[i].n_levels * blocks[i].q))
    dense = tuple(i for i, block in enumerate(blocks) if not block.is_factor)
    tail, sampled = (dense, crossed) if largest_only else ((*crossed, *dense), ())
    levels, sizes = tuple(b.n_levels for b in blocks), tuple(b.q for b in blocks)
    return Arrangement(chain, tail, sampled, levels, sizes, triangular)


def statistics(rows: GaussianRows, arrangement: Arrangement, start: np.ndarray | None = None) -> Statistics:
    """Sum up the rows; ``start`` is where the linear coefficients are counted from, by default their `pilot`."""
    start = pilot(rows) if start is None else start
    k = rows.kept.shape[1]
    center = _center(rows, start[:k], start[k:])
    root = np.sqrt(rows.weights)
    residual = rows.y - rows.kept @ start[:k] - rows.design @ start[k:]
    dense = [rows.blocks[i].Z for i in arrangement.tail if not rows.blocks[i].is_factor]
    design = [*dense, rows.design * center.scale]
    narrow = np.ascontiguousarray(np.column_stack([*design, rows.kept, residual]).T) * root
    columns = [np.ascontiguousarray(block.Z.T) * root for block in rows.blocks]
    tail = [
        TailColumn(rows.blocks[i].codes, z, rows.blocks[i].n_levels)
        for i in (*arrangement.tail, *arrangement.sampled)
        if rows.blocks[i].is_factor
        for z in columns[i]
    ]
    if not arrangement.chain:
        return Statistics((), narrow @ narrow.T, center)
    stages, explained = _stages(rows, arrangement, columns, (tail, narrow))
    sampled = sum(arrangement.levels[i] * arrangement.sizes[i] for i in arrangement.sampled)
    before = sum(column.n_levels for column in tail) - sampled
    return _split(stages, _corner(tail, narrow, explained), center, (before, sampled))


def _split(stages: Sequence[WideStage], corner: np.ndarray, center: Center, sampled: tuple[int, int]) -> Statistics:
    """Tell the columns that are integrated out from those that are not.

    They come as [crossed factors, sampled factors, blocks that every row touches, slopes, kept, response].

    Args:
        stages: of the chain.
        corner: products beside the leaf.
        center: where the coefficients are counted from.
        sampled: the first column of the sampled factors, and how many they have.
    """
    first, stop, last = sampled[0], sum(sampled), len(corner) - 1 - len(center.kept)
    places = np.arange(len(corner))
    design = np.concatenate([places[:first], places[stop:last]])
    kept = np.concatenate([places[first:stop], places[last:-1]])
    order = np.concatenate([design, kept, places[-1:]])
    sorted_stages = tuple(
        Stage(
            wide.own,
            wide.upper,
            wide.right[:, design],
            wide.right[:, kept],
            wide.right[:, -1],
            wide.parents,
            wide.levels,
            np.ones(len(wide.levels)),
        )
        for wide in stages
    )
    center = center._replace(kept=np.concatenate([np.zeros(sampled[1]), center.kept]))
    return Statistics(sorted_stages, corner[np.ix_(order, order)], center)


def _center(rows: GaussianRows, kept: np.ndarray, base: np.ndarray) -> Center:
    flat = ~np.isfinite(rows.slopes.sd)
    size = np.sqrt((rows.design**2).mean(axis=0)) if len(rows.design) else np.ones(rows.design.shape[1])
    scale = np.where(flat, 1.0 / np.where(size > 0, size, 1.0), rows.slopes.sd)
    shift = np.where(flat, 0.0, (rows.slopes.mean - base) / scale)
    # A flat prior is 1 for each unit of b = base + scale v, and integrating v leaves (2 pi)^(1/2). What stays sampled
    # has its prior elsewhere, and the size of its units here.
    log_scale = np.log(scale)
    constants = np.where(flat, log_scale + 0.5 * np.log(2.0 * np.pi), -0.5 * shift**2)
    integrated = len(scale) - rows.standardised
    constant = rows.constant + constants[:integrated].sum() + log_scale[integrated:].sum()
    return Center(kept, base, scale, np.where(flat, 0.0, 1.0), shift, np.float64(constant), np.float64(rows.count))


@final
@dataclass(frozen=True)
class TailColumn:
    """The columns of one coefficient of one factor of the tail: one for each level, ``values`` where ``codes`` says."""

    codes: np.ndarray
    values: np.ndarray
    n_levels: int

    def sums(self, column: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
        """Return the products with ``column`` by own level and by ``codes``, ``(n_levels, size)``."""
        key = self.codes * size + codes
        return np.bincount(key, self.values * column, minlength=self.n_levels * size).reshape(self.n_levels, size)


def _corner(tail: Sequence[TailColumn], narrow: np.ndarray, explained: np.ndarray) -> np.ndarray:
    """Products of tail and narrow columns, those of the latter already freed of the leaf."""
    if not tail:
        return narrow @ narrow.T
    own = np.block([[_pair(left, right) for right in tail] for left in tail]) - explained
    none = np.zeros(narrow.shape[1], np.intp)
    beside = np.concatenate([np.column_stack([t.sums(c, none, 1) for c in narrow]) for t in tail])
    return np.block([[own, beside], [beside.T, narrow @ narrow.T]])


def _pair(left: TailColumn, right: TailColumn) -> np.ndarray:
    return left.sums(right.values, right.codes, right.n_levels)


Wide = tuple[Sequence[TailColumn], np.ndarray]


class WideStage(NamedTuple):
    """A stage whose columns ``right`` are not yet told apart."""

    own: np.ndarray
    upper: tuple[np.ndarray, ...]
    right: np.ndarray
    parents: tuple[dict[str, Any], ...]
    levels: np.ndarray


def _stages(
    rows: GaussianRows, arrangement: Arrangement, columns: Sequence[np.ndarray], right: Wide
) -> tuple[tuple[WideStage, ...], np.ndarray]:
    """Return the stages and what the leaf explains of the products of the tail; frees ``right[1]`` of the leaf."""
    if arrangement.ordered:
        orders = level_orders(rows.blocks, arrangement.chain)
        ordered = [orders[i] for i in arrangement.chain]
    else:
        ordered = [LevelOrder(np.arange(rows.blocks[i].n_levels), rows.blocks[i].codes) for i in arrangement.chain]
    own = [columns[i].copy() for i in arrangement.chain]
    stages, explained = [], np.zeros(())
    if arrangement.triangular:
        triangle, upper, sides = _triangularise(own[0], ordered[0].codes, len(ordered[0].levels), own[1:], right)
        m = sides.shape[1] - len(right[1])
        flat = sides[:, :m].swapaxes(0, 1).reshape(m, sides.shape[0] * sides.shape[2])
        explained = flat @ flat.T
        stages.append(_stage(triangle, upper, sides, ordered))
    for place in range(len(stages), len(own)):
        codes, size = ordered[place].codes, len(ordered[place].levels)
        products = [_products(own[place], side, codes, size) for side in own[place:]]
        stages.append(_stage(products[0], products[1:], _sides(own[place], right, codes, size), ordered[place:]))
    return tuple(stages), explained


def _triangularise(
    own: np.ndarray, codes: np.ndarray, size: int, later: Sequence[np.ndarray], right: Wide
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Modified Gram-Schmidt within each level: R, Q'later and Q'right; what is orthogonal to Q is left in place."""
    q, basis = len(own), own.copy()
    length = np.sqrt(_squares(own, codes, size))
    triangle, unit = np.zeros((q, q, size)), np.empty_like(own)
    rest = [np.zeros((q, len(columns), size)) for columns in (*later, right[1])]
    for a in range(q):
        norm = np.sqrt(np.bincount(codes, basis[a] ** 2, minlength=size))
        triangle[a, a] = norm = np.where(norm > NEGLIGIBLE * length[a], norm, 0.0)
        unit[a] = basis[a] * np.divide(1.0, norm, out=np.zeros(size), where=norm > 0)[codes]
        triangle[a, a + 1 :] = [_take_out(unit[a], column, codes, size) for column in basis[a + 1 :]] or 0.0
        for columns, target in zip((*later, right[1]), rest, strict=True):
            target[a] = [_take_out(unit[a], column, codes, size) for column in columns]
    tail = [[t.sums(u, codes, size) for t in right[0]] for u in unit]
    wide = np.stack([np.concatenate([*parts, side]) for parts, side in zip(tail, rest[-1], strict=True)])
    return triangle, rest[:-1], wide


def _squares(columns: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    return np.array([np.bincount(codes, column**2, minlength=size) for column in columns])


def _take_out(unit: np.ndarray, column: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    """Return the component of ``column`` along ``unit`` in each level, and leave the rest of it in place."""
    along = np.bincount(codes, unit * column, minlength=size)
    column -= unit * along[codes]
    return along


def _sides(left: np.ndarray, right: Wide, codes: np.ndarray, size: int) -> np.ndarray:
    tail = [np.concatenate([t.sums(column, codes, size) for t in right[0]] or [np.zeros((0, size))]) for column in left]
    return np.concatenate([np.stack(tail), _products(left, right[1], codes, size)], axis=1)


def _products(left: np.ndarray, right: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    """Return sums of products by level, ``(q, c, size)``."""
    return np.array([[np.bincount(codes, a * b, minlength=size) for b in right] for a in left])


def _stage(own: np.ndarray, upper: Sequence[np.ndarray], sides: np.ndarray, orders: Sequence[LevelOrder]) -> WideStage:
    here = orders[0]
    found = (parents(here.codes, order.codes, len(here.levels)) for order in orders[1:])
    # the chain was chosen so that there always is a parent
    above = tuple(_table(p, len(order.levels)) for p, order in zip(found, orders[1:], strict=True) if p is not None)
    return WideStage(own, tuple(upper), sides, above, here.levels)


def _table(parent: np.ndarray, n_parents: int) -> dict[str, Any]:
    return {"index": parent.astype(np.int32), **level_rows(parent, n_parents)}
