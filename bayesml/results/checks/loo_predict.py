"""Leave-one-out predictions: what the model says of each row without having seen its response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.log_lik import compiled_density, log_density, parts_of_rows
from bayesml.results.checks.loo import relative_efficiency
from bayesml.results.checks.psis import smoothed_weights
from bayesml.results.predict.drawn import category_labels, row_values
from bayesml.results.predict.prepare import (
    Request,
    batches,
    choose_draws,
    generators,
    predicted_parameter,
    prepare_rows,
)
from bayesml.results.predict.quantity import What
from bayesml.results.record.one_response import of_one
from bayesml.results.record.select import is_prior_only
from bayesml.results.tables.statistics import quantile_names

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["loo_epred", "loo_linpred", "loo_predict", "loo_predictive_interval", "weighted_quantiles", "weighted_rows"]

Type = Literal["mean", "var", "quantile"]
NUMBERS_AT_ONCE = 2_000_000


def loo_predict(
    fit: AbstractSampledFit, type: Type = "mean", probs: float | Sequence[float] = 0.5, *, resp: str | None = None,
    seed: int | None = None,
) -> pd.Series | pd.DataFrame:  # fmt: skip
    """Return what the model predicts for each row without having seen it, E(y_i | y without y_i).

    The draws of the predictive distribution are weighted with the Pareto-smoothed weights of ``loo()``. Where that
    warns, these numbers are unreliable too.

    Args:
        fit: the fit.
        type: ``"mean"``, ``"var"`` for the variance, or ``"quantile"``.
        probs: probabilities of the quantiles.
        resp: which of several responses; importance weights are those of its own density.
        seed: seed of the random responses.

    Returns:
        One number for each row, or a column for each quantile. For a response of categories the probability of each
        (``"mean"`` alone).

    Raises:
        ModelError: an argument is impossible; or the draws come from the prior alone.

    Example:
        >>> fit.loo_predict("quantile", probs=(0.05, 0.95))
    """
    return _expected(fit, What("predict"), type, probs, resp, seed)


def loo_epred(
    fit: AbstractSampledFit, type: Type = "mean", probs: float | Sequence[float] = 0.5, *, resp: str | None = None
) -> pd.Series | pd.DataFrame:
    """Return mean, variance or quantiles of the expected response of each row given all others, see ``loo_predict``.

    Args:
        fit: the fit.
        type: see ``loo_predict``.
        probs: see ``loo_predict``.
        resp: see ``loo_predict``.

    Returns:
        See ``loo_predict``.

    Raises:
        ModelError: see ``loo_predict``.

    Example:
        >>> fit.loo_epred()
    """
    return _expected(fit, What("epred"), type, probs, resp, None)


def loo_linpred(
    fit: AbstractSampledFit, type: Type = "mean", probs: float | Sequence[float] = 0.5, *,
    transform: bool = False, dpar: str | None = None, resp: str | None = None,
) -> pd.Series | pd.DataFrame:  # fmt: skip
    """Return mean, variance or quantiles of the linear predictor of each row given all other rows, see ``loo_predict``.

    Args:
        fit: the fit.
        type: see ``loo_predict``.
        probs: see ``loo_predict``.
        transform: whether to apply the inverse link.
        dpar: the distributional parameter; None is ``mu``.
        resp: see ``loo_predict``.

    Returns:
        See ``loo_predict``.

    Raises:
        ModelError: see ``loo_predict``.

    Example:
        >>> fit.loo_linpred()
    """
    predicted_parameter(of_one(fit, resp), dpar)
    return _expected(fit, What("linpred", dpar, transform), type, probs, resp, None)


def loo_predictive_interval(
    fit: AbstractSampledFit, prob: float = 0.9, *, resp: str | None = None, seed: int | None = None
) -> pd.DataFrame:
    """Return the central interval of the prediction of each row given all other rows, see ``loo_predict``.

    Args:
        fit: the fit.
        prob: its probability.
        resp: see ``loo_predict``.
        seed: see ``loo_predict``.

    Returns:
        Two columns, for ``prob=0.9`` Q5 and Q95.

    Raises:
        ModelError: see ``loo_predict``.

    Example:
        >>> fit.loo_predictive_interval(0.5)
    """
    if isinstance(prob, bool) or not isinstance(prob, (int, float)) or not 0.0 < prob < 1.0:
        raise ModelError(f"`prob` is a number between 0 and 1, for example 0.9; got {prob!r}.")
    tail = round((1.0 - prob) / 2.0, 12)
    found: pd.DataFrame = _expected(fit, What("predict"), "quantile", (tail, 1.0 - tail), resp, seed)
    return found


def _expected(
    fit: AbstractSampledFit, what: What, type: Type, probs: float | Sequence[float], resp: str | None, seed: int | None
) -> Any:
    import pandas as pd

    if type not in ("mean", "var", "quantile"):
        raise ModelError(f'`type` is "mean", "var" or "quantile"; got {type!r}.')
    fit = of_one(fit, resp)
    given = (probs,) if isinstance(probs, (int, float)) else probs
    names = quantile_names(given) if type == "quantile" else [type]
    categories = category_labels(fit, what) or (fit.likelihood.event_labels if what.kind == "predict" else ())
    if categories and type != "mean":
        raise ModelError(f'Of a response of categories there is type="mean" alone, their probabilities; got {type!r}.')
    columns = list(categories) or names
    out = np.empty((fit.nobs, len(columns)))
    for part, log_weights, values in weighted_rows(fit, what, seed):
        out[part] = _statistics(np.exp(log_weights), values, type, given)
    index = fit.frame.labels()
    if len(columns) > 1 or type == "quantile" or categories:
        return pd.DataFrame(out, index=index, columns=columns)
    return pd.Series(out[:, 0], index=index, name=what.name)


def weighted_rows(
    fit: AbstractSampledFit, what: What, seed: int | None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield some rows at a time: positions, smoothed log weights ``(rows, draws)``, and values ``(rows, draws, k)``.

    Args:
        fit: the fit of one response.
        what: what is evaluated; random categories are 0 or 1 for each category.
        seed: of random responses.
    """
    if is_prior_only(fit):
        raise ModelError(
            'The draws come from the prior alone (sample_prior="only"): they have not seen the response, so that '
            'there is nothing to leave out. Fit the model without sample_prior="only".'
        )
    request, rng = Request(), generators(seed)[2]
    rows, choice = prepare_rows(fit, request, response=True, weights=True), choose_draws(fit, request)
    efficiency, density = relative_efficiency(fit), compiled_density(fit)
    per_row = max(len(category_labels(fit, what)), 1)
    codes = fit.likelihood.first_category + np.arange(len(fit.likelihood.event_labels))
    for part, some, values in parts_of_rows(fit, rows, NUMBERS_AT_ONCE // (choice.count * per_row)):
        log_lik, drawn = np.empty((choice.count, some.count)), []
        for batch in batches(fit, some, choice, request, values):
            log_lik[batch.where] = log_density(fit, density, batch, some)
            with np.errstate(all="ignore"):
                drawn.append(row_values(fit, batch, some, what, rng))
        found = np.concatenate(drawn).reshape(choice.count, some.count, -1)
        if what.kind == "predict" and len(codes) and not fit.likelihood.response_labels:
            found = (found == codes).astype(float)
        yield part, smoothed_weights(-log_lik.T, efficiency)[0], found.transpose(1, 0, 2)


def _statistics(weights: np.ndarray, values: np.ndarray, type: Type, probs: Sequence[float]) -> np.ndarray:
    """Return ``(rows, k)`` means or variances, or ``(rows, probs)`` quantiles.

    The variance is that of a weighted sample, sum w (x - mean)^2 / (1 - sum w^2).
    """
    if type == "quantile":
        return weighted_quantiles(weights, values[..., 0], probs)
    mean = np.einsum("nd,ndk->nk", weights, values)
    if type == "mean":
        return mean
    squares = np.einsum("nd,ndk->nk", weights, (values - mean[:, None]) ** 2)
    return np.asarray(squares / (1.0 - (weights**2).sum(axis=1, keepdims=True)))


def weighted_quantiles(weights: np.ndarray, values: np.ndarray, probs: Sequence[float]) -> np.ndarray:
    """Return quantiles of weighted draws, ``(rows, probs)``: the cumulated weights, joined by straight lines.

    Args:
        weights: ``(rows, draws)``, which sum to 1.
        values: ``(rows, draws)``.
        probs: probabilities.
    """
    order = np.argsort(values, axis=1)
    cumulated = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    return np.stack([np.interp(probs, c, x) for c, x in zip(cumulated, ordered, strict=True)])
