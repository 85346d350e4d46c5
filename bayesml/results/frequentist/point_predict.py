"""Predictions of a point estimate: linear predictor and expected response, with standard errors and intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from scipy.special import ndtri

from bayesml.errors import ModelError
from bayesml.results.frequentist.residuals import expected, natural_parameters
from bayesml.results.frequentist.rows import PointRows, UnseenPolicy, point_rows

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["Interval", "Scale", "linpred", "mean_prediction", "predict"]

Interval = Literal["confidence", "prediction"]
Scale = Literal["response", "link"]
STEP = 1e-6
SIMULATED = 4000


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
) -> pd.Series | pd.DataFrame:
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

    Returns:
        One value for each row, or with ``se`` or ``interval`` a data frame with the columns Estimate, Std.Error, Lower
        and Upper. The index is that of the pandas data, of the rows kept where some were left out; rows of other data
        are numbered from 0. New rows that the data of the fit do not determine are NaN, with a warning: a column of the
        model was left out since it depends on others, and the row differs in that (an interaction's cell without data).

    Raises:
        DataError: ``newdata`` lacks a column, or holds a missing value or an unknown level.
        FormulaError: ``re_formula`` asks for what the model does not have.
        ModelError: an option is impossible.

    Example:
        >>> fit.linpred({"Days": [0, 9]}, re_formula="NA", interval="confidence")
    """
    _check(interval, prob, ("confidence",))
    rows = point_rows(fit, newdata, re_formula, new_levels, additions=False)
    inverse = fit.likelihood.link("mu").inverse

    def shown(eta: np.ndarray) -> np.ndarray:
        return np.asarray(inverse(eta), dtype=float) if transform else eta

    if not se and interval is None:
        return _series(rows, shown(rows.eta))
    error = fit.estimate.joint.standard_errors(rows.rows)
    margin = float(ndtri((1 + prob) / 2)) * error
    ends = np.sort([shown(rows.eta - margin), shown(rows.eta + margin)], axis=0)
    slope = np.abs(_slope(shown, rows.eta)) if transform else 1.0
    return _frame(rows, shown(rows.eta), slope * error, None if interval is None else (ends[0], ends[1]))


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
) -> pd.Series | pd.DataFrame:
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

    Returns:
        As ``linpred``.

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
            fit, newdata, re_formula=re_formula, new_levels=new_levels, se=se, interval=confidence, prob=prob
        )
    _check(interval, prob, ("confidence", "prediction"))
    shares = type == "response" and fit.likelihood.traits.trials
    rows = point_rows(fit, newdata, re_formula, new_levels, trials=not shares or interval == "prediction")
    found = mean_prediction(fit, rows, se, interval, prob, seed)
    return found.div(rows.data["trials"], axis=0) if shares else found


def mean_prediction(
    fit: AbstractPointFit, rows: PointRows, se: bool, interval: Interval | None, prob: float, seed: int
) -> pd.Series | pd.DataFrame:
    """Return the expected response of rows that are encoded already; see ``predict``."""

    def mean(eta: np.ndarray) -> np.ndarray:
        return expected(fit, eta, rows.data, rows.weights)

    center = mean(rows.eta)
    if not se and interval is None:
        return _series(rows, center)
    error = fit.estimate.joint.standard_errors(rows.rows)
    limits = None if interval is None else _limits(fit, rows, error, mean, interval, prob, seed)
    with np.errstate(invalid="ignore"):
        return _frame(rows, center, np.abs(_slope(mean, rows.eta)) * error, limits)


def _slope(mean: Callable[[np.ndarray], np.ndarray], eta: np.ndarray) -> np.ndarray:
    step = STEP * np.maximum(np.abs(eta), 1.0)
    return (mean(eta + step) - mean(eta - step)) / (2.0 * step)


def _limits(
    fit: AbstractPointFit,
    rows: PointRows,
    error: np.ndarray,
    mean: Callable[[np.ndarray], np.ndarray],
    interval: Interval,
    prob: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    z = float(ndtri((1 + prob) / 2))
    if interval == "confidence":
        ends = np.sort([mean(rows.eta - z * error), mean(rows.eta + z * error)], axis=0)
        return ends[0], ends[1]
    if fit.likelihood.traits.normal and fit.likelihood.link("mu").name == "identity":
        spread = z * np.sqrt(error**2 + _residual_variance(fit, rows))
        ends = np.array([rows.eta - spread, rows.eta + spread])
        ends = np.exp(ends) if fit.likelihood.traits.response_on_log_scale else ends
        return ends[0], ends[1]
    rng = np.random.default_rng(seed)
    known = np.isfinite(error)
    eta = rows.eta + np.where(known, error, 0.0) * rng.standard_normal((SIMULATED, len(rows.eta)))
    natural = {k: np.broadcast_to(v, eta.shape) for k, v in natural_parameters(fit, eta, rows.weights).items()}
    drawn = fit.likelihood.draw(rng, natural, rows.data)
    ends = np.where(known, np.quantile(drawn, [(1 - prob) / 2, (1 + prob) / 2], axis=0), np.nan)
    return ends[0], ends[1]


def _residual_variance(fit: AbstractPointFit, rows: PointRows) -> np.ndarray:
    known = rows.data.get("se", np.zeros(len(rows.eta))) ** 2
    return natural_parameters(fit, rows.eta, rows.weights)["sigma"] ** 2 + known


def _frame(
    rows: PointRows, estimate: np.ndarray, error: np.ndarray, limits: tuple[np.ndarray, np.ndarray] | None
) -> pd.DataFrame:
    import pandas as pd

    found = {"Estimate": estimate, "Std.Error": error}
    if limits is not None:
        found |= {"Lower": limits[0], "Upper": limits[1]}
    return pd.DataFrame({name: rows.shown(values) for name, values in found.items()}, index=rows.labels)


def _series(rows: PointRows, values: np.ndarray) -> pd.Series:
    import pandas as pd

    return pd.Series(rows.shown(values), index=rows.labels)


def _check(interval: str | None, prob: float, choices: tuple[str, ...]) -> None:
    if interval is not None and interval not in choices:
        listed = " or ".join(f'"{c}"' for c in choices)
        raise ModelError(f"`interval` is None or {listed}; got {interval!r}.")
    if isinstance(prob, bool) or not isinstance(prob, (int, float)) or not 0.0 < prob < 1.0:
        raise ModelError(f"`prob` lies between 0 and 1, for example 0.95; got {prob!r}.")
