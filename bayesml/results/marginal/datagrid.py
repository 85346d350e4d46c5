"""Rows at which effects are evaluated: those of the fit, new ones, or a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Literal, cast, final, get_args

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.frame import Column, column_names
from bayesml.frozen import FrozenMapping

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit

__all__ = ["DataGrid", "GridType", "datagrid", "given_rows", "table_of"]

GridType = Literal["mean_or_mode", "balanced", "counterfactual"]


@final
@dataclass(frozen=True)
class DataGrid:
    """A grid that is filled with the columns of the fit to which it is given.

    Attributes:
        values: values of some columns, one or several, or functions of the column that give them.
        grid_type: what the other columns are, see ``datagrid``.
    """

    values: Mapping[str, Any]
    grid_type: GridType = "mean_or_mode"

    def __post_init__(self) -> None:
        if self.grid_type not in get_args(GridType):
            listed = ", ".join(f'"{kind}"' for kind in get_args(GridType))
            raise ModelError(f"`grid_type` is one of {listed}; got {self.grid_type!r}.")
        object.__setattr__(self, "values", FrozenMapping(self.values))


def datagrid(model: Any = None, *, grid_type: GridType = "mean_or_mode", **values: Any) -> Any:
    """Return a grid of rows: every combination of the values given, the other columns held.

    Args:
        model: a fit; without one the grid takes the columns of the fit that it is given to.
        grid_type: what other columns are: ``"mean_or_mode"`` numbers at their mean, categories at their most frequent
            level; ``"balanced"`` numbers at their mean, all combinations of the levels of categories, grouping factors
            at their most frequent level; ``"counterfactual"`` as in each row of the fit, whose rows are repeated for
            every combination.
        values: columns with a value, a list of values, or a function of the column that returns them.

    Returns:
        With ``model`` a pandas DataFrame; else a ``DataGrid``, for ``newdata=`` of ``predictions``, ``comparisons`` and
        ``slopes``.

    Raises:
        ModelError: the fit has no such column, or there is no such grid.

    Example:
        >>> fit.predictions(newdata=bayesml.datagrid(Days=[0, 5, 9]))
        >>> bayesml.datagrid(fit, Days=range(10), Subject=["308"])
    """
    grid = DataGrid(values, grid_type)
    return grid if model is None else _filled(model, grid)


def given_rows(fit: AbstractFit, newdata: Any) -> pd.DataFrame:
    """Return the rows meant by ``newdata``.

    Args:
        fit: the fit.
        newdata: None for the rows of the fit, a grid or its type (``"mean"`` for ``"mean_or_mode"``), or any data
            frame.

    Raises:
        ModelError: there is no such grid.
        DataError: it is no data frame.
    """
    if newdata is None:
        return fit.frame.to_pandas()
    if isinstance(newdata, str):
        kind = "mean_or_mode" if newdata in ("mean", "mean_or_mode") else newdata
        return _filled(fit, DataGrid({}, cast(GridType, kind)))
    return _filled(fit, newdata) if isinstance(newdata, DataGrid) else table_of(newdata)


def table_of(data: Any) -> pd.DataFrame:
    """Return any container of columns as a pandas DataFrame."""
    import narwhals as nw
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        if not data.columns.is_unique:
            twice = data.columns[data.columns.duplicated()][0]
            raise DataError(f"The data have two columns called `{twice}`; give each a name of its own.")
        return data
    column_names(data)  # refuses what has none
    if isinstance(data, Mapping):
        count = max((1 if _is_single(v) else len(v) for v in data.values()), default=0)
        return pd.DataFrame({name: [v] * count if _is_single(v) else v for name, v in data.items()})
    frame: Any = nw.from_native(data)
    return (frame.collect() if isinstance(frame, nw.LazyFrame) else frame).to_pandas()


def _is_single(value: Any) -> bool:
    return isinstance(value, str) or np.ndim(value) == 0


def _filled(fit: AbstractFit, grid: DataGrid) -> pd.DataFrame:
    import pandas as pd

    unknown = [name for name in grid.values if name not in fit.frame.columns]
    if unknown:
        there = ", ".join(f"`{name}`" for name in fit.frame.columns)
        hint = did_you_mean(unknown[0], fit.frame.columns)
        raise ModelError(f"`{unknown[0]}` in the grid is not a column of the fit{hint}; it has {there}.")
    given = {name: _values(fit.frame.column(name), value) for name, value in grid.values.items()}
    if grid.grid_type == "counterfactual":
        return _counterfactual(fit, given)
    names = [name for name in fit.frame.columns if name in given or name not in _only_observed(fit)]
    axes = {name: given.get(name) or _held(fit, fit.frame.column(name), grid.grid_type) for name in names}
    order = [*given, *(name for name in axes if name not in given)]
    rows = list(product(*(axes[name] for name in order)))
    columns = {name: [row[i] for row in rows] for i, name in enumerate(order)}
    return pd.DataFrame({name: _like(fit.frame.column(name), values) for name, values in columns.items()})


def _only_observed(fit: AbstractFit) -> set[str]:
    """Return the columns that the responses alone need."""
    texts = [each.response.expression.text for each in fit.parsed.responses]
    observed = {name for text in texts for name in variables_of(text)}
    used = {name for p in fit.problem.design.schema.predictors for term in p.terms for name in term.variables}
    return observed - used


def _counterfactual(fit: AbstractFit, given: Mapping[str, list[Any]]) -> pd.DataFrame:
    own = fit.frame.to_pandas().reset_index(drop=True)
    combinations = list(product(*given.values()))
    table = own.loc[np.tile(np.arange(len(own)), len(combinations))].reset_index(drop=True)
    table.insert(0, "rowidcf", np.tile(np.arange(len(own)), len(combinations)))
    for i, name in enumerate(given):
        table[name] = _like(fit.frame.column(name), np.repeat([c[i] for c in combinations], len(own)).tolist())
    return table


def _values(column: Column, value: Any) -> list[Any]:
    if callable(value):
        value = value(column.values if column.levels is None else np.array(column.levels)[column.values])
    found = [value] if _is_single(value) else list(value)
    if not found:
        raise ModelError(f"The grid gives no value for `{column.name}`.")
    if column.levels is None:
        return found
    texts = [str(level) for level in column.levels]
    shown = [f"{v:g}" if isinstance(v, (int, float, np.number)) and not isinstance(v, bool) else str(v) for v in found]
    return [texts[texts.index(text)] if text in texts else value for text, value in zip(shown, found, strict=True)]


def _held(fit: AbstractFit, column: Column, kind: GridType) -> list[Any]:
    """Return the value, or all levels, at which a column stands."""
    grouping = {name for p in fit.problem.design.schema.predictors for g in p.groups() for name in g.factors}
    if column.levels is None and not column.is_boolean and column.name not in grouping:
        return [float(column.values.mean())]
    codes, counts = np.unique(column.values, return_counts=True)
    if kind == "balanced" and column.name not in grouping:
        chosen = np.arange(len(column.levels)) if column.levels is not None else codes
    else:
        chosen = codes[[int(np.argmax(counts))]]
    if column.levels is not None:
        return [column.levels[int(code)] for code in chosen]
    return [bool(code) if column.is_boolean else float(code) for code in chosen]


def _like(column: Column, values: list[Any]) -> Any:
    """Return values with the levels of a factor, where all of them are known."""
    import pandas as pd

    if column.levels is None or not set(values) <= set(column.levels):
        return values
    return pd.Categorical(values, list(column.levels), ordered=column.ordered)
