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
from bayesml.response_terms.residuals.spatial import LAGGED, WEIGHTS
from tests.calibration.drawing import drawn_answers, drawn_by_survival
from tests.calibration.model import Model
from tests.calibration.unobserved import Observed, has_unobserved, measured_variables, observed_responses

__all__ = ["Simulation", "completed", "natural_parameters", "problem_of", "simulations", "with_response"]

CODES = LEFT, KNOWN, RIGHT = (-1.0, 0.0, 1.0)  # of cens(c)
Values = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Simulation:
    """One draw from the joint distribution of parameters and data.

    Attributes:
        index: its number.
        truth: reported variables ``(1, *shape)``.
        problem: the model with the simulated response.
    """

    index: int
    truth: Values
    problem: Problem


def problem_of(model: Model) -> Problem:
    """Describe a model; its response is a placeholder, of which only shapes and labels are read."""
    data = model.columns | model.placeholders()
    if model.window is not None:
        data |= {"c": np.resize(np.array(CODES), model.rows)}
    return describe_problem(model.formula, data, model.family, prior=model.priors, data2=model.matrices or None)


def with_response(
    model: Model, problem: Problem, y: np.ndarray, answers: Mapping[str, np.ndarray] | None = None
) -> Problem:
    """Return the problem with another response, of which the model observes what lies in its window.

    Args:
        model: the model.
        problem: the problem of another response.
        y: ``(rows,)``, or ``(rows, columns)``.
        answers: what response terms give that belongs to the response; None leaves it as it is.
    """
    design, y = problem.design, np.asarray(y, float)
    # The tables of a series, and the parameters in the place of missing responses, stay as they are.
    if design.joint is not None or problem.likelihood.traits.rows_depend:
        arrays = {**design.response.arrays, "y": y}
        if LAGGED in arrays:
            arrays[LAGGED] = arrays[WEIGHTS] @ y
        return replace(problem, design=design.with_response(arrays, design.weights))
    additions = {name: design.response.arrays[name] for name in ("trials", "dec") if name in design.response.arrays}
    additions |= answers or {}
    if model.window is not None:
        first, last = model.window
        additions |= {"cens": np.where(y < first, LEFT, np.where(y > last, RIGHT, KNOWN))}
        y = np.clip(y, first, last)
    raw = RawResponse("y", y, additions=additions, columns=problem.likelihood.response_labels)
    response = problem.likelihood.encode(raw, for_fit=False)
    return replace(problem, design=design.with_response(response.arrays, design.weights))


def completed(problem: Problem, values: Values) -> dict[str, np.ndarray]:
    """Return reported variables with what the density takes in their place, such as factors of correlations."""
    sampled = {**values, **problem.likelihood.sampled(values)}
    matrices = problem.likelihood.residual_correlations(values)
    return sampled if matrices is None else {**sampled, FACTOR: np.linalg.cholesky(matrices)}


def density_parameters(problem: Problem, values: Values) -> dict[str, np.ndarray]:
    """Return the family's parameters as its density takes them, ``(draws, rows)`` or ``(draws, 1)``."""
    schema, likelihood = problem.design.schema, problem.likelihood
    predictors = linear_predictors(schema, values, problem.design.arrays)
    single = {p.name: values[p.name][:, None] for p in likelihood.dpars if p.name in values}
    return likelihood_values(likelihood, predictors, completed(problem, values) | single)


def natural_parameters(problem: Problem, values: Values) -> dict[str, np.ndarray]:
    """Return the family's parameters on their natural scale, ``(draws, rows)`` or ``(draws, 1)``."""
    return natural_values(problem.likelihood, density_parameters(problem, values))


def simulations(model: Model, problem: Problem, count: int, seed: int) -> list[Simulation]:
    """Draw ``count`` times from prior and likelihood."""
    drawn, observed = prior_draws(problem, seed, 1, count), Observed()
    values, rng = {name: value[0] for name, value in drawn.items()}, np.random.default_rng([seed, 3])
    measured_variables(problem, values, rng, observed)
    responses, answers = _drawn(model, observed.within(problem), values, rng)
    if has_unobserved(problem.likelihood):
        observed_responses(problem, values, responses, rng, observed)
        again, _ = _drawn(model, observed.within(problem), values, rng)
        responses = _with_drawn_again(problem, responses, again)
        responses = observed_responses(problem, values, responses, rng, observed)
    found = []
    for i, y in enumerate(responses):
        own = with_response(model, problem, y, {name: each[i] for name, each in answers.items()})
        truth = {name: value[i : i + 1] for name, value in values.items()}
        found.append(Simulation(i, truth, observed.within(own, i)))
    return found


def _with_drawn_again(problem: Problem, first: np.ndarray, again: np.ndarray) -> np.ndarray:
    """Return responses with ``mi()`` as drawn first, and others as drawn given these."""
    joint = problem.design.joint
    assert joint is not None
    return np.where([part.is_observed for _, part in joint.parts], again, first)


def _drawn(
    model: Model, problem: Problem, values: Values, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return responses, and what else is observed with them."""
    likelihood, arrays = problem.likelihood, problem.design.response.arrays
    parameters, shape = natural_parameters(problem, values), (len(next(iter(values.values()))), problem.design.n_rows)
    if likelihood.traits.decisions:
        y, answer = drawn_answers(rng, parameters, shape)
        return y, {"dec": answer}
    if not likelihood.traits.has_moments:
        assert model.window is not None
        last = model.window[1]
        return drawn_by_survival(rng, likelihood, density_parameters(problem, values), arrays, shape, last), {}
    if likelihood.traits.reads_past:  # no response is past: all are drawn
        arrays = {**arrays, "y": np.full(len(arrays["y"]), np.nan)}
    return likelihood.draw(rng, parameters, arrays), {}
