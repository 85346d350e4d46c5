"""``ModelSpec`` to a NumPyro model, the definition of the posterior. The only file that calls ``numpyro.sample``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jax import numpy as jnp

from bayesml.design import Schema
from bayesml.distributions import Constant, Distribution, WholeDistribution, stack
from bayesml.families import AbstractFamily
from bayesml.keys import MU, PredictorKey
from bayesml.lazy import lazy_module
from bayesml.numpyro_supports import dependent_elements
from bayesml.spec import ModelSpec, ParameterSpec

if TYPE_CHECKING:
    from numpyro.distributions import Distribution as NumpyroDistribution

__all__ = ["Data", "compile_model", "linear_predictors"]

numpyro, dist, handlers = map(lazy_module, ("numpyro", "numpyro.distributions", "numpyro.handlers"))

Array = Any
Data = Mapping[str, Any]
"""``{"arrays": arrays of the terms, "response": arrays of the response, "weights": (rows,) or None}``."""


def compile_model(spec: ModelSpec, schema: Schema, family: AbstractFamily) -> Callable[[Data, Array | None], None]:
    """Compile a model.

    Returns:
        ``model(data, y)``: a NumPyro model whose sampled sites are ``spec.parameters``, whose deterministic sites are
        the reported variables (``b``, ``r_Subject``, ``cor_Subject``) and whose observed site is ``y``. With
        ``y=None`` the response is drawn. Group effects are non-centred; the Intercept is that of centred predictors.
    """

    def model(data: Data, y: Array | None) -> None:
        values = {p.name: sample_parameter(p) for p in spec.parameters}
        values |= spec.computed(values)
        for predictor in schema.predictors:
            for term in predictor.terms:
                for name, value in term.derive(values).items():
                    values[name] = numpyro.deterministic(name, value)
        observe(family, linear_predictors(schema, values, data["arrays"]), values, data, y)

    return model


def linear_predictors(
    schema: Schema, values: Mapping[str, Array], arrays: Mapping[PredictorKey, Any]
) -> dict[PredictorKey, Array]:
    """Return the linear predictor of every parameter that has a formula, ``(..., rows)``."""
    return {
        p.key: sum(term.contribution(values, arrays[p.key][term.key]) for term in p.terms) for p in schema.predictors
    }


def observe(
    family: AbstractFamily,
    predictors: Mapping[PredictorKey, Array],
    values: Mapping[str, Array],
    data: Data,
    y: Array | None,
) -> None:
    """Add the likelihood; a weight multiplies the log-likelihood of its row."""
    response = likelihood(family, predictors, values, data)
    weights = data.get("weights")
    if weights is None:
        numpyro.sample("y", response, obs=y)
        return
    # NumPyro's scale refuses a zero; a row of weight zero is masked instead.
    counted = weights > 0
    with handlers.mask(mask=counted), handlers.scale(scale=jnp.where(counted, weights, 1.0)):
        numpyro.sample("y", response, obs=y)


def likelihood(
    family: AbstractFamily, predictors: Mapping[PredictorKey, Array], values: Mapping[str, Array], data: Data
) -> NumpyroDistribution:
    """Return the distribution of the response, one per row."""
    parameters = {
        p.name: family.link(p.name).inverse(predictors[key]) if key in predictors else values.get(p.name, 0.0)
        for p in family.dpars
        if p.name != "mu" and (key := PredictorKey(dpar=p.name))
    }
    return family.linear_distribution(predictors[MU], parameters, data["response"])


def sample_parameter(parameter: ParameterSpec) -> Array:
    """Sample one array of parameters as a single site, or label by label where priors differ in kind."""
    if not parameter.prior_class:
        return numpyro.sample(
            parameter.name, dist.Normal(0.0, 1.0).expand(parameter.shape).to_event(len(parameter.shape))
        )
    first = parameter.priors[0]
    if isinstance(first, WholeDistribution):
        return numpyro.sample(parameter.name, first.numpyro_whole(parameter.shape))
    if parameter.support.is_whole:
        return numpyro.sample(parameter.name, dependent_elements(parameter.priors, parameter.support))
    if not parameter.coefs:
        return _sample_scalar(parameter.name, first)
    together = stack(parameter.priors) if parameter.is_single_site else None
    if together is not None:
        return numpyro.sample(parameter.name, together.to_event(1))
    return numpyro.deterministic(
        parameter.name, jnp.stack(_sample_each(parameter.name, parameter.coefs, parameter.priors))
    )


def _sample_each(name: str, coefs: Sequence[str], priors: Sequence[Distribution]) -> list[Array]:
    return [_sample_scalar(f"{name}[{coef}]", prior) for coef, prior in zip(coefs, priors, strict=True)]


def _sample_scalar(name: str, prior: Distribution) -> Array:
    if isinstance(prior, Constant):
        return numpyro.deterministic(name, jnp.asarray(prior.value, dtype=float))
    return numpyro.sample(name, prior.numpyro())
