"""The leave-one-out R2: how much of the variance of new responses the model explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.bayes_r2 import r2_of_responses
from bayesml.results.checks.loo_predict import weighted_rows
from bayesml.results.predict.quantity import What

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["bootstrapped_r2", "loo_R2"]

REPLICATIONS = 4000
NUMBERS_AT_ONCE = 4_000_000


def loo_R2(
    fit: AbstractSampledFit, *, resp: str | None = None, seed: int = 1,
    summary: bool = True, robust: bool = False, probs: tuple[float, ...] = (0.025, 0.975),
) -> pd.DataFrame:  # fmt: skip
    """Return R2 = 1 - var(y - mu_loo) / var(y), where mu_loo,i is the expected response of a row given all others.

    Its uncertainty is that of the rows: both variances are weighted with 4,000 draws from a Dirichlet(1, ..., 1)
    distribution over the rows, the Bayesian bootstrap. Gelman, Goodrich, Gabry and Vehtari (2019), R-squared for
    Bayesian regression models, The American Statistician 73, online appendix. Unlike ``bayes_R2()`` it does not rise
    with every predictor, and is negative where the mean of all responses predicts better than the model.

    Args:
        fit: the fit.
        resp: which of several responses; None takes all, a row for each.
        seed: of the bootstrap.
        summary: whether to summarise; else its replications are returned, one column for each response.
        robust: median and mad in the place of mean and standard deviation.
        probs: probabilities of the quantiles.

    Returns:
        The columns Estimate, Est.Error, Q2.5 and Q97.5; the row is called ``R2``, of several responses ``R2y1``, ...

    Raises:
        ModelError: a response is one of several categories; or the draws come from the prior alone.

    Example:
        >>> fit.loo_R2()
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ModelError(f"`seed` is a whole number of at least 0; got {seed!r}.")
    return r2_of_responses(fit, resp, lambda one: _replicated(one, seed), summary, robust, probs)


def _replicated(fit: AbstractSampledFit, seed: int) -> np.ndarray:
    expected = np.empty(fit.nobs)
    for part, log_weights, values in weighted_rows(fit, What("epred"), None):
        expected[part] = np.einsum("nd,nd->n", np.exp(log_weights), values[..., 0])
    y = np.asarray(fit.problem.design.response.arrays["y"], dtype=float)
    known = ~np.isnan(y)
    return bootstrapped_r2(y[known], expected[known], np.random.default_rng(seed))


def bootstrapped_r2(y: np.ndarray, expected: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return draws of R2 by the Bayesian bootstrap; no lower than -1, as in R's rstantools.

    Args:
        y: ``(rows,)`` responses.
        expected: ``(rows,)`` their leave-one-out expectations.
        rng: draws the weights.
    """
    errors = y - expected
    # a Dirichlet(1, ..., 1) vector is one of independent exponential numbers over their sum
    sums = np.zeros((REPLICATIONS, 5))
    columns = np.column_stack([np.ones_like(y), y - y.mean(), (y - y.mean()) ** 2, errors, errors**2])
    step = max(1, NUMBERS_AT_ONCE // REPLICATIONS)
    for start in range(0, len(y), step):
        part = columns[start : start + step]
        sums += rng.standard_exponential((REPLICATIONS, len(part))) @ part
    mean, square, error, square_error = (sums[:, 1:] / sums[:, :1]).T
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(1.0 - (square_error - error**2) / (square - mean**2), -1.0, 1.0)
