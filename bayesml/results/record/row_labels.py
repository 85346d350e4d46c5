"""Labels of rows as coordinates of labelled arrays: as they are for a user, as plain values for a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.names import RESERVED_DIMENSIONS

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["ROWS", "plain_coordinates", "row_coordinates", "with_plain_rows"]

ROWS = "obs"
PLAIN_KINDS = "biufM"  # what netCDF stores as it is


def row_coordinates(labels: pd.Index) -> Mapping[Any, Any]:
    """Return the coordinates of the dimension ``obs``; a MultiIndex keeps its levels."""
    import xarray as xr

    if labels.nlevels == 1:
        return {ROWS: (ROWS, labels)}
    return xr.Coordinates.from_pandas_multiindex(labels.set_names(_level_names(labels)), ROWS)


def plain_coordinates(labels: pd.Index) -> dict[str, Any]:
    """Return coordinates that a netCDF file can hold.

    Numbers, truth values, text and times without a zone are themselves, other labels their text. Rows of a MultiIndex
    are numbered, and each of its levels is a coordinate of its own beside the numbers.
    """
    if labels.nlevels == 1:
        return {ROWS: (ROWS, _plain(labels))}
    levels = {name: (ROWS, _plain(labels.get_level_values(i))) for i, name in enumerate(_level_names(labels))}
    return {ROWS: (ROWS, np.arange(len(labels))), **levels}


def with_plain_rows(dataset: xr.Dataset) -> xr.Dataset:
    """Return the data set with the coordinates of ``plain_coordinates`` for its dimension ``obs``."""
    if ROWS not in dataset.indexes:
        return dataset
    labels = dataset.indexes[ROWS]
    levels = [name for name in labels.names if name in dataset.coords and name != ROWS]
    coords = plain_coordinates(labels)
    free = {name: values for name, values in coords.items() if name not in dataset.data_vars}
    return dataset.drop_vars([ROWS, *levels]).assign_coords(free)


def _level_names(labels: pd.Index) -> list[str]:
    names: list[str] = []
    for i, given in enumerate(labels.names):
        name = f"{ROWS}_level_{i}" if given is None else str(given)
        while name in RESERVED_DIMENSIONS or name == "sample" or name in names:
            name += "_"
        names.append(name)
    return names


def _plain(level: pd.Index) -> np.ndarray:
    values = level.to_numpy()
    if values.dtype.kind in PLAIN_KINDS:
        return values
    return np.array([str(value) for value in level.tolist()], dtype=object)
