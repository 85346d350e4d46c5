"""Series on a grid: a row of the grid for each time, a column for each series, so that recursions run along its rows.

``by_series`` ``(times, series)`` holds the number of the data row in each place, the number of rows where there is
none; ``in_series`` ``(rows,)`` the place of each data row in the flattened grid. Both directions are gathers, and each
is the transpose of the other, so that no gradient adds up scattered numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from jaxtyping import ArrayLike, Float, Int

    from bayesml.shapes import DataArrays, PerRow

    Grid = Float[ArrayLike, "*draws times series"]
    Places = Int[ArrayLike, "..."]

__all__ = ["BY_SERIES", "IN_SERIES", "TABLES", "grid_tables", "present", "ranks", "to_grid", "to_rows"]

BY_SERIES, IN_SERIES = "by_series", "in_series"
TABLES = (BY_SERIES, IN_SERIES)


def ranks(series: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Return the place of each row among those of its series in the order of time, ``(rows,)``, counting from 0."""
    order = np.lexsort((time, series))
    ordered = series[order]
    first = np.searchsorted(ordered, ordered)  # where the series of each row begins
    found = np.empty(len(series), np.int64)
    found[order] = np.arange(len(series)) - first
    return found


def grid_tables(series: np.ndarray, step: np.ndarray, times: int) -> dict[str, np.ndarray]:
    """Return both tables.

    Args:
        series: ``(rows,)`` code of the series of each row.
        step: ``(rows,)`` the row of the grid that it stands in.
        times: number of rows of the grid.
    """
    used, column = np.unique(series, return_inverse=True)
    in_series = step * len(used) + column
    by_series = np.full(times * len(used), len(series), np.int32)
    by_series[in_series] = np.arange(len(series))
    return {BY_SERIES: by_series.reshape(times, len(used)), IN_SERIES: in_series.astype(np.int32)}


def present(data: DataArrays) -> Places:
    """Return which places of the grid hold a row, ``(times, series)``."""
    return data[BY_SERIES] < data[IN_SERIES].shape[0]


def to_grid(rows: PerRow, data: DataArrays) -> Grid:
    """Return numbers of rows on the grid, 0 where there is no row."""
    by_series, in_series = data[BY_SERIES], data[IN_SERIES]
    rows = _full(rows, in_series.shape[0])
    if array_namespace(rows, by_series) is np:
        return np.asarray(_filled(rows, by_series))
    return _gathers()[0](rows, by_series, in_series)


def to_rows(grid: Grid, data: DataArrays) -> PerRow:
    """Return what stands on the grid for each row."""
    by_series, in_series = data[BY_SERIES], data[IN_SERIES]
    if array_namespace(grid, in_series) is np:
        return np.asarray(_picked(grid, in_series))
    return _gathers()[1](grid, by_series, in_series)


def _full(rows: PerRow, count: int) -> PerRow:
    xp = array_namespace(rows)
    return xp.broadcast_to(rows, (*np.shape(rows)[:-1], count))


def _filled(rows: PerRow, by_series: Places) -> Grid:
    xp = array_namespace(rows, by_series)
    padded = xp.concatenate([rows, xp.zeros((*rows.shape[:-1], 1), rows.dtype)], axis=-1)
    return padded[..., by_series]


def _picked(grid: Grid, in_series: Places) -> PerRow:
    grid = array_namespace(grid, in_series).asarray(grid)
    return grid.reshape(*grid.shape[:-2], -1)[..., in_series]


@cache
def _gathers() -> tuple[Callable[..., Grid], Callable[..., PerRow]]:
    """Return both directions with their gradients; made at their first use, which is JAX's."""
    import jax

    def filled(rows: PerRow, by_series: Places, in_series: Places) -> Grid:
        return _filled(rows, by_series)

    def picked(grid: Grid, by_series: Places, in_series: Places) -> PerRow:
        return _picked(grid, in_series)

    to_grid_, to_rows_ = jax.custom_vjp(filled), jax.custom_vjp(picked)
    to_grid_.defvjp(
        lambda rows, by, within: (_filled(rows, by), (by, within)),
        lambda kept, change: (_picked(change, kept[1]), None, None),
    )
    to_rows_.defvjp(
        lambda grid, by, within: (_picked(grid, within), (by, within)),
        lambda kept, change: (_filled(change, kept[0]), None, None),
    )
    return to_grid_, to_rows_
