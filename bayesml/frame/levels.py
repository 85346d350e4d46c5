"""Matching the levels of new data with the levels that the data of the fit had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayesml.errors import DataError
from bayesml.frame.types import Column, Frame, frozen_array
from bayesml.frame.values import TRUTH_LABELS, Levels, recode, value_texts

__all__ = ["match_codes", "match_levels"]


def match_codes(frame: Frame, factors: Sequence[str], frozen_levels: Levels) -> np.ndarray:
    """Return the level of a grouping factor that each row of new data has, as codes.

    Args:
        frame: the new data.
        factors: columns of the grouping factor.
        frozen_levels: the levels that ``Frame.interaction`` gave for the data of the fit.

    Returns:
        Codes into ``frozen_levels``, ``(rows,)``; -1 for a level that the data of the fit did not have.
    """
    codes, levels = frame.interaction(factors)
    return levels.places_in(frozen_levels)[codes]


def match_levels(frame: Frame, schema: Mapping[str, Column], names: Iterable[str] | None = None) -> Frame:
    """Recode the factors of new data to the levels that the data of the fit had.

    Args:
        frame: the new data.
        schema: the columns of the fit; only their kinds and levels are used.
        names: the columns to match, by default those that are in both. Grouping factors may have new levels and are
            matched by ``match_codes``.

    Raises:
        DataError: a level was not there at fit time, or a column changed between numbers and categories.
    """
    wanted = [name for name in frame.names if name in schema] if names is None else list(names)
    return frame.replace_columns([_match(frame.column(name), schema[name]) for name in wanted])


def _match(column: Column, frozen: Column) -> Column:
    if frozen.is_boolean:
        return _match_truth(column)
    if frozen.categories is not None and not column.is_factor:
        column = _as_factor(column)
    if column.is_factor != frozen.is_factor:
        kinds = ("numbers", "categories")
        message = f"The column `{column.name}` held {kinds[frozen.is_factor]} when the model was fitted and holds "
        kind = "truth values" if column.is_boolean else kinds[column.is_factor]
        raise DataError(f"{message}{kind} in the new data; convert it.")
    if column.levels is None or frozen.levels is None:
        return replace(column, is_boolean=False)
    places = recode(np.arange(len(column.levels)), column.level_values, frozen.level_values)
    codes = places[column.values]
    if (codes < 0).any():
        unknown = [label for label, place in zip(column.levels, places, strict=True) if place < 0]
        message = (
            f"The column `{column.name}` of the new data has the level{'s' * (len(unknown) > 1)} {_listed(unknown)}"
        )
        raise DataError(f"{message}, unknown to the model; it knows {_listed(frozen.levels)}.")
    return replace(frozen, values=frozen_array(codes))


def _as_factor(column: Column) -> Column:
    """Return a column of numbers as a factor, since the fit had a categorical column with numbers as its levels."""
    codes, values = column.distinct()
    return Column(column.name, frozen_array(codes), value_texts(values), categories=values)


def _match_truth(column: Column) -> Column:
    """Convert truth values, the numbers 0 and 1, or text such as ``TRUE`` from a file to truth values."""
    values = column.values
    if column.levels is not None:
        names = {level: level.capitalize() for level in column.levels}
        strange = [level for level, name in names.items() if name not in TRUTH_LABELS]
        if not strange:
            values = np.array([float(names[level] == TRUTH_LABELS[1]) for level in column.levels])[values]
    else:
        strange = [f"{value:g}" for value in np.unique(values[~np.isin(values, (0.0, 1.0))]).tolist()]
    if strange:
        message = f"The column `{column.name}` held truth values when the model was fitted and holds {_listed(strange)}"
        raise DataError(f"{message} in the new data; give True and False, or 1 and 0.")
    return Column(column.name, frozen_array(values), is_boolean=True)


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(repr(label) for label in labels[:10])
    return shown + (f", ... ({len(labels)} in all)" if len(labels) > 10 else "")
