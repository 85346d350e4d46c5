"""The rows at which conditional effects are evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import ModelError, did_you_mean
from bayesml.formula import formula_variables
from bayesml.response_terms import whole_columns
from bayesml.results.predict.asked_effects import Condition, Effect, listed
from bayesml.results.predict.re_formula import select_groups
from bayesml.results.predict.reference import Reference, reference

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit

__all__ = [
    "Grid",
    "effect_grid",
    "effects_note",
    "given_values",
    "model_reference",
]


MOST_WHOLE = 100
"""Whole numbers further apart are not listed one by one."""


@final
@dataclass(frozen=True)
class Grid:
    """Rows to predict.

    Attributes:
        columns: values of each data column.
        labels: the columns ``cond__``, ``effect1__`` and, with two predictors, ``effect2__``.
        levels: levels of the categorical columns, in order.
        asked: number of rows that were requested.
        computable: number of those at which the model can be computed. The others, such as a level of ``C(round(x))``
            that the fit has not seen, are left out, unless there is no other.
        is_line: whether the column along the axis takes all values of its range, not whole or observed numbers alone.
    """

    columns: Mapping[str, list[Any]]
    labels: Mapping[str, list[Any]]
    levels: Mapping[str, tuple[str, ...]]
    asked: int
    computable: int
    is_line: bool

    @property
    def left_out(self) -> int:
        """Number of rows that are left out."""
        return self.asked - self.computable

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame; categories keep the order of their levels."""
        import pandas as pd

        data = {**self.columns, **self.labels}
        return pd.DataFrame(
            {n: pd.Categorical(v, list(self.levels[n])) if n in self.levels else v for n, v in data.items()}
        )


def model_reference(fit: AbstractFit, re_formula: Any) -> Reference:
    """Return what is known of the columns of the model, of group-level terms those that are used."""
    schema = fit.problem.design.schema
    return reference(fit.frame, schema, select_groups(fit, re_formula).predictors)


def effect_grid(
    fit: AbstractFit,
    known: Reference,
    effect: Effect,
    conditions: Sequence[Condition],
    given: Mapping[str, Sequence[Any]],
    resolution: int,
) -> Grid:
    """Return the rows of one effect under every condition, those left out at which the model cannot be computed."""
    fixed = known.held(_held_columns(fit))
    whole = whole_columns(fit.parsed.response.additions) & fixed.keys()
    fixed |= {name: known.nearest_observed(name, [fixed[name]])[0] for name in whole}
    across = [None] if not effect.moderator else _moderator_values(known, effect.moderator, given, fixed)
    axes = list(_axis_values(known, effect.axis, resolution))
    best = _fullest(_grid(fit, known, effect, conditions, axis, across, fixed) for axis in axes)
    if effect.axis in given:
        axes = [_Axis(given[effect.axis], best.is_line)]
        best = _grid(fit, known, effect, conditions, axes[0], across, fixed)
    if best.left_out == 0:
        return best
    return _fullest([best, *_at_observed_values(fit, known, effect, conditions, axes, across, fixed)])


def _fullest(grids: Iterable[Grid]) -> Grid:
    """Return the first grid of which all can be computed, else that of which most can; of such the smallest."""
    tried: list[Grid] = []
    for grid in grids:
        if grid.left_out == 0:
            return grid
        tried.append(grid)
    return max(tried, key=lambda grid: (grid.computable, -grid.asked))


def given_values(fit: AbstractFit, given: Any) -> dict[str, list[Any]]:
    """Return the values that columns are to take; functions compute them of their column.

    Raises:
        ModelError: they are not given by name, or a name is no column of the fit.
    """
    if not isinstance(given, Mapping):
        raise ModelError(f'`int_conditions` is a dict such as {{"x": [0, 1]}}; got {given!r}.')
    unknown = [name for name in given if name not in fit.frame.columns]
    if unknown:
        raise ModelError(
            f"`{unknown[0]}` in `int_conditions` is not a column of the fit"
            f"{did_you_mean(unknown[0], fit.frame.columns)}."
        )
    return {name: _given(name, value, fit.frame.columns[name].values) for name, value in given.items()}


def _at_observed_values(
    fit: AbstractFit,
    known: Reference,
    effect: Effect,
    conditions: Sequence[Condition],
    axes: Sequence[_Axis],
    across: Sequence[Any],
    fixed: Mapping[str, Any],
) -> Iterator[Grid]:
    """Yield grids with observed numbers in place of means that cannot be computed with, ``C(k + m)``."""
    moved = {effect.axis, effect.moderator}
    for axis in axes:
        points = _points(effect, conditions, axis.values, across, fixed)
        columns = {name: [point.row[name] for point in points] for name in points[0].row}
        held = known.observed_for(fixed, columns, len(points), moved)
        if held != fixed:
            yield _grid(fit, known, effect, conditions, axis, across, held)


