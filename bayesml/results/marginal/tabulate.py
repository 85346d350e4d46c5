"""From numbers of rows or averages to the table that answers a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.marginal.asking import Asked, Averaging
from bayesml.results.marginal.hypotheses import hypothesised, null_value
from bayesml.results.marginal.numbers import AbstractNumbers, DrawnNumbers
from bayesml.results.marginal.question import Averages
from bayesml.results.marginal.table import Effects
from bayesml.results.record.fit import AbstractSampledFit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Part", "tabulated"]

MOST_KEPT = 40_000_000
"""Draws of rows that are kept, 320 MB; beyond these rows are summarised part by part."""

CATEGORY = "group"
ROW = "rowid"


@final
@dataclass(frozen=True)
class Part:
    """What some numbers are about: the column that is changed and how; both empty for predictions."""

    term: str
    contrast: str


Evaluate = Callable[["pd.DataFrame", Averages | None], "list[tuple[Part, AbstractNumbers]]"]


def tabulated(
    asked: Asked, rows: pd.DataFrame, averaging: Averaging | None, categories: Sequence[str], of: Evaluate
) -> Effects:
    """Evaluate rows and show the result.

    Args:
        asked: the options.
        rows: the rows.
        averaging: which of them are averaged; None for none.
        categories: labels of the numbers of each row, where it has several.
        of: evaluates rows.
    """
    if averaging is not None:
        return _finished(asked, of(rows, averaging.averages), _keys(averaging, categories), None)
    size = _rows_at_once(asked, rows, categories)
    if size >= len(rows):
        return _finished(asked, of(rows, None), _row_keys(np.arange(len(rows)), categories), rows)
    if asked.hypothesis is not None and null_value(asked.hypothesis) is None:
        raise ModelError(
            f"There are too many draws to compare {len(rows)} rows with each other; ask for averages (`by=`), for "
            "fewer rows, or for `ndraws=`."
        )
    return _part_by_part(asked, rows, categories, of, size)


def _part_by_part(asked: Asked, rows: pd.DataFrame, categories: Sequence[str], of: Evaluate, size: int) -> Effects:
    import pandas as pd

    tables = []
    for start in range(0, len(rows), size):
        places = np.arange(start, min(start + size, len(rows)))
        some = rows.iloc[places].reset_index(drop=True)
        tables.append(_finished(asked, of(some, None), _row_keys(places, categories), some).table)
    table = pd.concat(tables, ignore_index=True)
    order = [name for name in ("term", "contrast") if name in table]
    if order:
        ranks = table[order].astype(str).agg("\0".join, axis=1)
        table = table.iloc[np.argsort(pd.factorize(ranks)[0], kind="stable")].reset_index(drop=True)
    return Effects(table, None, "There are too many draws to be kept; ask for averages, fewer rows or `ndraws=`.")


def _rows_at_once(asked: Asked, rows: pd.DataFrame, categories: Sequence[str]) -> int:
    if not isinstance(asked.fit, AbstractSampledFit):
        return len(rows)
    record = asked.fit.draws_record
    draws = asked.question.ndraws or record.n_chains * record.n_draws
    return max(MOST_KEPT // (draws * max(len(categories), 1)), 1)


def _keys(averaging: Averaging, categories: Sequence[str]) -> dict[str, list[Any]]:
    repeat = max(len(categories), 1)
    keys = {name: [v for v in values for _ in range(repeat)] for name, values in averaging.keys.items()}
    return {**keys, **({CATEGORY: list(categories) * averaging.averages.count} if categories else {})}


def _row_keys(places: np.ndarray, categories: Sequence[str]) -> dict[str, list[Any]]:
    keys: dict[str, list[Any]] = {ROW: np.repeat(places, max(len(categories), 1)).tolist()}
    return {**keys, **({CATEGORY: list(categories) * len(places)} if categories else {})}


def _finished(
    asked: Asked, found: list[tuple[Part, AbstractNumbers]], keys: dict[str, list[Any]], rows: pd.DataFrame | None
) -> Effects:
    import pandas as pd

    numbers = found[0][1].followed([own for _, own in found[1:]])
    columns: dict[str, Any] = {}
    counts = [own.count for _, own in found]
    if found[0][0].term:
        parts = [part for (part, _), count in zip(found, counts, strict=True) for _ in range(count)]
        columns = {"term": [part.term for part in parts], "contrast": [part.contrast for part in parts]}
    columns |= {name: values * len(found) for name, values in keys.items()}
    null = null_value(asked.hypothesis)
    if asked.hypothesis is not None and null is None:
        labels, numbers = hypothesised(numbers, _labels(columns, numbers.count), asked.hypothesis)
        columns, rows = {"term": labels}, None
    table = pd.DataFrame(columns | numbers.columns(asked.level, null or 0.0, asked.transform))
    if rows is not None:
        places = np.tile(np.repeat(np.arange(len(rows)), numbers.count // (len(rows) * len(found))), len(found))
        others = rows[[name for name in rows if name not in table]].iloc[places].reset_index(drop=True)
        table = pd.concat([table, others], axis=1)
    if isinstance(numbers, DrawnNumbers):
        return Effects(table, numbers.values)
    return Effects(table, None, "A point estimate has no draws; fit.to_normal_draws() makes some.")


def _labels(columns: dict[str, list[Any]], count: int) -> list[str]:
    """Return what each estimate is called: the values of the columns that differ between them."""
    moving = {name: values for name, values in columns.items() if len(set(map(str, values))) > 1 and name != ROW}
    if not moving:
        return [f"b{k + 1}" for k in range(count)]
    return [", ".join(_text(values[k]) for values in moving.values()) for k in range(count)]


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)
