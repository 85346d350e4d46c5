"""Matrices beside the table, ``data2={"A": A}``: known covariances of levels, which areas are neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bayesml.errors import DataError, ModelError
from bayesml.frame.known_matrix import KnownMatrix
from bayesml.frame.values import frozen_array, value_texts

__all__ = ["KnownMatrix", "checked_mapping", "matrices_from_arrays", "matrices_to_arrays", "read_matrices"]

LISTED = 5

_KINDS = "a NumPy array, a SciPy sparse matrix, a pandas DataFrame, or (matrix, names) to name its rows"


def read_matrices(data2: Any, names: Iterable[str]) -> dict[str, KnownMatrix]:
    """Return the entries of ``data2`` that a model uses, checked.

    Args:
        data2: matrices by name.
        names: the names that the formula has; each is there.

    Raises:
        DataError: an entry is not a square matrix of finite numbers, or its names do not fit.
    """
    return {name: _read(name, data2[name]) for name in names}


def checked_mapping(data2: Any) -> Mapping[str, Any]:
    """Return ``data2`` where it is a dict, and an empty one for None.

    Raises:
        ModelError: it is something else.
    """
    if data2 is None:
        return {}
    if not isinstance(data2, Mapping) or not all(isinstance(name, str) for name in data2):
        shown = type(data2).__name__
        raise ModelError(f'`data2` is a dict of matrices by name, data2={{"A": A}}; got a {shown}.')
    return data2


def _read(name: str, given: Any) -> KnownMatrix:
    if isinstance(given, KnownMatrix):
        return given
    named: Any = None
    if isinstance(given, tuple) and len(given) == 2 and not _is_row(given[0]):
        given, named = given
    own, found = _own_labels(name, given)
    labels = own if named is None else _texts(name, named)
    matrix = found if found is not None else _of(name, given)
    if labels is not None:
        _check_labels(name, labels, matrix.size)
    return KnownMatrix(name, matrix.size, matrix.values, matrix.rows, matrix.columns, labels)


def _is_row(value: Any) -> bool:
    """Whether a value is a row of numbers, so that a pair with it is a matrix of two rows."""
    return isinstance(value, (list, tuple)) and not any(isinstance(each, (list, tuple)) for each in value)


def _own_labels(name: str, given: Any) -> tuple[tuple[str, ...] | None, KnownMatrix | None]:
    """Return the names that a DataFrame has, and the matrix in it; None for other matrices.

    Names that pandas has made up, 0, 1, 2, ..., are none.
    """
    index, columns = getattr(given, "index", None), getattr(given, "columns", None)
    if index is None or columns is None or not type(given).__module__.startswith("pandas"):
        return None, None
    import pandas as pd

    is_sparse = bool(len(given.dtypes)) and all(isinstance(kind, pd.SparseDtype) for kind in given.dtypes)
    matrix = _of(name, given.sparse.to_coo()) if is_sparse else None
    made_up = [isinstance(axis, pd.RangeIndex) and axis.start == 0 and axis.step == 1 for axis in (index, columns)]
    texts = [None if skip else _texts(name, axis) for axis, skip in zip((index, columns), made_up, strict=True)]
    rows, tops = texts
    if rows is not None and tops is not None and rows != tops:
        if len(rows) != len(tops):
            raise _not_square(name, (len(rows), len(tops)))
        i = next(i for i, (row, top) in enumerate(zip(rows, tops, strict=True)) if row != top)
        raise DataError(
            f"Rows and columns of `{name}` in data2 have different names: row {i + 1} is `{rows[i]}`, column {i + 1} "
            f"is `{tops[i]}`. Bring them into one order, {name}.loc[names, names]."
        )
    return rows if rows is not None else tops, matrix


def _texts(name: str, values: Any) -> tuple[str, ...]:
    try:
        listed = np.asarray(list(values), dtype=object).tolist()
    except TypeError:
        raise DataError(f"The names of the rows of `{name}` in data2 are a list; got {values!r:.50}.") from None
    return value_texts([each.item() if isinstance(each, np.generic) else each for each in listed])


def _check_labels(name: str, labels: tuple[str, ...], size: int) -> None:
    if len(labels) != size:
        raise DataError(f"`{name}` in data2 has {size} rows and {len(labels)} names for them.")
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        listed = ", ".join(f"`{label}`" for label in twice[:LISTED])
        raise DataError(f"Several rows of `{name}` in data2 have the same name: {listed}. Each has a name of its own.")


def _of(name: str, given: Any) -> KnownMatrix:
    if _is_sparse(given):
        return _of_entries(name, given)
    try:
        values = np.asarray(given)
        if values.dtype == object or values.dtype.kind in "iub":
            values = values.astype(float)
    except (TypeError, ValueError):
        raise _no_matrix(name, given) from None
    if values.ndim != 2 or values.dtype.kind != "f":
        raise _no_matrix(name, given)
    if values.shape[0] != values.shape[1] or not values.size:
        raise _not_square(name, values.shape)
    values = frozen_array(np.array(values, dtype=float))
    matrix = KnownMatrix(name, len(values), values)
    rows, columns = np.nonzero(~np.isfinite(values))
    _check_finite(matrix, rows, columns, values)
    return matrix


def _is_sparse(given: Any) -> bool:
    """Whether a value is a SciPy sparse matrix or array; SciPy is not imported to find out."""
    return type(given).__module__.startswith("scipy.sparse")


def _of_entries(name: str, given: Any) -> KnownMatrix:
    if len(given.shape) != 2 or given.dtype.kind not in "fiub":
        raise _no_matrix(name, given)
    if given.shape[0] != given.shape[1] or not given.shape[0]:
        raise _not_square(name, given.shape)
    rows_first = given.tocsr().copy()
    rows_first.sum_duplicates()
    rows_first.eliminate_zeros()
    entries = rows_first.tocoo()
    values = frozen_array(np.array(entries.data, dtype=float))
    rows, columns = (frozen_array(np.array(each, dtype=np.int64)) for each in (entries.row, entries.col))
    if not values.size:
        return KnownMatrix(name, given.shape[0], frozen_array(np.zeros(given.shape)))
    matrix = KnownMatrix(name, given.shape[0], values, rows, columns)
    wrong = ~np.isfinite(values)
    _check_finite(matrix, rows[wrong], columns[wrong], values)
    return matrix


def _check_finite(matrix: KnownMatrix, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
    if rows.size:
        what = "a missing value (NaN)" if np.isnan(values).any() else "an infinite entry"
        raise DataError(f"`{matrix.name}` in data2 has {what} at {matrix.place(int(rows[0]), int(columns[0]))}.")


def _no_matrix(name: str, given: Any) -> DataError:
    return DataError(f"`{name}` in data2 is not a matrix of numbers but {type(given).__name__}. Give {_KINDS}.")


def _not_square(name: str, shape: Sequence[int]) -> DataError:
    return DataError(
        f"`{name}` in data2 has {shape[0]} rows and {shape[1]} columns; it needs as many rows as columns, and at least "
        "one."
    )


def matrices_to_arrays(matrices: Mapping[str, KnownMatrix]) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
    """Return matrices as arrays, keyed ``matrix_0_values``, ..., and metadata fit for JSON."""
    arrays: dict[str, np.ndarray] = {}
    metadata = []
    for i, (name, matrix) in enumerate(matrices.items()):
        parts = {"values": matrix.values, "rows": matrix.rows, "columns": matrix.columns}
        arrays.update({f"matrix_{i}_{part}": array for part, array in parts.items() if array is not None})
        labels = None if matrix.labels is None else list(matrix.labels)
        metadata.append({"name": name, "size": matrix.size, "labels": labels, "is_sparse": matrix.is_sparse})
    return arrays, metadata


def matrices_from_arrays(
    arrays: Mapping[str, np.ndarray], metadata: Sequence[Mapping[str, Any]]
) -> dict[str, KnownMatrix]:
    """Return the matrices, the inverse of ``matrices_to_arrays``.

    Raises:
        ValueError: an array has not the shape that the metadata say.
    """
    return {entry["name"]: _stored(arrays, entry, i) for i, entry in enumerate(metadata)}


def _stored(arrays: Mapping[str, np.ndarray], entry: Mapping[str, Any], i: int) -> KnownMatrix:
    size, labels = int(entry["size"]), entry["labels"]
    values = frozen_array(np.array(arrays[f"matrix_{i}_values"], dtype=float))
    named = None if labels is None else tuple(str(label) for label in labels)
    if named is not None and len(named) != size:
        raise ValueError(f"the matrix {entry['name']!r:.50} has another number of rows than names")
    if not entry["is_sparse"]:
        if values.shape != (size, size):
            raise ValueError(f"the matrix {entry['name']!r:.50} has another shape than was stored")
        return KnownMatrix(entry["name"], size, values, labels=named)
    rows, columns = (
        frozen_array(np.array(arrays[f"matrix_{i}_{part}"], dtype=np.int64)) for part in ("rows", "columns")
    )
    inside = rows.size and rows.min() >= 0 and columns.min() >= 0 and max(rows.max(), columns.max()) < size
    if not inside or not rows.shape == columns.shape == values.shape:
        raise ValueError(f"the matrix {entry['name']!r:.50} has entries beyond its {size} rows")
    return KnownMatrix(entry["name"], size, values, rows, columns, named)