@final
@dataclass(frozen=True)
class _Axis:
    """Values of a column along the axis, and whether it may take all values between them."""

    values: Sequence[Any]
    is_line: bool


@final
@dataclass(frozen=True)
class _Point:
    """One row: its condition, its place along the axis and in colours, the values of all columns."""

    condition: Condition
    first: Any
    second: Any
    row: Mapping[str, Any]


def _points(
    effect: Effect,
    conditions: Sequence[Condition],
    along: Sequence[Any],
    across: Sequence[Any],
    fixed: Mapping[str, Any],
) -> list[_Point]:
    return [
        _Point(
            condition,
            first,
            second,
            {**fixed, **condition.values, effect.axis: first}
            | ({effect.moderator: second} if effect.moderator else {}),
        )
        for condition in conditions
        for second in across
        for first in along
    ]


def _grid(
    fit: AbstractFit,
    known: Reference,
    effect: Effect,
    conditions: Sequence[Condition],
    axis: _Axis,
    across: Sequence[Any],
    fixed: Mapping[str, Any],
) -> Grid:
    points = _points(effect, conditions, axis.values, across, fixed)
    names = _ordered(fixed, effect, conditions)
    possible = known.possible({name: [point.row[name] for point in points] for name in names}, len(points))
    kept = (
        points
        if not possible.any()
        else [point for point, is_possible in zip(points, possible, strict=True) if is_possible]
    )
    columns = {name: [point.row[name] for point in kept] for name in names}
    labels = {"cond__": [point.condition.label for point in kept], "effect1__": [point.first for point in kept]}
    labels |= {"effect2__": [point.second for point in kept]} if effect.moderator else {}
    return Grid(columns, labels, _levels(fit, effect, columns), len(points), int(possible.sum()), axis.is_line)


def effects_note(one_trial: bool, left_out: int) -> str:
    """Return what was assumed, in words."""
    parts = ["with one trial for each row"] * one_trial
    parts += [f"{left_out} rows left out, at which the model cannot be computed"] * (left_out > 0)
    return "; ".join(parts)


def _given(name: str, asked: Any, column: np.ndarray) -> list[Any]:
    values = listed(asked(column) if callable(asked) else asked)
    if not values:
        raise ModelError(f"`int_conditions` gives no value for `{name}`.")
    return values


def _ordered(fixed: Mapping[str, Any], effect: Effect, conditions: Sequence[Condition]) -> dict[str, None]:
    first = [effect.axis, *([effect.moderator] if effect.moderator else [])]
    return dict.fromkeys([*first, *conditions[0].values, *fixed])


def _axis_values(known: Reference, name: str, resolution: int) -> Iterator[_Axis]:
    """Yield candidates for the values of a column along the axis, in the order in which they are tried.

    Beside a line the whole numbers, of which alone there may be an effect, ``mo(x)``, and observed values.
    """
    if known.is_categorical(name):
        yield _Axis(known.categories(name), False)
        return
    values = known.frame.columns[name].values
    lowest, highest = float(values.min()), float(values.max())
    line = np.linspace(lowest, highest, resolution).tolist()
    yield _Axis(line, True)
    if highest - lowest < MOST_WHOLE and np.array_equal(values, np.round(values)):
        yield _Axis(np.arange(lowest, highest + 1.0).tolist(), False)
    yield _Axis(known.nearest_observed(name, line), False)


def _moderator_values(
    known: Reference, name: str, given: Mapping[str, Sequence[Any]], fixed: Mapping[str, Any]
) -> list[Any]:
    if name in given:
        return list(given[name])
    if known.is_categorical(name):
        return known.categories(name)
    values = known.frame.columns[name].values
    distinct = np.unique(values)
    if len(distinct) <= 2:
        return distinct.tolist()
    return known.around(name, fixed)


def _held_columns(fit: AbstractFit) -> tuple[str, ...]:
    """Return the columns that are held at some value.

    Columns that only say which group a row belongs to, how many trials it has, or what was observed, are left out.
    """
    parsed = fit.parsed
    idle = {name for p in parsed.predictors for g in p.groups for name in g.factors}
    idle.update(variables_of(parsed.response.expression.text))
    idle.update(
        name
        for a in parsed.response.additions
        if a.name in ("trials", "weights")
        for e in a.arguments
        for name in variables_of(e.text)
    )
    idle.difference_update(name for p in fit.problem.design.schema.predictors for t in p.terms for name in t.covariates)
    used = formula_variables(parsed, fit.frame.names)  # of one of several responses not all columns
    return tuple(name for name in fit.frame.columns if name in used and name not in idle)


def _levels(fit: AbstractFit, effect: Effect, columns: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    known = {n: fit.frame.columns[n].levels for n in columns}
    levels = {name: found for name, found in known.items() if found is not None}
    pairs = (("effect1__", effect.axis), ("effect2__", effect.moderator))
    return {**levels, **{label: levels[name] for label, name in pairs if name in levels}}
