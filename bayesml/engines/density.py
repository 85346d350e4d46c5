"""The log density that an engine samples or maximises, and the map from its coordinates to the reported variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import numpy as jnp

from bayesml.compile import Data
from bayesml.engines.base import Problem
from bayesml.engines.layout import Layout
from bayesml.engines.log_prior import constant_sites, log_prior, parameter_values
from bayesml.lazy import lazy_module
from bayesml.spec import ModelSpec

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Scalar, Values

__all__ = ["data_of", "joint_density", "log_density", "reported_at", "reported_values", "with_prior_data"]

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


def with_prior_data(data: dict[str, Any], spec: ModelSpec, layout: Layout) -> dict[str, Any]:
    """Return the data of a program with the numbers of the priors among them, so that others need no other program."""
    return data | {"priors": spec.prior_numbers, "joint": spec.joint_numbers, "bounds": layout.bounds}


def joint_density(model: Model, spec: ModelSpec, sites: Values, data: Data) -> Scalar:
    """Return ``log p(y, u)`` at the values of the sites.

    Args:
        model: ``compile_model(..., with_priors=False)``.
        spec: its parameters.
        sites: what is sampled.
        data: among them the numbers of the priors.
    """
    sites = {**sites, **constant_sites(spec.parameters, data["priors"])}
    own = [p for p in spec.parameters if p.prior_class and p.conditional is None]
    density, _ = numpyro_infer.log_density(model, (data, data["response"]["y"]), {}, sites)
    return density + log_prior(own, parameter_values(own, sites), data["priors"])


def log_density(
    model: Model, spec: ModelSpec, layout: Layout
) -> Callable[[Float[Array, " d"], Data], Float[Array, ""]]:
    """Return ``log p(y, u) + log|Jacobian|`` as a function of the engine's coordinates and the data.

    The coordinates are q with u = center + scale * q, both taken from the data; the constant log|scale| is left out.
    """

    def density(q: Float[Array, " d"], data: Data) -> Float[Array, ""]:
        sites, log_jacobian = layout.constrain(data["center"] + data["scale"] * q, bounds=data["bounds"])
        return joint_density(model, spec, sites, data) + log_jacobian

    return density


def reported_values(
    model: Model, spec: ModelSpec, layout: Layout, reported: frozenset[str]
) -> Callable[[Float[Array, " d"], Data], dict[str, Array]]:
    """Return the map from coordinates to the named sites of the model, sampled or deterministic."""

    def values_of(q: Float[Array, " d"], data: Data) -> dict[str, Array]:
        sites, _ = layout.constrain(data["center"] + data["scale"] * q, bounds=data["bounds"])
        return reported_at(model, spec, sites, reported, data)

    return values_of


def reported_at(model: Model, spec: ModelSpec, sites: Values, reported: frozenset[str], data: Data) -> dict[str, Array]:
    """Return the named sites of the model where its sampled sites have the given values."""
    values = {**sites, **constant_sites(spec.parameters, data["priors"])}
    substituted = handlers.substitute(handlers.seed(model, rng_seed=0), data=values)
    trace = handlers.trace(substituted).get_trace(data, data["response"]["y"])
    return {name: jnp.asarray(site["value"]) for name, site in trace.items() if name in reported}
