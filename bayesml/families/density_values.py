"""The parameters of a likelihood as its densities want them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bayesml.families.base import AbstractLikelihood
    from bayesml.shapes import Numbers, Values

__all__ = ["density_values"]


def density_values(likelihood: AbstractLikelihood, predictors: Values, single: Values) -> dict[str, Numbers]:
    """Return the parameters from linear predictors and single parameters, see ``AbstractLikelihood.values``."""
    parameters = {name: single[name] for name, _ in likelihood.further}
    for name in (p.name for p in likelihood.dpars):
        if name in predictors:
            eta = predictors[name]
            parameters[name] = eta if name in likelihood.linear else likelihood.link(name).inverse(eta)
        else:
            unpredicted = likelihood.dpar(name).unpredicted
            value = single.get(name, 0.0) if unpredicted is None else unpredicted
            parameters[name] = likelihood.link(name).forward(value) if name in likelihood.linear else value
    return parameters
