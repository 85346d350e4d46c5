"""From one value for each level to one for each row, with a gradient that is a sum over the rows of each level.

JAX's own gradient of ``values[index]`` is a scatter-add: on a CPU a serial loop, in which consecutive rows of one level
wait for each other, on a GPU additions in no fixed order. Where the arrays of a term say which rows a level has, its
gradient reads them and adds them up instead. They may say so in two ways, which ``level_rows`` finds:

- ``grid``, of shape (outer, levels, inner, 0): row ``(o * levels + l) * inner + i`` is one of level l. Only the shape
  counts. Going to the rows is a broadcast, and its gradient a sum over axes.
- ``rows``: tables (members, width) of row numbers, filled up with the number of rows, which stands for a zero; and
  where there are several tables, ``place``: where each level is among the members of all of them.

One-hot products were measured too and are not here: of 10,000 and 100,000 rows a gradient takes 1.0 to 2.2 times as
long as by a table with 2 or 4 levels, 1.3 to 2.9 with 8, 1.8 to 6.7 with 20; of 1,000 rows they are alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from jaxtyping import Array, ArrayLike, Float, Int

    from bayesml.shapes import DataArrays, PerRow

    PerLevel = Float[ArrayLike, "*draws levels"]
    Index = Int[Array, " places"]
    Tables = tuple[Int[Array, "some_levels most_rows"], ...]

__all__ = ["at_rows", "level_rows", "level_sums", "neighbour_sums", "neighbour_tables"]

TABLE_COST = 300
"""Entries that another table must save: an entry takes 3 to 5 ns (measured), another table about 1 us (a guess)."""


def at_rows(values: PerLevel, arrays: DataArrays) -> PerRow:
    """Return ``values[..., index]``.

    Args:
        values: ``(..., levels)``.
        arrays: ``index`` ``(rows,)`` and, where it is used with JAX, what ``level_rows`` found.
    """
    xp = array_namespace(values)
    if "grid" in arrays:
        outer, levels, inner, _ = arrays["grid"].shape
        spread = xp.broadcast_to(values[..., None, :, None], (*values.shape[:-1], outer, levels, inner))
        return spread.reshape(*values.shape[:-1], outer * levels * inner)
    if "rows" in arrays and xp is not np:
        return _gather()(values, arrays["index"], arrays["rows"], arrays.get("place"))
    return values[..., arrays["index"]]


def level_sums(values: PerRow, arrays: DataArrays) -> PerLevel:
    """Return the sums ``(..., levels)`` of JAX values ``(..., rows)`` over the rows of each level.

    It is the transpose of ``at_rows``, and each is the gradient of the other.

    Args:
        values: ``(..., rows)``.
        arrays: ``index`` ``(rows,)`` and what ``level_rows`` found.
    """
    if "grid" in arrays:
        outer, levels, inner, _ = arrays["grid"].shape
        return values.reshape(*values.shape[:-1], outer, levels, inner).sum(axis=(-3, -1))
    return _sums()(values, arrays["index"], arrays["rows"], arrays.get("place"))


def _taken(values: Float[Array, "*draws all"], index: Index) -> Float[Array, "*draws places"]:
    return values.at[..., index].get(mode="promise_in_bounds")


def _added(values: PerRow, rows: Tables, place: Index | None) -> PerLevel:
    from jax import numpy as jnp

    padded = jnp.concatenate([values, jnp.zeros((*values.shape[:-1], 1), values.dtype)], axis=-1)
    sums = jnp.concatenate([_taken(padded, table).sum(axis=-1) for table in rows], axis=-1)
    return sums if place is None else _taken(sums, place)


@cache
def _gather() -> Callable[[PerLevel, Index, Tables, Index | None], PerRow]:
    """Return the gather; made at its first use, which is JAX's."""
    import jax

    def gather(values: PerLevel, index: Index, rows: Tables, place: Index | None) -> PerRow:
        return _taken(values, index)

    with_gradient = jax.custom_vjp(gather)
    with_gradient.defvjp(
        lambda values, index, rows, place: (_taken(values, index), (rows, place)),
        lambda kept, change: (_added(change, *kept), None, None, None),
    )
    return with_gradient


@cache
def _sums() -> Callable[[PerRow, Index, Tables, Index | None], PerLevel]:
    """Return the sums; made at their first use, which is JAX's."""
    import jax

    def sums(values: PerRow, index: Index, rows: Tables, place: Index | None) -> PerLevel:
        return _added(values, rows, place)

    with_gradient = jax.custom_vjp(sums)
    with_gradient.defvjp(
        lambda values, index, rows, place: (_added(values, rows, place), index),
        lambda index, change: (_taken(change, index), None, None, None),
    )
    return with_gradient


