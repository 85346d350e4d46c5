"""``ModelSpec`` to a NumPyro model, the definition of the posterior. The only file that calls ``numpyro.sample``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jax import numpy as jnp

from bayesml.design import Schema
from bayesml.distributions import Constant, ConstantArray, Distribution, WholeDistribution, stack
from bayesml.families import AbstractLikelihood
from bayesml.families.drawing import further_values
from bayesml.keys import PredictorKey
from bayesml.lazy import lazy_module
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.terms import combine

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, Observed, PerRow, Values

__all__ = [
    "Data",
    "combined",
    "compile_model",
    "derived_values",
    "likelihood_values",
    "linear_predictors",
    "log_likelihood",
    "summed_predictors",
    "values_around_means",
]

numpyro, dist = map(lazy_module, ("numpyro", "numpyro.distributions"))
numpyro_supports = lazy_module("bayesml.numpyro_supports")

Data = Mapping[str, Any]
"""``{"arrays": arrays of the terms, "response": arrays of the response, "weights": (rows,) or None}``."""


def compile_model(
    spec: ModelSpec, schema: Schema, likelihood: AbstractLikelihood, *, with_priors: bool = True
) -> Callable[[Data, Observed | None], None]:
    """Compile a model.

    Args:
        spec: the model without its data.
        schema: its terms.
        likelihood: the distribution of the response.
        with_priors: whether parameters have their priors. Programs of the sampler add these themselves, with numbers
            that are data (``engines.log_prior``): here they have the density 1, constants are parameters too, and the
            numbers of joint priors are ``data["joint"]``.

    Returns:
        ``model(data, y)``: a NumPyro model whose sampled sites are ``spec.parameters``, whose deterministic sites are
        the reported variables (``b``, ``r_Subject``, ``cor_Subject``) and whose observed site is ``y``. With
        ``y=None`` the response is drawn. Group effects are non-centred; the Intercept is that of centred predictors.
    """

    def model(data: Data, y: Observed | None) -> None:
        values: dict[str, Any] = {}
        for parameter in spec.parameters:
            sample = sample_parameter if with_priors else unweighted_parameter
            values[parameter.name] = sample(parameter, values)
        joint = None if with_priors else data["joint"]
        arrays = data["arrays"]
        values, densities = derived_values(spec, schema, likelihood, values, arrays, joint, numpyro.deterministic)
        for name, value in densities.items():
            numpyro.factor(f"log_density_{name}", value)
        for name, value in measured_densities(schema, values, data["arrays"]):
            numpyro.factor(name, value)
        observe(likelihood, linear_predictors(schema, values, data["arrays"]), values, data, y)

    return model


def derived_values(
    spec: ModelSpec,
    schema: Schema,
    likelihood: AbstractLikelihood,
    sampled: Values,
    arrays: Mapping[PredictorKey, Any],
    joint: Any = None,
    noted: Callable[[str, Any], Any] = lambda name, value: value,
) -> tuple[dict[str, Any], dict[str, Numbers]]:
    """Return the values of all variables, and what those that follow their means add to the log density.

    Args:
        spec: the parameters.
        schema: the terms.
        likelihood: the distribution of the response.
        sampled: the value of each parameter.
        arrays: of the terms.
        joint: the numbers of joint priors in the place of their own, as in ``ModelSpec.computed``.
        noted: called with name and value of each variable that is not sampled, it returns the value.
    """
    values: dict[str, Any] = dict(sampled)
    for name, value in spec.computed(values, joint).items():
        values[name] = noted(name, value)
    for name, value in likelihood.derive(values).items():
        values[name] = noted(name, value)
    for predictor in schema.predictors:
        for term in predictor.terms:
            for name, value in term.derived(values, arrays[predictor.key][term.key]).items():
                values[name] = noted(name, value)
    densities = {}
    for name, value, density in values_around_means(schema, likelihood, values, arrays):
        values[name], densities[name] = noted(name, value), density
    return values, densities


def values_around_means(
    schema: Schema, likelihood: AbstractLikelihood, values: Values, arrays: Mapping[PredictorKey, Any]
) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Yield name, values and log density of unobserved responses that are computed from their means."""
    for predictor in schema.predictors:
        for term in (term for term in predictor.terms if term.follows_mean):
            resp = predictor.key.resp
            own = replace(schema, predictors=tuple(p for p in schema.predictors if p.key.resp == resp))
            etas = {key.dpar: eta for key, eta in summed_predictors(own, values, arrays).items()}
            sigma = likelihood.name_of(PredictorKey(resp, "sigma"))
            sd = likelihood.link(sigma).inverse(etas["sigma"]) if "sigma" in etas else values[sigma]
            yield term.around(values, etas["mu"], sd, arrays[predictor.key][term.key])


def measured_densities(
    schema: Schema, values: Values, arrays: Mapping[PredictorKey, Any]
) -> Iterator[tuple[str, Numbers]]:
    """Yield what terms add to the log density beside priors, with a name for each."""
    for predictor in schema.predictors:
        for term in predictor.terms:
            density = term.log_density(values, arrays[predictor.key][term.key])
            if density is not None:
                yield f"log_density_{term.key}_{predictor.key.resp}", density


