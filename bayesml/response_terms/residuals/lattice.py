"""Rows as cells of lattices: time by trait, row by column of a field.

Each level of ``gr`` has a lattice of its own. Its axes are the same for all: a place for each value of a column. The
cells of a lattice are numbered with the last axis running fastest, and stand on a grid as times do, see ``grid``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.errors import DataError, did_you_mean
from bayesml.response_terms.residuals.grid import BY_SERIES, IN_SERIES, grid_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bayesml.shapes import DataArrays

__all__ = ["THROUGH_COVARIANCE", "Axis", "axis_sizes", "fit_axis", "lattice_tables", "listed_places"]

LISTED_BY, LISTED_IN, LISTED_GRID, LISTED_AT = "listed_by", "listed_in", "listed_grid", "listed_at"
THROUGH_COVARIANCE = "listed_observed"
"""Marks lattices with more holes than rows, of which the rows are listed; an empty array."""
MOST_CELLS = 40
"""Most cells of the lattices for each row."""
NEAR = 1e-6


@final
@dataclass(frozen=True)
class Axis:
    """One axis of a lattice.

    Attributes:
        name: the column.
        labels: the values that have a place each, in order; empty where numbers are places.
        unit: distance of two neighbouring places in numbers of the column.
        origin: a number that has a place.
    """

    name: str
    labels: tuple[str, ...] = ()
    unit: float = 1.0
    origin: float = 0.0

    def places(self, labels: np.ndarray) -> np.ndarray:
        """Return the place of each row, ``(rows,)``; where numbers are places the first place is 0.

        Args:
            labels: the values of the column as text.

        Raises:
            DataError: a value has no place.
        """
        texts = labels.tolist()
        if self.labels:
            known = {label: place for place, label in enumerate(self.labels)}
            unknown = next((text for text in texts if text not in known), None)
            if unknown is not None:
                raise DataError(
                    f"`{self.name}` has the value {unknown}{did_you_mean(unknown, self.labels)}, which it had not in "
                    f"the data of the fit: no correlation with it is known. It had {', '.join(self.labels)}."
                )
            return np.array([known[text] for text in texts], np.int64)
        steps = (np.array([_number(self.name, text) for text in texts]) - self.origin) / self.unit
        whole = np.round(steps).astype(np.int64)
        off = np.flatnonzero(np.abs(steps - whole) > NEAR * np.maximum(1.0, np.abs(steps)))
        if off.size:
            raise DataError(
                f"`{self.name}` is {texts[off[0]]} in some row, which lies between the places of the lattice: in the "
                f"data of the fit its values were {self.unit:g} apart, as {self.origin:g} is."
            )
        return whole - whole.min(initial=whole[0] if len(whole) else 0)


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f"`{name}` was a column of numbers in the data of the fit; here it is {text!r}.") from None


def fit_axis(name: str, distinct: tuple[str, ...], *, numbers: bool) -> Axis:
    """Return the axis of a column of the fit.

    Numbers whose distances are multiples of one are places, and a place that no row has counts as one. All other
    values have a place each, in their order.

    Args:
        name: the column.
        distinct: its values as text, in order.
        numbers: whether they are numbers, whose distances count.

    Raises:
        DataError: all rows have the same value.
    """
    if len(distinct) < 2:
        raise DataError(
            f"`{name}` is {distinct[0]} in all rows, so that nothing can be correlated along it; leave its factor out."
        )
    if not numbers:
        return Axis(name, distinct)
    values = np.array([float(text) for text in distinct])
    steps = np.diff(values)
    is_whole = bool((values == np.round(values)).all() and np.abs(values).max() < 2.0**53)
    unit = float(np.gcd.reduce(steps.astype(np.int64))) if is_whole else float(steps.min())
    ratio = steps / unit
    if np.abs(ratio - np.round(ratio)).max() > NEAR:
        return Axis(name, distinct)
    return Axis(name, (), unit, float(values[0]))


def lattice_tables(series: np.ndarray, places: Sequence[np.ndarray], axes: Sequence[Axis]) -> dict[str, np.ndarray]:
    """Return the tables of the lattices.

    These are both tables of ``grid``, an array of the length of each axis, and, where cells are missing, the cells of
    each lattice that are listed, for which its density needs a matrix: the holes, or the rows where these are fewer.

    Args:
        series: ``(rows,)`` the lattice of each row.
        places: its place along each axis, ``(rows,)`` each.
        axes: the axes.

    Raises:
        DataError: nearly all cells are missing.
    """
    sizes = [len(axis.labels) or int(place.max(initial=0)) + 1 for axis, place in zip(axes, places, strict=True)]
    groups = len(np.unique(series))
    cells = float(np.prod([float(size) for size in sizes]))
    if cells * groups > MOST_CELLS * (len(series) + 100):
        shape = " x ".join(f"{size} of {axis.name}" for size, axis in zip(sizes, axes, strict=True))
        raise DataError(
            f"The lattice {shape} has {cells:.0f} cells, and {len(series)} rows fill few of them in {groups} of these. "
            "Number the values 1, 2, ... in the data if only their order matters."
        )
    cell = np.ravel_multi_index(tuple(places), tuple(sizes)) if len(series) else np.zeros(0, np.int64)
    tables = grid_tables(series, cell, int(cells))
    found = {**tables, **{f"axis_{k}": np.arange(size) for k, size in enumerate(sizes)}}
    there = tables[BY_SERIES] < len(series)
    if there.all():
        return found
    through = (~there).sum(0).max() > there.sum(0).max()
    found |= _listed(there if through else ~there)
    return {**found, THROUGH_COVARIANCE: np.empty(0)} if through else found


def _listed(which: np.ndarray) -> dict[str, np.ndarray]:
    """Return the tables of the cells that are listed, which belong to a second grid, ``(listed, lattices)``."""
    column, cell = np.nonzero(which.T)
    rank = np.arange(len(cell)) - np.searchsorted(column, column)
    most = int(which.sum(0).max())
    second = grid_tables_of(column, rank, most, which.shape[1])
    first = grid_tables_of(column, cell, which.shape[0], which.shape[1])
    return {
        LISTED_BY: first[BY_SERIES], LISTED_IN: first[IN_SERIES],
        LISTED_GRID: second[BY_SERIES], LISTED_AT: second[IN_SERIES],
    }  # fmt: skip


def grid_tables_of(column: np.ndarray, step: np.ndarray, steps: int, columns: int) -> dict[str, np.ndarray]:
    """Return the tables of a grid whose columns are known, some of which may be empty."""
    place = step * columns + column
    by = np.full(steps * columns, len(column), np.int32)
    by[place] = np.arange(len(column))
    return {BY_SERIES: by.reshape(steps, columns), IN_SERIES: place.astype(np.int32)}


def axis_sizes(data: DataArrays) -> tuple[int, ...]:
    """Return the number of places along each axis."""
    count = sum(name.startswith("axis_") for name in data)
    return tuple(data[f"axis_{k}"].shape[0] for k in range(count))


def listed_places(data: DataArrays) -> tuple[DataArrays, DataArrays]:
    """Return the tables between the cells and the listed ones, and between these and ``(listed, lattices)``."""
    return (
        {BY_SERIES: data[LISTED_BY], IN_SERIES: data[LISTED_IN]},
        {BY_SERIES: data[LISTED_GRID], IN_SERIES: data[LISTED_AT]},
    )
