"""The log prior density at every draw, by class of prior, for ArviZ's checks of sensitivity to the prior."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bayesml.distributions import WholeDistribution
from bayesml.ordered import ordered_values
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["log_prior", "without_log_prior"]


def log_prior(fit: AbstractSampledFit) -> dict[str, np.ndarray]:
    """Return the summed log prior densities of each class of parameters, or of each tag, ``(chains, draws)``.

    The classes are those of the prior table: ``b``, ``Intercept`` (of centred predictors), ``sd``, ``cor`` (of Cholesky
    factors, as in Stan), ``sigma``. What has a prior with a ``tag=`` is counted under that tag, and not under its
    class, so that the sum over all is the whole log prior. A joint prior such as the horseshoe has none.
    Group-level effects given their standard deviations are no part of it, flat priors
    add 0, and what ``constant()`` fixes adds nothing.
    """
    values = _sampled_values(fit)
    found: dict[str, np.ndarray] = {}
    for parameter in fit.problem.description.spec.parameters:
        known = parameter.prior_class and parameter.name in values
        if known and not parameter.is_constant:
            for name, density in _log_densities(parameter, values[parameter.name]):
                found[name] = found.get(name, 0.0) + density
    return found


def without_log_prior(fit: AbstractSampledFit) -> tuple[str, ...]:
    """Return the sampled parameters whose priors have no part in ``log_prior``: no draws determine their values."""
    values = _sampled_values(fit)
    every = (p for p in fit.problem.description.spec.parameters if p.prior_class and not p.is_constant)
    return tuple(p.name for p in every if p.name not in values)


def _log_densities(parameter: ParameterSpec, value: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the tag, or else the class, and the log density of each prior of a parameter."""
    first, names = parameter.priors[0], [tag or parameter.prior_class for tag in parameter.tags or ("",)]
    with np.errstate(all="ignore"):
        if isinstance(first, WholeDistribution):
            yield names[0], np.asarray(first.whole_log_density(value))
        elif not parameter.coefs:
            yield names[0], np.asarray(first.log_density(value))
        else:
            for k, prior in enumerate(parameter.priors):
                if not prior.is_constant:
                    yield names[k % len(names)], np.asarray(prior.log_density(value[..., k]))


def _sampled_values(fit: AbstractSampledFit) -> dict[str, np.ndarray]:
    """Return the draws of what has a prior: reported variables, and those that are sampled but not reported."""
    values = dict(fit.draws_record.values)
    for predictor in fit.problem.design.schema.predictors:
        for term in predictor.terms:
            values |= term.sampled(values)
    values |= fit.likelihood.sampled(values)
    return values | ordered_values(fit.problem.description.spec, values)
