"""``read_frame`` reads the columns that a model uses from any container of columns into a ``Frame``."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import narwhals as nw
import numpy as np

from bayesml.errors import DataError, did_you_mean, warn_user
from bayesml.frame.convert import RawColumn, convert, length_of
from bayesml.frame.index import align_columns, index_of
from bayesml.frame.types import Column, Frame, frozen_array

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RawData", "column_names", "finish_frame", "read_columns", "read_frame"]

LARGEST = 1e150  # squares of larger numbers overflow in double precision
SMALLEST = 1e-150  # and squares of smaller ones underflow to 0
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # HDF5 ends text at NUL; half a surrogate pair is no character
_CONTAINERS = "a pandas or polars DataFrame, a pyarrow Table or a dict of lists or arrays"


def column_names(data: Any) -> tuple[str, ...]:
    """Return the names of the columns of ``data``. Columns whose name is no text cannot be used and are left out.

    Raises:
        DataError: ``data`` is not a container of columns.
    """
    if isinstance(data, Mapping):
        return tuple(name for name in data if isinstance(name, str))
    every = _names(data)
    named = tuple(dict.fromkeys(name for name in every if isinstance(name, str)))
    if every and not named:
        raise DataError(
            f"No column of the data has a text as its name; the first is called {every[0]!r}. Rename the columns, for "
            'example `data.columns = ["_".join(map(str, name)) for name in data.columns]` where names have levels.'
        )
    return named


@dataclass(frozen=True, eq=False)
class RawData:
    """Columns of the data before rows are dropped.

    Attributes:
        columns: the columns by name.
        n_rows: number of rows.
        index: labels of the rows, from the index of pandas data; None for other data and for the default index.
        grouping: columns that are used as grouping factors alone.
    """

    columns: Mapping[str, RawColumn]
    n_rows: int
    index: pd.Index | None
    grouping: frozenset[str] = frozenset()


def read_frame(
    data: Any,
    names: Sequence[str],
    *,
    missing: Literal["drop", "error"] = "drop",
    grouping: Collection[str] = (),
    sparse: Collection[str] = (),
    needed: Mapping[str, np.ndarray] | None = None,
) -> Frame:
    """Read the columns ``names`` of the data.

    Args:
        data: a pandas or polars DataFrame, a pyarrow Table, or a dict of lists or arrays; all give the same frame.
        names: the columns to read; others are ignored.
        missing: what to do with rows that have a missing value (None, NaN, null): ``"drop"`` leaves them out with a
            warning, ``"error"`` refuses.
        grouping: those of the columns that are used as grouping factors alone; they may hold dates and whole numbers
            beyond 2^53, which become levels.
        sparse: columns of numbers that some rows do not need, where they may be missing (NaN then) or infinite.
        needed: of columns that some rows do not need those that do, ``(rows,)``; where a value is missing in another
            row, it is filled with one that occurs.

    Returns:
        The columns as numbers or factors; levels that no row has are dropped. The index of pandas data is kept.

    Raises:
        DataError: a column is unknown, has a type that cannot be used or infinite values, or no row is left.

    Warns:
        FitWarning: rows were dropped; the message counts them.
    """
    if missing not in ("drop", "error"):
        raise DataError(f"missing={missing!r} is not possible; choose 'drop' or 'error'.")
    raw = read_columns(data, names, grouping)
    if needed:
        columns = {name: _filled(column, needed.get(name)) for name, column in raw.columns.items()}
        raw = replace(raw, columns=columns)
    frame = finish_frame(raw, missing, sparse)
    for column in frame.columns.values():
        if column.levels is None and column.name not in grouping:
            _refuse_vanishing(column)
    return frame


def _filled(column: RawColumn, needed: np.ndarray | None) -> RawColumn:
    """Return a column with a value that occurs in the rows that do not need one."""
    if needed is None or not (column.missing & ~needed).any() or column.missing.all():
        return column
    gaps = column.missing & ~needed
    values = np.where(gaps, column.values[~column.missing][0], column.values)
    return replace(column, values=values, missing=column.missing & needed)


def _refuse_vanishing(column: Column) -> None:
    largest = float(np.abs(column.values).max())
    if 0.0 < largest < SMALLEST:
        raise DataError(
            f"The column `{column.name}` holds values no larger than {largest:.3g}, whose squares underflow to 0; "
            "rescale it."
        )


def finish_frame(raw: RawData, missing: Literal["drop", "error"] = "error", sparse: Collection[str] = ()) -> Frame:
    """Return the complete rows of data that were read; a row is complete without its ``sparse`` columns.

    Raises:
        DataError: there are no rows, or none is complete; a value is infinite; or rows that are not complete are
            refused.
    """
    if raw.n_rows == 0:
        raise DataError("The data have no rows.")
    needed = {name: column for name, column in raw.columns.items() if name not in sparse}
    keep = _complete_rows(needed, raw.n_rows, missing)
    rows = frozen_array(np.flatnonzero(keep))
    columns = {name: _finish(name, column, keep, rows, name in raw.grouping) for name, column in needed.items()}
    columns |= {name: _finish_sparse(name, raw.columns[name], keep) for name in raw.columns if name in sparse}
    return Frame(columns, len(rows), rows, raw.n_rows - len(rows), None if raw.index is None else raw.index[keep])


def read_columns(data: Any, names: Sequence[str], grouping: Collection[str] = ()) -> RawData:
    """Read the columns ``names`` with their missing values; those in ``grouping`` are grouping factors alone.

    If the data are a dict of pandas Series with the same labels in different orders, they are brought into one order.

    Raises:
        DataError: a column is unknown, has a type that cannot be used, or has another length or other labels.
    """
    names, grouping = tuple(dict.fromkeys(names)), frozenset(grouping)
    return (_read_dict if isinstance(data, Mapping) else _read_native)(data, names, grouping)


def _read_dict(data: Mapping[Any, Any], names: Sequence[str], grouping: frozenset[str]) -> RawData:
    _refuse_unknown(names, column_names(data))
    used = {name: data[name] for name in names} if names else dict(list(data.items())[:1])
    lengths = {name: length_of(str(name), column) for name, column in used.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
        raise DataError(f"The columns differ in length: {listed}.")
    aligned, index = align_columns(used)
    columns = {name: convert(name, aligned[name], grouping=name in grouping) for name in names}
    return RawData(columns, next(iter(lengths.values()), 0), index, grouping)


def _read_native(data: Any, names: Sequence[str], grouping: frozenset[str]) -> RawData:
    _refuse_unknown(names, column_names(data))
    frame = _open(_used_part(data, names))
    native = frame.to_native()
    declared = _declared_categories(native)
    columns = {
        name: convert(name, frame.get_column(name), keeps_order=name in declared, grouping=name in grouping)
        for name in names
    }
    return RawData(columns, len(frame), index_of(native), grouping)


def _used_part(data: Any, names: Sequence[str]) -> Any:
    """Return the columns ``names`` alone; other columns may have problems, such as the same name twice."""
    native, wanted = nw.to_native(data, pass_through=True), set(names)
    pandas, arrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    if pandas is not None and isinstance(native, pandas.DataFrame):
        return native.loc[:, [name in wanted for name in native.columns]]
    if arrow is not None and isinstance(native, arrow.Table):
        return native.select([i for i, name in enumerate(native.column_names) if name in wanted])
    return data


def _declared_categories(native: Any) -> frozenset[str]:
    """Return the dictionary columns of an Arrow table that were Categoricals in pandas: their levels have an order."""
    arrow = sys.modules.get("pyarrow")
    if arrow is None or not isinstance(native, arrow.Table):
        return frozenset()
    described = (native.schema.pandas_metadata or {}).get("columns", ())
    return frozenset(str(column.get("name")) for column in described if column.get("pandas_type") == "categorical")


def _names(data: Any) -> list[Any]:
    native = nw.to_native(data, pass_through=True)
    pandas, arrow = sys.modules.get("pandas"), sys.modules.get("pyarrow")
    if pandas is not None and isinstance(native, pandas.DataFrame):
        return list(native.columns)
    if arrow is not None and isinstance(native, arrow.Table):
        return list(native.column_names)
    return list(_open(data).columns)


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
    known = set(available)
    for name in names:
        if name not in known:
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
    warn_user(f"{what}. They are left out; missing='error' refuses instead.")
    return keep


def _refuse_unstorable(name: str, texts: Sequence[str]) -> None:
    """Refuse characters that a saved fit cannot hold (NUL, half a surrogate pair), before anything is fitted."""
    together = "".join(texts)
    bad = _UNSTORABLE.search(together) if not together.isascii() or "\0" in together else None
    if bad is not None:
        where = "The name of the column" if texts == (name,) else "Text of the column"
        raise DataError(f"{where} {name!r} has the character {bad.group()!r}, which no file can hold; replace it.")


def _finish_sparse(name: str, raw: RawColumn, keep: np.ndarray) -> Column:
    if raw.levels is not None:
        raise DataError(f"The column `{name}` holds text, where numbers are needed.")
    _refuse_unstorable(name, (name,))
    return Column(name, frozen_array(np.where(raw.missing, np.nan, raw.values)[keep]))


def _finish(name: str, raw: RawColumn, keep: np.ndarray, rows: np.ndarray, grouping: bool) -> Column:
    values = raw.values[keep]
    _refuse_unstorable(name, (name,))
    if raw.levels is not None:
        used, codes = np.unique(values, return_inverse=True)
        levels, categories = (
            None if all_of is None else tuple(all_of[code] for code in used.tolist())
            for all_of in (raw.levels, raw.categories)
        )
        _refuse_unstorable(name, levels or ())
        return Column(name, frozen_array(codes.astype(np.int64)), levels, raw.ordered, categories=categories)
    finite = np.isfinite(values)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        message = f"The column `{name}` is infinite in row {rows[first] + 1}"
        raise DataError(f"{message}; replace infinite values or mark them as missing.")
    if not grouping and np.abs(values).max() > LARGEST:
        message = f"The column `{name}` holds values as large as {np.abs(values).max():.3g}, whose squares overflow"
        raise DataError(f"{message}; rescale it.")
    is_integer = not raw.is_boolean and bool((values == np.floor(values)).all())
    return Column(name, frozen_array(values), None, False, raw.is_boolean, is_integer)
