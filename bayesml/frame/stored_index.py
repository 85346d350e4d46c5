"""The index of rows as plain values for a file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["index_from_json", "index_to_json"]

PLAIN = (str, bool, int, float, type(None))


def index_to_json(index: pd.Index | None) -> Any:
    """Return an index as JSON: one entry with kind, name and values for each level of the index.

    Labels that are numbers, text, truth values, times, time spans, periods, intervals or categories are restored as
    they were. Labels of other types are stored as text.
    """
    if index is None:
        return None
    return [_level_to_json(index.get_level_values(i)) for i in range(index.nlevels)]


def index_from_json(stored: Any) -> pd.Index | None:
    """Return the index from its JSON, the inverse of ``index_to_json``."""
    if stored is None:
        return None
    import pandas as pd

    levels = [_level_from_json(level) for level in stored]
    return levels[0] if len(levels) == 1 else pd.MultiIndex.from_arrays(levels)


def _level_to_json(level: pd.Index) -> dict[str, Any]:
    name = level.name if isinstance(level.name, PLAIN) else str(level.name)
    return {"name": name, **_values_to_json(level)}


def _values_to_json(level: pd.Index) -> dict[str, Any]:
    import pandas as pd

    if isinstance(level, pd.CategoricalIndex):
        categories = _values_to_json(level.categories)
        return {
            "kind": "categories", "codes": level.codes.tolist(), "of": categories, "ordered": bool(level.ordered),
        }  # fmt: skip
    if isinstance(level, pd.IntervalIndex):
        ends = {"left": _values_to_json(level.left), "right": _values_to_json(level.right)}
        return {"kind": "intervals", **ends, "closed": level.closed}
    if isinstance(level, pd.PeriodIndex):
        return {"kind": "periods", "values": level.asi8.tolist(), "frequency": level.freqstr}
    if isinstance(level, pd.DatetimeIndex):
        zone = None if level.tz is None else str(level.tz)
        return {"kind": "times", "values": level.asi8.tolist(), "unit": level.unit, "zone": zone}
    if isinstance(level, pd.TimedeltaIndex):
        return {"kind": "spans", "values": level.asi8.tolist(), "unit": level.unit}
    values = [value if isinstance(value, PLAIN) else _plain(value) for value in level.tolist()]
    return {"kind": "values", "values": values, "dtype": str(level.dtype)}


def _plain(value: Any) -> Any:
    import pandas as pd

    return None if value is pd.NA else str(value)


def _level_from_json(stored: Mapping[str, Any]) -> pd.Index:
    return _values_from_json(stored).rename(stored["name"])


def _values_from_json(stored: Mapping[str, Any]) -> pd.Index:
    import pandas as pd

    kind = stored["kind"]
    if kind == "categories":
        categories = _values_from_json(stored["of"])
        return pd.CategoricalIndex(
            pd.Categorical.from_codes(stored["codes"], categories=categories, ordered=stored["ordered"])
        )
    if kind == "intervals":
        left, right = _values_from_json(stored["left"]), _values_from_json(stored["right"])
        return pd.IntervalIndex.from_arrays(left, right, closed=stored["closed"])
    if kind == "periods":
        return pd.PeriodIndex.from_ordinals(stored["values"], freq=stored["frequency"])
    if kind == "spans":
        return pd.TimedeltaIndex(_since_epoch(stored, "m8"))
    if kind == "times":
        naive = pd.DatetimeIndex(_since_epoch(stored, "M8"))
        return naive if stored["zone"] is None else naive.tz_localize("UTC").tz_convert(stored["zone"])
    return pd.Index(stored["values"], dtype=_dtype(stored["dtype"]))


def _since_epoch(stored: Mapping[str, Any], kind: str) -> np.ndarray:
    return np.asarray(stored["values"], dtype=np.int64).view(f"{kind}[{stored['unit']}]")


def _dtype(name: str) -> Any:
    """Return a type of numbers or truth values by its name; None leaves the type to be inferred from the values."""
    import pandas as pd

    if name == "object":
        return object
    try:
        dtype = pd.api.types.pandas_dtype(name)
    except TypeError:
        return None
    return dtype if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype) else None
