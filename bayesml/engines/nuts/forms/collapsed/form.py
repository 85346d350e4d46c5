"""The collapsed form: NUTS moves in the few parameters left, effects and slopes are drawn exactly afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
from jax import numpy as jnp
from numpyro.infer.util import log_density as numpyro_log_density

from bayesml import names
from bayesml.compile import sample_parameter
from bayesml.engines.base import Problem
from bayesml.engines.layout import Layout, layout_of
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.collapsed.compress import compressed
from bayesml.engines.nuts.forms.collapsed.elimination import Parameters, log_marginal
from bayesml.engines.nuts.forms.collapsed.model import Split, covariance_factor, gaussian_rows, split_of
from bayesml.engines.nuts.forms.collapsed.recover import recover
from bayesml.engines.nuts.forms.collapsed.statistics import Arrangement, Statistics, arrange, statistics
from bayesml.engines.nuts.forms.plain import first_step
from bayesml.reported import reported_names

__all__ = ["collapsed_form"]

Array = Any


@final
@dataclass(frozen=True)
class Structure:
    """What the density and the way back need beside the data.

    Attributes:
        split: which parameters stay sampled.
        arrangement: the order of elimination.
        layout: the flat vector of the sampled parameters.
        terms: the terms of all predictors, which derive the reported variables.
        reported: names of the reported variables.
    """

    split: Split
    arrangement: Arrangement
    layout: Layout
    terms: tuple[Any, ...]
    reported: frozenset[str]


def collapsed_form(problem: Problem, largest_only: bool = False) -> Form:
    """Return the collapsed form of a gaussian or lognormal model that `collapse_conditions` has nothing against.

    Args:
        problem: the model with its data.
        largest_only: integrate the effects of the chain with the most coefficients only, and sample those of the other
            factors.
    """
    split = split_of(problem)
    rows = gaussian_rows(problem, split)
    arrangement = arrange(rows, largest_only)
    split = split_of(problem, frozenset(split.groups[i].name for i in arrangement.sampled))
    every = statistics(rows, arrangement)
    few = compressed(every)
    spec = problem.description.spec
    layout = layout_of(replace(spec, parameters=split.parameters))
    terms = tuple(term for predictor in problem.design.schema.predictors for term in predictor.terms)
    reported = frozenset(reported_names(spec, problem.design.schema))
    structure = Structure(split, arrangement, layout, terms, reported)
    sums = {"statistics": few, "every": None if few is every else every}
    return Form(
        size=layout.size,
        data=sums | {"center": layout.center, "scale": layout.scale},
        density=_density(structure),
        report=_report(structure),
        start=lambda rng, attempt: rng.uniform(-2.0, 2.0, layout.size) * 0.95**attempt,
        parameter_of=layout.parameter_of,
        first_step=first_step(layout),
    )


def _density(structure: Structure) -> Callable[[Array, Any], Array]:
    """Return ``log p(phi) + log p(y | phi) + log|Jacobian|`` as a function of the sampler's coordinates."""

    def density(q: Array, data: Any) -> Array:
        values, log_prior, log_jacobian = _values(structure, q, data)
        parameters = _parameters(structure, values)
        return log_prior + log_jacobian + log_marginal(data["statistics"], structure.arrangement, parameters)

    return density


def _values(structure: Structure, q: Array, data: Any) -> tuple[dict[str, Array], Array, Array]:
    """Return the values of the sampled parameters, their log prior and the log Jacobian.

    The prior is the model's own: the same sites are sampled by the same function.
    """

    def prior() -> None:
        for parameter in structure.split.parameters:
            sample_parameter(parameter)

    values, log_jacobian = structure.layout.constrain(data["center"] + data["scale"] * q)
    log_prior, trace = numpyro_log_density(prior, (), {}, values)
    found = {p.name: jnp.asarray(trace[p.name]["value"]) for p in structure.split.parameters}
    return found, log_prior, log_jacobian


def _parameters(structure: Structure, values: Mapping[str, Array]) -> Parameters:
    split = structure.split
    factors = tuple(covariance_factor(group, values) for group in split.groups)
    kept = [_effects(split.groups[i], factors[i], values) for i in structure.arrangement.sampled]
    if split.has_intercept:
        kept.append(values[names.intercept_variable("mu")][None])
    if split.kept:
        kept.append(values[names.slopes_variable("mu")])
    sigma = values.get("sigma", jnp.ones(()))
    return Parameters(factors, sigma, jnp.concatenate(kept) if kept else jnp.zeros(0))


def _effects(group: Any, factor: Any, values: Mapping[str, Array]) -> Array:
    z = values[names.standardised_variable(group.name, "mu")]
    return jnp.concatenate([sum(x * z[b] for b, x in enumerate(row)) for row in factor])


def _report(structure: Structure) -> Callable[[Array, Array, Any], dict[str, Array]]:
    def report(q: Array, key: Array, data: Any) -> dict[str, Array]:
        values, _, _ = _values(structure, q, data)
        full: Statistics = data["statistics"] if data["every"] is None else data["every"]
        slopes, effects = recover(key, full, structure.arrangement, _parameters(structure, values))
        split = structure.split
        if split.priors:
            values[names.slopes_variable("mu")] = _all_slopes(split, slopes, values)
        for i, z in effects.items():
            values[names.standardised_variable(split.groups[i].name, "mu")] = z
        for term in structure.terms:
            values |= term.derive(values)
        return {name: values[name] for name in structure.reported}

    return report


def _all_slopes(split: Split, drawn: Array, values: Mapping[str, Array]) -> Array:
    """Put the drawn and the sampled slopes in the order of the model."""
    parts = [drawn] + ([values[names.slopes_variable("mu")]] if split.kept else [])
    return jnp.concatenate(parts)[np.argsort([*split.integrated, *split.kept])]
