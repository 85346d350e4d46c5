"""Predictions: linear predictor, expected response, random responses, residuals; for the fit's own rows or new ones.

Every function takes ``newdata`` (any supported data frame; None for the rows of the fit), ``re_formula``,
``new_levels``, ``ndraws``, ``seed`` and ``summary``; see ``linpred`` for what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from bayesml.errors import ModelError, warn_user
from bayesml.results.predict.drawn import evaluate_draws, has_precisions, natural_of_rows
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.predict.nonlinear_parameter import nonlinear_parameter
from bayesml.results.predict.prepare import (
    Request,
    batches,
    choose_draws,
    generators,
    known_parameter,
    predicted_parameter,
    prepare_rows,
    random_responses,
)
from bayesml.results.predict.quantity import DrawnQuantity, What
from bayesml.results.predict.several import DrawnQuantities, evaluate_responses
from bayesml.results.record.one_response import answers, has_several, of_one
from bayesml.results.record.with_likelihoods import with_likelihoods
from bayesml.results.record.without_residual_terms import without_residual_terms

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["NewLevels", "epred", "linpred", "predict", "residuals"]

Shown: TypeAlias = "xr.DataArray | pd.DataFrame | dict[str, xr.DataArray | pd.DataFrame]"
"""Draws or a table; by response where there are several, and a number of one response is one for each category."""


def linpred(
    fit: AbstractSampledFit,
    newdata: Any = None,
    *,
    dpar: str | None = None,
    nlpar: str | None = None,
    resp: str | None = None,
    transform: bool = False,
    re_formula: Any = None,
    new_levels: NewLevels = "error",
    ndraws: int | None = None,
    seed: int | None = None,
    summary: bool = False,
) -> Shown:
    """Return draws of a linear predictor, eta = X b + sum_g Z_g r_g + offset.

    Args:
        fit: the fit.
        newdata: rows to predict, as any data frame that ``fit`` takes; only the columns needed are read, and factor
            levels, contrasts, means and spline knots are those of the fit. None predicts the rows of the fit.
        dpar: the distributional parameter; None is ``mu``.
        nlpar: a nonlinear parameter instead; new data need the columns of its own formula alone.
        resp: which of several responses; None takes all of them.
        transform: whether to apply the inverse link: of a binomial or bernoulli model the probability, for which
            ``trials()`` is not needed.
        re_formula: which group-level effects: None all of them, ``"NA"`` (or ``"~0"``, False) none, a formula such as
            ``"~ (1 | g)"`` those it names. Grouping columns that are not used may be absent from ``newdata``.
        new_levels: what a level gets that the fit has not seen: ``"error"`` refuses it; ``"uncertainty"`` each draw
            takes the effects of a randomly chosen level of the fit; ``"gaussian"`` each draw simulates effects from its
            own standard deviations and correlations; ``"old"`` one level of the fit for all draws. Rows with the same
            new level share its effects. A missing value, or a missing grouping column, is a new level too.
        ndraws: use that many draws, chosen at random; None uses all.
        seed: whole number; the same seed gives the same result.
        summary: whether to return mean, standard deviation and 95% interval of each row instead of draws.

    Returns:
        Draws with dimensions (chain, draw, obs), or (sample, obs) where ``ndraws`` is given; ``obs`` is the index of
        the pandas data, of the rows kept where some were left out, or the position of the row in other data. With
        ``summary=True`` a data frame with that index and the columns Estimate, Est.Error, Q2.5, Q97.5. All of several
        responses have the dimension ``resp`` (in a table its index) behind these; where one of them has a number for
        each category, a dict with an array or a table for each response.

    Raises:
        DataError: ``newdata`` lacks a column, or holds a missing value or an unknown level.
        FormulaError: ``re_formula`` names what the model does not have.
        ModelError: an option is impossible.

    Example:
        >>> fit.linpred({"Days": [0, 9]}, re_formula="NA", summary=True)
    """
    request = Request(newdata, re_formula, new_levels, ndraws, seed)
    if nlpar is not None:
        if dpar is not None or transform:
            raise ModelError("`nlpar` is asked for without `dpar` and `transform`: it has no link.")
        return nonlinear_parameter(of_one(fit, resp), nlpar, request).shown(summary)
    answers(fit if resp is None else of_one(fit, resp), lambda one: predicted_parameter(one, dpar))
    return _evaluated(fit, resp, request, What("linpred", dpar, transform)).shown(summary)


def epred(
    fit: AbstractSampledFit,
    newdata: Any = None,
    *,
    dpar: str | None = None,
    resp: str | None = None,
    incl_autocor: bool = True,
    re_formula: Any = None,
    new_levels: NewLevels = "error",
    ndraws: int | None = None,
    seed: int | None = None,
    summary: bool = False,
) -> Shown:
    """Return draws of the expected response E(y | parameters), or of a distributional parameter on its own scale.

    Args:
        fit: the fit.
        newdata: rows to predict; those of the fit if None. ``trials()`` and ``se()`` of the formula need their columns,
            the response does not.
        dpar: a distributional parameter, also one without a formula; None is the expected response.
        resp: which of several responses, see ``linpred``.
        incl_autocor: whether the residuals of earlier rows of a series count, in a model with ``ar()``, ``ma()`` or
            ``arma()`` without ``cov=TRUE``: a row is predicted one step ahead, given the responses before it. Those of
            ``newdata`` are read where its column is there; what is missing (NaN, or no column) is forecast from what
            comes before. The linear predictor never contains them.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``linpred``.
        seed: seed, see ``linpred``.
        summary: whether to summarise each row, see ``linpred``.

    Returns:
        As ``linpred``. For a binomial response the expected count; its probability is ``linpred(transform=True)``. For
        a response of categories the probability of each, with the dimension ``category``.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``linpred``.

    Example:
        >>> fit.epred({"Days": [0, 9], "Subject": [308, 308]}, summary=True)
    """
    request = Request(newdata, re_formula, new_levels, ndraws, seed)
    fit = fit if incl_autocor else without_residual_terms(fit)
    if dpar is not None:
        answers(fit if resp is None else of_one(fit, resp), lambda one: known_parameter(one, dpar))
    return _evaluated(fit, resp, request, What("epred", dpar)).shown(summary)


def predict(
    fit: AbstractSampledFit,
    newdata: Any = None,
    *,
    resp: str | None = None,
    incl_autocor: bool = True,
    negative_rt: bool = False,
    re_formula: Any = None,
    new_levels: NewLevels = "error",
    ndraws: int | None = None,
    seed: int | None = None,
    summary: bool = False,
) -> Shown:
    """Return draws of the response itself: one random response for each posterior draw and row.

    Args:
        fit: the fit.
        newdata: rows to predict; those of the fit if None.
        resp: which of several responses, see ``linpred``. Without it the responses of a row are drawn together, with
            the correlations of their residuals and of effects of new levels.
        incl_autocor: whether residual terms such as ``ar(time, g)`` count, see ``epred``.
        negative_rt: whether response times of the family wiener are negative where the answer is the lower one, so that
            a number says both.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``linpred``.
        seed: seed, see ``linpred``.
        summary: whether to summarise each row, see ``linpred``.

    Returns:
        As ``linpred``. A random category is its code, counted as in the fit; the attribute ``categories`` of the array
        has their labels. ``summary=True`` gives the probability of each category, in columns ``P(Y = a)``.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``linpred``.

    Example:
        >>> fit.predict({"Days": [10], "Subject": ["new"]}, new_levels="gaussian", seed=1, summary=True)
    """
    fit = fit if incl_autocor else without_residual_terms(fit)
    fit = _with_signs(fit, resp) if negative_rt else fit
    drawn = _evaluated(fit, resp, Request(newdata, re_formula, new_levels, ndraws, seed), What("predict"))
    _warn_about_undrawn(fit if resp is None else of_one(fit, resp), drawn.values)
    return drawn.shown(summary)


def _with_signs(fit: AbstractSampledFit, resp: str | None) -> AbstractSampledFit:
    asked = fit if resp is None else of_one(fit, resp)
    if not any(response.likelihood.traits.decisions for response in asked.problem.design.responses):
        raise ModelError(
            "`negative_rt=True` gives response times at the lower boundary a minus sign, which the family wiener has "
            f"alone; this is a model of the family {asked.family.name}. Leave it out."
        )
    return with_likelihoods(fit, lambda likelihood: likelihood.signed)


def _evaluated(
    fit: AbstractSampledFit, resp: str | None, request: Request, what: What
) -> DrawnQuantity | DrawnQuantities:
    """Return draws of one response, or of all of several together."""
    if resp is None and has_several(fit):
        return evaluate_responses(fit, request, what)
    return evaluate_draws(of_one(fit, resp), request, what)


def residuals(
    fit: AbstractSampledFit,
    newdata: Any = None,
    *,
    resp: str | None = None,
    type: Literal["ordinary", "pearson"] = "ordinary",
    method: Literal["epred", "predict"] = "epred",
    incl_autocor: bool = True,
    re_formula: Any = None,
    new_levels: NewLevels = "error",
    ndraws: int | None = None,
    seed: int | None = None,
    summary: bool = False,
) -> Shown:
    """Return draws of the residuals, observed minus expected response.

    Args:
        fit: the fit.
        newdata: rows with their response; those of the fit if None.
        resp: which of several responses, see ``linpred``.
        type: ``"ordinary"``, or ``"pearson"``: divided by the standard deviation of the response at that draw.
        method: ``"epred"`` subtracts the expected response, ``"predict"`` a random one.
        incl_autocor: whether residual terms such as ``ar(time, g)`` count, see ``epred``.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``linpred``.
        seed: seed, see ``linpred``.
        summary: whether to summarise each row, see ``linpred``.

    Returns:
        As ``linpred``.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``linpred``; or the response is one of several categories.

    Example:
        >>> fit.residuals(type="pearson", summary=True)
    """
    _check_choice("type", type, ("ordinary", "pearson"))
    _check_choice("method", method, ("epred", "predict"))
    request = Request(newdata, re_formula, new_levels, ndraws, seed)
    fit = fit if incl_autocor else without_residual_terms(fit)
    if resp is None and has_several(fit):
        return DrawnQuantities(answers(fit, lambda one: _residuals(one, request, type, method))).shown(summary)
    return _residuals(of_one(fit, resp), request, type, method).shown(summary)


def _residuals(fit: AbstractSampledFit, request: Request, type: str, method: str) -> DrawnQuantity:
    columns = fit.likelihood.response_labels
    if fit.likelihood.event_labels and not columns:
        raise ModelError(
            f"A response of categories has no residuals: `{fit.parsed.response.name}` is no number. `epred()` gives "
            "the probability of each category; `pp_check()` compares the counts."
        )
    rows = prepare_rows(fit, request, response=True, weights=has_precisions(fit, request.newdata))
    choice, rng = choose_draws(fit, request), generators(request.seed)[2]
    result = np.empty((choice.count, rows.count, *([len(columns)] if columns else [])))
    for batch in batches(fit, rows, choice, request):
        natural = natural_of_rows(fit, batch, rows)
        with np.errstate(all="ignore"):
            if method == "epred":
                expected = fit.likelihood.mean(natural, rows.data)
            else:
                expected = random_responses(fit.likelihood, rng, natural, rows)
            result[batch.where] = rows.data["y"] - expected
            if type == "pearson":
                result[batch.where] /= np.sqrt(fit.likelihood.variance(natural, rows.data))
    return DrawnQuantity(rows.labels, result, choice, "residuals", columns)


def _warn_about_undrawn(fit: AbstractSampledFit, drawn: np.ndarray) -> None:
    count = int(np.isnan(drawn).sum())
    if count:
        links = ", ".join(f"{p.name} = {fit.likelihood.link(p.name).name}" for p in fit.likelihood.dpars)
        warn_user(
            f"{count} of {drawn.size} responses could not be drawn and are NaN: a parameter of the family "
            f"{fit.family.name} leaves its range there, which these links do not prevent: {links}."
        )


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        listed = " or ".join(f'"{c}"' for c in choices)
        raise ModelError(f"`{option}` is {listed}; got {value!r}.")