def neighbour_tables(neighbours: np.ndarray) -> dict[str, Any]:
    """Return what ``neighbour_sums`` needs of a symmetric matrix ``(n, n)`` of neighbours, 1 or 0."""
    of, neighbour = np.nonzero(neighbours)
    tables = _tables(of, len(neighbours))
    padded = np.append(neighbour, len(neighbours)).astype(np.int32)
    return {**tables, "rows": tuple(padded[table] for table in tables["rows"])}


def neighbour_sums(values: PerLevel, tables: DataArrays) -> PerLevel:
    """Return the sums ``(..., n)`` of JAX values ``(..., n)`` over the neighbours of each; it is its own gradient.

    Args:
        values: ``(..., n)``.
        tables: of ``neighbour_tables``.
    """
    return _neighbour_sums()(values, tables["rows"], tables.get("place"))


@cache
def _neighbour_sums() -> Callable[[PerLevel, Tables, Index | None], PerLevel]:
    """Return the sums; made at their first use, which is JAX's."""
    import jax

    with_gradient = jax.custom_vjp(_added)
    with_gradient.defvjp(
        lambda values, rows, place: (_added(values, rows, place), (rows, place)),
        lambda kept, change: (_added(change, *kept), None, None),
    )
    return with_gradient


def level_rows(index: np.ndarray, levels: int) -> dict[str, Any]:
    """Return what ``at_rows`` needs about the rows of each level: ``grid``, or ``rows`` and maybe ``place``.

    Args:
        index: ``(rows,)`` level of each row, none of them -1.
        levels: number of levels.
    """
    grid = _grid(index, levels)
    return {"grid": grid} if grid is not None else _tables(index, levels)


def _grid(index: np.ndarray, levels: int) -> np.ndarray | None:
    """Return an empty array of shape ``(outer, levels, inner, 0)`` where the rows form such a grid, else None.

    They do where the index is 0, ..., 0, 1, ..., 1, ..., each level ``inner`` times, and this ``outer`` times over.
    """
    # The first level lasts until the index is no longer 0; the -1 behind it ends a factor of one level.
    inner = int(np.argmax(np.append(index, -1) != 0))
    outer, rest = divmod(len(index), max(inner * levels, 1))
    if not inner or rest or not np.array_equal(index, np.tile(np.repeat(np.arange(levels), inner), outer)):
        return None
    return np.empty((outer, levels, inner, 0))


def _tables(index: np.ndarray, levels: int) -> dict[str, Any]:
    counts = np.bincount(index, minlength=levels)
    starts = np.cumsum(counts) - counts
    by_level = np.append(np.argsort(index, kind="stable"), len(index))
    by_size = np.argsort(counts, kind="stable")
    members = np.split(by_size, _cuts(counts[by_size]))
    if len(members) == 1:
        members = [np.arange(levels)]
    tables: dict[str, Any] = {"rows": tuple(_table(by_level, starts[some], counts[some]) for some in members)}
    if len(members) > 1:
        tables["place"] = np.argsort(by_size).astype(np.int32)
    return tables


def _table(by_level: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the rows of some levels, one level a line, the lines filled up with the last entry of ``by_level``."""
    step = np.arange(max(counts.max(), 1))
    places = np.where(step < counts[:, None], starts[:, None] + step, len(by_level) - 1)
    return by_level[places].astype(np.int32)


def _cuts(counts: np.ndarray) -> list[int]:
    """Return where to cut levels, ordered by their numbers of rows, into tables so that the sum of costs is least.

    A table costs its entries, number of levels times rows of its last and largest level, and ``TABLE_COST``. Levels of
    the same number of rows stay together, so that the last table of the j smallest sizes begins at one of j places:
    its cost and the least cost of the sizes before it are added up, and the smallest sum is kept (dynamic programming).
    """
    widths, first = np.unique(counts, return_index=True)
    ends = np.append(first, len(counts))
    least_cost, begin = np.zeros(len(ends)), np.zeros(len(ends), int)
    for j in range(1, len(ends)):
        costs = least_cost[:j] + (ends[j] - ends[:j]) * widths[j - 1] + TABLE_COST
        begin[j] = np.argmin(costs)
        least_cost[j] = costs[begin[j]]
    ends_of_tables, j = [], begin[-1]
    while j:
        ends_of_tables.append(int(ends[j]))
        j = begin[j]
    return ends_of_tables[::-1]
