"""The test quantities: functions of parameters and data whose ranks must be uniform.

Hyperparameters, coefficients, the first and the last effect of every group term, one expected response, and the joint
log-likelihood, which notices what the ranks of parameters cannot: a posterior that equals the prior, or that ignores a
part of the data (Modrak, Moon, Kim, Buerkner, Huurre, Faltejskova, Gelman & Vehtari 2023, Simulation-based calibration
checking for Bayesian computation: the choice of test quantities shapes sensitivity. Bayesian Analysis).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import numpy as np

from bayesml.compile import linear_predictors
from bayesml.compile import log_likelihood as row_log_likelihood
from bayesml.engines.base import Problem
from bayesml.engines.precision import double_precision
from bayesml.reported import reported_variables
from tests.calibration.simulate import completed, natural_parameters
from tests.calibration.unobserved import log_measured

__all__ = ["LOG_LIKELIHOOD", "Quantities", "quantities_of"]

LOG_LIKELIHOOD = "joint log-likelihood"
MANY = ("r", "err", "latent")
"""Kinds of variables with an element for each level or row, of which the first and the last serve."""
Quantities = Callable[[Problem, Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def quantities_of(problem: Problem) -> Quantities:
    """Return ``(problem, values (draws, ...)) -> {name: (draws,)}`` for problems of the same structure."""
    variables = reported_variables(problem.description.spec, problem.design.schema)
    chosen = [(v.name, v.texts if v.kind not in MANY else (v.texts[0], v.texts[-1])) for v in variables]
    log_likelihood = _log_likelihood(problem)

    def quantities(problem: Problem, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        found = {text: values[name][:, *index] for name, texts in chosen for index, text in texts}
        found[LOG_LIKELIHOOD] = log_likelihood(problem, values) + log_measured(problem, values)
        return found | _expected(problem, values)

    return quantities


def _expected(problem: Problem, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the expected response of the second row, of one of categories their probabilities, where there is one."""
    if not problem.likelihood.traits.has_moments:
        return {}
    mean = problem.likelihood.mean(natural_parameters(problem, values), problem.design.response.arrays)
    mean = np.broadcast_to(mean, (len(mean), problem.design.n_rows, *mean.shape[2:]))[:, 1]
    name = "expected response of the second row"
    return {name: mean} if mean.ndim == 1 else {f"{name} [{k + 1}]": mean[:, k] for k in range(mean.shape[1])}


def _log_likelihood(problem: Problem) -> Callable[[Problem, Mapping[str, np.ndarray]], np.ndarray]:
    schema, bound = problem.design.schema, problem.likelihood

    def joint(values: Mapping[str, np.ndarray], arrays: object, response: Mapping[str, np.ndarray]) -> object:
        predictors = linear_predictors(schema, values, arrays)
        return row_log_likelihood(bound, predictors, values, response).sum()

    compiled = jax.jit(jax.vmap(joint, (0, None, None)))

    def log_likelihood(problem: Problem, values: Mapping[str, np.ndarray]) -> np.ndarray:
        arrays = {key: {k: dict(a) for k, a in terms.items()} for key, terms in problem.design.arrays.items()}
        with double_precision():
            return np.asarray(compiled(completed(problem, values), arrays, dict(problem.design.response.arrays)))

    return log_likelihood
