"""Sums over the rows, formed once in float64: all that the collapsed density uses of the data.

The blocks of coefficients are arranged as in `bayesml.linalg`: a chain of nested factors, the *leaf* first, each of
which stays block-diagonal when it is eliminated, and a dense *tail* of all other factors and of the blocks that every
row touches (the coefficients of splines), followed by the integrated slopes. The leaf is triangularised level by level,
``sqrt(W) Z_j = Q_j R_j``: its level j becomes q rows ``[R_j, Q_j' .]`` and the rest of its rows, orthogonal to them,
join the sums of the later stages. So the marginal covariance of the q rows, ``sigma^2 I + R Sigma R'``, is all there is
to it, sums of squares are added and never subtracted, and nothing is divided by a standard deviation that may be 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows, pilot
from bayesml.linalg import RowBlocks
from bayesml.linalg.arrow import BlockArrow
from bayesml.linalg.nesting import LevelOrder, chain_of_factors, level_orders
from bayesml.terms.gather import level_rows

if TYPE_CHECKING:
    from jaxtyping import ArrayLike, Float, Int

    from bayesml.engines.nuts.forms.gaussian.shapes import Effects, Kept, Slopes
    from bayesml.shapes import DataArrays, Scalar

__all__ = ["Arrangement", "Center", "Stage", "Statistics", "arrange", "dense_products", "statistics"]

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
        diagonal: ``(q, q, J)`` the triangle R of the leaf; ``Z'WZ`` of the others.
        upper: for each later factor of the chain ``(q, q', J)``.
        design: ``(q, m + p, J)`` with the columns of the tail and of the slopes.
        kept: ``(q, k, J)``.
        response: ``(q, J)``.
        parents: for each later factor of the chain its level that holds each level here, as ``at_rows`` reads it.
        levels: ``(J,)`` the factor's own number of each level.
        multiplicity: ``(J,)`` how many levels a row of the leaf stands for in the log determinant.
    """

    diagonal: Float[ArrayLike, "q q levels"]
    upper: tuple[Float[ArrayLike, "q _ levels"], ...]
    design: Float[ArrayLike, "q width levels"]
    kept: Float[ArrayLike, "q kept levels"]
    response: Effects
    parents: tuple[DataArrays, ...]
    levels: Int[ArrayLike, " levels"]
    multiplicity: Float[ArrayLike, " levels"]


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

    kept: Kept
    base: Slopes
    scale: Slopes
    precision: Slopes
    shift: Slopes
    constant: Scalar
    count: Scalar


class Statistics(NamedTuple):
    """All sums: the stages of the chain, and products of the columns [tail, slopes, kept, response] beside the leaf."""

    stages: tuple[Stage, ...]
    corner: Float[ArrayLike, "columns columns"]
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
    wide = np.column_stack([*dense, rows.design * center.scale, rows.kept, residual]).T
    columns = {i: np.ascontiguousarray(block.Z.T) * root for i, block in enumerate(rows.blocks) if block.is_factor}
    factors = [i for i in (*arrangement.chain, *arrangement.tail, *arrangement.sampled) if i in columns]
    orders = _orders(rows, arrangement)
    shapes = [(rows.blocks[i].q, len(orders[i].levels)) for i in factors]
    codes = tuple(orders[i].codes for i in factors)
    blocks = RowBlocks(BlockArrow.of(shapes, codes, range(len(arrangement.chain))), codes, None, reused=False)
    faces, corner = _products(
        blocks, [columns[i] for i in factors], np.ascontiguousarray(wide) * root, arrangement.triangular
    )
    places = {factors[part.block]: range(part.rows.start, part.rows.stop) for part in blocks.arrow.tail}
    levels = [orders[i].levels for i in arrangement.chain]
    return _split(blocks.arrow, (faces, corner), levels, center, _sorted(arrangement, places, len(corner), k))


def dense_products(sums: Statistics) -> int:
    """Return about how many multiplications the products of dense matrices take: those that form and factor the corner.

    With d columns in the corner these are ``d^3``, and ``d^2`` for each effect of the chain.
    """
    d = sums.corner.shape[0] - sums.center.kept.shape[0] - 1
    effects = sum(stage.design.shape[0] * stage.design.shape[2] for stage in sums.stages)
    return int(d**2 * (d + effects))


def _orders(rows: GaussianRows, arrangement: Arrangement) -> dict[int, LevelOrder]:
    """Return the order in which the levels of each block are stored; those of crossed factors stay as they are."""
    as_stored = {i: LevelOrder(np.arange(block.n_levels), block.codes) for i, block in enumerate(rows.blocks)}
    if not arrangement.ordered:
        return as_stored
    of_chain = level_orders(rows.blocks, arrangement.chain)
    return as_stored | {i: of_chain[i] for i in arrangement.chain}


