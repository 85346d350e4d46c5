"""Labels of rows, the index of pandas data; columns with the same labels are brought into one order."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from bayesml.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["align_columns", "index_of", "positions_of"]

LISTED = 3


def index_of(data: Any) -> pd.Index | None:
    """Return the index of a pandas object; None for the default index 0, 1, 2, ..., and for other objects."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(data, (pandas.DataFrame, pandas.Series)):
        return None
    index: pd.Index = data.index
    is_default = isinstance(index, pandas.RangeIndex) and (index.start, index.step, index.name) == (0, 1, None)
    return None if is_default else index


def positions_of(wanted: pd.Index, given: pd.Index) -> np.ndarray | None:
    """Return the position in ``given`` of each label of ``wanted``.

    Returns:
        Positions, ``(len(wanted),)``. None if a label is absent, or if labels are repeated and in another order, so
        that it is not clear which rows belong together.
    """
    if wanted.equals(given):
        return np.arange(len(wanted))
    if not (wanted.is_unique and given.is_unique) or wanted.nlevels != given.nlevels:
        return None
    try:
        positions = np.asarray(given.get_indexer(wanted))
    except (TypeError, ValueError):
        return None  # labels that cannot be compared, such as overlapping intervals
    return positions if (positions >= 0).all() else None


def align_columns(columns: Mapping[str, Any]) -> tuple[dict[str, Any], pd.Index | None]:
    """Bring pandas Series with the same labels into the order of the first, as pandas does in a DataFrame.

    Args:
        columns: the columns of a dict; only pandas Series have labels.

    Returns:
        The columns, and the labels that all Series share, or None without Series or with the default index.

    Raises:
        DataError: two Series have different labels, repeated labels in another order, or labels in another order while
            other columns have no labels, so that the order of their rows is not known.
    """
    native = {name: nw.to_native(column, pass_through=True) for name, column in columns.items()}
    pandas = sys.modules.get("pandas")
    labelled = [name for name, column in native.items() if pandas is not None and isinstance(column, pandas.Series)]
    if not labelled:
        return dict(columns), None
    first = native[labelled[0]]
    aligned = dict(columns)
    for name in labelled[1:]:
        if len(native[name]) != len(first) or native[name].index.equals(first.index):
            continue  # columns of different lengths are refused elsewhere
        positions = positions_of(first.index, native[name].index)
        unlabelled = [other for other in columns if other not in labelled]
        if positions is None or unlabelled:
            raise _conflict(labelled[0], name, first.index, native[name].index, unlabelled)
        aligned[name] = native[name].iloc[positions]
    return aligned, index_of(first)


def _conflict(one: str, other: str, wanted: pd.Index, given: pd.Index, unlabelled: list[str]) -> DataError:
    text = f"The columns `{one}` and `{other}` are pandas Series whose row labels "
    cure = "Put them into one DataFrame, or give `.to_numpy()` of each to take them by position."
    if set(wanted) != set(given):
        absent = wanted.difference(given, sort=False)
        differ = f"`{other}` lacks {_listed(absent)}" if len(absent) else f"`{one}` lacks labels of `{other}`"
        return DataError(f"{text}differ: {differ}. {cure}")
    if not wanted.is_unique:
        return DataError(f"{text}repeat and stand in another order, so that rows cannot be matched. {cure}")
    return DataError(f"{text}stand in another order, beside `{unlabelled[0]}`, which has no labels. {cure}")


def _listed(labels: pd.Index) -> str:
    shown = ", ".join(repr(label) for label in labels[:LISTED].tolist())
    return shown + (f" and {len(labels) - LISTED} more" if len(labels) > LISTED else "")
