"""Parameters that the pilot does not estimate: those of terms without linear Gaussian effects, held at their start.

The whitening at the mode that follows the pilot moves them like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from jax import numpy as jnp

from bayesml import names
from bayesml.engines.base import Problem
from bayesml.engines.layout import layout_of
from bayesml.engines.log_prior import parameter_values
from bayesml.spec import ParameterSpec
from bayesml.terms import population_terms

__all__ = ["derived_of_others", "held_values"]

Array = Any


def held_values(problem: Problem, singles: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the start of every parameter that the pilot does not estimate, by site and by parameter.

    Args:
        problem: the model.
        singles: the parameters of the family, which the pilot estimates.
    """
    spec = problem.description.spec
    estimated = {*singles, *_estimated(problem)}
    others = tuple(p for p in spec.parameters if p.name not in estimated)
    layout = layout_of(replace(spec, parameters=others))
    sites, _ = layout.constrain(jnp.asarray(layout.center))
    values = sites | parameter_values([p for p in others if p.prior_class], sites)
    values |= spec.computed(values)
    return {name: np.asarray(value, dtype=float) for name, value in values.items()}


def _estimated(problem: Problem) -> set[str]:
    found: set[str] = set()
    for predictor in problem.design.schema.predictors:
        for term in predictor.terms:
            if term.is_linear_gaussian:
                found |= {parameter.name for parameter in _parameters_of(problem, term.predictor, term)}
    return found


def _parameters_of(problem: Problem, predictor: Any, term: Any) -> tuple[ParameterSpec, ...]:
    own = {names.slopes_variable(predictor)} if not term.grouping else set()
    own |= {names.intercept_variable(predictor)} if any(t.has_intercept for t in population_terms([term])) else set()
    of_group = term.grouping and ":".join(term.grouping)
    return tuple(
        p
        for p in problem.description.spec.parameters
        if p.predictor == predictor and (p.name in own or (of_group and p.group == of_group))
    )


def derived_of_others(problem: Problem, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what terms without linear Gaussian effects derive from sampled values."""
    found: dict[str, Any] = {}
    for predictor in problem.design.schema.predictors:
        for term in predictor.terms:
            if not term.is_linear_gaussian:
                found |= term.derive({**values, **found})
    return found
