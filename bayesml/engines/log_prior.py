"""The log prior of sampled parameters, from the distributions' own densities.

The NumPyro model stays the definition: tests hold one against the other. But importing NumPyro takes half a second, and
tracing its ``log_density`` several times what these few sums take.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from functools import reduce
from math import log, pi
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import numpy as jnp

from bayesml.distributions import Constant, ConstantArray, WholeDistribution
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Scalar, Values

__all__ = ["log_prior", "parameter_values"]


def parameter_values(parameters: Iterable[ParameterSpec], sites: Values) -> dict[str, Numbers]:
    """Return the array of each parameter: that of its site, or put together from those of its labels."""
    return {parameter.name: _value(parameter, sites) for parameter in parameters}


def _value(parameter: ParameterSpec, sites: Values) -> Numbers:
    if parameter.name in sites:
        return sites[parameter.name]
    if isinstance(parameter.priors[0], ConstantArray):
        return jnp.asarray(parameter.priors[0].array)
    if not parameter.coefs:
        return _label_value(parameter.name, parameter.priors[0], sites)
    names = [f"{parameter.name}[{coef}]" for coef in parameter.coefs]
    return jnp.stack([_label_value(n, prior, sites) for n, prior in zip(names, parameter.priors, strict=True)])


def _label_value(name: str, prior: Any, sites: Values) -> Numbers:
    return jnp.asarray(prior.value, float) if isinstance(prior, Constant) else sites[name]


def log_prior(parameters: Iterable[ParameterSpec], values: Values) -> Scalar:
    """Return the sum of the log prior densities of parameters; those fixed by ``constant()`` count nothing.

    Values lie in the support of their priors: where a parameter is bounded, so are the coordinates it is sampled in.

    Args:
        parameters: the parameters.
        values: what ``parameter_values`` returns for them.
    """
    return _total(_log_prior(parameter, values[parameter.name]) for parameter in parameters)


def _total(terms: Iterable[Numbers]) -> Scalar:
    """Return the sum without an addition to 0, which would be traced and differentiated too."""
    found = list(terms)
    return reduce(operator.add, found) if found else jnp.zeros(())


def _log_prior(parameter: ParameterSpec, value: Numbers) -> Scalar:
    if not parameter.prior_class:
        return -0.5 * jnp.sum(value**2) - 0.5 * log(2 * pi) * value.size
    if parameter.is_constant:
        return jnp.zeros(())
    first = parameter.priors[0]
    if isinstance(first, WholeDistribution):
        return first.whole_log_density(value)
    if not parameter.coefs:
        return first.log_density_inside(value)
    terms = []
    for prior in dict.fromkeys(parameter.priors):
        if not prior.is_constant:
            places = np.flatnonzero([prior == other for other in parameter.priors])
            alike = value if len(places) == len(parameter.priors) else value[places]
            terms.append(jnp.sum(prior.log_density_inside(alike)))
    return _total(terms)
