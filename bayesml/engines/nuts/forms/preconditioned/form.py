"""The preconditioned form: posterior-scaled coordinates of the group effects, then whitening at the mode.

Both steps are needed (measured; see ``scaled`` and ``whitening``): whitening plain non-centred coordinates makes
trajectories longer, and scaling alone leaves the population effects correlated with every group effect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.compile import compile_model
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of, joint_density, reported_at, with_prior_data
from bayesml.engines.layout import Layout, flatten, layout_of
from bayesml.engines.log_prior import constant_sites
from bayesml.engines.nuts.forms.base import Form, ValueAndGradient
from bayesml.engines.nuts.forms.gaussian.statistics import dense_products
from bayesml.engines.nuts.forms.many_starts import tuned_where_the_mass_is
from bayesml.engines.nuts.forms.preconditioned.areas import (
    ScaledAreas,
    scaled_areas,
    tuned_with_areas,
    with_areas,
    with_fields,
)
from bayesml.engines.nuts.forms.preconditioned.around_mode import start_around_mode, whitened_step
from bayesml.engines.nuts.forms.preconditioned.arrangement import has_few_levels, scaled_blocks, sums_of
from bayesml.engines.nuts.forms.preconditioned.arrow import apply_arrow, unit_arrow
from bayesml.engines.nuts.forms.preconditioned.blocks import block_chain
from bayesml.engines.nuts.forms.preconditioned.kinks import tuned_where_rounded, with_rounded_kinks
from bayesml.engines.nuts.forms.preconditioned.linked import sampled_blocks
from bayesml.engines.nuts.forms.preconditioned.pilot import Pilot, find_pilot
from bayesml.engines.nuts.forms.preconditioned.scale_maps import (
    first_scales,
    tuned_with_scales,
    with_scales_at_zero,
)
from bayesml.engines.nuts.forms.preconditioned.scaled import ScaledBlocks, in_own_basis, process_bases, with_values
from bayesml.engines.nuts.forms.preconditioned.series import (
    ScaledSeries,
    scaled_series,
    series_sums,
    without_series,
)
from bayesml.engines.nuts.forms.preconditioned.thresholds import scaled_thresholds, threshold_sums
from bayesml.reported import reported_names
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Numbers, Position, Scalar

__all__ = ["preconditioned_form", "scaled_values"]


def preconditioned_form(problem: Problem) -> Form:
    """Return the preconditioned form of a problem; ``tune`` finds the mode and whitens there.

    Raises:
        ArithmeticError: the pilot ran away.
    """
    problem = with_rounded_kinks(problem)
    pilot, scaled, areas = find_pilot(problem), scaled_blocks(problem), scaled_areas(problem)
    series = scaled_series(problem)
    apart = without_series(problem, pilot, series)
    found = {together.key: sums_of(problem, apart, together) for together in scaled}
    specific = scaled_thresholds(problem)
    found |= {together.key: (threshold_sums(problem, pilot, together), None) for together in specific}
    scaled = (*scaled, *specific)
    of_series = series_sums(problem, pilot, series)
    pilot, of_areas = with_areas(problem, pilot, areas)
    sampled = with_fields(problem)
    spec, schema = sampled.description.spec, sampled.design.schema
    model = compile_model(spec, schema, problem.likelihood, with_priors=False)
    layout = _in_units(layout_of(spec), scaled)
    data = with_prior_data(data_of(sampled), spec, layout) | {
        "pilot": {key: sums for key, (sums, _) in found.items()} | of_areas | of_series
    }
    data["turn"] = {key: basis for key, (_, basis) in found.items() if basis is not None}
    data["bases"] = process_bases(scaled, pilot.values)
    values_at = _with_series(scaled_values(layout, (*scaled, *areas), spec.parameters), series)
    start = _start_of(layout, pilot, scaled)
    scales = first_scales(layout, _standard_deviations(problem), start) if _has_open_scales(problem) else {}
    data["scales"] = scales
    start = with_scales_at_zero(layout, scales, start)
    chain, parents = block_chain(problem, layout)
    reported = frozenset(reported_names(spec, schema))

    def density(x: Position, data: Any) -> Scalar:
        values, log_jacobian = values_at(apply_arrow(x, data["white"], chain), data)
        return joint_density(model, spec, values, with_values(data, values, scaled)) + log_jacobian

    def report(x: Position, noise: Float[Array, " noise"], data: Any) -> dict[str, Numbers]:
        values, _ = values_at(apply_arrow(x, data["white"], chain), data)
        return reported_at(model, spec, in_own_basis(values, scaled), reported, data)

    return Form(
        size=layout.size,
        data=data | {"white": unit_arrow(start, layout.scale, chain, parents)},
        density=density,
        report=report,
        start=start_around_mode(layout.size),
        parameter_of=lambda index: "the whitened coordinates",
        first_step=whitened_step(layout.size),
        tune=_tune(problem, layout.size, tuned_with_areas(layout, chain, areas, tuned_with_scales(layout, chain))),
        rows=problem.design.n_rows,
        products=sum(dense_products(sums) for sums, _ in found.values()),
        structure=(
            "preconditioned",
            spec.structure,
            schema,
            problem.likelihood,
            tuple(together.structure for together in scaled),
            areas,
            tuple(each.block.site for each in series),
            chain,
        ),
    )


def _tune(
    problem: Problem, size: int, tune: Callable[[ValueAndGradient, Any], Any]
) -> Callable[[ValueAndGradient, Any], Any]:
    """Return the function that tunes the form, with what the likelihood needs beside the whitening."""
    tune = tuned_where_rounded(problem, tune)
    return tuned_where_the_mass_is(tune, size) if problem.likelihood.traits.several_modes else tune


def _has_open_scales(problem: Problem) -> bool:
    """Whether the data may leave a standard deviation open down to 0.

    Several that compete may be, that of few levels, and that of a smooth, whose curve may be the straight line alone.
    """
    blocks = sampled_blocks(problem)
    return len(blocks) > 1 or has_few_levels(blocks) or not all(block.is_factor for block in blocks)


def _standard_deviations(problem: Problem) -> frozenset[str]:
    return frozenset(part.sd for block in sampled_blocks(problem) for part in block.parts)


def scaled_values(
    layout: Layout, scaled: tuple[ScaledBlocks | ScaledAreas, ...], parameters: tuple[ParameterSpec, ...] = ()
) -> Callable[[Position, Any], tuple[dict[str, Numbers], Scalar]]:
    """Return the map from the layout's vector to the values of the sites, and its log Jacobian determinant.

    Args:
        layout: the sites, zeta in the place of what is scaled.
        scaled: the terms that are.
        parameters: those that priors may hold at values among the data.
    """

    def values_at(u: Position, data: Any) -> tuple[dict[str, Numbers], Scalar]:
        values, log_jacobian = layout.constrain(u, data.get("scales"), data.get("bounds"))
        values |= constant_sites(parameters, data.get("priors"))
        for together in scaled:
            sums, turn = data["pilot"][together.key], data["turn"].get(together.key)
            changed, change = together.transform(values, sums, turn, data.get("bases"))
            values |= changed
            log_jacobian = log_jacobian + change
        return values, log_jacobian

    return values_at


def _with_series(
    values_at: Callable[[Position, Any], tuple[dict[str, Numbers], Scalar]], series: tuple[ScaledSeries, ...]
) -> Callable[[Position, Any], tuple[dict[str, Numbers], Scalar]]:
    """Return the map with the latent residuals of series, which follow all else."""

    def with_series(u: Position, data: Any) -> tuple[dict[str, Numbers], Scalar]:
        values, log_jacobian = values_at(u, data)
        for each in series:
            changed, change = each.transform(values, data)
            values, log_jacobian = values | changed, log_jacobian + change
        return values, log_jacobian

    return with_series if series else values_at


def _in_units(layout: Layout, scaled: tuple[ScaledBlocks, ...]) -> Layout:
    """Let standardised coefficients be of unit size."""
    names = {parameter.name for together in scaled for parameter in together.standardised}
    return Layout(tuple(replace(s, scale=np.ones(s.size)) if s.name in names else s for s in layout.sites))


def _start_of(layout: Layout, pilot: Pilot, scaled: tuple[ScaledBlocks, ...]) -> np.ndarray:
    """Return the pilot in the flat vector; labels with priors of different kinds are sites of their own."""
    standardised = {parameter.name for together in scaled for parameter in together.standardised}
    values = {}
    for site in layout.sites:
        if site.name in standardised:
            values[site.name] = np.zeros(site.shape)
        elif site.name in pilot.values:
            values[site.name] = np.broadcast_to(pilot.values[site.name], site.shape)
        else:
            values[site.name] = site.constrain(site.center)[0]
    return flatten(layout, values)
