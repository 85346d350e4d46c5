"""``fit.idata`` and ``fit.to_arviz()``: draws, data and what ArviZ needs beside them, computed now or on demand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.log_lik import log_lik
from bayesml.results.checks.log_prior import log_prior
from bayesml.results.predict.predict import predict
from bayesml.results.record.one_response import each_response, has_several
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

    Groups: ``posterior``, ``sample_stats``, ``log_likelihood``, ``log_prior`` (summed for each class of parameters, or
    tag of their priors), ``posterior_predictive``, ``observed_data``, ``constant_data`` and, where prior draws were
    asked for, ``prior``.
    With ``sample_prior="only"`` the draws are in ``prior`` and, so that tables and plots work as usual, in
    ``posterior`` too; random responses are in ``prior_predictive`` too, and there is no ``log_likelihood``:
    ``arviz.loo`` would make a meaningless number of it.

    ``log_likelihood`` and ``posterior_predictive`` have the dimensions chain, draw and obs, and are computed when
    something reads them first: a plot, ``arviz.loo``, or writing a file. Of several responses each is a variable; where
    their residuals are correlated ``log_likelihood`` has one variable, their joint density.

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
    prior_only = is_prior_only(fit)
    if log_likelihood or (log_likelihood is None and not prior_only):
        groups["log_likelihood"] = _log_likelihood(fit, bool(log_likelihood))
    if posterior_predictive is not False:
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
    """Return a variable for each response; one of the joint density where residuals are correlated."""
    joint = fit.likelihood.residual_correlations(fit.draws_record.values) is not None
    fits = {"_".join(each_response(fit)): fit} if joint else each_response(fit)
    names = {resp: resp if joint else response_variable(one) for resp, one in fits.items()}
    if now:
        return _merged(with_plain_rows(log_lik(one).to_dataset(name=names[resp])) for resp, one in fits.items())
    from bayesml.results.storage.on_demand import rows_on_demand

    return _merged(
        rows_on_demand(one, partial(_log_likelihood_values, one), "log_likelihood", names[resp])
        for resp, one in fits.items()
    )


def _merged(datasets: Iterable[xr.Dataset]) -> xr.Dataset:
    """Return the variables of all, which have the same rows and draws."""
    first, *others = datasets
    for other in others:
        first = first.assign_coords(other.coords).assign(other.data_vars)
    return first


def _log_prior(fit: AbstractSampledFit) -> xr.Dataset:
    import xarray as xr

    coords = {"chain": np.arange(fit.draws_record.n_chains), "draw": np.arange(fit.draws_record.n_draws)}
    return xr.Dataset({name: (("chain", "draw"), density) for name, density in log_prior(fit).items()}, coords)


def _predictive(fit: AbstractSampledFit, seed: int, now: bool) -> xr.Dataset:
    """Return a variable for each response; those of one row are drawn together."""
    drawn = _Drawn(fit, seed)
    if now:
        return _merged(
            with_plain_rows(_in_type(one, drawn.labelled[resp]).to_dataset(name=response_variable(one)))
            for resp, one in each_response(fit).items()
        )
    from bayesml.results.storage.on_demand import rows_on_demand

    return _merged(
        rows_on_demand(
            one, partial(drawn.numbers, resp), "posterior_predictive", response_variable(one), response_dtype(one)
        )
        for resp, one in each_response(fit).items()
    )


def _in_type(one: AbstractSampledFit, drawn: xr.DataArray) -> xr.DataArray:
    return drawn.astype(response_dtype(one)) if bool(np.isfinite(drawn).all()) else drawn


def _log_likelihood_values(fit: AbstractSampledFit) -> np.ndarray:
    return log_lik(fit).to_numpy()


@final
@dataclass(frozen=True)
class _Drawn:
    """Random responses of every row, drawn once for all responses."""

    fit: AbstractSampledFit
    seed: int

    @cached_property
    def labelled(self) -> dict[str, xr.DataArray]:
        """The draws by response."""
        drawn: Any = predict(self.fit, seed=self.seed)
        if not has_several(self.fit):
            return dict.fromkeys(each_response(self.fit), drawn)
        names = each_response(self.fit)
        return drawn if isinstance(drawn, dict) else {resp: drawn.sel(resp=resp, drop=True) for resp in names}

    def numbers(self, resp: str) -> np.ndarray:
        """Return the draws of one response.

        Raises:
            ModelError: some could not be drawn, and the response is a whole number.
        """
        drawn = self.labelled[resp].to_numpy()
        if each_response(self.fit)[resp].likelihood.traits.discrete and not np.isfinite(drawn).all():
            raise ModelError(
                "Some responses could not be drawn, since a parameter leaves its range, and whole numbers have no NaN. "
                "fit.to_arviz(posterior_predictive=True) gives what there is."
            )
        return drawn
