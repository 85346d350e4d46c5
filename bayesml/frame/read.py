"""``read_frame``: any container of columns in, a ``Frame`` of the used ones out."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import narwhals as nw
import numpy as np

from bayesml.errors import DataError, FitWarning, did_you_mean
from bayesml.frame.convert import RawColumn, convert, length_of
from bayesml.frame.types import Column, Frame, frozen_array

__all__ = ["column_names", "read_frame"]

LARGEST = 1e150  # squares of larger numbers overflow in double precision
_CONTAINERS = "a pandas or polars DataFrame, a pyarrow Table or a dict of lists or arrays"


def column_names(data: Any) -> tuple[str, ...]:
    """Return the names of the columns of ``data``; what is not named by a text cannot be used and is left out.

    Raises:
        DataError: ``data`` is not a container of columns.
    """
    if isinstance(data, Mapping):
        return tuple(name for name in data if isinstance(name, str))
    return tuple(name for name in _open(data).columns if isinstance(name, str))


def read_frame(data: Any, names: Sequence[str], *, missing: Literal["drop", "error"] = "drop") -> Frame:
    """Read the columns ``names`` of the data.

    Args:
        data: a pandas or polars DataFrame, a pyarrow Table, or a dict of lists or arrays; all give the same frame.
        names: the columns to read; nothing else is looked at.
        missing: what to do with rows that have a missing value (None, NaN, null): ``"drop"`` them with a warning
            or refuse (``"error"``).

    Returns:
        The columns as numbers or factors; levels that no row has are dropped.

    Raises:
        DataError: a column is unknown, of a type that cannot be used, infinite, or nothing is left.

    Warns:
        FitWarning: rows were dropped; the message counts them.
    """
    if missing not in ("drop", "error"):
        raise DataError(f"missing={missing!r} is not possible; choose 'drop' or 'error'.")
    names = tuple(dict.fromkeys(names))
    raw, n_rows = _read_dict(data, names) if isinstance(data, Mapping) else _read_native(data, names)
    if n_rows == 0:
        raise DataError("The data have no rows.")
    keep = _complete_rows(raw, n_rows, missing)
    rows = frozen_array(np.flatnonzero(keep))
    columns = {name: _finish(name, column, keep, rows) for name, column in raw.items()}
    return Frame(columns, len(rows), rows, n_rows - len(rows))


def _read_dict(data: Mapping[Any, Any], names: Sequence[str]) -> tuple[dict[str, RawColumn], int]:
    _refuse_unknown(names, column_names(data))
    used = {name: data[name] for name in names} if names else dict(list(data.items())[:1])
    lengths = {name: length_of(str(name), column) for name, column in used.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
        raise DataError(f"The columns differ in length: {listed}.")
    return {name: convert(name, data[name]) for name in names}, next(iter(lengths.values()), 0)


def _read_native(data: Any, names: Sequence[str]) -> tuple[dict[str, RawColumn], int]:
    frame = _open(data)
    _refuse_unknown(names, [name for name in frame.columns if isinstance(name, str)])
    return {name: convert(name, frame.get_column(name)) for name in names}, len(frame)


def _open(data: Any) -> nw.DataFrame[Any]:
    try:
        frame = nw.from_native(data, eager_only=True)
        names = list(frame.columns)
    except Exception as error:
        if type(data).__name__ == "LazyFrame":
            raise DataError("The data are a LazyFrame; call `.collect()` first.") from None
        if "uplicate" in str(error) or "unique" in str(error):
            raise DataError(
                f"Two columns of the data have the same name: {str(error).splitlines()[-1].strip('- ')}; rename one."
            ) from None
        raise DataError(f"The data are of type {type(data).__name__}; give {_CONTAINERS}.") from None
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"Two columns of the data have the same name, `{twice[0]}`; rename one.")
    return frame


def _refuse_unknown(names: Sequence[str], available: Sequence[str]) -> None:
    for name in names:
        if name not in available:
            raise DataError(f"`{name}` is not a column of the data{did_you_mean(name, available)}.")


def _complete_rows(raw: Mapping[str, RawColumn], n_rows: int, missing: str) -> np.ndarray:
    keep = np.ones(n_rows, dtype=bool)
    for column in raw.values():
        keep &= ~column.missing
    dropped = n_rows - int(keep.sum())
    if not dropped:
        return keep
    counts = {name: int(column.missing.sum()) for name, column in raw.items()}
    listed = ", ".join(f"`{name}` ({count})" for name, count in counts.items() if count)
    what = f"{dropped} of {n_rows} rows have a missing value; by column: {listed}"
    if dropped == n_rows:
        raise DataError(f"No row of the data is complete: {what}.")
    if missing == "error":
        raise DataError(f"{what}. Fill them in, or leave these rows out with missing='drop'.")
    warnings.warn(f"{what}. They are left out; missing='error' refuses instead.", FitWarning, stacklevel=3)
    return keep


def _finish(name: str, raw: RawColumn, keep: np.ndarray, rows: np.ndarray) -> Column:
    values = raw.values[keep]
    if raw.levels is not None:
        used, codes = np.unique(values, return_inverse=True)
        levels = tuple(raw.levels[code] for code in used.tolist())
        return Column(name, frozen_array(codes.astype(np.int64)), levels, raw.ordered)
    finite = np.isfinite(values)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        message = f"The column `{name}` is infinite in row {rows[first] + 1}"
        raise DataError(f"{message}; replace infinite values or mark them as missing.")
    if np.abs(values).max() > LARGEST:
        message = f"The column `{name}` holds values as large as {np.abs(values).max():.3g}, whose squares overflow"
        raise DataError(f"{message}; rescale it.")
    is_integer = not raw.is_boolean and bool((values == np.floor(values)).all())
    return Column(name, frozen_array(values), None, False, raw.is_boolean, is_integer)
