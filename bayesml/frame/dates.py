"""Dates and times as text, for levels: ``2024-05-01``, ``2024-05-01T12:30:00``, ``2024-05-01T12:30:00Z`` (ISO 8601).

Equal dates have equal texts, whatever their type and precision. Times with a time zone are given in UTC, with a ``Z``.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import numpy as np

__all__ = ["array_date_texts", "date_texts", "is_date", "series_date_texts"]


def is_date(type_: type) -> bool:
    """Whether values of a type are dates, or dates with a time."""
    return issubclass(type_, (datetime.date, np.datetime64))


def date_texts(values: Sequence[Any]) -> list[str | None]:
    """Return the text of each date or time, None for a missing one."""
    known: dict[Any, str | None] = {}
    return [known[value] if value in known else known.setdefault(value, _text(value)) for value in values]


def array_date_texts(values: np.ndarray, zone: str = "") -> list[str | None]:
    """Return the text of each ``datetime64``, None for a missing one."""
    distinct, codes = np.unique(values, return_inverse=True)
    texts = [None if np.isnat(value) else _trimmed(str(value)) + zone for value in distinct]
    return np.asarray(texts, dtype=object)[codes].tolist()


def series_date_texts(series: nw.Series[Any]) -> list[str | None]:
    """Return the text of each value of a column of dates or times, None for a missing one."""
    zone = getattr(series.dtype, "time_zone", None)
    if zone is None:
        return array_date_texts(np.asarray(series.to_numpy(), dtype="M8"))
    universal = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return array_date_texts(np.asarray(universal.to_numpy(), dtype="M8"), "Z")


def _text(value: Any) -> str | None:
    if value is None or type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return f"{_text(value.astimezone(datetime.UTC).replace(tzinfo=None))}Z"
    in_nanoseconds = getattr(value, "to_datetime64", None)  # of a pandas Timestamp
    date = in_nanoseconds() if in_nanoseconds is not None else np.datetime64(value)
    return None if np.isnat(date) else _trimmed(str(date))


def _trimmed(text: str) -> str:
    """Remove a fraction of a second that is zero, and a time of midnight."""
    day, _, time = text.partition("T")
    time = re.sub(r"\.?0*$", "", time) if "." in time else time
    hours, minutes, seconds = (*time.split(":"), "00", "00", "00")[:3] if time else ("00", "00", "00")
    time = f"{hours}:{minutes}:{seconds}"
    return day if time == "00:00:00" else f"{day}T{time}"
