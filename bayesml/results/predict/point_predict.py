"""Predictions of a point estimate: linear predictor and expected response, with standard errors and intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from bayesml.errors import ModelError
from bayesml.results.predict.by_response import Shown, by_response
from bayesml.results.predict.estimated import evaluate_estimates
from bayesml.results.predict.point_rows import UnseenPolicy
from bayesml.results.predict.prepare import Request
from bayesml.results.predict.quantity import What

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["Interval", "Scale", "epred", "linpred", "predict"]

Interval = Literal["confidence", "prediction"]
Scale = Literal["response", "link"]


def linpred(
    fit: AbstractPointFit,
    newdata: Any = None,
    *,
    transform: bool = False,
    re_formula: Any = None,
    new_levels: UnseenPolicy = "error",
    se: bool = False,
    interval: Literal["confidence"] | None = None,
    prob: float = 0.95,
    dpar: str | None = None,
    resp: str | None = None,
) -> Shown:
    """Return the linear predictor, eta = X b + sum_g Z_g r_g + offset, at the estimates.

    Args:
        fit: the fit.
        newdata: rows to predict, as any data frame that ``fit`` takes; None predicts the rows of the fit.
        transform: whether to apply the inverse link, which gives mu: of a binomial or bernoulli model the probability.
            Standard errors are carried over by the delta method, limits are those of the linear predictor transformed.
        re_formula: which group-level effects: None all of them, ``"NA"`` (or ``"~0"``, False) none, a formula such as
            ``"~ (1 | g)"`` those it names.
        new_levels: ``"error"`` refuses levels that the fit has not seen; ``"zero"`` gives them the population value,
            and standard errors that include the whole variance of their effects.
        se: whether to return standard errors, from the joint covariance of coefficients and group effects given the
            estimated variance parameters.
        interval: ``"confidence"`` adds the limits of a normal interval.
        prob: probability of the interval.
        dpar: the parameter whose linear predictor is requested, ``"zi"``; None is ``mu``.
        resp: which of several responses, which needs the columns of its own formula alone; None takes all of them.

    Returns:
        One value for each row, or with ``se`` or ``interval`` a data frame with the columns Estimate, Std.Error, Lower
        and Upper. The index is that of the pandas data, of the rows kept where some were left out; rows of other data
        are numbered from 0. New rows that the data of the fit do not determine are NaN, with a warning: a column of the
        model was left out since it depends on others, and the row differs in that (an interaction's cell without data).
        All of several responses have a column each, and with ``se`` or ``interval`` a dict has a data frame for each.

    Raises:
        DataError: ``newdata`` lacks a column, or holds a missing value or an unknown level.
        FormulaError: ``re_formula`` names what the model does not have.
        ModelError: an option is impossible.

    Example:
        >>> fit.linpred({"Days": [0, 9]}, re_formula="NA", interval="confidence")
    """
    _check(interval, prob, ("confidence",))
    request, what = Request(newdata, re_formula, new_levels), What("linpred", dpar, transform)
    own = None if interval is None else prob
    return by_response(fit, resp, lambda one: evaluate_estimates(one, request, what).shown(se, own))


def epred(
    fit: AbstractPointFit, newdata: Any = None, *, re_formula: Any = None, new_levels: UnseenPolicy = "error",
    se: bool = False, interval: Literal["confidence"] | None = None, prob: float = 0.95,
    dpar: str | None = None, resp: str | None = None,
) -> Shown:  # fmt: skip
    """Return the expected response at the estimates (for a binomial response the expected count).

    The same as ``predict``, which has intervals of a new response too; arguments, result and errors are described
    there.

    Args:
        fit: the fit.
        newdata: rows to predict, see ``predict``.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        se: whether to return standard errors, see ``linpred``.
        interval: ``"confidence"`` adds the limits of the expected response.
        prob: probability of the interval.
        dpar: a distributional parameter in the place of the response, ``"zi"``.
        resp: which of several responses, see ``linpred``.

    Returns:
        As ``predict``.

    Example:
        >>> fit.epred({"Days": [0, 9]}, re_formula="NA", se=True)
    """
    if interval == "prediction":
        raise ModelError('`epred` has confidence intervals only; predict(interval="prediction") is for a response.')
    return predict(
        fit, newdata, re_formula=re_formula, new_levels=new_levels, se=se, interval=interval, prob=prob, dpar=dpar,
        resp=resp,
    )  # fmt: skip


def predict(
    fit: AbstractPointFit,
    newdata: Any = None,
    *,
    re_formula: Any = None,
    new_levels: UnseenPolicy = "error",
    se: bool = False,
    interval: Interval | None = None,
    prob: float = 0.95,
    seed: int = 0,
    type: Scale | None = None,
    dpar: str | None = None,
    resp: str | None = None,
) -> Shown:
    """Return the expected response at the estimates (for a binomial response the expected count).

    Standard errors are those of the linear predictor carried over by the delta method; confidence limits are the
    expected responses at the limits of the linear predictor.

    Args:
        fit: the fit.
        newdata: rows to predict; ``trials()`` and ``se()`` of the formula need their columns, ``weights()`` is 1 where
            its column is absent. What stood left of the bar is never needed.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        se: whether to return standard errors, see ``linpred``.
        interval: ``"confidence"`` for the expected response, ``"prediction"`` for a new response: exact for gaussian
            and lognormal models, from 4,000 simulated responses for others.
        prob: probability of the interval.
        seed: seed of the simulated responses.
        type: None for the expected response. ``"response"`` is R's: the same, but of a binomial model for one trial,
            which is the probability and needs no ``trials()``. ``"link"`` is the linear predictor, see ``linpred``.
        dpar: a distributional parameter in the place of the response, ``"zi"``.
        resp: which of several responses, see ``linpred``.

    Returns:
        As ``linpred``. The expected response of a response of categories is the probability of each: a column for each,
        or with ``se`` or ``interval`` a row for each.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: see ``linpred``.

    Example:
        >>> fit.predict({"Days": [9], "Subject": ["308"]}, interval="prediction")
    """
    if type not in (None, *get_args(Scale)):
        raise ModelError(f'`type` is None, "response" or "link"; got {type!r}.')
    if type == "link":
        _check(interval, prob, ("confidence",))
        confidence: Literal["confidence"] | None = None if interval is None else "confidence"
        return linpred(
            fit, newdata, re_formula=re_formula, new_levels=new_levels, se=se, interval=confidence, prob=prob,
            dpar=dpar, resp=resp,
        )  # fmt: skip
    _check(interval, prob, ("confidence", "prediction"))
    if dpar is not None and interval == "prediction":
        raise ModelError(f"A distributional parameter has no prediction interval; leave out `dpar={dpar!r}`.")
    kind: Literal["predict", "epred"] = "predict" if interval == "prediction" else "epred"
    request = Request(newdata, re_formula, new_levels, seed=seed)

    def of_one(one: AbstractPointFit) -> pd.Series | pd.DataFrame:
        shares = type == "response" and one.likelihood.traits.trials
        what = What(kind, dpar, one_trial=shares and interval != "prediction")
        found = evaluate_estimates(one, request, what)
        shown = found.shown(se, None if interval is None else prob)
        return shown.div(found.data["trials"], axis=0) if shares else shown

    return by_response(fit, resp, of_one)


def _check(interval: str | None, prob: float, choices: tuple[str, ...]) -> None:
    if interval is not None and interval not in choices:
        listed = " or ".join(f'"{c}"' for c in choices)
        raise ModelError(f"`interval` is None or {listed}; got {interval!r}.")
    if isinstance(prob, bool) or not isinstance(prob, (int, float)) or not 0.0 < prob < 1.0:
        raise ModelError(f"`prob` lies between 0 and 1, for example 0.95; got {prob!r}.")
