"""The rows at which conditional effects are evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.formula import effect_factors
from bayesml.frame import column_names
from bayesml.results.predict.re_formula import select_groups
from bayesml.results.predict.reference import Reference, reference

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit

__all__ = [
    "Condition",
    "Effect",
    "Grid",
    "chosen_effects",
    "condition_rows",
    "effect_grid",
    "effects_note",
    "model_reference",
]


@final
@dataclass(frozen=True)
class Effect:
    """One effect to show.

    Attributes:
        name: as asked for, ``x`` or ``x:group``.
        axis: the column along the axis.
        moderator: the column in colours, or empty.
        is_numeric: whether the column along the axis is a number.
    """

    name: str
    axis: str
    moderator: str
    is_numeric: bool


@final
@dataclass(frozen=True)
class Condition:
    """Values at which columns are held, with the label of their panel."""

    label: str
    values: Mapping[str, Any]


@final
@dataclass(frozen=True)
class Grid:
    """Rows to predict.

    Attributes:
        columns: values of each data column.
        labels: the columns ``cond__``, ``effect1__`` and, with two predictors, ``effect2__``.
        levels: levels of the categorical columns, in order.
        asked: number of rows that were asked for.
        computable: number of those at which the model can be computed. The others, such as a level of ``C(round(x))``
            that the fit has not seen, are left out, unless there is no other.
    """

    columns: Mapping[str, list[Any]]
    labels: Mapping[str, list[Any]]
    levels: Mapping[str, tuple[str, ...]]
    asked: int
    computable: int

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


def chosen_effects(
    fit: AbstractFit, known: Reference, effects: str | Sequence[str] | None, dpar: str | None
) -> tuple[Effect, ...]:
    """Return the effects asked for, or all of the model.

    Raises:
        ModelError: an effect is not in the model; the message lists what there is.
    """
    available = tuple(dict.fromkeys(_model_effects(fit, dpar)))
    single = [names[0] for names in available if len(names) == 1]
    if not single:
        raise ModelError("The model has no population-level predictor, so that there is no effect to show.")
    if effects is None:
        return tuple(_effect(known, ":".join(names), names) for names in available)
    asked = [effects] if isinstance(effects, str) or not isinstance(effects, Iterable) else list(effects)
    if not asked or not all(isinstance(text, str) for text in asked):
        raise ModelError(f'`effects` is a name such as "x" or "x:z", or a list of names; got {effects!r}.')
    return tuple(_asked_effect(known, text, single, available) for text in asked)


def _model_effects(fit: AbstractFit, dpar: str | None) -> Iterator[tuple[str, ...]]:
    """Yield single predictors, then pairs that stand in one term."""
    schema = fit.problem.design.schema
    keys = [p.key for p in schema.predictors if dpar is None or p.key.parameter == dpar]
    predictors = [written for key in keys if (written := schema.written(key)) is not None]
    terms = [_columns_of(factors, fit) for p in predictors for factors in effect_factors(p)]
    yield from ((name,) for names in terms for name in names)
    yield from (pair for names in terms if len(names) > 1 for pair in combinations(names, 2))


def _columns_of(term: Sequence[str], fit: AbstractFit) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v for factor in term for v in variables_of(factor) if v in fit.frame.columns))


def _asked_effect(known: Reference, text: str, single: list[str], available: Sequence[tuple[str, ...]]) -> Effect:
    names = (text,) if text in single else tuple(part.strip() for part in text.split(":"))
    if len(names) > 2:
        raise ModelError(f"`{text}` joins more than two predictors; hold the others fixed with `conditions`.")
    unknown = [name for name in names if name not in single]
    if unknown or len(set(names)) < len(names):
        listed = ", ".join(f"`{':'.join(n)}`" for n in available)
        hint = did_you_mean(unknown[0], single) if unknown else ""
        raise ModelError(
            f"`{text}` is not an effect of the model{hint}; it has {listed}. Any two may be joined by `:`."
        )
    return _effect(known, text, names)


def _effect(known: Reference, name: str, names: tuple[str, ...]) -> Effect:
    # A number makes the better axis.
    ordered = sorted(names, key=known.is_categorical)
    return Effect(name, ordered[0], ordered[1] if len(ordered) > 1 else "", not known.is_categorical(ordered[0]))


def condition_rows(fit: AbstractFit, conditions: Any) -> tuple[Condition, ...]:
    """Read the conditions: one row for each panel.

    Raises:
        ModelError: they name what is not a column of the fit, or differ in length.
    """
    if conditions is None:
        return (Condition("1", {}),)
    try:
        columns = {name: _listed(conditions[name]) for name in column_names(conditions)}
    except DataError:
        message = '`conditions` is a dict such as {"x": [0, 1]} or a data frame with one row for each panel'
        raise ModelError(f"{message}; got {conditions!r}.") from None
    unknown = [name for name in columns if name not in (*fit.frame.columns, "cond__")]
    if unknown:
        listed = ", ".join(f"`{name}`" for name in fit.frame.columns)
        hint = did_you_mean(unknown[0], fit.frame.columns)
        raise ModelError(f"`{unknown[0]}` in `conditions` is not a column of the fit{hint}; it has {listed}.")
    count = max((len(values) for values in columns.values()), default=1)
    if not columns or any(len(values) not in (1, count) for values in columns.values()):
        raise ModelError("`conditions` names columns with one value each, or with one value for each panel.")
    rows = [{name: values[i % len(values)] for name, values in columns.items()} for i in range(count)]
    return tuple(Condition(str(row.pop("cond__", _condition_label(row, count))), row) for row in rows)


def _listed(values: Any) -> list[Any]:
    if isinstance(values, str) or np.ndim(values) == 0:
        return [values]
    return [value.item() if isinstance(value, np.generic) else value for value in np.asarray(values, dtype=object)]


def _condition_label(row: Mapping[str, Any], count: int) -> str:
    return "1" if count == 1 else " & ".join(f"{name} = {_shown(value)}" for name, value in row.items())


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def effect_grid(
    fit: AbstractFit,
    known: Reference,
    effect: Effect,
    conditions: Sequence[Condition],
    given: Mapping[str, Sequence[Any]],
    resolution: int,
) -> Grid:
    """Return the rows of one effect under every condition, those left out at which the model cannot be computed."""
    _check_given(fit, given)
    fixed = known.held(_held_columns(fit))
    across = [None] if not effect.moderator else _moderator_values(known, effect.moderator, given, fixed)
    axes = [_given(given, effect.axis)] if effect.axis in given else list(_axis_values(known, effect.axis, resolution))
    best = _fullest(_grid(fit, known, effect, conditions, along, across, fixed) for along in axes)
    return (
        best
        if best.left_out == 0
        else _fullest([best, *_at_observed_values(fit, known, effect, conditions, axes, across, fixed)])
    )


def _fullest(grids: Iterable[Grid]) -> Grid:
    return max(grids, key=lambda grid: grid.computable)


def _check_given(fit: AbstractFit, given: Mapping[str, Sequence[Any]]) -> None:
    if not isinstance(given, Mapping):
        raise ModelError(f'`int_conditions` is a dict such as {{"x": [0, 1]}}; got {given!r}.')
    unknown = [name for name in given if name not in fit.frame.columns]
    if unknown:
        raise ModelError(
            f"`{unknown[0]}` in `int_conditions` is not a column of the fit"
            f"{did_you_mean(unknown[0], fit.frame.columns)}."
        )


def _at_observed_values(
    fit: AbstractFit,
    known: Reference,
    effect: Effect,
    conditions: Sequence[Condition],
    axes: Sequence[Sequence[Any]],
    across: Sequence[Any],
    fixed: Mapping[str, Any],
) -> Iterator[Grid]:
    """Yield grids with observed numbers in place of means that cannot be computed with, ``C(k + m)``."""
    moved = {effect.axis, effect.moderator}
    for along in axes:
        points = _points(effect, conditions, along, across, fixed)
        columns = {name: [point.row[name] for point in points] for name in points[0].row}
        held = known.observed_for(fixed, columns, len(points), moved)
        if held != fixed:
            yield _grid(fit, known, effect, conditions, along, across, held)


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
    along: Sequence[Any],
    across: Sequence[Any],
    fixed: Mapping[str, Any],
) -> Grid:
    points = _points(effect, conditions, along, across, fixed)
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
    return Grid(columns, labels, _levels(fit, effect, columns), len(points), int(possible.sum()))


def effects_note(one_trial: bool, left_out: int) -> str:
    """Return what was assumed, in words."""
    parts = ["with one trial for each row"] * one_trial
    parts += [f"{left_out} rows left out, at which the model cannot be computed"] * (left_out > 0)
    return "; ".join(parts)


def _given(given: Mapping[str, Sequence[Any]], name: str) -> list[Any]:
    values = _listed(given[name])
    if not values:
        raise ModelError(f"`int_conditions` gives no value for `{name}`.")
    return values


def _ordered(fixed: Mapping[str, Any], effect: Effect, conditions: Sequence[Condition]) -> dict[str, None]:
    first = [effect.axis, *([effect.moderator] if effect.moderator else [])]
    return dict.fromkeys([*first, *conditions[0].values, *fixed])


def _axis_values(known: Reference, name: str, resolution: int) -> Iterator[list[Any]]:
    """Yield candidates for the values of a column along the axis, in the order in which they are tried."""
    if known.is_categorical(name):
        yield known.categories(name)
        return
    values = known.frame.columns[name].values
    line = np.linspace(values.min(), values.max(), resolution).tolist()
    yield line
    yield known.nearest_observed(name, line)


def _moderator_values(
    known: Reference, name: str, given: Mapping[str, Sequence[Any]], fixed: Mapping[str, Any]
) -> list[Any]:
    if name in given:
        return _given(given, name)
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
    return tuple(name for name in fit.frame.columns if name not in idle)


def _levels(fit: AbstractFit, effect: Effect, columns: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    known = {n: fit.frame.columns[n].levels for n in columns}
    levels = {name: found for name, found in known.items() if found is not None}
    pairs = (("effect1__", effect.axis), ("effect2__", effect.moderator))
    return {**levels, **{label: levels[name] for label, name in pairs if name in levels}}
