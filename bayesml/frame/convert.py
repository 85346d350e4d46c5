"""Converting one column, from any kind of container, to float64 numbers or to integer codes with levels."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import narwhals as nw
import numpy as np

from bayesml.errors import DataError, described
from bayesml.frame.dates import array_date_texts, date_texts, is_date, series_date_texts
from bayesml.frame.values import Value, value_texts

__all__ = ["RawColumn", "convert", "length_of"]

_LARGEST_EXACT = 2.0**53
_LARGEST_INTEGER = 2.0**64
_MISSING_TYPES = {"NoneType", "NAType", "NaTType"}


@dataclass(frozen=True, eq=False)
class RawColumn:
    """A converted column before rows are dropped.

    Attributes:
        values: floats, or codes with -1 where missing.
        missing: mask of missing values.
        levels: labels of a factor, unused ones included.
        ordered: whether the order of the levels means something.
        is_boolean: whether it held truth values.
        categories: the values behind ``levels``, where they are not text.
        refusal: why the column can only be a grouping factor (dates, large whole numbers); empty if it can be more.
    """

    values: np.ndarray
    missing: np.ndarray
    levels: tuple[str, ...] | None = None
    ordered: bool = False
    is_boolean: bool = False
    categories: tuple[Value, ...] | None = None
    refusal: str = ""


def length_of(name: str, column: Any) -> int:
    """Return the number of values of a column of a dict.

    Raises:
        DataError: the column is a single value or something without a length.
    """
    column = _as_sized(name, column)
    return len(column)


def _as_sized(name: str, column: Any) -> Any:
    if isinstance(column, (nw.Series, list, tuple, range)):
        return column
    column = _wrap(column)
    if isinstance(column, nw.Series):
        return column
    if isinstance(column, (str, bytes, dict, set)):
        raise DataError(f"The column `{name}` is a {type(column).__name__}, not a list or an array of values.")
    try:
        array = column if isinstance(column, np.ndarray) else np.asarray(column)
    except Exception as error:
        raise DataError(f"The column `{name}` cannot be made an array: {described(error)}") from None
    if array.ndim != 1:
        shape = "a single value" if array.ndim == 0 else f"an array of {array.ndim} dimensions"
        raise DataError(f"The column `{name}` is {shape}; every column is a list or a one-dimensional array.")
    return array


def _wrap(column: Any) -> Any:
    module = type(column).__module__.split(".")[0]
    if module == "pyarrow" and not type(column).__name__.startswith("Chunked"):
        column = sys.modules["pyarrow"].chunked_array([column])
    elif module == "pandas" and type(column).__name__ == "Categorical":
        column = sys.modules["pandas"].Series(column)
    return nw.from_native(column, series_only=True, pass_through=True)


def convert(name: str, column: Any, *, keeps_order: bool = False, grouping: bool = False) -> RawColumn:
    """Convert one column.

    Args:
        name: its name, for messages.
        column: its values.
        keeps_order: whether the levels of a dictionary column of Arrow are in an order that was chosen. Most are in
            order of first appearance, which means nothing; those levels are sorted, like the levels of text.
        grouping: whether the column is a grouping factor, of which only equality of values matters. Dates and whole
            numbers beyond 2^53 are possible then.

    Raises:
        DataError: its type cannot be used in a model; the message says what to make of it.
    """
    try:
        raw = _convert(name, _as_sized(name, column), keeps_order)
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"The column `{name}` cannot be read: {described(error)}") from None
    if raw.refusal and not grouping:
        raise DataError(raw.refusal)
    if grouping and raw.levels is None:
        _refuse_rounded(name, raw.values[~raw.missing])
    return raw


def _refuse_rounded(name: str, values: np.ndarray) -> None:
    """Refuse large identifiers that became floats, as integers do in pandas when a value is missing."""
    rounded = (np.abs(values) >= _LARGEST_EXACT) & (np.abs(values) < _LARGEST_INTEGER)
    if rounded.any() and (values == np.floor(values)).all():
        raise DataError(
            f"The column `{name}` holds whole numbers beyond 2^53 as floating-point numbers, where neighbours have "
            'become the same; read them as integers (in pandas dtype="Int64") or as text.'
        )


def _convert(name: str, column: Any, keeps_order: bool) -> RawColumn:
    if isinstance(column, nw.Series):
        return _from_series(name, column, keeps_order)
    if isinstance(column, np.ndarray):
        return _from_array(name, column)
    return _from_values(name, column)


def _from_series(name: str, series: nw.Series[Any], keeps_order: bool) -> RawColumn:
    dtype = series.dtype
    if dtype.is_numeric():
        return _from_values(name, series.to_list()) if _is_inexact(series) else _from_floats(series)
    if isinstance(dtype, (nw.Datetime, nw.Date)):
        return _from_dates(name, series_date_texts(series), str(dtype))
    if isinstance(dtype, (nw.Categorical, nw.Enum)):
        return _from_categorical(name, series, keeps_order)
    if isinstance(dtype, (nw.String, nw.Boolean, nw.Object, nw.Unknown)):
        return _from_values(name, series.to_list())
    raise _unsupported(name, str(dtype))


def _is_inexact(series: nw.Series[Any]) -> bool:
    """Whether a column holds integers or decimals that differ but would be equal as floats."""
    ends = () if series.dtype.is_float() else (series.min(), series.max())
    return any(not _is_missing(end) and abs(end) >= _LARGEST_EXACT for end in ends)


def _from_floats(series: nw.Series[Any]) -> RawColumn:
    values = np.asarray(series.cast(nw.Float64()).to_numpy(), dtype=np.float64)
    return RawColumn(values, np.isnan(values))


def _from_array(name: str, array: np.ndarray) -> RawColumn:
    if isinstance(array, np.ma.MaskedArray):
        objects = array.data.astype(object)
        objects[np.ma.getmaskarray(array)] = None
        return _from_values(name, objects.tolist())
    if array.dtype.kind in "iuf":
        values = array.astype(np.float64)
        if _is_exact(values) or array.dtype.kind == "f":
            return RawColumn(values, np.isnan(values))
    if array.dtype.kind == "M":
        return _from_dates(name, array_date_texts(array), str(array.dtype))
    if array.dtype.kind in "biuUOT":
        return _from_values(name, array.tolist())
    raise _unsupported(name, str(array.dtype))


def _from_values(name: str, values: Sequence[Any]) -> RawColumn:
    """Convert Python objects, which are all text, all truth values, all numbers or all dates."""
    missing = np.fromiter(map(_is_missing, values), dtype=bool, count=len(values))
    present = [value for value in values if not _is_missing(value)] if missing.any() else values
    kinds = {_kind(name, type_) for type_ in set(map(type, present))}
    if len(kinds) > 1:
        raise DataError(f"The column `{name}` mixes {' and '.join(sorted(kinds))}; make them all of one kind.")
    if kinds == {"text"}:
        return _from_text(present, missing)
    if kinds == {"dates"}:
        return _from_dates(name, date_texts(values), type(present[0]).__name__)
    try:
        floats = np.array([float(value) for value in present], dtype=np.float64)
    except OverflowError:
        refusal = f"The column `{name}` holds a number too large for double precision; rescale it."
        return _identifiers(present, missing, refusal)
    if not _is_exact(floats) and all(map(_is_whole, present)):
        message = f"The column `{name}` holds whole numbers beyond 2^53, which double precision cannot tell apart"
        return _identifiers(present, missing, f"{message}; if they are identifiers, make them text.")
    numbers = np.full(len(values), np.nan)
    numbers[~missing] = floats
    return RawColumn(numbers, missing | np.isnan(numbers), is_boolean=kinds == {"truth values"})


def _is_exact(values: np.ndarray) -> bool:
    """Whether all numbers are below 2^53, so that whole numbers among them are exact."""
    return not (np.abs(values) >= _LARGEST_EXACT).any()


def _is_whole(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return isinstance(value, (int, np.integer))


def _identifiers(present: Sequence[Any], missing: np.ndarray, refusal: str) -> RawColumn:
    """Convert large whole numbers to the levels of a grouping factor, which are exact.

    Raises:
        DataError: some of the numbers are not whole.
    """
    if not all(map(_is_whole, present)):
        raise DataError(refusal)
    whole = list(map(int, present))
    values: tuple[Value, ...] = tuple(sorted(set(whole)))
    return replace(_coded(whole, missing, values), levels=value_texts(values), categories=values, refusal=refusal)


def _is_missing(value: Any) -> bool:
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return type(value).__name__ in _MISSING_TYPES


def _kind(name: str, type_: type) -> str:
    if issubclass(type_, str):
        return "text"
    if issubclass(type_, (bool, np.bool_)):
        return "truth values"
    if issubclass(type_, (Real, Decimal)):
        return "numbers"
    if is_date(type_):
        return "dates"
    raise _unsupported(name, type_.__name__)


def _from_text(present: Sequence[str], missing: np.ndarray) -> RawColumn:
    # Code point order: the same on every machine. R's order depends on the locale.
    return _coded(present, missing, tuple(sorted(set(map(str, present)))))


def _coded(present: Sequence[Any], missing: np.ndarray, values: tuple[Any, ...]) -> RawColumn:
    table = {value: code for code, value in enumerate(values)}
    codes = np.full(len(missing), -1, dtype=np.int64)
    codes[~missing] = np.fromiter(map(table.__getitem__, present), dtype=np.int64, count=len(present))
    return RawColumn(codes, missing, values)


def _from_dates(name: str, texts: Sequence[str | None], type_name: str) -> RawColumn:
    missing = np.array([text is None for text in texts], dtype=bool)
    raw = _from_text([text for text in texts if text is not None], missing)
    return replace(raw, refusal=str(_unsupported(name, type_name)))


def _from_categorical(name: str, series: nw.Series[Any], keeps_order: bool) -> RawColumn:
    native, implementation = series.to_native(), series.implementation
    if implementation.is_pandas() and type(native.dtype).__name__ == "CategoricalDtype":
        labels, codes, ordered = native.cat.categories.tolist(), native.cat.codes.to_numpy(), native.cat.ordered
    elif implementation.is_pyarrow() or implementation.is_pandas():
        return _from_dictionary(name, native if implementation.is_pyarrow() else series.to_arrow(), keeps_order)
    elif implementation.is_polars() and isinstance(series.dtype, nw.Enum):
        labels, ordered = native.dtype.categories.to_list(), False
        codes = native.to_physical().cast(int).fill_null(-1).to_numpy()
    else:
        # A polars Categorical numbers its levels by their first appearance anywhere in the process.
        return _from_values(name, series.cast(nw.String()).to_list())
    return _codes(name, labels, np.asarray(codes, dtype=np.int64), bool(ordered))


def _from_dictionary(name: str, column: Any, keeps_order: bool) -> RawColumn:
    array = column
    while type(array).__name__ == "ChunkedArray":
        array = array.combine_chunks()
    labels, ordered = array.dictionary.to_pylist(), bool(array.type.ordered)
    codes = np.asarray(array.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    if not (ordered or keeps_order):
        order = sorted((i for i, label in enumerate(labels) if not _is_missing(label)), key=labels.__getitem__)
        rank = np.full(len(labels) + 1, -1, dtype=np.int64)
        rank[order] = np.arange(len(order))
        labels, codes = [labels[i] for i in order], rank[codes]
    return _codes(name, labels, codes, ordered)


def _codes(name: str, labels: Sequence[Any], codes: np.ndarray, ordered: bool) -> RawColumn:
    present = [i for i, label in enumerate(labels) if not _is_missing(label)]
    translation = np.full(len(labels) + 1, -1, dtype=np.int64)
    translation[present] = np.arange(len(present))
    codes = translation[codes]
    values = tuple(_category(labels[i]) for i in present)
    levels = value_texts(values)
    if len(set(levels)) < len(levels):
        raise DataError(f"The column `{name}` has two categories that read the same; rename one.")
    return RawColumn(codes, codes < 0, levels, ordered, categories=None if values == levels else values)


def _category(value: Any) -> Value:
    if isinstance(value, (str, bool, np.bool_)):
        return str(value) if isinstance(value, str) else bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return date_texts([value])[0] if is_date(type(value)) else str(value)


def _unsupported(name: str, type_name: str) -> DataError:
    lowered = type_name.lower()
    cure = "make it numbers or text"
    if any(word in lowered for word in ("date", "time", "duration")):
        cure = "make it a number, such as days since the start, or text"
    elif "complex" in lowered:
        cure = "use its real part, imaginary part or modulus"
    elif any(word in lowered for word in ("list", "array", "struct", "dict", "tuple")):
        cure = "give each element a column of its own"
    return DataError(f"The column `{name}` holds values of type {type_name}, which a model cannot use; {cure}.")
