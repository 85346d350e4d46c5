"""The preconditioned form: posterior-scaled coordinates of the group effects, then whitening at the mode.

Both steps are needed (measured; see ``scaled`` and ``whitening``): whitening plain non-centred coordinates makes
trajectories longer, and scaling alone leaves the population effects correlated with every group effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpyro.infer.util import log_density as numpyro_log_density

from bayesml import names
from bayesml.compile import compile_model
from bayesml.design import PredictorDesign
from bayesml.distributions import Constant
from bayesml.engines.base import Problem
from bayesml.engines.density import reported_at
from bayesml.engines.layout import Layout, flatten, layout_of
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.plain import data_of
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow, arrow_whitening
from bayesml.engines.nuts.forms.preconditioned.dense import apply_dense, dense_whitening
from bayesml.engines.nuts.forms.preconditioned.pilot import Pilot, find_pilot
from bayesml.engines.nuts.forms.preconditioned.scaled import ScaledGroup
from bayesml.reported import reported_names
from bayesml.spec import ModelSpec
from bayesml.terms import Group, Population

__all__ = ["preconditioned_form"]

Array = Any
START_SPREAD = 1.5
MOST_COEFFICIENTS = 30
"""Most population-level coefficients that the levels follow: each adds a multiplication for each effect."""
LARGEST_DENSE = 1500
"""Most dimensions whose Hessian is formed and factored densely."""


def preconditioned_form(problem: Problem) -> Form:
    """Return the preconditioned form of a problem.

    Raises:
        ArithmeticError: no usable mode was found.
    """
    spec, schema = problem.description.spec, problem.design.schema
    model, layout = compile_model(spec, schema, problem.family), layout_of(spec)
    pilot = find_pilot(problem)
    groups = tuple(_scaled(spec, p, g) for p in schema.predictors for g in p.groups())
    data = data_of(problem) | {"pilot": {g.key: _pilot_arrays(g, pilot) for g in groups}}
    values_at = _values_at(layout, groups)

    def scaled_density(u: Array, data: Any) -> Array:
        values, log_jacobian = values_at(u, data)
        joint, _ = numpyro_log_density(model, (data, data["response"]["y"]), {}, values)
        return joint + log_jacobian

    start = _start_of(layout, pilot)
    blocks = None if layout.size <= LARGEST_DENSE else _largest_blocks(layout, groups)
    if blocks is None:
        white, apply = dense_whitening(scaled_density, start, data), apply_dense
    else:
        white, apply = arrow_whitening(scaled_density, start, data, blocks), apply_arrow
    reported = frozenset(reported_names(spec, schema))

    def density(x: Array, data: Any) -> Array:
        return scaled_density(apply(x, data["white"]), data)

    def report(x: Array, key: Array, data: Any) -> dict[str, Array]:
        values, _ = values_at(apply(x, data["white"]), data)
        return reported_at(model, values, reported, data)

    return Form(
        size=layout.size,
        data=data | {"white": white},
        density=density,
        report=report,
        start=lambda rng, attempt: START_SPREAD * 0.9**attempt * rng.standard_normal(layout.size),
        parameter_of=lambda index: "the whitened coordinates",
        first_step=min(1.0, 1.5 * layout.size**-0.25),
    )


def _scaled(spec: ModelSpec, predictor: PredictorDesign, group: Group) -> ScaledGroup:
    """Let the levels follow the population-level coefficients, unless these are many or sites of several kinds."""
    sites: list[str] = []
    for term in predictor.terms:
        if isinstance(term, Population):
            wanted = [names.intercept_variable(term.dpar)] if term.has_intercept else []
            wanted += [names.slopes_variable(term.dpar)] if term.slopes else []
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
        arrays |= {"cross": pilot.crosses[group.key], "beta": pilot.coefficients[group.term.dpar]}
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


def _largest_blocks(layout: Layout, groups: tuple[ScaledGroup, ...]) -> np.ndarray:
    """Return the places of the effects of each level of the factor with the most effects, of all its terms."""
    places = dict(zip((site.name for site in layout.sites), layout.slices(), strict=True))
    sizes: dict[str, int] = {}
    for group in groups:
        sizes[group.term.name] = sizes.get(group.term.name, 0) + len(group.term.levels) * len(group.term.coefs)
    largest = max(sizes, key=sizes.__getitem__, default="")
    columns = [
        np.arange(place.start, place.stop).reshape(len(group.term.coefs), len(group.term.levels)).T
        for group in groups
        if group.term.name == largest
        for place in (places[group.z_name],)
    ]
    return np.concatenate(columns, axis=1) if columns else np.zeros((0, 0), dtype=np.int64)
