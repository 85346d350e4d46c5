"""Which effects are shown, and under which conditions: the arguments of ``conditional_effects``, read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.formula import effect_factors
from bayesml.frame import column_names
from bayesml.results.predict.reference import Reference

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["Condition", "Effect", "chosen_effects", "condition_rows", "is_surface", "listed"]


MOST_CONDITIONS = 60


@final
@dataclass(frozen=True)
class Effect:
    """One effect to show.

    Attributes:
        name: as requested, ``x`` or ``x:group``.
        axis: the column along the axis.
        moderator: the column in colours, or empty.
        is_numeric: whether the column along the axis is a number.
        is_line: whether it takes all values of its range.
        legend: heading of the colours; empty for the name of their column.
        is_surface: whether two numbers span a surface, the second along the other axis.
    """

    name: str
    axis: str
    moderator: str
    is_numeric: bool
    is_line: bool = True
    legend: str = ""
    is_surface: bool = False


@final
@dataclass(frozen=True)
class Condition:
    """Values at which columns are held, with the label of their panel."""

    label: str
    values: Mapping[str, Any]


def chosen_effects(
    fit: AbstractFit, known: Reference, effects: str | Sequence[str] | None, dpar: str | None
) -> tuple[Effect, ...]:
    """Return the effects requested, or all of the model.

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
        there = ", ".join(f"`{':'.join(n)}`" for n in available)
        hint = did_you_mean(unknown[0], single) if unknown else ""
        raise ModelError(f"`{text}` is not an effect of the model{hint}; it has {there}. Any two may be joined by `:`.")
    return _effect(known, text, names)


def _effect(known: Reference, name: str, names: tuple[str, ...]) -> Effect:
    # A number makes the better axis.
    ordered = sorted(names, key=known.is_categorical)
    return Effect(name, ordered[0], ordered[1] if len(ordered) > 1 else "", not known.is_categorical(ordered[0]))


def is_surface(known: Reference, effect: Effect) -> bool:
    """Whether an effect is one of two numbers."""
    return bool(effect.moderator) and effect.is_numeric and not known.is_categorical(effect.moderator)


def condition_rows(fit: AbstractFit, known: Reference, conditions: Any) -> tuple[Condition, ...]:
    """Read the conditions: one row for each panel.

    Raises:
        ModelError: they name what is not a column of the fit, or differ in length.
    """
    if conditions is None:
        return (Condition("1", {}),)
    if isinstance(conditions, str) or _are_names(conditions):
        return _combined(fit, known, [conditions] if isinstance(conditions, str) else list(conditions))
    try:
        columns = {name: listed(conditions[name]) for name in column_names(conditions)}
    except DataError:
        message = '`conditions` is a dict such as {"x": [0, 1]} or a data frame with one row for each panel'
        raise ModelError(f"{message}; got {conditions!r}.") from None
    _check_columns(fit, [name for name in columns if name != "cond__"])
    count = max((len(values) for values in columns.values()), default=1)
    if not columns or any(len(values) not in (1, count) for values in columns.values()):
        raise ModelError("`conditions` names columns with one value each, or with one value for each panel.")
    rows = [{name: values[i % len(values)] for name, values in columns.items()} for i in range(count)]
    return tuple(Condition(str(row.pop("cond__", _condition_label(row, count))), row) for row in rows)


def _are_names(conditions: Any) -> bool:
    is_list = isinstance(conditions, (list, tuple)) and bool(conditions)
    return is_list and all(isinstance(name, str) for name in conditions)


def _check_columns(fit: AbstractFit, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in fit.frame.columns]
    if unknown:
        there = ", ".join(f"`{name}`" for name in fit.frame.columns)
        hint = did_you_mean(unknown[0], fit.frame.columns)
        raise ModelError(f"`{unknown[0]}` in `conditions` is not a column of the fit{hint}; it has {there}.")


def _combined(fit: AbstractFit, known: Reference, names: Sequence[str]) -> tuple[Condition, ...]:
    """Return every combination of the levels of columns, and of mean - sd, mean and mean + sd of numbers."""
    _check_columns(fit, names)
    values = [known.categories(name) if known.is_categorical(name) else known.around(name, {}) for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in product(*values)]
    if len(rows) > MOST_CONDITIONS:
        raise ModelError(
            f"The columns of `conditions` have {len(rows)} combinations, of which at most {MOST_CONDITIONS} fit into a "
            "picture; give a table with those wanted."
        )
    return tuple(Condition(_condition_label(row, len(rows)), row) for row in rows)


def listed(values: Any) -> list[Any]:
    """Return the values of a column, one or several, as a list."""
    if isinstance(values, str) or np.ndim(values) == 0:
        return [values]
    return [value.item() if isinstance(value, np.generic) else value for value in np.asarray(values, dtype=object)]


def _condition_label(row: Mapping[str, Any], count: int) -> str:
    return "1" if count == 1 else " & ".join(f"{name} = {_shown(value)}" for name, value in row.items())


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
