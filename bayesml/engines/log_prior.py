"""The log prior of sampled parameters, from the distributions' own densities.

The NumPyro model stays the definition: tests hold one against the other. But importing NumPyro takes half a second, and
tracing its ``log_density`` several times what these few sums take.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from functools import reduce
from math import log, pi
from typing import TYPE_CHECKING

import numpy as np
from jax import numpy as jnp

from bayesml.distributions import WholeDistribution
from bayesml.spec import ParameterSpec, PriorNumbers

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Scalar, Values

__all__ = ["constant_sites", "log_prior", "parameter_values"]


def parameter_values(parameters: Iterable[ParameterSpec], sites: Values) -> dict[str, Numbers]:
    """Return the array of each parameter: that of its site, or put together from those of its labels.

    What a prior holds at a value is taken from ``sites`` where it is there, see ``constant_sites``.
    """
    return {parameter.name: _value(parameter, sites) for parameter in parameters}


def _value(parameter: ParameterSpec, sites: Values) -> Numbers:
    if parameter.name in sites:
        return sites[parameter.name]
    sites = {**constant_sites([parameter]), **sites}
    if parameter.name in sites:
        return sites[parameter.name]
    return jnp.stack([sites[f"{parameter.name}[{coef}]"] for coef in parameter.coefs])


def constant_sites(
    parameters: Iterable[ParameterSpec], numbers: Mapping[str, PriorNumbers] | None = None
) -> dict[str, Numbers]:
    """Return the values that priors hold, by site: a whole parameter, or a label.

    Args:
        parameters: the parameters.
        numbers: the numbers of the priors in the place of their own.
    """
    found: dict[str, Numbers] = {}
    for parameter in parameters:
        if not any(prior.is_constant for prior in parameter.priors):
            continue
        own = parameter.numbers if numbers is None else numbers[parameter.name]
        for (prior, places), values in zip(parameter.prior_groups, own, strict=True):
            if prior.is_constant and not parameter.coefs:
                found[parameter.name] = jnp.asarray(values[0])
            elif prior.is_constant:
                found |= {f"{parameter.name}[{parameter.coefs[k]}]": values[0][i] for i, k in enumerate(places)}
    return found


def log_prior(
    parameters: Iterable[ParameterSpec], values: Values, numbers: Mapping[str, PriorNumbers] | None = None
) -> Scalar:
    """Return the sum of the log prior densities of parameters; those fixed by ``constant()`` count nothing.

    Values lie in the support of their priors: where a parameter is bounded, so are the coordinates it is sampled in.

    Args:
        parameters: the parameters.
        values: what ``parameter_values`` returns for them.
        numbers: the numbers of the priors in the place of their own, ``ModelSpec.prior_numbers``, which a program takes
            as data.
    """
    return _total(
        _log_prior(parameter, values[parameter.name], None if numbers is None else numbers.get(parameter.name))
        for parameter in parameters
    )


def _total(terms: Iterable[Numbers]) -> Scalar:
    """Return the sum without an addition to 0, which would be traced and differentiated too."""
    found = list(terms)
    return reduce(operator.add, found) if found else jnp.zeros(())


def _log_prior(parameter: ParameterSpec, value: Numbers, numbers: PriorNumbers | None) -> Scalar:
    if not parameter.prior_class:
        return -0.5 * jnp.sum(value**2) - 0.5 * log(2 * pi) * value.size
    terms = []
    for (prior, places), own in zip(parameter.prior_groups, numbers or parameter.numbers, strict=True):
        if prior.is_constant:
            continue
        given = prior.at(own)
        if isinstance(given, WholeDistribution):
            terms.append(given.whole_log_density(value))
        elif len(places) == len(parameter.priors):
            terms.append(jnp.sum(given.log_density_inside(value)))
        else:
            terms.append(jnp.sum(given.log_density_inside(value[np.asarray(places)])))
    return _total(terms)
