"""Variables that are not observed as they are: their true values, and what is observed of them.

``me(x, se)`` has true values of its own, which are drawn first, then their measurements. Of a response ``x | mi()``
some values are parameters; they are drawn with the response. In both cases arrays of the design that the model was
described with belong to what was observed, and change from simulation to simulation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from bayesml.engines.base import Problem
from bayesml.families import AbstractLikelihood, JointLikelihood
from bayesml.keys import PredictorKey
from bayesml.names import of_response
from bayesml.response_terms.mi import UNOBSERVED
from bayesml.terms.measured_variables import MeasuredVariables
from bayesml.terms.missing import Missing, MissingValues
from bayesml.terms.special_effects import SpecialEffects

__all__ = ["Observed", "has_unobserved", "log_measured", "measured_variables", "observed_responses"]


@dataclass
class Observed:
    """Arrays of terms that depend on the simulation, ``(simulations, ...)`` each."""

    arrays: dict[tuple[PredictorKey, str], dict[str, np.ndarray]] = field(default_factory=dict)

    def add(self, key: PredictorKey, term: str, **arrays: np.ndarray) -> None:
        """Set arrays of a term."""
        self.arrays.setdefault((key, term), {}).update(arrays)

    def within(self, problem: Problem, number: int | None = None) -> Problem:
        """Return the problem with the arrays of one simulation, or of all of them."""
        if not self.arrays:
            return problem
        every: dict[PredictorKey, dict[str, Any]] = {k: dict(terms) for k, terms in problem.design.arrays.items()}
        for (key, term), arrays in self.arrays.items():
            chosen = arrays if number is None else {name: array[number] for name, array in arrays.items()}
            every[key][term] = {**every[key][term], **chosen}
        return replace(problem, design=replace(problem.design, arrays=every))


def _terms(problem: Problem, kind: type) -> list[tuple[PredictorKey, Any]]:
    return [(p.key, term) for p in problem.design.schema.predictors for term in p.terms if isinstance(term, kind)]


def measured_variables(
    problem: Problem, values: dict[str, np.ndarray], rng: np.random.Generator, observed: Observed
) -> None:
    """Draw the true values of variables that are measured with error, and their measurements."""
    for key, term in _terms(problem, MeasuredVariables):
        noise = problem.design.arrays[key][term.key]["noise"]
        mean, sd = values[term._name("meanme")], values[term._name("sdme")]
        correlations = np.zeros((len(mean), len(noise), len(noise))) + np.eye(len(noise))
        if term.is_correlated:
            rows, columns = np.triu_indices(len(noise), 1)
            correlations[:, rows, columns] = correlations[:, columns, rows] = values[term._name("corme")]
        z = np.linalg.cholesky(correlations) @ rng.standard_normal((len(mean), *noise.shape))
        true = mean[:, :, None] + sd[:, :, None] * z
        values |= {call.site(call.label, key): true[:, k] for k, call in enumerate(term.calls)}
        observed.add(key, term.key, measured=true + noise * rng.standard_normal(true.shape))


def log_measured(problem: Problem, values: Mapping[str, np.ndarray]) -> np.ndarray | float:
    """Return the log density of the measurements of variables given their true values, without its constant."""
    total: np.ndarray | float = 0.0
    for key, term in _terms(problem, MeasuredVariables):
        arrays = problem.design.arrays[key][term.key]
        true = np.stack([values[call.site(call.label, key)] for call in term.calls], axis=1)
        total = total - 0.5 * (((arrays["measured"] - true) / arrays["noise"]) ** 2).sum(axis=(1, 2))
    return total


def observed_responses(
    problem: Problem, values: dict[str, np.ndarray], y: np.ndarray, rng: np.random.Generator, observed: Observed
) -> np.ndarray:
    """Take drawn responses as the true ones, of which those with ``mi()`` are parameters where they are missing.

    Returns:
        The responses as they are observed, NaN where they are missing; those of a response whose predictors have
        changed through this are to be drawn again.
    """
    joint = problem.design.joint
    if joint is None:
        return y
    seen = np.array(y)
    for column, (resp, part) in enumerate(joint.parts):
        if not part.is_observed:
            seen[..., column] = _observed_response(problem, joint, resp, values, y[..., column], rng, observed)
    return seen


def _observed_response(
    problem: Problem,
    joint: JointLikelihood,
    resp: str,
    values: dict[str, np.ndarray],
    true: np.ndarray,
    rng: np.random.Generator,
    observed: Observed,
) -> np.ndarray:
    data = joint.own_data(resp, problem.design.response.arrays)
    missing, is_parameter = np.isnan(data["y"]), data["place"] >= 0
    values[of_response(UNOBSERVED, resp)] = true[:, is_parameter]
    seen = true + data["sdy"] * rng.standard_normal(true.shape) if "sdy" in data else true
    seen = np.where(missing, np.nan, seen)
    for key, term in _terms(problem, MissingValues):
        if key.resp == resp and "measured" in problem.design.arrays[key][term.key]:
            observed.add(key, term.key, measured=np.nan_to_num(seen)[:, is_parameter])
    for key, term in _terms(problem, SpecialEffects):
        for place, call in enumerate(term.calls):
            if isinstance(call, Missing) and call.response == resp:
                known = np.where(is_parameter, 0.0, true)
                observed.add(key, term.key, **{f"observed{place}": known})
    return seen


def has_unobserved(likelihood: AbstractLikelihood) -> bool:
    """Whether a response is a parameter in some rows."""
    return isinstance(likelihood, JointLikelihood) and not all(part.is_observed for _, part in likelihood.parts)
