"""The collapsed form: NUTS moves in the few parameters left; what is integrated out is drawn exactly afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jax import numpy as jnp
from jax.custom_batching import sequential_vmap

from bayesml import names
from bayesml.engines.base import Problem
from bayesml.engines.density import with_prior_data
from bayesml.engines.layout import Layout, layout_of
from bayesml.engines.log_prior import constant_sites, log_prior, parameter_values
from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.forms.collapsed.cells import (
    SigmaCells,
    cell_statistics,
    sigma_cells,
    sigma_of_cells,
    weighted,
)
from bayesml.engines.nuts.forms.collapsed.compress import compressed
from bayesml.engines.nuts.forms.collapsed.coordinates import (
    Coordinates,
    plain_coordinates,
    scored_coordinates,
    whitened_coordinates,
)
from bayesml.engines.nuts.forms.collapsed.model import Split, gaussian_rows, split_of
from bayesml.engines.nuts.forms.collapsed.shrunken import shrunken_scales, shrunken_slopes
from bayesml.engines.nuts.forms.gaussian.algebra import lower_times
from bayesml.engines.nuts.forms.gaussian.coefficients import has_few_levels, joined, separated
from bayesml.engines.nuts.forms.gaussian.covariances import covariance_factor
from bayesml.engines.nuts.forms.gaussian.elimination import Parameters, log_marginal, log_standardised
from bayesml.engines.nuts.forms.gaussian.recover import noise_sizes, recover
from bayesml.engines.nuts.forms.gaussian.rotation import rotated, rotated_block
from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows
from bayesml.engines.nuts.forms.gaussian.statistics import Arrangement, Statistics, arrange, dense_products, statistics
from bayesml.keys import MU
from bayesml.reported import reported_names
from bayesml.spec import ParameterSpec
from bayesml.terms import AbstractGroupTerm, integrated_blocks_of, tables_of

if TYPE_CHECKING:
    from bayesml.engines.nuts.forms.collapsed.coordinates import ValuesAt
    from bayesml.engines.nuts.forms.gaussian.shapes import Noise
    from bayesml.shapes import Numbers, Position, Scalar, Values

__all__ = ["collapsed_form"]

MOST_EFFECTS_AT_ONCE = 5_000
MOST_SCORED = 4
"""Most length-scales whose marginal densities are computed."""
MOST_BESIDE = 30
"""Most dimensions in which the mode is followed along a length-scale."""


@final
@dataclass(frozen=True)
class Structure:
    """What the density and the way back need beside the data.

    Attributes:
        split: which parameters stay sampled.
        arrangement: the order of elimination.
        values_at: from the sampler's coordinates to the values of the sites and the log Jacobian.
        reported: names of the reported variables.
        problem: the model.
        has_cells: whether sigma has a formula.
    """

    split: Split
    arrangement: Arrangement
    values_at: ValuesAt
    reported: frozenset[str]
    problem: Problem
    has_cells: bool


def collapsed_form(problem: Problem, largest_only: bool = False, scaled: bool = True) -> Form:
    """Return the collapsed form of a gaussian or lognormal model that `collapse_conditions` has nothing against.

    Args:
        problem: the model with its data.
        largest_only: of the grouping factors integrate the effects of the chain with the most coefficients only, and
            sample those of the others.
        scaled: sample in coordinates whitened at the mode, and the effects that stay sampled in those that a pilot fit
            suggests; else in the model's own.

    Raises:
        ArithmeticError: the pilot ran away.
    """
    terms = problem.design.schema.predictors[0].terms
    has_process = any(block.shape is not None for _, block in integrated_blocks_of(terms))
    few = has_few_levels(tuple(problem.design.schema.predictors[0].groups())) or has_process
    standardise = scaled and few and not largest_only
    split = split_of(problem, standardise=standardise)
    rows = gaussian_rows(problem, split)
    cells = sigma_cells(problem)
    place = rotated_block(rows.blocks, split.alike) if cells is None else None
    turn: dict[str, np.ndarray] = {}
    if place is not None:
        rows, turn[split.blocks[place][1].standardised] = rotated(rows, place)
    arrangement = arrange(rows, largest_only, triangular=cells is None)
    split = split_of(problem, frozenset(split.groups[i].name for i in arrangement.sampled), standardise)
    sums = _sums(rows, arrangement, cells)
    spec = problem.description.spec
    layout = _in_units(layout_of(replace(spec, parameters=split.parameters)), split)
    schema = problem.design.schema
    reported = frozenset(reported_names(spec, schema))
    tables = tables_of(((p.key, p.terms) for p in schema.predictors), problem.design.arrays)
    groups = tuple(split.groups[i] for i in arrangement.sampled)
    coordinates = _coordinates(problem, layout, split.parameters, groups, scaled)
    own = replace(spec, parameters=split.parameters)
    structure = Structure(split, arrangement, coordinates.values_at, reported, problem, cells is not None)
    return Form(
        size=layout.size,
        data=with_prior_data(sums | coordinates.data | {"tables": tables, "turn": turn}, own, layout),
        density=_density(structure),
        report=_report(structure),
        start=coordinates.start,
        parameter_of=coordinates.parameter_of,
        first_step=coordinates.first_step,
        tune=coordinates.tune,
        noise_sizes=noise_sizes(arrangement, len(split.integrated)),
        products=dense_products(sums["statistics"]),
        structure=(
            "collapsed",
            spec.structure,
            problem.design.schema,
            problem.likelihood,
            arrangement,
            scaled,
            cells is None,
            standardise,
        ),
    )


def _coordinates(
    problem: Problem,
    layout: Layout,
    parameters: tuple[ParameterSpec, ...],
    sampled: tuple[AbstractGroupTerm, ...],
    scaled: bool,
) -> Coordinates:
    if not scaled:
        return plain_coordinates(layout)
    if sampled:
        from bayesml.engines.nuts.forms.collapsed.tail import scaled_tail

        return scaled_tail(problem, layout, parameters, sampled)
    places = _lengthscales(problem, layout)
    if places:
        return scored_coordinates(layout, places)
    return whitened_coordinates(layout, layout.center, lambda u, data: layout.constrain(u, bounds=data["bounds"]))


def _lengthscales(problem: Problem, layout: Layout) -> tuple[int, ...]:
    """Return the places of the length-scales of processes in the flat vector, none in a vector of many others."""
    blocks = integrated_blocks_of(problem.design.schema.predictors[0].terms)
    variables = frozenset(block.shape.lengthscales for _, block in blocks if block.shape is not None)
    pairs = zip(layout.sites, layout.slices(), strict=True)
    places = [i for site, place in pairs if site.is_of(variables) for i in range(place.start, place.stop)]
    return tuple(places) if len(places) <= MOST_SCORED and layout.size <= MOST_BESIDE else ()


def _in_units(layout: Layout, split: Split) -> Layout:
    """Let standardised coefficients start at 0 and be of unit size."""
    names = {parameter.name for parameter in split.standardised}
    return Layout(
        tuple(
            replace(site, center=np.zeros(site.size), scale=np.ones(site.size)) if site.name in names else site
            for site in layout.sites
        )
    )


def _sums(rows: GaussianRows, arrangement: Arrangement, cells: SigmaCells | None) -> dict[str, Any]:
    """Return the data of the form: the sums for the density and, where they differ, those for the draws."""
    if cells is not None:
        by_cell, counts = cell_statistics(rows, arrangement, cells)
        return {"statistics": by_cell, "every": None, "counts": counts, "sigma": cells.arrays}
    every = statistics(rows, arrangement)
    few = compressed(every)
    return {"statistics": few, "every": None if few is every else every}


def _density(structure: Structure) -> Callable[[Position, Any], Scalar]:
    """Return ``log p(phi) + log p(y | phi) + log|Jacobian|`` as a function of the sampler's coordinates."""

    def density(q: Position, data: Any) -> Scalar:
        values, log_jacobian, log_likelihood = _values(structure, q, data)
        prior = log_prior(structure.split.parameters, values, data["priors"])
        return prior + log_jacobian + log_likelihood

    return density


