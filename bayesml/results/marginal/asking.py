"""The arguments of predictions, checked: options, rows and averages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, final, get_args

import numpy as np

from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.results.marginal.changes import known_variables
from bayesml.results.marginal.comparing import transform_of
from bayesml.results.marginal.datagrid import given_rows
from bayesml.results.marginal.question import Averages, Groups, Question
from bayesml.results.predict.prepare import known_parameter, predicted_parameter
from bayesml.results.predict.quantity import What
from bayesml.results.record.one_response import of_one
from bayesml.results.record.without_residual_terms import without_residual_terms

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit

__all__ = ["Asked", "Averaging", "ask", "averaging_of", "categories_of", "prediction_rows"]


@final
@dataclass(frozen=True)
class Asked:
    """The options that all questions share.

    Attributes:
        fit: the fit, as that of one response.
        question: what is evaluated.
        hypothesis: what is tested about the estimates.
        transform: a function of estimates and ends of intervals.
        level: probability of the intervals.
        wts: weights of the rows.
    """

    fit: AbstractFit
    question: Question
    hypothesis: Any
    transform: Callable[..., Any] | None
    level: float
    wts: Any


def ask(
    fit: AbstractFit, type: str, dpar: str | None, resp: str | None, groups: Groups, hypothesis: Any, transform: Any,
    conf_level: float, wts: Any, new_levels: str, ndraws: int | None, seed: int | None,
) -> Asked:  # fmt: skip
    """Check the options.

    Raises:
        ModelError: one is impossible.
    """
    own = without_residual_terms(of_one(fit, resp))  # rows are compared by themselves, not as parts of a series
    if type not in ("response", "link"):
        raise ModelError(f'`type` is "response" or "link"; got {type!r}.')
    if groups not in get_args(Groups):
        listed = ", ".join(f'"{known}"' for known in get_args(Groups))
        raise ModelError(f"`groups` is one of {listed}; got {groups!r}.")
    if isinstance(conf_level, bool) or not isinstance(conf_level, (int, float)) or not 0.0 < conf_level < 1.0:
        raise ModelError(f"`conf_level` lies between 0 and 1; got {conf_level!r}.")
    if type == "link":
        what = What("linpred", predicted_parameter(own, dpar))
    else:
        shown = None if dpar is None else known_parameter(own, dpar)
        what = What("epred", shown, one_trial=own.likelihood.traits.trials)
    question = Question(what, groups, new_levels, ndraws, seed)
    return Asked(own, question, hypothesis, transform_of(transform), float(conf_level), wts)


def categories_of(asked: Asked) -> tuple[str, ...]:
    """Return the labels of the numbers of a row, where it has several."""
    what = asked.question.what
    return asked.fit.likelihood.event_labels if what.dpar is None and what.kind == "epred" else ()


def prediction_rows(fit: AbstractFit, newdata: Any, variables: Any) -> pd.DataFrame:
    """Return the rows; with variables they are repeated for every combination of their values."""
    rows = given_rows(fit, newdata).reset_index(drop=True)
    if variables is None:
        return rows
    axes = _values_of(fit, variables)
    combinations = list(product(*axes.values()))
    repeated = rows.loc[np.tile(np.arange(len(rows)), len(combinations))].reset_index(drop=True)
    return repeated.assign(
        **{
            name: np.repeat(np.array([c[i] for c in combinations], dtype=object), len(rows))
            for i, name in enumerate(axes)
        }
    ).infer_objects()


def _values_of(fit: AbstractFit, variables: Any) -> Mapping[str, Sequence[Any]]:
    known, names = known_variables(fit)
    listed = [variables] if isinstance(variables, str) else variables
    if not isinstance(listed, Iterable) or not len(list(listed)):
        there = ", ".join(f"`{each}`" for each in names) or "none"
        raise ModelError(
            f"`variables` names predictors, or is a dict of their values; got {variables!r}; there are {there}."
        )
    asked = listed if isinstance(listed, Mapping) else dict.fromkeys(listed)
    axes = {}
    for name, values in asked.items():
        if name not in names:
            there = ", ".join(f"`{each}`" for each in names) or "none"
            raise ModelError(
                f"`{name}` in `variables` is not a predictor{did_you_mean(str(name), names)}; there are {there}."
            )
        if values is None:
            column = known.frame.column(name)
            values = (
                known.categories(name)
                if known.is_categorical(name)
                else np.quantile(column.values, [0, 0.25, 0.5, 0.75, 1])
            )
        axes[name] = [values] if isinstance(values, str) or np.ndim(values) == 0 else list(values)
    return axes


@final
@dataclass(frozen=True)
class Averaging:
    """Which rows are averaged.

    Attributes:
        averages: the groups and weights.
        keys: the values of the columns in each group.
    """

    averages: Averages
    keys: Mapping[str, Sequence[Any]]


def averaging_of(asked: Asked, rows: pd.DataFrame, by: Any) -> Averaging | None:
    """Return which rows are averaged; None where none are.

    Raises:
        ModelError: ``by`` names what is no column of the rows, or the weights are none.
    """
    if by is None or by is False:
        _weights(rows, asked.wts)  # without averages they have no effect, but wrong ones are refused
        return None
    if not len(rows):
        raise DataError("The new data have no rows.")
    weights = _weights(rows, asked.wts)
    if by is True:
        return Averaging(Averages.of(np.zeros(len(rows), dtype=int), 1, weights), {})
    names = [by] if isinstance(by, str) else list(by) if isinstance(by, Iterable) else []
    wrong = [name for name in names if name not in rows]
    if wrong or not names:
        there = ", ".join(f"`{name}`" for name in rows)
        hint = did_you_mean(str(wrong[0]), map(str, rows)) if wrong else ""
        raise ModelError(f"`by` names columns of the rows, {there}, or is True; got {by!r}{hint}.")
    grouped = rows.groupby(names, sort=True, observed=True, dropna=False)
    members = grouped.ngroup().to_numpy()
    first = rows.iloc[[int(np.argmax(members == k)) for k in range(grouped.ngroups)]]
    return Averaging(Averages.of(members, grouped.ngroups, weights), {name: list(first[name]) for name in names})


def _weights(rows: pd.DataFrame, wts: Any) -> np.ndarray | None:
    if wts is None:
        return None
    if isinstance(wts, str) and wts not in rows:
        raise ModelError(f"`wts` is a column of the rows or an array; got {wts!r}.")
    try:
        found = np.asarray(rows[wts] if isinstance(wts, str) else wts, dtype=float)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if found.shape != (len(rows),) or not (found >= 0).all() or not found.sum() > 0:
        raise ModelError(f"`wts` has a weight of at least 0 for each of the {len(rows)} rows, not all 0.")
    return found
