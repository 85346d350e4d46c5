"""``compare_levels()``: differences of draws between the levels of a factor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.marginal.datagrid import table_of
from bayesml.results.tidy.intervals import DRAW_COLUMNS, differing_columns, value_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["compare_levels"]

COMPARISONS = ("default", "pairwise", "control", "ordered")
SIGNS = {"subtract": "-", "add": "+", "divide": "/", "true_divide": "/", "multiply": "*"}


def compare_levels(
    frame: Any,
    variable: str,
    *,
    by: str,
    comparison: str | Iterable[tuple[Any, Any]] = "default",
    fun: Callable[[Any, Any], Any] = np.subtract,
    groups: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return draws of the differences of a variable between levels, draw by draw, as R's tidybayes does.

    Args:
        frame: a long frame of draws, from ``fit.spread_draws()``, ``fit.gather_draws()`` or ``fit.add_epred_draws()``.
        variable: the column of draws.
        by: the column of levels.
        comparison: ``"pairwise"`` each level with each before it (``b - a``, ``c - a``, ``c - b``); ``"control"`` each
            with the first (``b - a``, ``c - a``); ``"ordered"`` each with the one before it (``b - a``, ``c - b``);
            ``"default"`` is ``"ordered"`` for an ordered categorical column, else ``"pairwise"``; or pairs of levels,
            ``[("b", "a")]``. Levels are in the order of a categorical column, else sorted.
        fun: the function of both that is taken, ``np.subtract`` by default; ``np.divide`` gives ratios.
        groups: the columns within whose values levels are compared, beside ``.chain``, ``.iteration`` and ``.draw``;
            None takes all other columns but ``.row`` and decimal numbers that differ between draws.

    Returns:
        ``.chain``, ``.iteration``, ``.draw`` as far as the frame has them, the columns of ``groups``, ``by`` with the
        comparison as text, and the variable.

    Raises:
        ModelError: there is no such column, comparison or level, or a group has no or several values of a level.

    Example:
        >>> import bayesml
        >>> frame = {".draw": [0, 0, 1, 1], "g": ["a", "b", "a", "b"], "r": [1.0, 3.0, 2.0, 5.0]}
        >>> bayesml.compare_levels(frame, "r", by="g")
    """
    import pandas as pd

    rows = table_of(frame)
    value_columns(rows, (variable,))
    _check_by(rows, by, variable)
    keys = _keys(rows, variable, by, groups)
    levels, ordered = _levels(rows[by])
    pairs = _pairs(levels, comparison, ordered)
    wide = _wide(rows, variable, by, keys)
    sign = SIGNS.get(getattr(fun, "__name__", ""), ",")
    parts = []
    for level, reference in pairs:
        label = f"{level} {sign} {reference}" if sign != "," else f"{level}, {reference}"
        both = wide[[level, reference]].dropna()
        if both.empty:
            raise ModelError(
                f"No row of {level!r} has the same {', '.join(f'`{key}`' for key in keys)} as one of {reference!r}. "
                'Name the columns within which levels are compared: groups=["x"], or groups=[] for none.'
            )
        result = np.asarray(fun(both[level].to_numpy(), both[reference].to_numpy()))
        if result.shape != (len(both),):
            raise ModelError(
                f"`fun` returns a number for each draw, {len(both)} of them; got the shape {result.shape}."
            )
        part = both.index.to_frame(index=False)
        part[by], part[variable] = label, result
        parts.append(part)
    found = pd.concat(parts, ignore_index=True)
    texts = list(dict.fromkeys(found[by]))
    found[by] = pd.Categorical(found[by], categories=texts)
    return found


def _check_by(rows: pd.DataFrame, by: Any, variable: str) -> None:
    if by not in rows or by == variable:
        there = [str(name) for name in rows if name != variable]
        raise ModelError(
            f"`by` is a column of levels, one of {', '.join(f'`{name}`' for name in there)}; got "
            f"{by!r}{did_you_mean(str(by), there)}."
        )


def _keys(rows: pd.DataFrame, variable: str, by: str, groups: Sequence[str] | None) -> list[str]:
    drawn = [name for name in DRAW_COLUMNS if name in rows]
    if ".draw" not in drawn:
        raise ModelError("The frame has no column `.draw`, so that it is not known which numbers belong together.")
    if groups is None:
        left_out = (*drawn, variable, by, ".row", *differing_columns(rows))
        return [*drawn, *(name for name in rows if name not in left_out)]
    names = [groups] if isinstance(groups, str) else list(groups)
    wrong = [name for name in names if name not in rows or name in (variable, by)]
    if wrong:
        raise ModelError(f"`groups` names other columns of the frame; got {wrong[0]!r}.")
    return [*drawn, *(name for name in names if name not in drawn)]


def _levels(column: pd.Series) -> tuple[list[Any], bool]:
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        present = set(column.dropna().unique())
        return [level for level in column.cat.categories if level in present], bool(column.cat.ordered)
    return sorted(column.dropna().unique()), False


def _pairs(levels: list[Any], comparison: Any, ordered: bool) -> list[tuple[Any, Any]]:
    """Return the level and its reference of each comparison."""
    if len(levels) < 2:
        raise ModelError(f"There are fewer than two levels to compare: {levels}.")
    kind = (
        ("ordered" if ordered else "pairwise")
        if isinstance(comparison, str) and comparison == "default"
        else comparison
    )
    if isinstance(kind, str):
        if kind not in COMPARISONS:
            listed = ", ".join(f'"{name}"' for name in COMPARISONS)
            raise ModelError(
                f"`comparison` is one of {listed}, or pairs of levels{did_you_mean(kind, COMPARISONS)}; got {kind!r}."
            )
        if kind == "control":
            return [(level, levels[0]) for level in levels[1:]]
        if kind == "ordered":
            return list(zip(levels[1:], levels, strict=False))
        return [(level, reference) for reference, level in combinations(levels, 2)]
    try:
        pairs = [(level, reference) for level, reference in kind]
    except (TypeError, ValueError):
        raise ModelError(f'`comparison` as pairs of levels is a list such as [("b", "a")]; got {kind!r}.') from None
    wrong = [level for pair in pairs for level in pair if level not in levels]
    if wrong or not pairs:
        culprit = repr(wrong[0]) if wrong else "no pair"
        raise ModelError(f"`comparison` holds {culprit}; the levels are {', '.join(map(repr, levels))}.")
    return pairs


def _wide(rows: pd.DataFrame, variable: str, by: str, keys: list[str]) -> pd.DataFrame:
    """Return the levels side by side, a row for each combination of the keys."""
    if rows.duplicated([*keys, by]).any():
        raise ModelError(
            f"Several rows have the same {', '.join(f'`{key}`' for key in [*keys, by])}. Average them first, or name "
            "the columns that tell them apart in `groups=`."
        )
    indexed = rows.assign(**{by: rows[by].astype(object)}).set_index([*keys, by])[variable]
    return indexed.unstack(by)
