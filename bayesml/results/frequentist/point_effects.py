"""Conditional effects of a point estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.frequentist.point_predict import Interval, linpred, mean_prediction
from bayesml.results.frequentist.rows import point_rows
from bayesml.results.predict.effect_grid import (
    Grid,
    chosen_effects,
    condition_rows,
    effect_grid,
    effects_note,
    model_reference,
)
from bayesml.results.tables.effects import ConditionalEffects, _check_options, _label, _observed, _single_trials

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["conditional_effects"]

Method = Literal["epred", "predict", "linpred"]


def conditional_effects(
    fit: AbstractPointFit,
    effects: str | Sequence[str] | None = None,
    *,
    conditions: Any = None,
    int_conditions: Mapping[str, Sequence[Any]] | None = None,
    re_formula: Any = "NA",
    prob: float = 0.95,
    method: Method = "epred",
    resolution: int = 100,
) -> ConditionalEffects:
    """Return predictions along each predictor, the others at their mean (numbers) or first level (categories).

    Args:
        fit: the fit.
        effects: names of data columns, or two joined by a colon, ``"x:group"``; None takes every predictor and every
            two-way interaction of the population-level terms.
        conditions: values at which to hold other columns, ``{"x": 3}``, or a table with one row for each panel.
        int_conditions: values that a column of ``effects`` takes, ``{"z": [0, 1]}``.
        re_formula: which group-level effects; ``"NA"`` leaves them out. Those used belong to a level without data,
            unless ``conditions`` says which.
        prob: probability of the intervals.
        method: ``"epred"`` the expected response with its confidence interval, ``"predict"`` the same with prediction
            intervals, ``"linpred"`` the linear predictor.
        resolution: number of points along a numeric axis.

    Raises:
        ModelError: an effect is not in the model, or an option is impossible.

    Example:
        >>> fit.conditional_effects("Days").plot(points=True)
    """
    _check_options(fit, method, None, prob, resolution)  # type: ignore[arg-type]
    if not fit.estimate.coefs:
        raise ModelError("The model has no population-level predictor, so that there is no effect to show.")
    known = model_reference(fit, re_formula)  # type: ignore[arg-type]
    chosen = chosen_effects(fit, known, effects, None)  # type: ignore[arg-type]
    rows = condition_rows(fit, conditions)  # type: ignore[arg-type]
    ones = _single_trials(fit, rows[0].values)  # type: ignore[arg-type]
    tables, left_out = {}, 0
    for effect in chosen:
        grid = effect_grid(fit, known, effect, rows, int_conditions or {}, resolution)  # type: ignore[arg-type]
        left_out += grid.left_out
        tables[effect.name] = _table(fit, grid, re_formula, method, prob, ones)
    note = effects_note(ones and method != "linpred", left_out)
    observed = _observed(fit, ones) if method != "linpred" else None  # type: ignore[arg-type]
    label = _label(fit, method, None, ones)  # type: ignore[arg-type]
    return ConditionalEffects(tables, {e.name: e for e in chosen}, label, observed, prob, note)


def _table(fit: AbstractPointFit, grid: Grid, re_formula: Any, method: Method, prob: float, ones: bool) -> pd.DataFrame:
    found: Any
    if method == "linpred":
        found = linpred(fit, grid.columns, re_formula=re_formula, new_levels="zero", interval="confidence", prob=prob)
    else:
        rows = point_rows(fit, grid.columns, re_formula, "zero", additions=not ones)
        rows = replace(rows, data={**rows.data, "trials": np.ones(len(rows.eta))}) if ones else rows
        interval: Interval = "prediction" if method == "predict" else "confidence"
        found = mean_prediction(fit, rows, True, interval, prob, 0)
    return grid.to_pandas().assign(
        estimate__=found["Estimate"].to_numpy(),
        se__=found["Std.Error"].to_numpy(),
        lower__=found["Lower"].to_numpy(),
        upper__=found["Upper"].to_numpy(),
    )
