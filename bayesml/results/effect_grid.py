"""The rows at which conditional effects are evaluated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns import variables_of
from bayesml.design import PredictorDesign
from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.frame import Column, column_names
from bayesml.terms import Group

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.fit_object import Fit

__all__ = ["Condition", "Effect", "Grid", "chosen_effects", "condition_rows", "effect_grid"]

CATEGORICAL_CALL = re.compile(r"\bC\s*\(")


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
    """

    columns: Mapping[str, list[Any]]
    labels: Mapping[str, list[Any]]
    levels: Mapping[str, tuple[str, ...]]

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame; categories keep the order of their levels."""
        import pandas as pd

        data = {**self.columns, **self.labels}
        return pd.DataFrame(
            {n: pd.Categorical(v, list(self.levels[n])) if n in self.levels else v for n, v in data.items()}
        )


def chosen_effects(fit: Fit, effects: str | Sequence[str] | None, dpar: str | None) -> tuple[Effect, ...]:
    """Return the effects asked for, or all of the model.

    Raises:
        ModelError: an effect is not in the model; the message lists what there is.
    """
    available = tuple(dict.fromkeys(_model_effects(fit, dpar)))
    single = [names[0] for names in available if len(names) == 1]
    if not single:
        raise ModelError("The model has no population-level predictor, so that there is no effect to show.")
    if effects is None:
        return tuple(_effect(fit, ":".join(names), names) for names in available)
    asked = [effects] if isinstance(effects, str) or not isinstance(effects, Iterable) else list(effects)
    if not asked or not all(isinstance(text, str) for text in asked):
        raise ModelError(f'`effects` is a name such as "x" or "x:z", or a list of names; got {effects!r}.')
    return tuple(_asked_effect(fit, text, single, available) for text in asked)


def _model_effects(fit: Fit, dpar: str | None) -> Iterator[tuple[str, ...]]:
    """Yield single predictors, then pairs that stand in one term."""
    predictors = [p for p in fit.parsed.predictors if dpar is None or p.dpar == dpar]
    terms = [_columns_of(term, fit) for p in predictors for term in p.population.terms]
    yield from ((name,) for names in terms for name in names)
    yield from (pair for names in terms if len(names) > 1 for pair in combinations(names, 2))


def _columns_of(term: Sequence[str], fit: Fit) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v for factor in term for v in variables_of(factor) if v in fit.frame.columns))


def _asked_effect(fit: Fit, text: str, single: list[str], available: Sequence[tuple[str, ...]]) -> Effect:
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
    return _effect(fit, text, names)


def _effect(fit: Fit, name: str, names: tuple[str, ...]) -> Effect:
    # A number makes the better axis.
    ordered = sorted(names, key=lambda n: not _is_numeric(fit, n))
    return Effect(name, ordered[0], ordered[1] if len(ordered) > 1 else "", _is_numeric(fit, ordered[0]))


def _is_numeric(fit: Fit, name: str) -> bool:
    column = fit.frame.columns[name]
    return column.levels is None and not column.is_boolean and not _is_coded(fit, name)


def _is_coded(fit: Fit, name: str) -> bool:
    """Return whether a number is made a factor by the formula, ``C(x)``."""
    factors = {
        f
        for p in fit.parsed.predictors
        for part in (p.population, *(g.columns for g in p.groups))
        for term in part.terms
        for f in term
    }
    return any(CATEGORICAL_CALL.search(f) and name in variables_of(f) for f in factors)


def condition_rows(fit: Fit, conditions: Any) -> tuple[Condition, ...]:
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
    fit: Fit, effect: Effect, conditions: Sequence[Condition], given: Mapping[str, Sequence[Any]], resolution: int
) -> Grid:
    """Return the rows of one effect under every condition."""
    if not isinstance(given, Mapping):
        raise ModelError(f'`int_conditions` is a dict such as {{"x": [0, 1]}}; got {given!r}.')
    unknown = [name for name in given if name not in fit.frame.columns]
    if unknown:
        raise ModelError(
            f"`{unknown[0]}` in `int_conditions` is not a column of the fit"
            f"{did_you_mean(unknown[0], fit.frame.columns)}."
        )
    along = _given(given, effect.axis) or _axis_values(fit, effect.axis, resolution)
    across = (
        (_given(given, effect.moderator) or _moderator_values(fit, effect.moderator)) if effect.moderator else [None]
    )
    fixed = _fixed_values(fit)
    columns: dict[str, list[Any]] = {name: [] for name in _ordered(fixed, effect, conditions)}
    labels: dict[str, list[Any]] = {"cond__": [], "effect1__": []} | ({"effect2__": []} if effect.moderator else {})
    for condition in conditions:
        for second in across:
            for first in along:
                moved = {effect.axis: first} | ({effect.moderator: second} if effect.moderator else {})
                row = {**fixed, **condition.values, **moved}
                for name, values in columns.items():
                    values.append(row[name])
                labels["cond__"].append(condition.label)
                labels["effect1__"].append(first)
                if effect.moderator:
                    labels["effect2__"].append(second)
    return Grid(columns, labels, _levels(fit, effect, columns))


def _given(given: Mapping[str, Sequence[Any]], name: str) -> list[Any]:
    return _listed(given[name]) if name in given else []


def _ordered(fixed: Mapping[str, Any], effect: Effect, conditions: Sequence[Condition]) -> dict[str, None]:
    first = [effect.axis, *([effect.moderator] if effect.moderator else [])]
    return dict.fromkeys([*first, *conditions[0].values, *fixed])


def _axis_values(fit: Fit, name: str, resolution: int) -> list[Any]:
    column = fit.frame.columns[name]
    if not _is_numeric(fit, name):
        return _categories(column)
    return np.linspace(column.values.min(), column.values.max(), resolution).tolist()


def _moderator_values(fit: Fit, name: str) -> list[Any]:
    column = fit.frame.columns[name]
    if not _is_numeric(fit, name):
        return _categories(column)
    distinct = np.unique(column.values)
    if len(distinct) <= 2:
        return distinct.tolist()
    mean, sd = float(column.values.mean()), float(column.values.std(ddof=1))
    return [mean - sd, mean, mean + sd]


def _categories(column: Column) -> list[Any]:
    if column.levels is not None:
        return list(column.levels)
    distinct = np.unique(column.values)
    return distinct.astype(bool).tolist() if column.is_boolean else distinct.tolist()


def _fixed_values(fit: Fit) -> dict[str, Any]:
    """Return the value at which each column is held, its mean or first level.

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
    idle.difference_update(name for p in fit.problem.design.schema.predictors for name in _term_columns(p))
    return {
        name: float(column.values.mean()) if _is_numeric(fit, name) else _categories(column)[0]
        for name, column in fit.frame.columns.items()
        if name not in idle
    }


def _term_columns(predictor: PredictorDesign) -> Iterator[str]:
    """Yield the columns that terms are computed from; of group-level terms those that vary."""
    for term in predictor.terms:
        if isinstance(term, Group):
            yield from (name for encoding in term.encodings for name in encoding.variables)
        else:
            yield from term.variables


def _levels(fit: Fit, effect: Effect, columns: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    known = {n: fit.frame.columns[n].levels for n in columns}
    levels = {name: found for name, found in known.items() if found is not None}
    pairs = (("effect1__", effect.axis), ("effect2__", effect.moderator))
    return {**levels, **{label: levels[name] for label, name in pairs if name in levels}}
