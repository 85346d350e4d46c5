"""First and second derivatives of each row's log-likelihood in each linear predictor.

Where there is one predictor, and the likelihood has closed forms in it, in NumPy without a compiler; else by automatic
differentiation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.compile import Data, combined, linear_predictors, log_likelihood, summed_predictors
from bayesml.design import Schema
from bayesml.engines.base import Problem
from bayesml.engines.programs.structure import structure_key
from bayesml.families.base import AbstractLikelihood
from bayesml.families.coordinates import SingleCoordinates
from bayesml.families.drawing import further_values
from bayesml.keys import MU, PredictorKey

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Numbers, Scalar, Values

    Evaluate = Callable[[Values, Data], "RowDerivatives"]
    Singles = Float[Array, " singles"]
    Program = Callable[..., tuple[Scalar, dict[PredictorKey, Numbers], dict[PredictorKey, Numbers], Singles, Numbers]]

__all__ = ["RowDerivatives", "row_derivatives"]


@final
@dataclass(frozen=True)
class RowDerivatives:
    """What the pilot needs of the likelihood at one point.

    Attributes:
        log_likelihood: summed over rows, weights included.
        score: first derivative in the linear predictor of each parameter, ``{key: (rows,)}``.
        weight: minus the second derivative, clipped below at a small positive fraction of its mean.
        single_gradient: derivatives in the single parameters, on the scale of ``SingleCoordinates``.
        single_curvature: minus the second derivatives of those, ``(k, k)``.
    """

    log_likelihood: float
    score: Mapping[PredictorKey, np.ndarray]
    weight: Mapping[PredictorKey, np.ndarray]
    single_gradient: np.ndarray
    single_curvature: np.ndarray


SMALLEST_SHARE = 0.05
DIFFERENCE = 1e-4
"""Distance in the coordinates of single parameters over which the log-likelihood is differenced."""


def row_derivatives(problem: Problem, singles: SingleCoordinates) -> Evaluate:
    """Return ``(values, data) -> RowDerivatives``.

    ``values`` are the reported variables of the terms and the single parameters on their natural scale.
    """
    one = len(problem.design.schema.predictors) == 1
    closed = one and problem.likelihood.has_expected_information
    return _closed(problem, singles) if closed else _compiled(problem, singles)


def _closed(problem: Problem, singles: SingleCoordinates) -> Evaluate:
    schema, likelihood = problem.design.schema, problem.likelihood

    # A step may lead out of the range that a link has; what is then not finite is refused by whoever took the step.
    @np.errstate(all="ignore")
    def evaluate(values: Values, data: Data) -> RowDerivatives:
        response, weights = data["response"], data.get("weights")
        eta = np.broadcast_to(linear_predictors(schema, values, data["arrays"])[MU], response["y"].shape[:1])
        weights = np.ones(len(eta)) if weights is None else weights
        at, further = singles.unbounded(values), further_values(likelihood, values)

        def total(u: np.ndarray) -> float:
            auxiliary = singles.natural(u) | further
            return float(weights @ likelihood.curvature(eta, response, auxiliary, order=0).log_density)

        curve = likelihood.curvature(eta, response, singles.natural(at) | further, order=2)
        assert curve.d1 is not None and curve.d2 is not None
        gradient, curvature = _differences(total, at)
        score, weight = weights * curve.d1, _clipped(-weights * curve.d2)
        return RowDerivatives(float(weights @ curve.log_density), {MU: score}, {MU: weight}, gradient, curvature)

    return evaluate


def _differences(total: Callable[[np.ndarray], float], at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradient and minus the Hessian of a function of few numbers, by central differences."""
    steps = DIFFERENCE * np.eye(len(at))
    ahead, behind = np.array([[total(at + sign * s) for s in steps] for sign in (1, -1)]).reshape(2, len(at))
    corners = np.array([[total(at + s + t) - total(at + s - t) - total(at - s + t) + total(at - s - t)
                         for t in steps] for s in steps]).reshape(len(at), len(at))  # fmt: skip
    return (ahead - behind) / (2 * DIFFERENCE), -corners / (4 * DIFFERENCE**2)


@final
@dataclass(frozen=True)
class _Structure:
    """What the derivatives are traced from. Structures of equal keys give the same program.

    Attributes:
        key: of ``structure_key``.
        schema: predictors and their terms.
        likelihood: the distribution of the response.
        singles: the coordinates of its single parameters.
    """

    key: str | None
    schema: Schema = field(compare=False)
    likelihood: AbstractLikelihood = field(compare=False)
    singles: SingleCoordinates = field(compare=False)


def _compiled(problem: Problem, singles: SingleCoordinates) -> Evaluate:
    schema, likelihood = problem.design.schema, problem.likelihood
    structure = _Structure(structure_key(schema, likelihood, singles), schema, likelihood, singles)
    compiled = _program(structure) if structure.key is None else _shared_program(structure)

    def evaluate(values: Values, data: Data) -> RowDerivatives:
        value, score, curvature, gradient, second = compiled(values, singles.unbounded(values), data)
        return RowDerivatives(
            float(value),
            {k: np.asarray(v) for k, v in score.items()},
            {k: _clipped(-np.asarray(v)) for k, v in curvature.items()},
            np.asarray(gradient),
            np.asarray(second),
        )

    return evaluate


def _program(structure: _Structure) -> Program:
    """Return the compiled ``(values, u, data)`` -> value, scores, curvatures, gradient and negative Hessian in u."""
    schema, likelihood, singles = structure.schema, structure.likelihood, structure.singles

    def total(predictors: Mapping[PredictorKey, Numbers], u: Singles, values: Values, data: Data) -> Scalar:
        at = {**values, **singles.natural(u)}
        every = combined(schema, predictors, data["arrays"])
        rows = log_likelihood(likelihood, every, at, data["response"])
        weights = data.get("weights")
        return jnp.sum(rows if weights is None else rows * weights)

    def derivatives(values: Values, u: Singles, data: Data) -> tuple[Any, ...]:
        predictors = {
            key: eta if jnp.ndim(eta) > 1 else jnp.broadcast_to(eta, data["response"]["y"].shape[:1])
            for key, eta in summed_predictors(schema, values, data["arrays"]).items()
        }
        value, score = jax.value_and_grad(total)(predictors, u, values, data)
        curvature = {key: _diagonal(total, key, predictors, u, values, data) for key in predictors}
        gradient = jax.grad(total, 1)(predictors, u, values, data)
        return value, score, curvature, gradient, -jax.hessian(total, 1)(predictors, u, values, data)

    return jax.jit(derivatives)


@lru_cache(maxsize=8)
def _shared_program(structure: _Structure) -> Program:
    """Return the program of a structure, traced and compiled for the first of several problems that have it."""
    return _program(structure)


def _diagonal(total: Any, key: PredictorKey, predictors: Mapping[PredictorKey, Numbers], *rest: Any) -> Numbers:
    """Rows do not share a linear predictor's entries, so a product of the Hessian with ones is its diagonal."""

    def score(eta: Numbers) -> Numbers:
        return jax.grad(total)({**predictors, key: eta}, *rest)[key]

    return jax.jvp(score, (predictors[key],), (jnp.ones_like(predictors[key]),))[1]


def _clipped(weight: np.ndarray) -> np.ndarray:
    """A likelihood that is not log-concave has rows of negative weight, which no precision can have."""
    weight = np.where(np.isfinite(weight), weight, 0.0)
    positive = weight[weight > 0]
    return np.maximum(weight, SMALLEST_SHARE * positive.mean() if positive.size else 1e-3)
