"""The parameters of a likelihood as its densities take them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from bayesml.families.records import DistributionalParameter
from bayesml.links import Link

if TYPE_CHECKING:
    from bayesml.shapes import Numbers, Values

__all__ = ["density_values"]


def density_values(
    dpars: Iterable[DistributionalParameter],
    linear: Collection[str],
    link: Callable[[str], Link],
    predictors: Values,
    single: Values,
) -> dict[str, Numbers]:
    """Return the distributional parameters from linear predictors and single parameters.

    Args:
        dpars: the parameters.
        linear: names of those that the densities take as linear predictors.
        link: the link of a name.
        predictors: linear predictor of each parameter that has one.
        single: the other parameters on their natural scale; 0 for one that is missing.
    """
    found = {}
    for parameter in dpars:
        name = parameter.name
        if name in predictors:
            eta = predictors[name]
            found[name] = eta if name in linear else link(name).inverse(eta)
        else:
            value = single.get(name, 0.0) if parameter.unpredicted is None else parameter.unpredicted
            found[name] = link(name).forward(value) if name in linear else value
    return found
