"""Design, family and priors to ``ModelSpec``: every parameter with its prior, before any compilation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.design import Design, PredictorDesign
from bayesml.distributions import Distribution
from bayesml.errors import PriorError
from bayesml.families import AbstractFamily, DistributionalParameter
from bayesml.names import slopes_variable
from bayesml.priors import (
    DefaultPriors,
    Prior,
    PriorRow,
    PriorTable,
    Style,
    check_identified,
    predictor_scale,
    resolve,
)
from bayesml.spec import ModelSpec, ParameterSpec, PredictorSpec
from bayesml.terms import Population

__all__ = ["Description", "check_slopes", "default_priors_of", "describe", "single_parameters"]


@final
@dataclass(frozen=True)
class Description:
    """A described model.

    Attributes:
        spec: the model without its data.
        priors: every prior target with what was set on it.
    """

    spec: ModelSpec
    priors: PriorTable


def describe(
    design: Design, family: AbstractFamily, priors: Sequence[Prior] = (), style: Style = "bayesml"
) -> Description:
    """Give every parameter of the model its prior.

    Raises:
        PriorError: a prior matches nothing, matches twice or is impossible; ``style`` is unknown.
    """
    defaults = _defaults(design, family, style)
    parameters = tuple(_parameters(design, family, defaults))
    resolution = resolve(parameters, PriorTable.ordered(_rows(design, family, defaults)), priors)
    spec = ModelSpec(
        formula=design.schema.parsed.text,
        family=family.name,
        predictors=tuple(
            PredictorSpec(p.dpar, family.link(p.dpar).name, p.text) for p in design.schema.parsed.predictors
        ),
        parameters=tuple(_started(p) for p in resolution.parameters),
        n_rows=design.n_rows,
        levels=tuple(dict.fromkeys((g.name, len(g.levels)) for p in design.schema.predictors for g in p.groups())),
    )
    return Description(spec, resolution.table)


def check_slopes(design: Design, description: Description) -> None:
    """Look for population-level columns that are linear combinations of others, see ``check_identified``."""
    for predictor in design.schema.predictors:
        for term in predictor.terms:
            if isinstance(term, Population) and term.slopes:
                priors = description.spec.parameter(slopes_variable(term.dpar)).priors
                check_identified(term, design.arrays[term.dpar][term.key]["X"], priors)


def default_priors_of(design: Design, family: AbstractFamily, style: Style) -> PriorTable:
    """Return the table of all prior targets with their defaults."""
    return PriorTable.ordered(_rows(design, family, _defaults(design, family, style)))


def _defaults(design: Design, family: AbstractFamily, style: Style) -> DefaultPriors:
    if style not in ("bayesml", "brms"):
        raise PriorError(f'`default_priors` is "bayesml" or "brms"; got {style!r}.')
    y = _measured_response(design, style)
    scales = {
        p.dpar: predictor_scale(family, p.dpar, y, _offset_mean(design, p.dpar), style)
        for p in design.schema.predictors
    }
    return DefaultPriors.of(family, y, scales, style)


def _measured_response(design: Design, style: Style) -> np.ndarray:
    """Return what default priors are scaled by: the response; of counts out of trials the share, where brms counts."""
    arrays = design.response.arrays
    if style == "brms" or "trials" not in arrays:
        return arrays["y"]
    return arrays["y"] / np.maximum(arrays["trials"], 1)


def _offset_mean(design: Design, dpar: str) -> float:
    offset = design.arrays[dpar].get("offset")
    return float(np.mean(offset["offset"])) if offset else 0.0


def single_parameters(design: Design, family: AbstractFamily) -> tuple[DistributionalParameter, ...]:
    """Return the distributional parameters that are one number each."""
    predicted = {p.dpar for p in design.schema.predictors}
    return tuple(
        p for p in family.dpars if p.name not in predicted and (p.name != "sigma" or design.schema.estimates_sigma)
    )


def _parameters(design: Design, family: AbstractFamily, defaults: DefaultPriors) -> Iterator[ParameterSpec]:
    for predictor in design.schema.predictors:
        for term in predictor.terms:
            yield from term.parameters(defaults.scales[predictor.dpar])
    for own in single_parameters(design, family):
        parameter = ParameterSpec(own.name, own.name, dpar="mu", bounds=own.bounds)
        center = defaults.center(parameter)
        yield replace(parameter, centers=(center,), scales=(center,))


def _rows(design: Design, family: AbstractFamily, defaults: DefaultPriors) -> Iterator[PriorRow]:
    for predictor in design.schema.predictors:
        dpar = "" if predictor.dpar == "mu" else predictor.dpar
        for term in predictor.terms:
            if isinstance(term, Population):
                yield from _population_rows(term, dpar, defaults)
        yield from _group_rows(predictor, dpar, defaults)
    for own in single_parameters(design, family):
        yield PriorRow(defaults.family_parameter(own.name), own.name, bounds=own.bounds)


def _population_rows(term: Population, dpar: str, defaults: DefaultPriors) -> Iterator[PriorRow]:
    if term.has_intercept:
        yield PriorRow(defaults.intercept(term.dpar), "Intercept", dpar=dpar)
    if not term.slopes:
        return
    slopes = defaults.slopes(term)
    if defaults.style == "brms":
        yield PriorRow(slopes[0], "b", dpar=dpar)
        yield from (PriorRow(None, "b", coef, dpar=dpar, source="(vectorized)") for coef in term.slopes)
    else:
        yield PriorRow(None, "b", dpar=dpar, source="(per coefficient)")
        yield from (PriorRow(d, "b", coef, dpar=dpar) for coef, d in zip(term.slopes, slopes, strict=True))


def _group_rows(predictor: PredictorDesign, dpar: str, defaults: DefaultPriors) -> Iterator[PriorRow]:
    groups = predictor.groups()
    if not groups:
        return
    positive = (0.0, float("inf"))
    inherited = "(vectorized)"
    yield PriorRow(defaults.group_sd(predictor.dpar), "sd", dpar=dpar, bounds=positive)
    for group in groups:
        yield PriorRow(None, "sd", "", group.name, dpar, positive, inherited)
        yield from (PriorRow(None, "sd", coef, group.name, dpar, positive, inherited) for coef in group.coefs)
    correlated = [g for g in groups if any(size > 1 for size in g.blocks)]
    if correlated:
        yield PriorRow(defaults.correlation(), "cor", dpar=dpar)
        yield from (PriorRow(None, "cor", "", g.name, dpar, source=inherited) for g in correlated)


def _started(parameter: ParameterSpec) -> ParameterSpec:
    """Let a proper prior of the user narrow the starting region; flat and wide ones leave it to the data."""
    if not parameter.priors or parameter.is_cholesky:
        return parameter
    n = len(parameter.labels)
    centers = parameter.centers if len(parameter.centers) == n else parameter.centers * n
    scales = parameter.scales if len(parameter.scales) == n else parameter.scales * n
    pairs = [_start(c, s, d) for c, s, d in zip(centers, scales, parameter.priors, strict=True)]
    return replace(parameter, centers=tuple(c for c, _ in pairs), scales=tuple(s for _, s in pairs))


def _start(center: float, scale: float, prior: Distribution) -> tuple[float, float]:
    if not prior.is_proper or prior.scale >= scale:
        return center, scale
    return prior.location, max(prior.scale, 1e-12)