def _values(structure: Structure, q: Position, data: Any) -> tuple[dict[str, Numbers], Scalar, Scalar]:
    """Return the values of the sampled parameters, the log Jacobian and the log likelihood."""
    split, arrangement = structure.split, structure.arrangement
    sites, log_jacobian = structure.values_at(q, data)
    sites = {**sites, **constant_sites(split.parameters, data["priors"])}
    values = parameter_values(split.parameters, sites)
    values |= shrunken_scales(structure.problem.description.spec, values, data["joint"])
    parameters, sums, log_sigma = _gaussian(structure, values, data, data["statistics"])
    if split.standardised:
        units = joined(split.standardised, values)
        coefficients, log_likelihood = log_standardised(sums, arrangement, parameters, units)
        values = values | separated(split.standardised, coefficients)
    else:
        log_likelihood = log_marginal(sums, arrangement, parameters)
    return values, log_jacobian, log_likelihood if log_sigma is None else log_likelihood - log_sigma


def _gaussian(
    structure: Structure, values: Values, data: Any, sums: Statistics
) -> tuple[Parameters, Statistics, Scalar | None]:
    """Return the parameters of the Gaussian part, its sums, and what of the power of sigma is not yet in there."""
    if not structure.has_cells:
        return _parameters(structure, values, values.get("sigma", jnp.ones(()))), sums, None
    sigma = sigma_of_cells(structure.problem, values, data["sigma"])
    parameters = _parameters(structure, values, jnp.ones(()))
    return parameters, weighted(sums, sigma**-2), data["counts"] @ jnp.log(sigma)


