"""``median_qi()`` and its relatives: a point and an interval of the draws in each group of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.marginal.datagrid import table_of
from bayesml.results.questions.describe_posterior import highest_density

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["DRAW_COLUMNS", "differing_columns", "mean_hdi", "mean_qi", "median_hdi", "median_qi", "value_columns"]

DRAW_COLUMNS = (".chain", ".iteration", ".draw")
VALUES = (".value", ".epred", ".prediction", ".linpred")

Width = float | Sequence[float]
Ends = Callable[[np.ndarray, float], np.ndarray]


@final
@dataclass(frozen=True)
class _How:
    """What is computed of the draws of a group, ``(draws, groups)``, along their first axis."""

    point: str
    interval: str
    center: Callable[[np.ndarray], np.ndarray]
    ends: Ends


def median_qi(frame: Any, *columns: str, by: str | Sequence[str] | None = None, width: Width = 0.95) -> pd.DataFrame:
    """Return the median and the interval with equal tails of the draws in each group, as R's tidybayes does.

    Args:
        frame: a long frame of draws, from ``fit.spread_draws()``, ``fit.add_epred_draws()`` or ``compare_levels()``, or
            any other data frame.
        columns: the columns of draws; without any ``.value``, ``.epred``, ``.prediction`` or ``.linpred``, or else all
            columns of decimal numbers that differ between draws.
        by: the columns whose values make a group; None takes all others but ``.chain``, ``.iteration``, ``.draw`` and
            decimal numbers that differ between draws, and an empty list none. A missing value is a value of its own.
        width: the probability of the interval, or several.

    Returns:
        One row for each group and width: the columns of the group; the median under the name of its column; ``.lower``
        and ``.upper`` (``x.lower`` and ``x.upper`` where several columns are summarised); ``.width``, ``.point`` and
        ``.interval``. Quantiles are R's type 7. A group with a NaN has NaN.

    Raises:
        ModelError: there is no such column, a column holds no numbers, or a width is no probability.

    Example:
        >>> import bayesml
        >>> bayesml.median_qi({".draw": [0, 1, 2], "b_x": [1.0, 2.0, 4.0]}, width=0.5)
    """
    return _summarised(frame, columns, by, width, _How("median", "qi", _median, _quantiles))


def mean_qi(frame: Any, *columns: str, by: str | Sequence[str] | None = None, width: Width = 0.95) -> pd.DataFrame:
    """Return the mean and the interval with equal tails of the draws in each group.

    Args:
        frame: a long frame of draws.
        columns: the columns of draws, see ``median_qi``.
        by: the columns whose values make a group, see ``median_qi``.
        width: the probability of the interval, or several.

    Returns:
        As ``median_qi``.

    Raises:
        ModelError: see ``median_qi``.

    Example:
        >>> import bayesml
        >>> bayesml.mean_qi({".draw": [0, 1, 2], "b_x": [1.0, 2.0, 4.0]})
    """
    return _summarised(frame, columns, by, width, _How("mean", "qi", _mean, _quantiles))


def median_hdi(frame: Any, *columns: str, by: str | Sequence[str] | None = None, width: Width = 0.95) -> pd.DataFrame:
    """Return the median and the shortest interval that holds a share of the draws in each group.

    The interval is always one piece, which tidybayes calls ``hdci``; its ``hdi`` may have several.

    Args:
        frame: a long frame of draws.
        columns: the columns of draws, see ``median_qi``.
        by: the columns whose values make a group, see ``median_qi``.
        width: the share of the draws, or several.

    Returns:
        As ``median_qi``.

    Raises:
        ModelError: see ``median_qi``.

    Example:
        >>> import bayesml
        >>> bayesml.median_hdi({".draw": [0, 1, 2], "b_x": [1.0, 2.0, 4.0]}, width=0.6)
    """
    return _summarised(frame, columns, by, width, _How("median", "hdi", _median, _densest))


def mean_hdi(frame: Any, *columns: str, by: str | Sequence[str] | None = None, width: Width = 0.95) -> pd.DataFrame:
    """Return the mean and the shortest interval that holds a share of the draws in each group, see ``median_hdi``.

    Args:
        frame: a long frame of draws.
        columns: the columns of draws, see ``median_qi``.
        by: the columns whose values make a group, see ``median_qi``.
        width: the share of the draws, or several.

    Returns:
        As ``median_qi``.

    Raises:
        ModelError: see ``median_qi``.

    Example:
        >>> import bayesml
        >>> bayesml.mean_hdi({".draw": [0, 1, 2], "b_x": [1.0, 2.0, 4.0]}, width=0.6)
    """
    return _summarised(frame, columns, by, width, _How("mean", "hdi", _mean, _densest))


def _median(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.median(values, axis=0))


def _mean(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.mean(axis=0))


def _quantiles(values: np.ndarray, width: float) -> np.ndarray:
    return np.quantile(values, [(1 - width) / 2, (1 + width) / 2], axis=0)


def _densest(values: np.ndarray, width: float) -> np.ndarray:
    ends = highest_density(values, width)
    return np.where(np.isnan(values).any(axis=0), np.nan, ends)


def _summarised(frame: Any, columns: Sequence[str], by: Any, width: Any, how: _How) -> pd.DataFrame:
    import pandas as pd

    rows = table_of(frame)
    widths = _widths(width)
    asked = value_columns(rows, columns)
    groups = _group_columns(rows, asked, by)
    if not len(rows):
        raise ModelError("The frame has no rows, and so no draws to summarise.")
    codes, first = _codes(rows, groups)
    found = {name: list(_of_groups(rows[name].to_numpy(dtype=float), codes, how, widths)) for name in asked}
    parts = []
    for k, own in enumerate(widths):
        part = rows[groups].iloc[first].reset_index(drop=True)
        for name in asked:
            center, lower, upper = found[name][k]
            start = name if len(asked) > 1 else ""
            part = part.assign(**{name: center, f"{start}.lower": lower, f"{start}.upper": upper})
        parts.append(part.assign(**{".width": own, ".point": how.point, ".interval": how.interval}))
    return pd.concat(parts, ignore_index=True)


def _codes(rows: pd.DataFrame, groups: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the group of each row, counted in order of appearance, and the first row of each."""
    if not groups:
        return np.zeros(len(rows), dtype=int), np.zeros(1, dtype=int)
    codes = rows.groupby(groups, sort=False, observed=True, dropna=False).ngroup().to_numpy()
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return np.argsort(order)[inverse], first[order]


