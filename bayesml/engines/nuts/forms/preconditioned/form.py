"""The preconditioned form: posterior-scaled coordinates of the group effects, then whitening at the mode.

Both steps are needed (measured; see ``scaled`` and ``whitening``): whitening plain non-centred coordinates makes
trajectories longer, and scaling alone leaves the population effects correlated with every group effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesml import names
from bayesml.compile import compile_model
from bayesml.design import PredictorDesign
from bayesml.distributions import Constant
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of, reported_at
from bayesml.engines.layout import Layout, flatten, layout_of
from bayesml.engines.nuts.forms.base import Form, ValueAndGradient
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow, arrow_whitening, unit_arrow
from bayesml.engines.nuts.forms.preconditioned.blocks import block_chain
from bayesml.engines.nuts.forms.preconditioned.pilot import Pilot, find_pilot
from bayesml.engines.nuts.forms.preconditioned.scaled import ScaledGroup
from bayesml.lazy import lazy_module
from bayesml.reported import reported_names
from bayesml.spec import ModelSpec
from bayesml.terms import AbstractGroupTerm, population_terms

__all__ = ["preconditioned_form", "start_around_mode", "whitened", "whitened_step"]

numpyro_infer = lazy_module("numpyro.infer.util")

Array = Any
START_SPREAD = 1.5
MOST_COEFFICIENTS = 30
"""Most population-level coefficients that the levels follow: each adds a multiplication for each effect."""


def preconditioned_form(problem: Problem) -> Form:
    """Return the preconditioned form of a problem; ``tune`` finds the mode and whitens there.

    Raises:
        ArithmeticError: the pilot ran away.
    """
    spec, schema = problem.description.spec, problem.design.schema
    model, layout = compile_model(spec, schema, problem.likelihood), layout_of(spec)
    pilot = find_pilot(problem)
    groups = tuple(_scaled(spec, p, g) for p in schema.predictors for g in p.independent_groups())
    data = data_of(problem) | {"pilot": {g.key: _pilot_arrays(g, pilot) for g in groups}}
    values_at = _values_at(layout, groups)

    chain, parents = block_chain(problem, layout)
    reported = frozenset(reported_names(spec, schema))

    def density(x: Array, data: Any) -> Array:
        values, log_jacobian = values_at(apply_arrow(x, data["white"], chain), data)
        joint, _ = numpyro_infer.log_density(model, (data, data["response"]["y"]), {}, values)
        return joint + log_jacobian

    def report(x: Array, noise: Array, data: Any) -> dict[str, Array]:
        values, _ = values_at(apply_arrow(x, data["white"], chain), data)
        return reported_at(model, values, reported, data)

    return Form(
        size=layout.size,
        data=data | {"white": unit_arrow(_start_of(layout, pilot), layout.scale, chain, parents)},
        density=density,
        report=report,
        start=start_around_mode(layout.size),
        parameter_of=lambda index: "the whitened coordinates",
        first_step=whitened_step(layout.size),
        tune=whitened,
        rows=problem.design.n_rows,
        structure=("preconditioned", spec, schema, problem.likelihood, groups, chain),
    )


def start_around_mode(size: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return starts in whitened coordinates: overdispersed, nearer to the mode with each attempt."""
    return lambda rng, attempt: START_SPREAD * 0.9**attempt * rng.standard_normal(size)


def whitened_step(size: int) -> float:
    """Return a first step size for whitened coordinates."""
    return min(1.0, 1.5 * size**-0.25)


def whitened(value_and_gradient: ValueAndGradient, data: Any) -> Any:
    """Return the data of a form, its ``white`` replaced by the map that whitens at the mode.

    Raises:
        ArithmeticError: no usable mode was found.
    """
    return data | {"white": arrow_whitening(lambda x: value_and_gradient(x, data), data["white"])}


def _scaled(spec: ModelSpec, predictor: PredictorDesign, group: AbstractGroupTerm) -> ScaledGroup:
    """Let the levels follow the population-level coefficients, unless these are many or sites of several kinds."""
    sites: list[str] = []
    for term in population_terms(predictor.terms):
        wanted = [names.intercept_variable(term.predictor)] if term.has_intercept else []
        wanted += [names.slopes_variable(term.predictor)] if term.slopes else []
        if len(term.coefs) > MOST_COEFFICIENTS or not all(_is_sampled_whole(spec, name) for name in wanted):
            return ScaledGroup(group)
        sites += wanted
    return ScaledGroup(group, tuple(sites))


def _is_sampled_whole(spec: ModelSpec, name: str) -> bool:
    parameter = spec.parameter(name)
    return parameter.is_single_site and not isinstance(parameter.priors[0], Constant)


def _pilot_arrays(group: ScaledGroup, pilot: Pilot) -> dict[str, np.ndarray]:
    arrays = {"weights": pilot.weights[group.key], "score": pilot.scores[group.key]}
    if group.coefficients:
        arrays |= {"cross": pilot.crosses[group.key], "beta": pilot.coefficients[group.term.predictor]}
    return arrays


def _values_at(
    layout: Layout, groups: tuple[ScaledGroup, ...]
) -> Callable[[Array, Any], tuple[dict[str, Array], Array]]:
    def values_at(u: Array, data: Any) -> tuple[dict[str, Array], Array]:
        values, log_jacobian = layout.constrain(u)
        for group in groups:
            z, change = group.transform(values, data["pilot"][group.key])
            values[group.z_name] = z
            log_jacobian = log_jacobian + change
        return values, log_jacobian

    return values_at


def _start_of(layout: Layout, pilot: Pilot) -> np.ndarray:
    """Return the pilot in the flat vector; labels with priors of different kinds are sites of their own."""
    values = {}
    for site in layout.sites:
        if site.name in pilot.values:
            values[site.name] = np.broadcast_to(pilot.values[site.name], site.shape)
        else:
            values[site.name] = site.constrain(site.center)[0]
    return flatten(layout, values)
