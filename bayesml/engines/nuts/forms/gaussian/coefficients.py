"""Coefficients of several parameters in one vector, and back; which of them may be standardised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jax import numpy as jnp

from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractGroupTerm

if TYPE_CHECKING:
    from bayesml.engines.nuts.forms.gaussian.shapes import Coefficients
    from bayesml.shapes import Numbers, Values

__all__ = ["has_few_levels", "is_unbounded", "joined", "separated"]

FEW_LEVELS = 10
"""With fewer levels the data leave a standard deviation so open that the Intercept's own scale changes with it."""


def has_few_levels(groups: Sequence[AbstractGroupTerm]) -> bool:
    """Whether a factor has so few levels that coefficients are to follow its standard deviation."""
    return any(len(group.levels) < FEW_LEVELS for group in groups)


def is_unbounded(parameter: ParameterSpec) -> bool:
    """Whether a parameter is one sampled array of numbers that may have any value."""
    if parameter.support.is_whole or not parameter.is_single_site:
        return False
    return all(prior.support == (-np.inf, np.inf) for prior in parameter.priors)


def joined(parameters: Sequence[ParameterSpec], values: Values) -> Coefficients:
    """Return the values of all parameters, one after the other."""
    parts = [jnp.reshape(values[parameter.name], (-1,)) for parameter in parameters]
    return jnp.concatenate(parts) if len(parts) > 1 else parts[0] if parts else jnp.zeros(0)


def separated(parameters: Sequence[ParameterSpec], numbers: Coefficients) -> dict[str, Numbers]:
    """Return the value of each parameter out of what ``joined`` returns."""
    values, first = {}, 0
    for parameter in parameters:
        stop = first + int(np.prod(parameter.shape))
        values[parameter.name] = jnp.reshape(numbers[first:stop], parameter.shape)
        first = stop
    return values
