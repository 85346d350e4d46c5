"""Levels of new data against the levels frozen at fit time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from bayesml.errors import DataError
from bayesml.frame.types import Column, Frame, frozen_array

__all__ = ["match_codes", "match_levels", "recode"]


def recode(codes: np.ndarray, levels: Sequence[str], frozen_levels: Sequence[str]) -> np.ndarray:
    """Translate codes into ``levels`` to codes into ``frozen_levels``; -1 where a level was never seen."""
    known = {label: code for code, label in enumerate(frozen_levels)}
    translation = np.array([known.get(label, -1) for label in levels], dtype=np.int64)
    return translation[codes] if len(levels) else np.asarray(codes, dtype=np.int64)


def match_codes(frame: Frame, factors: Sequence[str], frozen_levels: Sequence[str]) -> np.ndarray:
    """Return the code of each row's combination of ``factors`` in ``frozen_levels``, -1 where it was never seen.

    Args:
        frame: the new data.
        factors: columns of the grouping factor.
        frozen_levels: labels that ``Frame.interaction`` gave at fit time.
    """
    codes, levels = frame.interaction(factors)
    known = set(frozen_levels)
    # A label joined by ":" in the fit stands for one of two combinations that "_" would have confused.
    colons = frame.interaction_labels(factors, ":") if any(label not in known for label in levels) else levels
    labels = [colon if colon in known else label for label, colon in zip(levels, colons, strict=True)]
    return recode(codes, labels, frozen_levels)


def match_levels(frame: Frame, schema: Mapping[str, Column], names: Iterable[str] | None = None) -> Frame:
    """Recode the factors of new data to the levels of the data that were fitted.

    Args:
        frame: the new data.
        schema: the columns of the fit; only kind and levels are looked at.
        names: the columns to match, by default those in both. Grouping factors, which may have new levels, are
            left to ``recode``.

    Raises:
        DataError: a level was not there at fit time, or a column changed between numbers and categories.
    """
    wanted = [name for name in frame.names if name in schema] if names is None else list(names)
    return frame.replace_columns([_match(frame.column(name), schema[name]) for name in wanted])


def _match(column: Column, frozen: Column) -> Column:
    if column.is_factor != frozen.is_factor:
        kinds = ("numbers", "categories")
        message = f"The column `{column.name}` held {kinds[frozen.is_factor]} when the model was fitted and holds "
        raise DataError(f"{message}{kinds[column.is_factor]} in the new data; convert it.")
    if column.levels is None or frozen.levels is None:
        is_boolean = frozen.is_boolean and bool(np.isin(column.values, (0.0, 1.0)).all())
        return replace(column, is_boolean=is_boolean)
    if column.levels == frozen.levels:
        return replace(column, ordered=frozen.ordered)
    codes = recode(column.values, column.levels, frozen.levels)
    if (codes < 0).any():
        unknown = [label for label in column.levels if label not in set(frozen.levels)]
        message = (
            f"The column `{column.name}` of the new data has the level{'s' * (len(unknown) > 1)} {_listed(unknown)}"
        )
        raise DataError(f"{message}, unknown to the model; it knows {_listed(frozen.levels)}.")
    return replace(column, values=frozen_array(codes), levels=frozen.levels, ordered=frozen.ordered)


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(repr(label) for label in labels[:10])
    return shown + (f", ... ({len(labels)} in all)" if len(labels) > 10 else "")