def _parameters(structure: Structure, values: Values, sigma: Scalar) -> Parameters:
    split = structure.split
    blocks = tuple(block for _, block in split.blocks)
    factors = tuple(covariance_factor(block, values) for block in blocks)
    kept = [
        jnp.concatenate(lower_times(factors[i], values[blocks[i].standardised])) for i in structure.arrangement.sampled
    ]
    standardised = {parameter.name for parameter in split.standardised}
    linear = (names.intercept_variable(MU), *(parameter.name for parameter in split.slopes))
    for parameter in split.parameters:
        if parameter.name in linear and parameter.name not in standardised:
            kept.append(jnp.reshape(values[parameter.name], (-1,)))
    return Parameters(factors, sigma, jnp.concatenate(kept) if kept else jnp.zeros(0))


def _report(structure: Structure) -> Callable[[Position, Noise, Any], dict[str, Numbers]]:
    def drawn(
        noise: Noise, full: Statistics, parameters: Parameters, standardised: Numbers
    ) -> tuple[Numbers, dict[int, Numbers]]:
        return recover(noise, full, structure.arrangement, parameters, standardised)

    # A block of draws of many effects is drawn one after the other: a whole one would need as much memory many times.
    effects_of = sequential_vmap(drawn) if structure.arrangement.size > MOST_EFFECTS_AT_ONCE else drawn

    def report(q: Position, noise: Noise, data: Any) -> dict[str, Numbers]:
        values, _, _ = _values(structure, q, data)
        every = data["statistics"] if data["every"] is None else data["every"]
        parameters, sums, _ = _gaussian(structure, values, data, every)
        split = structure.split
        slopes, effects = effects_of(noise, sums, parameters, joined(split.standardised, values))
        values |= _all_slopes(split, slopes, values)
        for i, z in effects.items():
            block = split.blocks[i][1]
            if block.standardised in data["turn"]:
                z = z @ data["turn"][block.standardised].T
            values[block.standardised] = z if block.has_levels else z[0]
        values |= shrunken_slopes(structure.problem.description.spec, values)
        for predictor in structure.problem.design.schema.predictors:
            for term in predictor.terms:
                values |= term.derived(values, data["tables"][predictor.key][term.key])
        return {name: values[name] for name in structure.reported}

    return report


def _all_slopes(split: Split, drawn: Numbers, values: Values) -> dict[str, Numbers]:
    """Return the slopes of each parameter, the drawn and the sampled ones in the order of the model."""
    by_name, first = {}, 0
    for parameter, place in zip(split.slopes, split.places, strict=True):
        integrated, kept = ([i for i in place if i in numbers] for numbers in (split.integrated, split.kept))
        parts = [drawn[first : first + len(integrated)]] + ([values[parameter.name]] if kept else [])
        by_name[parameter.name] = jnp.concatenate(parts)[np.argsort([*integrated, *kept])]
        first += len(integrated)
    return by_name