def _products(
    blocks: RowBlocks, columns: list[np.ndarray], wide: np.ndarray, triangular: bool
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the faces of the chain and the corner of the products of ``columns`` and ``wide``.

    With a triangular leaf its face is ``[R, Q' .]``, and all later products are of what is orthogonal to Q. The columns
    of the crossed factors, one for each level, are not freed of Q one by one: their products among themselves are
    reduced by those of their ``Q' .``.
    """
    arrow, faces = blocks.arrow, []
    explained = np.zeros(())
    if triangular and arrow.stages:
        leaf, later = arrow.stages[0], len(arrow.stages)
        codes = blocks.codes[0]
        triangle, unit, rest = _triangularise(columns[0], codes, leaf.levels, [*columns[1:later], wide])
        crossed = np.empty((leaf.q, arrow.width, leaf.levels))
        for face, column in zip(crossed, unit, strict=True):
            blocks.fill_tail(face, 0, column, columns)
        flat = crossed.swapaxes(0, 1).reshape(arrow.width, leaf.q * leaf.levels)
        explained = flat @ flat.T
        faces.append(np.concatenate([triangle, *rest[:-1], crossed, rest[-1]], axis=1))
    faces += [blocks.face(place, columns, columns, wide) for place in range(len(faces), len(arrow.stages))]
    corner = blocks.corner(columns, columns, wide)
    corner[: arrow.width, : arrow.width] -= explained
    return faces, corner


def _sorted(arrangement: Arrangement, places: Mapping[int, range], size: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns that are integrated out and those that are not, out of all but those of the chain.

    They come as [crossed factors, blocks that every row touches, slopes, kept, response].

    Args:
        arrangement: of the blocks.
        places: of each crossed factor.
        size: number of columns.
        k: number of the kept ones.
    """
    first = sum(len(place) for place in places.values())
    tail, sampled = (
        [column for i in factors if i in places for column in places[i]]
        for factors in (arrangement.tail, arrangement.sampled)
    )
    return np.array([*tail, *range(first, size - 1 - k)], int), np.array(
        [*sampled, *range(size - 1 - k, size - 1)], int
    )


def _split(
    arrow: BlockArrow,
    products: tuple[list[np.ndarray], np.ndarray],
    levels: list[np.ndarray],
    center: Center,
    columns: tuple[np.ndarray, np.ndarray],
) -> Statistics:
    """Return the stages and the corner with the columns that are integrated out before those that are not."""
    (faces, corner), (design, kept), stages = products, columns, []
    for place, (shape, face) in enumerate(zip(arrow.stages, faces, strict=True)):
        ends = np.cumsum([shape.q, *(later.q for later in arrow.stages[place + 1 :])])
        diagonal, *upper, right = np.split(face, ends, axis=1)
        parents = tuple(_table(above.index, above.size) for above in shape.above)
        parts = right[:, design], right[:, kept], right[:, -1]
        stages.append(Stage(diagonal, tuple(upper), *parts, parents, levels[place], np.ones(shape.levels)))
    order = np.concatenate([design, kept, [len(corner) - 1]])
    center = center._replace(kept=np.concatenate([np.zeros(len(kept) - len(center.kept)), center.kept]))
    return Statistics(tuple(stages), corner[np.ix_(order, order)], center)


def _table(parent: np.ndarray, n_parents: int) -> dict[str, Any]:
    return {"index": parent.astype(np.int32), **level_rows(parent, n_parents)}


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


def _triangularise(
    effects: np.ndarray, codes: np.ndarray, size: int, others: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return R, Q and the products of Q with other columns, level by level; these columns are left orthogonal to Q.

    Modified Gram-Schmidt: sums of squares are added and never subtracted.

    Args:
        effects: ``(q, rows)`` the columns of Z of the leaf, one for each of its effects; they become Q R.
        codes: ``(rows,)`` level of each row.
        size: number of levels.
        others: more columns, each block ``(columns, rows)``, changed in place.
    """
    q, basis = len(effects), effects.copy()
    length = [np.sqrt(np.bincount(codes, column**2, minlength=size)) for column in effects]
    triangle, unit = np.zeros((q, q, size)), np.empty_like(effects)
    rest = [np.zeros((q, len(columns), size)) for columns in others]
    for a in range(q):
        norm = np.sqrt(np.bincount(codes, basis[a] ** 2, minlength=size))
        triangle[a, a] = norm = np.where(norm > NEGLIGIBLE * length[a], norm, 0.0)
        unit[a] = basis[a] * np.divide(1.0, norm, out=np.zeros(size), where=norm > 0)[codes]
        triangle[a, a + 1 :] = [_take_out(unit[a], column, codes, size) for column in basis[a + 1 :]] or 0.0
        for columns, target in zip(others, rest, strict=True):
            target[a] = [_take_out(unit[a], column, codes, size) for column in columns]
    return triangle, unit, rest


def _take_out(unit: np.ndarray, column: np.ndarray, codes: np.ndarray, size: int) -> np.ndarray:
    """Return the component of ``column`` along ``unit`` in each level, and leave the rest of it in place."""
    along = np.bincount(codes, unit * column, minlength=size)
    column -= unit * along[codes]
    return along
