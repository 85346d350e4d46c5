"""The log density an engine moves on, and the map from its coordinates to the variables the user sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import numpy as jnp

from bayesml.compile import Data
from bayesml.engines.base import Problem
from bayesml.engines.layout import Layout
from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from jaxtyping import Array, Float

__all__ = ["data_of", "log_density", "reported_at", "reported_values"]

numpyro_infer = lazy_module("numpyro.infer.util")
handlers = lazy_module("numpyro.handlers")

Model = Callable[[Data, Any], None]


def data_of(problem: Problem) -> dict[str, Any]:
    """Return the data argument of the model."""
    design = problem.design
    weights = design.weights
    return {
        "arrays": {
            predictor: {key: dict(arrays) for key, arrays in terms.items()}
            for predictor, terms in design.arrays.items()
        },
        "response": dict(design.response.arrays),
        "weights": None if weights is None else np.asarray(weights, float),
    }


def log_density(model: Model, layout: Layout) -> Callable[[Float[Array, " d"], Data], Float[Array, ""]]:
    """Return ``log p(y, u) + log|Jacobian|`` as a function of the engine's coordinates and the data.

    The coordinates are q with u = center + scale * q, both taken from the data; the constant log|scale| is left out.
    """

    def density(q: Float[Array, " d"], data: Data) -> Float[Array, ""]:
        values, log_jacobian = layout.constrain(data["center"] + data["scale"] * q)
        joint, _ = numpyro_infer.log_density(model, (data, data["response"]["y"]), {}, values)
        return joint + log_jacobian

    return density


def reported_values(
    model: Model, layout: Layout, reported: frozenset[str]
) -> Callable[[Float[Array, " d"], Data], dict[str, Array]]:
    """Return the map from coordinates to the named sites of the model, sampled or deterministic."""

    def values_of(q: Float[Array, " d"], data: Data) -> dict[str, Array]:
        values, _ = layout.constrain(data["center"] + data["scale"] * q)
        return reported_at(model, values, reported, data)

    return values_of


def reported_at(model: Model, values: dict[str, Array], reported: frozenset[str], data: Data) -> dict[str, Array]:
    """Return the named sites of the model where its sampled sites have the given values."""
    substituted = handlers.substitute(handlers.seed(model, rng_seed=0), data=values)
    trace = handlers.trace(substituted).get_trace(data, data["response"]["y"])
    return {name: jnp.asarray(site["value"]) for name, site in trace.items() if name in reported}
