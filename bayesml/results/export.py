"""The fit for ArviZ with the groups that are computed on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesml.errors import ModelError
from bayesml.results.log_lik import log_lik
from bayesml.results.predict import predict
from bayesml.results.select import is_prior_only
from bayesml.results.to_arviz import response_variable, with_group

if TYPE_CHECKING:
    from bayesml.results.fit_object import Fit

__all__ = ["export"]


def export(fit: Fit, log_likelihood: bool = False, posterior_predictive: bool = False, seed: int | None = None) -> Any:
    """Return ``fit.idata`` with further groups, each with the dimensions chain, draw and obs.

    Args:
        fit: the fit.
        log_likelihood: whether to add the log-likelihood of every observation, for ``arviz.loo`` and ``arviz.compare``.
        posterior_predictive: whether to add one random response for every draw and observation, for
            ``arviz.plot_ppc``; where the draws come from the prior alone, in ``prior_predictive`` too.
        seed: whole number that makes the random responses reproducible.

    Raises:
        ModelError: an option is impossible.

    Example:
        >>> arviz.loo(fit.to_arviz(log_likelihood=True))
    """
    for name, value in (("log_likelihood", log_likelihood), ("posterior_predictive", posterior_predictive)):
        if not isinstance(value, bool):
            raise ModelError(f"`{name}` is True or False; got {value!r}.")
    idata = fit.idata
    if log_likelihood:
        idata = with_group(idata, "log_likelihood", log_lik(fit).to_dataset(name=response_variable(fit)))
    if posterior_predictive:
        drawn = predict(fit, seed=seed).to_dataset(name=response_variable(fit))
        for group in ("posterior_predictive", *(("prior_predictive",) if is_prior_only(fit) else ())):
            idata = with_group(idata, group, drawn)
    return idata
