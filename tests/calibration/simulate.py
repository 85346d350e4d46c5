"""Forward simulation: parameters from the prior, a response from the family, the problem with that response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bayesml.compile import linear_predictors
from bayesml.engines.base import Problem
from bayesml.engines.nuts.driver.prior import prior_draws
from bayesml.fit import describe_problem
from tests.calibration.models import Model

__all__ = ["Simulation", "natural_parameters", "problem_of", "simulations", "with_response"]

# Two values that every family accepts: only shapes and labels are read from this response.
PLACEHOLDER = (0.0, 1.0)


@dataclass(frozen=True)
class Simulation:
    """One draw from the joint distribution of parameters and data.

    Attributes:
        index: its number.
        truth: reported variables ``(1, *shape)``.
        problem: the model with the simulated response.
    """

    index: int
    truth: Mapping[str, np.ndarray]
    problem: Problem


def problem_of(model: Model) -> Problem:
    """Describe a model; its response is a placeholder."""
    n = len(model.columns["x"])
    data = model.columns | {"y": np.resize(np.array(PLACEHOLDER), n)}
    return describe_problem(model.formula, data, model.family, prior=model.priors)


def with_response(problem: Problem, y: np.ndarray) -> Problem:
    """Return the problem with another response."""
    arrays = {**problem.design.response.arrays, "y": np.asarray(y, float)}
    return replace(problem, design=problem.design.with_response(arrays, problem.design.weights))


def natural_parameters(problem: Problem, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the family's parameters on their natural scale, ``(draws, rows)`` or ``(draws, 1)``."""
    schema, family = problem.design.schema, problem.likelihood
    predictors = linear_predictors(schema, values, problem.design.arrays)
    found = {key.dpar: family.link(key.dpar).inverse(eta) for key, eta in predictors.items()}
    return {p.name: found[p.name] if p.name in found else values[p.name][:, None] for p in family.dpars}


def simulations(problem: Problem, count: int, seed: int) -> list[Simulation]:
    """Draw ``count`` times from prior and likelihood."""
    drawn = prior_draws(problem, seed, 1, count)
    values = {name: value[0] for name, value in drawn.items()}
    parameters = natural_parameters(problem, values)
    responses = problem.likelihood.draw(np.random.default_rng([seed, 3]), parameters, problem.design.response.arrays)
    return [
        Simulation(i, {name: v[i : i + 1] for name, v in values.items()}, with_response(problem, y))
        for i, y in enumerate(responses)
    ]