def linear_predictors(schema: Schema, values: Values, arrays: Mapping[PredictorKey, Any]) -> dict[PredictorKey, PerRow]:
    """Return the linear predictor of every parameter that has a formula, ``(..., rows)``."""
    return combined(schema, summed_predictors(schema, values, arrays), arrays)


def summed_predictors(schema: Schema, values: Values, arrays: Mapping[PredictorKey, Any]) -> dict[PredictorKey, PerRow]:
    """Return the sum of the terms of every predictor, ``(..., rows)``; that of a nonlinear one is 0."""
    return {
        p.key: sum(term.contribution(values, arrays[p.key][term.key]) for term in p.terms) for p in schema.predictors
    }


def combined(
    schema: Schema, sums: Mapping[PredictorKey, PerRow], arrays: Mapping[PredictorKey, Any]
) -> dict[PredictorKey, PerRow]:
    """Return all predictors from the sums: nonlinear ones are functions of others."""
    return combine(((p.key, p.terms) for p in schema.predictors), sums, arrays)


def observe(
    likelihood: AbstractLikelihood,
    predictors: Mapping[PredictorKey, PerRow],
    values: Values,
    data: Data,
    y: Observed | None,
) -> None:
    """Add the likelihood; a weight multiplies the log-likelihood of its row."""
    from bayesml.families.numpyro_response import ResponseDistribution

    parameters = likelihood_values(likelihood, predictors, values)
    numpyro.sample("y", ResponseDistribution(likelihood, parameters, data["response"], data.get("weights")), obs=y)


def log_likelihood(
    likelihood: AbstractLikelihood,
    predictors: Mapping[PredictorKey, PerRow],
    values: Values,
    response: DataArrays,
    *,
    predictive: bool = False,
) -> PerRow:
    """Return the log density of each row, without weights.

    Args:
        likelihood: the distribution of the response.
        predictors: the linear predictors.
        values: the reported variables and single parameters of the model.
        response: arrays of the response.
        predictive: of rows that depend on each other, whether each is given all others, see ``log_predictive``.
    """
    density = likelihood.log_predictive if predictive else likelihood.log_prob
    return density(response["y"], likelihood_values(likelihood, predictors, values), response)


def likelihood_values(
    likelihood: AbstractLikelihood, predictors: Mapping[PredictorKey, PerRow], values: Values
) -> dict[str, Numbers]:
    """Return the parameters as the density takes them, from linear predictors and the single parameters."""
    by_name = {likelihood.name_of(key): eta for key, eta in predictors.items() if not key.nlpar}
    return likelihood.values(by_name, {**values, **further_values(likelihood, values)})


def sample_parameter(parameter: ParameterSpec, values: Values) -> Numbers:
    """Sample one array of parameters as a single site, or label by label where priors differ in kind.

    Args:
        parameter: the parameter.
        values: the parameters before it.
    """
    if parameter.conditional is not None:
        return numpyro.sample(parameter.name, parameter.conditional.numpyro(values, parameter.shape))
    if not parameter.prior_class:
        return numpyro.sample(
            parameter.name, dist.Normal(0.0, 1.0).expand(parameter.shape).to_event(len(parameter.shape))
        )
    first = parameter.priors[0]
    if isinstance(first, ConstantArray):
        return numpyro.deterministic(parameter.name, jnp.asarray(first.array))
    if isinstance(first, WholeDistribution):
        return numpyro.sample(parameter.name, first.numpyro_whole(parameter.shape))
    if parameter.support.is_whole:
        return numpyro.sample(parameter.name, numpyro_supports.dependent_elements(parameter.priors, parameter.support))
    if not parameter.coefs:
        return _sample_scalar(parameter.name, first)
    together = stack(parameter.priors) if parameter.is_single_site else None
    if together is not None:
        return numpyro.sample(parameter.name, together.to_event(1))
    return numpyro.deterministic(
        parameter.name, jnp.stack(_sample_each(parameter.name, parameter.coefs, parameter.priors))
    )


def unweighted_parameter(parameter: ParameterSpec, values: Values) -> Numbers:
    """Sample one array of parameters from the density 1, at the sites that ``sample_parameter`` has.

    What depends on other parameters, and what is standard normal, has its distribution.
    """
    if parameter.conditional is not None or not parameter.prior_class:
        return sample_parameter(parameter, values)
    if not parameter.coefs or parameter.support.is_whole or parameter.is_single_site:
        return _flat(parameter.name, parameter.shape)
    cells = [_flat(f"{parameter.name}[{coef}]", ()) for coef in parameter.coefs]
    return numpyro.deterministic(parameter.name, jnp.stack(cells))


def _flat(name: str, shape: tuple[int, ...]) -> Numbers:
    return numpyro.sample(name, dist.ImproperUniform(dist.constraints.real, (), shape))


def _sample_each(name: str, coefs: Sequence[str], priors: Sequence[Distribution]) -> list[Numbers]:
    return [_sample_scalar(f"{name}[{coef}]", prior) for coef, prior in zip(coefs, priors, strict=True)]


def _sample_scalar(name: str, prior: Distribution) -> Numbers:
    if isinstance(prior, Constant):
        return numpyro.deterministic(name, jnp.asarray(prior.value, dtype=float))
    return numpyro.sample(name, prior.numpyro())
