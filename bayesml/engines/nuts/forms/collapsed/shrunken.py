"""Slopes with a shrinkage prior, which are integrated out given their scales.

Given the scales s of a horseshoe or R2D2 prior the slopes are b_j = s_j z_j with z standard normal. Like the
coefficients of a spline they are a block of normal coefficients, each with a standard deviation of its own. The scales
alone are sampled, whose posterior has neither the funnel of each pair (z_j, s_j) nor the ridges of collinear columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml import names
from bayesml.engines.base import Problem
from bayesml.keys import MU
from bayesml.priors.joint import SCALES, AbstractJointPrior
from bayesml.spec import JointTarget, ModelSpec, with_numbers
from bayesml.terms import (
    AbstractPopulationTerm,
    AbstractTerm,
    EffectBlock,
    integrated_blocks_of,
    population_term,
)

if TYPE_CHECKING:
    from bayesml.priors.shrinkage import AbstractShrinkage
    from bayesml.shapes import Numbers, Values

__all__ = [
    "blocks_of_model",
    "can_be_integrated",
    "centred_columns",
    "is_shrunken",
    "shrunken_scales",
    "shrunken_slopes",
    "with_slopes",
]

SCALES_OF_SLOPES = "scales of slopes"
CENTRED = "centred slopes"


@final
@dataclass(frozen=True)
class _OwnScales:
    """Independent coefficients whose standard deviations are computed from the scales of the prior."""

    lengthscales: str = ""
    beside: tuple[str, ...] = ()

    def factor(self, sd: Numbers, values: Mapping[str, Any]) -> Numbers:
        """Return the standard deviations ``(vectors,)``."""
        return sd


def can_be_integrated(target: JointTarget) -> bool:
    """Whether a joint prior gives the slopes of mu, or standard deviations, their scales."""
    is_slopes = target.target.name == names.slopes_variable(MU)
    gives_scales = isinstance(target.prior, AbstractJointPrior) and target.prior.gives_scales
    return gives_scales and (is_slopes or target.target.prior_class in SCALES)


def is_shrunken(spec: ModelSpec) -> bool:
    """Whether the population-level slopes of mu have a shrinkage prior."""
    return any(target.target.name == names.slopes_variable(MU) and can_be_integrated(target) for target in spec.joint)


def blocks_of_model(problem: Problem) -> tuple[tuple[AbstractTerm, EffectBlock], ...]:
    """Return the blocks of coefficients that are integrated out, shrunken slopes among them, each with its term."""
    terms, spec = problem.design.schema.predictors[0].terms, problem.description.spec
    blocks, population = integrated_blocks_of(terms), population_term(terms)
    if population is None or not is_shrunken(spec):
        return blocks
    target = next(each for each in spec.joint if each.target.name == names.slopes_variable(MU))
    z = next(parameter.name for parameter in target.prior.parameters(target.target) if not parameter.prior_class)
    size, sd = len(target.target.coefs), SCALES_OF_SLOPES
    block = EffectBlock("b", size, ("b",), (1,), sd, (sd,), "", ("",), z, z, CENTRED, shape=_OwnScales())
    return (*blocks, (population, block))


def centred_columns(population: AbstractPopulationTerm, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the columns of the population-level slopes as they stand in the model: centred beside an Intercept."""
    X = np.asarray(arrays["X"], float)
    return (X[:, 1:] if population.has_intercept else X) - np.asarray(population.means, float)


def with_slopes(
    problem: Problem, arrays: Mapping[str, Mapping[str, np.ndarray]]
) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Return the arrays of the terms of mu with the columns of shrunken slopes."""
    population = population_term(problem.design.schema.predictors[0].terms)
    if population is None or not is_shrunken(problem.description.spec):
        return arrays
    own = arrays[population.key]
    return {**arrays, population.key: {**own, CENTRED: centred_columns(population, own)}}


def shrunken_scales(spec: ModelSpec, values: Values, numbers: tuple[tuple[Any, ...], ...]) -> dict[str, Numbers]:
    """Return the scales of shrunken slopes, and the standard deviations whose scales are sampled.

    Args:
        spec: the model.
        values: the sampled values, z of the slopes not among them.
        numbers: the numbers of the joint priors, ``ModelSpec.joint_numbers``.
    """
    found: dict[str, Numbers] = {}
    for place, each in enumerate(spec.joint):
        prior: AbstractShrinkage = with_numbers(each.prior, numbers[place])  # type: ignore[assignment]
        if each.target.prior_class in SCALES:
            found[each.target.name] = prior.value(each.target, values)
        else:
            found[SCALES_OF_SLOPES] = prior.scales_of(each.target, values)
    return found


def shrunken_slopes(spec: ModelSpec, values: Values) -> dict[str, Numbers]:
    """Return the slopes b = s z; nothing where they have no shrinkage prior."""
    found = {}
    for each in spec.joint:
        if each.target.prior_class not in SCALES:
            z = next(p.name for p in each.prior.parameters(each.target) if not p.prior_class)
            found[each.target.name] = values[SCALES_OF_SLOPES] * values[z]
    return found
