"""A frame as plain arrays and JSON-able metadata, for saved fits; nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesml.frame.matrices import matrices_from_arrays, matrices_to_arrays
from bayesml.frame.stored_index import index_from_json, index_to_json
from bayesml.frame.types import Column, Frame, frozen_array

__all__ = ["frame_from_arrays", "frame_to_arrays"]


def frame_to_arrays(frame: Frame) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return ``(arrays, metadata)``: arrays keyed ``rows``, ``column_0``, ``column_1``, ...; metadata fit for JSON.

    Matrices beside the table are keyed ``matrix_0_values``, ...; all other arrays have an entry for each row.
    """
    arrays = {f"column_{i}": column.values for i, column in enumerate(frame.columns.values())}
    columns = [
        {
            "name": column.name,
            "levels": None if column.levels is None else list(column.levels),
            "ordered": column.ordered,
            "is_boolean": column.is_boolean,
            "is_integer": column.is_integer,
            "categories": None if column.categories is None else list(column.categories),
        }
        for column in frame.columns.values()
    ]
    beside, matrices = matrices_to_arrays(frame.matrices)
    metadata = {"n_rows": frame.n_rows, "dropped": frame.dropped, "columns": columns, "matrices": matrices}
    return {"rows": frame.rows, **arrays, **beside}, {**metadata, "index": index_to_json(frame.index)}


def frame_from_arrays(arrays: Mapping[str, np.ndarray], metadata: Mapping[str, Any]) -> Frame:
    """Return the frame from its arrays, the inverse of ``frame_to_arrays``.

    Raises:
        ValueError: a factor has codes for which there are no levels, or a matrix has another shape.
    """
    columns = {entry["name"]: _column(entry, arrays[f"column_{i}"]) for i, entry in enumerate(metadata["columns"])}
    rows = frozen_array(np.array(arrays["rows"], dtype=np.int64))
    index = index_from_json(metadata.get("index"))
    matrices = matrices_from_arrays(arrays, metadata.get("matrices", ()))
    return Frame(columns, metadata["n_rows"], rows, metadata["dropped"], index, matrices)


def _column(entry: Mapping[str, Any], values: np.ndarray) -> Column:
    # Files of the first version have no "categories", since levels were always text.
    levels, categories = (
        None if stored is None else tuple(stored) for stored in (entry["levels"], entry.get("categories"))
    )
    if levels is not None and values.size and not 0 <= values.min() <= values.max() < len(levels):
        raise ValueError(f"the column {entry['name']!r:.50} has codes beyond its {len(levels)} levels")
    return Column(
        entry["name"],
        frozen_array(np.array(values, dtype=np.float64 if levels is None else np.int64)),
        levels,
        entry["ordered"],
        entry["is_boolean"],
        entry["is_integer"],
        categories,
    )
