"""Survival curves of a point estimate: the curve at the estimates, intervals from the normal approximation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.results.frequentist.residuals import natural_parameters
from bayesml.results.predict import survival as drawn_survival
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.predict.point_rows import PointRows, UnseenPolicy, point_rows
from bayesml.results.predict.several_predictors import several_natural
from bayesml.results.predict.survival import SurvivalCurves, data_at, groups_of, survival_likelihood, survival_terms
from bayesml.results.record.one_response import of_one

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit, AbstractSampledFit

__all__ = ["survival"]


def survival(
    fit: AbstractPointFit,
    drawn: AbstractSampledFit,
    newdata: Any = None,
    times: Sequence[float] | None = None,
    *,
    by: str | None = None,
    resp: str | None = None,
    re_formula: Any = None,
    new_levels: UnseenPolicy = "error",
) -> SurvivalCurves:
    """Return survival curves at the estimates; see ``PointFit.survival``.

    Args:
        fit: the fit.
        drawn: the same model with draws from the normal approximation, from which intervals come.
        newdata: rows with a curve each.
        times: the times.
        by: a column: the curves of rows with the same value of it are averaged.
        resp: which of several responses.
        re_formula: which group-level effects.
        new_levels: ``"zero"`` gives unseen levels the population value, and intervals that include the whole variance
            of their effects.
    """
    one = of_one(fit, resp)
    survival_likelihood(one)
    rows = point_rows(one, newdata, re_formula, new_levels, terms=survival_terms(one), centred=True)
    policy: NewLevels = "error" if new_levels == "error" else "gaussian"
    curves = drawn_survival.survival(
        drawn, newdata, times, by=by, resp=resp, re_formula=re_formula, new_levels=policy, seed=0
    )
    values = rows.shown(_at_the_estimates(one, rows, curves.times))
    groups = groups_of(one, newdata, by, len(rows.labels))
    return replace(curves, estimate=values if groups is None else groups.average(values.T).T)


def _at_the_estimates(fit: AbstractPointFit, rows: PointRows, times: np.ndarray) -> np.ndarray:
    """Return S(t) of each row, ``(rows, times)``."""
    import jax

    likelihood, natural = survival_likelihood(fit), _natural(fit, rows)
    count = len(rows.labels)
    function = jax.jit(lambda values, data: likelihood.log_survival(data["y"], values, data))
    with jax.enable_x64(True):
        values = {name: np.asarray(v, dtype=float) for name, v in likelihood.values({}, natural).items()}
        logs = [function(values, dict(data_at(likelihood, rows.data, count, float(t)))) for t in times]
        return np.stack([np.broadcast_to(np.exp(np.asarray(each)), (count,)) for each in logs], axis=1)


def _natural(fit: AbstractPointFit, rows: PointRows) -> dict[str, np.ndarray]:
    estimate = fit.estimate
    if isinstance(estimate, SeveralEstimate):
        eta = rows.eta.reshape(estimate.model.response.slots.count, -1)
        return several_natural(fit, estimate, eta, estimate.fit.psi, rows)
    return natural_parameters(fit, rows.eta, rows.weights)
