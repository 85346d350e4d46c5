"""``fit.idata`` and ``fit.to_arviz()``: draws, data and what ArviZ needs beside them, computed now or on demand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.log_lik import log_lik
from bayesml.results.checks.log_prior import log_prior
from bayesml.results.predict.predict import predict
from bayesml.results.record.one_response import require_one_response
from bayesml.results.record.row_labels import with_plain_rows
from bayesml.results.record.select import is_prior_only
from bayesml.results.storage.to_arviz import (
    collect_groups,
    idata_attributes,
    idata_groups,
    response_dtype,
    response_variable,
)

if TYPE_CHECKING:
    import xarray as xr

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["to_arviz"]


def to_arviz(
    fit: AbstractSampledFit,
    log_likelihood: bool | None = None,
    posterior_predictive: bool | None = None,
    group_effects: bool = True,
    seed: int | None = None,
) -> Any:
    """Return the draws with their labels, the sampler's statistics and the data, for every function of ArviZ.

    Groups: ``posterior``, ``sample_stats``, ``log_likelihood``, ``log_prior`` (summed for each class of parameters),
    ``posterior_predictive``, ``observed_data``, ``constant_data`` and, where prior draws were asked for, ``prior``.
    With ``sample_prior="only"`` the draws are in ``prior`` and, so that tables and plots work as usual, in
    ``posterior`` too; random responses are in ``prior_predictive`` too, and there is no ``log_likelihood``:
    ``arviz.loo`` would make a meaningless number of it.

    ``log_likelihood`` and ``posterior_predictive`` have the dimensions chain, draw and obs, and are computed when
    something reads them first: a plot, ``arviz.loo``, or writing a file.

    Args:
        fit: the fit.
        log_likelihood: True computes it now, whatever its size; False leaves it out, for example of a file; None
            computes it on demand, up to 1 GiB.
        posterior_predictive: the same for one random response for every draw and observation.
        group_effects: whether the posterior has the group-level effects ``r_*``. ArviZ draws at most 40 panels, and
            there may be thousands of effects.
        seed: whole number that makes the random responses reproducible; None takes that of the fit.

    Returns:
        An ``arviz.InferenceData`` with ArviZ 0.23, an ``xarray.DataTree`` with ArviZ 1.0 and later.

    Raises:
        ModelError: an option is impossible. When something reads them, groups that are computed on demand raise it too:
            where they are larger than 1 GiB, or the fit kept too few draws of its group-level effects.

    Example:
        >>> import arviz
        >>> arviz.loo(fit.idata)
        >>> arviz.plot_trace(fit.to_arviz(group_effects=False))
    """
    _check_options(log_likelihood, posterior_predictive, group_effects)
    groups = idata_groups(fit, group_effects) | {"log_prior": _log_prior(fit)}
    prior_only, one = is_prior_only(fit), len(fit.parsed.responses) == 1
    if log_likelihood or posterior_predictive:
        require_one_response(fit)
    if log_likelihood or (log_likelihood is None and one and not prior_only):
        groups["log_likelihood"] = _log_likelihood(fit, bool(log_likelihood))
    if posterior_predictive or (posterior_predictive is None and one):
        drawn = _predictive(fit, fit.seed if seed is None else seed, bool(posterior_predictive))
        groups |= dict.fromkeys(["posterior_predictive", *(["prior_predictive"] if prior_only else [])], drawn)
    return collect_groups({name: groups[name] for name in ORDER if name in groups}, idata_attributes(fit))


ORDER = (
    *("posterior", "sample_stats", "log_likelihood", "log_prior", "posterior_predictive", "prior", "prior_predictive"),
    *("observed_data", "constant_data"),
)


def _check_options(log_likelihood: object, posterior_predictive: object, group_effects: object) -> None:
    for name, value in (("log_likelihood", log_likelihood), ("posterior_predictive", posterior_predictive)):
        if not (value is None or isinstance(value, bool)):
            raise ModelError(f"`{name}` is True or False, or None to compute it on demand; got {value!r}.")
    if not isinstance(group_effects, bool):
        raise ModelError(f"`group_effects` is True or False; got {group_effects!r}.")


def _log_likelihood(fit: AbstractSampledFit, now: bool) -> xr.Dataset:
    name = response_variable(fit)
    if now:
        return with_plain_rows(log_lik(fit).to_dataset(name=name))
    from bayesml.results.storage.on_demand import rows_on_demand

    return rows_on_demand(fit, partial(_log_likelihood_values, fit), "log_likelihood", name)


def _log_prior(fit: AbstractSampledFit) -> xr.Dataset:
    import xarray as xr

    coords = {"chain": np.arange(fit.draws_record.n_chains), "draw": np.arange(fit.draws_record.n_draws)}
    return xr.Dataset({name: (("chain", "draw"), density) for name, density in log_prior(fit).items()}, coords)


def _predictive(fit: AbstractSampledFit, seed: int, now: bool) -> xr.Dataset:
    name = response_variable(fit)
    if now:
        drawn = predict(fit, seed=seed)
        complete = bool(np.isfinite(drawn).all())
        return with_plain_rows((drawn.astype(response_dtype(fit)) if complete else drawn).to_dataset(name=name))
    from bayesml.results.storage.on_demand import rows_on_demand

    return rows_on_demand(fit, partial(_responses, fit, seed), "posterior_predictive", name, response_dtype(fit))


def _log_likelihood_values(fit: AbstractSampledFit) -> np.ndarray:
    return log_lik(fit).to_numpy()


def _responses(fit: AbstractSampledFit, seed: int) -> np.ndarray:
    drawn = predict(fit, seed=seed).to_numpy()
    if fit.likelihood.traits.discrete and not np.isfinite(drawn).all():
        raise ModelError(
            "Some responses could not be drawn, since a parameter leaves its range, and whole numbers have no NaN. "
            "fit.to_arviz(posterior_predictive=True) gives what there is."
        )
    return drawn
