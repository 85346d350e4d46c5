"""The widely applicable information criterion (Watanabe 2010; Vehtari, Gelman & Gabry 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError, warn_user
from bayesml.results.checks.elpd import Waic, log_mean_exp
from bayesml.results.checks.log_lik import log_lik_by_rows
from bayesml.results.record.one_response import of_one
from bayesml.results.record.select import is_prior_only

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["density_and_penalty", "waic"]

DOUBTFUL_P = 0.4
NUMBERS_AT_ONCE = 4_000_000


def waic(fit: AbstractSampledFit, *, resp: str | None = None) -> Waic:
    """Estimate the expected log predictive density by the widely applicable information criterion.

    ``elpd_waic = sum_i (log mean_s p(y_i | draw s) - p_i)`` with ``p_i = var_s log p(y_i | draw s)``, whose sum is the
    effective number of parameters ``p_waic`` (Vehtari, Gelman & Gabry 2017, Statistics and Computing 27). ``loo()`` is
    the better estimate, and says where it fails.

    Args:
        fit: the fit.
        resp: which of several responses; None takes the joint density of all responses of a row, see ``log_lik``.

    Returns:
        A value with ``elpd_waic``, ``p_waic``, ``waic = -2 elpd_waic``, ``se`` (of ``elpd_waic``), ``estimates`` (a
        table of all with their standard errors) and ``pointwise`` (a row for each observation).

    Raises:
        ModelError: the draws come from the prior alone, or the log-likelihood is not finite.

    Warns:
        FitWarning: p_i is above 0.4 for some observations, where the criterion is unreliable.

    Example:
        >>> fit.waic()
    """
    import pandas as pd

    fit = fit if resp is None else of_one(fit, resp)
    if is_prior_only(fit):
        raise ModelError(
            'The draws come from the prior alone (sample_prior="only"): they have not seen the response. Fit the model '
            'without sample_prior="only".'
        )
    lppd, p = np.empty((2, fit.nobs))
    for rows, values in log_lik_by_rows(fit, NUMBERS_AT_ONCE):
        lppd[rows], p[rows] = density_and_penalty(values)
    if infinite := int((~np.isfinite(lppd - p)).sum()):
        raise ModelError(
            f"The log-likelihood of {infinite} observations is not finite at some draws, which waic() needs."
        )
    if doubtful := int((p > DOUBTFUL_P).sum()):
        warn_user(
            f"{doubtful} of {len(p)} observations have a p_waic above {DOUBTFUL_P}, where the criterion is unreliable. "
            "Use loo() in its place."
        )
    parts = {"elpd_waic": lppd - p, "p_waic": p, "waic": -2.0 * (lppd - p)}
    return Waic(fit, pd.DataFrame(parts, index=fit.frame.labels()))


def density_and_penalty(log_likelihood: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the log of the mean density of each row, and the variance of its log density, from ``(draws, rows)``."""
    with np.errstate(invalid="ignore"):
        return log_mean_exp(log_likelihood), log_likelihood.var(axis=0, ddof=1)
