"""Forward simulation: parameters from the prior, a response from the family, the problem with that response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bayesml.compile import likelihood_values, linear_predictors
from bayesml.engines.base import Problem
from bayesml.engines.from_prior import prior_draws
from bayesml.families import RawResponse
from bayesml.families.drawing import natural_values
from bayesml.families.joint import FACTOR
from bayesml.fit import describe_problem
from tests.calibration.models import Model

__all__ = ["Simulation", "completed", "natural_parameters", "problem_of", "simulations", "with_response"]

CODES = LEFT, KNOWN, RIGHT = (-1.0, 0.0, 1.0)  # of cens(c)


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
    """Describe a model; its response is a placeholder, of which only shapes and labels are read."""
    data = model.columns | dict.fromkeys(model.responses, np.resize(np.array(model.placeholder), model.rows))
    if model.window is not None:
        data |= {"c": np.resize(np.array(CODES), model.rows)}
    return describe_problem(model.formula, data, model.family, prior=model.priors)


def with_response(model: Model, problem: Problem, y: np.ndarray) -> Problem:
    """Return the problem with another response, of which the model observes what lies in its window."""
    if problem.design.joint is not None:
        arrays = {**problem.design.response.arrays, "y": np.asarray(y, float)}
        return replace(problem, design=problem.design.with_response(arrays, problem.design.weights))
    additions = {name: array for name, array in problem.design.response.arrays.items() if name == "trials"}
    if model.window is not None:
        first, last = model.window
        additions |= {"cens": np.where(y < first, LEFT, np.where(y > last, RIGHT, KNOWN))}
        y = np.clip(y, first, last)
    if problem.likelihood.traits.rows_depend:  # the tables of the series stay
        arrays = {**problem.design.response.arrays, "y": np.asarray(y, float)}
        return replace(problem, design=problem.design.with_response(arrays, problem.design.weights))
    response = problem.likelihood.encode(RawResponse("y", np.asarray(y, float), additions=additions), for_fit=False)
    return replace(problem, design=problem.design.with_response(response.arrays, problem.design.weights))


def completed(problem: Problem, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return reported variables with what the density takes in their place: the factor of residual correlations."""
    if problem.likelihood.traits.rows_depend:
        return {**values, **problem.likelihood.sampled(values)}
    matrices = problem.likelihood.residual_correlations(values)
    return {**values} if matrices is None else {**values, FACTOR: np.linalg.cholesky(matrices)}


def natural_parameters(problem: Problem, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the family's parameters on their natural scale, ``(draws, rows)`` or ``(draws, 1)``."""
    schema, likelihood = problem.design.schema, problem.likelihood
    predictors = linear_predictors(schema, values, problem.design.arrays)
    single = {p.name: values[p.name][:, None] for p in likelihood.dpars if p.name in values}
    return natural_values(likelihood, likelihood_values(likelihood, predictors, completed(problem, values) | single))


def simulations(model: Model, problem: Problem, count: int, seed: int) -> list[Simulation]:
    """Draw ``count`` times from prior and likelihood."""
    drawn = prior_draws(problem, seed, 1, count)
    values = {name: value[0] for name, value in drawn.items()}
    parameters = natural_parameters(problem, values)
    arrays = problem.design.response.arrays
    if problem.likelihood.traits.reads_past:  # no response is past: all are drawn
        arrays = {**arrays, "y": np.full(len(arrays["y"]), np.nan)}
    responses = problem.likelihood.draw(np.random.default_rng([seed, 3]), parameters, arrays)
    return [
        Simulation(i, {name: v[i : i + 1] for name, v in values.items()}, with_response(model, problem, y))
        for i, y in enumerate(responses)
    ]
