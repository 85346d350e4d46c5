"""Draws of a nonlinear parameter in each row: the sum of its terms, or the function that it is of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.keys import PredictorKey
from bayesml.results.predict.prepare import Request, batches, choose_draws, prepare_rows
from bayesml.results.predict.quantity import DrawnQuantity
from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["nonlinear_parameter"]


def nonlinear_parameter(fit: AbstractSampledFit, nlpar: str, request: Request) -> DrawnQuantity:
    """Return draws of a nonlinear parameter; rows need the columns of its own formula alone.

    Args:
        fit: the fit, of one response.
        nlpar: its name.
        request: the rows and which draws are used.

    Raises:
        ModelError: the model has no such parameter.
    """
    every = fit.problem.design.schema.predictors
    known = [p.key.nlpar for p in every if p.key.nlpar]
    key = next((p.key for p in every if p.key.nlpar and p.key.nlpar == nlpar), None)
    if key is None:
        listed = f"it has {', '.join(f'`{name}`' for name in known)}" if known else "it has none"
        raise ModelError(
            f"The model has no nonlinear parameter {nlpar!r}{did_you_mean(str(nlpar), known)}; {listed}."
            " A parameter of the family is asked for by `dpar=`."
        )
    rows = prepare_rows(fit, request, predictors=_needed(fit, key), additions=(), nonlinear=False)
    choice = choose_draws(fit, request)
    values = np.empty((choice.count, rows.count))
    for batch in batches(fit, rows, choice, request):
        found = batch.predictors[key] if key in batch.predictors else batch.predictors[replace(key, resp="")]
        values[batch.where] = found
    return DrawnQuantity(rows.labels, values, choice, nlpar, ())


def _needed(fit: AbstractSampledFit, key: PredictorKey) -> tuple[PredictorKey, ...]:
    """Return a predictor and those that it is a function of."""
    terms = {p.key: p.terms for p in fit.problem.design.schema.predictors}
    takes = [taken for term in terms[key] for taken in term.takes]
    return tuple(dict.fromkeys([key, *(each for taken in takes for each in _needed(fit, taken))]))