def _of_groups(
    values: np.ndarray, codes: np.ndarray, how: _How, widths: Sequence[float]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield center, lower and upper end of each group, for each width."""
    ordered, sizes = values[np.argsort(codes, kind="stable")], np.bincount(codes)
    if (sizes == sizes[0]).all():
        blocks = [ordered.reshape(len(sizes), -1).T]
    else:
        blocks = [block[:, None] for block in np.split(ordered, np.cumsum(sizes)[:-1])]
    with np.errstate(all="ignore"):
        center = np.concatenate([how.center(block) for block in blocks])
        for width in widths:
            lower, upper = np.concatenate([how.ends(block, width) for block in blocks], axis=1)
            yield center, lower, upper


def _widths(width: Any) -> tuple[float, ...]:
    given = tuple(width) if isinstance(width, (list, tuple, np.ndarray)) else (width,)
    wrong = [w for w in given if isinstance(w, bool) or not isinstance(w, Real) or not 0.0 < float(w) <= 1.0]
    if wrong or not given:
        raise ModelError(f"`width` lies between 0 and 1, or is a list of such numbers; got {width!r}.")
    return tuple(float(w) for w in given)


def value_columns(rows: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the columns of draws.

    Raises:
        ModelError: there is no such column, or it holds no numbers.
    """
    import pandas as pd

    if not columns:
        found = [name for name in VALUES if name in rows] or differing_columns(rows)
        if not found:
            raise ModelError(f"No column holds decimal numbers; name the columns of draws. {_listed(rows)}")
        return found
    _check_columns(rows, columns, "The columns of draws")
    wrong = [name for name in columns if not pd.api.types.is_numeric_dtype(rows[name])]
    if wrong:
        raise ModelError(f"The column `{wrong[0]}` holds no numbers. {_listed(rows)}")
    return list(dict.fromkeys(columns))


def differing_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns of decimal numbers that differ between draws; without ``.draw`` all of decimal numbers.

    A column of the data has the same values in each draw, so that one draw has all of them.
    """
    import pandas as pd

    found = [name for name in rows if pd.api.types.is_float_dtype(rows[name]) and name not in DRAW_COLUMNS]
    if ".draw" not in rows or rows[".draw"].nunique() < 2:
        return found
    first = rows[rows[".draw"] == rows[".draw"].iloc[0]]
    return [name for name in found if rows[name].nunique() > first[name].nunique()]


def _group_columns(rows: pd.DataFrame, asked: Sequence[str], by: Any) -> list[str]:
    if by is None:
        drawn = differing_columns(rows) if ".draw" in rows else []
        return [name for name in rows if name not in (*DRAW_COLUMNS, *asked, *drawn)]
    names = [by] if isinstance(by, str) else list(by)
    _check_columns(rows, names, "`by`")
    both = [name for name in names if name in asked]
    if both:
        raise ModelError(f"`{both[0]}` is in `by` and is summarised; it cannot be both.")
    return names


def _check_columns(rows: pd.DataFrame, names: Sequence[str], what: str) -> None:
    wrong = [name for name in names if name not in rows]
    if wrong:
        hint = did_you_mean(str(wrong[0]), map(str, rows))
        raise ModelError(f"{what}: there is no `{wrong[0]}`{hint}. {_listed(rows)}")


def _listed(rows: pd.DataFrame) -> str:
    return f"The frame has the columns {', '.join(f'`{name}`' for name in rows)}."
