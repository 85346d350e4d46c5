"""Design, family and priors to ``ModelSpec``: every parameter with its prior, before any compilation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml.design import Design
from bayesml.distributions import Distribution, WholeDistribution, flat
from bayesml.errors import PriorError
from bayesml.expansion import expanded_priors, shared_rows
from bayesml.families import AbstractLikelihood, DistributionalParameter
from bayesml.keys import PredictorKey
from bayesml.ordered import with_ordered_intercepts
from bayesml.priors import (
    DefaultPriors,
    Prior,
    PriorRow,
    PriorTable,
    Resolution,
    Style,
    predictor_scale,
    resolve,
)
from bayesml.spec import JointTarget, ModelSpec, ParameterSpec, PredictorSpec
from bayesml.supports import Interval
from bayesml.terms import known_addend

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


def describe(design: Design, priors: Sequence[Prior] = (), style: Style = "bayesml") -> Description:
    """Give every parameter of the model its prior.

    Raises:
        PriorError: a prior matches nothing, matches twice or is impossible; ``style`` is unknown.
    """
    defaults = _defaults(design, style)
    parameters = tuple(_parameters(design, defaults))
    table = PriorTable.ordered(_rows(design, defaults))
    resolution = resolve(parameters, table, expanded_priors(priors, design.likelihood))
    sampled, joint = with_ordered_intercepts(*_expanded(resolution, design.n_rows), design.likelihood.ordered)
    spec = ModelSpec(
        formula=design.schema.parsed.text,
        family=design.likelihood.family.name,
        predictors=tuple(
            PredictorSpec(p.key, _link_name(design.likelihood, p.key), written.text)
            for p in design.schema.predictors
            if (written := design.schema.written(p.key)) is not None and _has_link(design.likelihood, p.key)
        ),
        parameters=tuple(_started(p) for p in sampled),
        n_rows=design.n_rows,
        levels=tuple(dict.fromkeys(c for p in design.schema.predictors for t in p.terms for c in t.level_counts())),
        joint=(*joint, *design.likelihood.computed),
    )
    return Description(spec, resolution.table)


def _has_link(likelihood: AbstractLikelihood, key: PredictorKey) -> bool:
    """Whether a predictor is one of a parameter; not so the effects on thresholds, which belong to that of mu."""
    return bool(key.nlpar) or any(parameter.name == key.dpar for parameter in likelihood.dpars)


def _link_name(likelihood: AbstractLikelihood, key: PredictorKey) -> str:
    """Return the link as the user chose it."""
    return "identity" if key.nlpar else likelihood.chosen_link(key.dpar).name


def check_slopes(design: Design, description: Description) -> None:
    """Look for population-level columns that are linear combinations of others, see ``terms/identified.py``."""
    for predictor in design.schema.predictors:
        for term in predictor.terms:
            term.check_identified(description.spec, design.arrays[predictor.key][term.key])


def default_priors_of(design: Design, style: Style) -> PriorTable:
    """Return the table of all prior targets with their defaults."""
    rows = tuple(_rows(design, _defaults(design, style)))
    return PriorTable.ordered((*shared_rows(design.likelihood, rows), *rows))


def _defaults(design: Design, style: Style) -> DefaultPriors:
    if style not in ("bayesml", "brms"):
        raise PriorError(f'`default_priors` is "bayesml" or "brms"; got {style!r}.')
    y = _measured_response(design, style)
    scales = {
        key: predictor_scale(design.likelihood, key.dpar, y, _offset_mean(design, key), style)
        for key in dict.fromkeys(t.predictor for p in design.schema.predictors for t in p.terms)
    }
    return DefaultPriors.of(design.likelihood, y, scales, style)


def _measured_response(design: Design, style: Style) -> np.ndarray:
    """Return what default priors are scaled by: the response; of counts out of trials the share, where brms counts."""
    arrays = design.response.arrays
    if style == "brms" or "trials" not in arrays:
        return arrays["y"]
    return arrays["y"] / np.maximum(arrays["trials"], 1)


def _offset_mean(design: Design, key: PredictorKey) -> float:
    predictor = design.schema.predictor(key)
    offset = None if predictor is None else known_addend(predictor.terms, design.arrays[key])
    return 0.0 if offset is None else float(np.mean(offset))


def single_parameters(design: Design) -> tuple[DistributionalParameter, ...]:
    """Return the distributional parameters that are one number each."""
    predicted = {p.key.dpar for p in design.schema.predictors}
    return tuple(
        p
        for p in design.likelihood.dpars
        if p.name not in predicted and p.unpredicted is None and (p.name != "sigma" or design.schema.estimates_sigma)
    )


def _parameters(design: Design, defaults: DefaultPriors) -> Iterator[ParameterSpec]:
    for predictor in design.schema.predictors:
        for term in predictor.terms:
            yield from term.parameters(defaults.scales[term.predictor])
    for own in single_parameters(design):
        parameter = ParameterSpec(own.name, own.name, support=Interval(*own.bounds))
        center = defaults.center(parameter)
        yield replace(parameter, centers=(center,), scales=(center,))
    for further in design.likelihood.parameters:
        yield replace(further, priors=())


def _rows(design: Design, defaults: DefaultPriors) -> Iterator[PriorRow]:
    for predictor in design.schema.predictors:
        for term in predictor.terms:
            yield from term.prior_rows(defaults)
    for own in single_parameters(design):
        yield PriorRow(defaults.family_parameter(own.name), own.name, bounds=own.bounds)
    for parameter in design.likelihood.parameters:
        is_flat = defaults.style == "brms" and parameter.prior_class in design.likelihood.flat_in_brms
        yield from _family_rows(parameter, flat() if is_flat else parameter.priors[0])


def _family_rows(parameter: ParameterSpec, prior: Distribution) -> Iterator[PriorRow]:
    """Yield the class of a further parameter of the family with its default, and the labels that inherit it."""
    of = parameter.predictor.target
    whole = type(prior) if isinstance(prior, WholeDistribution) else None
    yield PriorRow(prior, parameter.prior_class, parameter.label, "", of, parameter.bounds, whole=whole)
    inherited = "(vectorized)"
    yield from (PriorRow(None, parameter.prior_class, c, "", of, parameter.bounds, inherited) for c in parameter.coefs)


def _expanded(resolution: Resolution, n_rows: int) -> tuple[tuple[ParameterSpec, ...], tuple[JointTarget, ...]]:
    """Put the parameters of joint priors in the place of the coefficients that are computed from them."""
    sampled: list[ParameterSpec] = []
    joint: list[JointTarget] = []
    for parameter in resolution.parameters:
        prior = resolution.joint.get(parameter.name)
        if prior is not None:
            joint.append(JointTarget(prior.in_model(n_rows), parameter))
            sampled += joint[-1].prior.parameters(joint[-1].target)
        else:
            sampled.append(parameter)
    return tuple(sampled), tuple(joint)


def _started(parameter: ParameterSpec) -> ParameterSpec:
    """Let a proper prior of the user narrow the starting region; flat and wide ones leave it to the data."""
    if not parameter.priors or parameter.is_whole:
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
