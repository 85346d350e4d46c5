"""Design, family and priors to ``ModelSpec``: every parameter with its prior, before any compilation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from bayesml import names
from bayesml.design import Design, ResponseDesign
from bayesml.distributions import Distribution, WholeDistribution, constant, flat
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
from bayesml.priors.sharing import joint_in_model
from bayesml.priors.table import FIXED
from bayesml.spec import JointTarget, ModelSpec, ParameterSpec, PredictorSpec
from bayesml.supports import Interval
from bayesml.terms import known_addend

Defaults = Mapping[str, DefaultPriors]
"""The default priors of each response, by its name."""

__all__ = ["Description", "check_slopes", "default_priors_of", "describe", "refuse_improper", "single_parameters"]


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
    resolution = resolve(parameters, table, expanded_priors(priors, _named(design)))
    sampled, joint = _expanded(resolution, design)
    for response in design.responses:
        sampled, joint = with_ordered_intercepts(sampled, joint, response.likelihood.ordered, response.name)
    spec = ModelSpec(
        formula=design.schema.parsed.text,
        family=design.likelihood.family.name,
        predictors=tuple(
            PredictorSpec(p.key, _link_name(design, p.key), written.text)
            for p in design.schema.predictors
            if (written := design.schema.written(p.key)) is not None and _has_link(design, p.key)
        ),
        parameters=tuple(_started(p, _is_placed(design, p)) for p in sampled),
        n_rows=design.n_rows,
        levels=tuple(dict.fromkeys(c for p in design.schema.predictors for t in p.terms for c in t.level_counts())),
        joint=(*joint, *design.likelihood.computed),
    )
    return Description(spec, resolution.table)


def _has_link(design: Design, key: PredictorKey) -> bool:
    """Whether a predictor is one of a parameter; not so the effects on thresholds, which belong to that of mu."""
    likelihood = design.of_response(key.resp).likelihood
    return bool(key.nlpar) or any(parameter.name == key.dpar for parameter in likelihood.dpars)


def _link_name(design: Design, key: PredictorKey) -> str:
    """Return the link as the user chose it."""
    return "identity" if key.nlpar else design.of_response(key.resp).likelihood.chosen_link(key.dpar).name


def check_slopes(design: Design, description: Description) -> None:
    """Look for population-level columns that are linear combinations of others, see ``terms/identified.py``."""
    for predictor in design.schema.predictors:
        for term in predictor.terms:
            term.check_identified(description.spec, design.arrays[predictor.key][term.key])


def default_priors_of(design: Design, style: Style) -> PriorTable:
    """Return the table of all prior targets with their defaults."""
    rows = tuple(_rows(design, _defaults(design, style)))
    return PriorTable.ordered((*shared_rows(_named(design), rows), *rows))


def _named(design: Design) -> list[tuple[str, AbstractLikelihood]]:
    return [(response.name, response.likelihood) for response in design.responses]


def _defaults(design: Design, style: Style) -> Defaults:
    """Return the default priors of each response, by its name."""
    if style not in ("bayesml", "brms"):
        raise PriorError(f'`default_priors` is "bayesml" or "brms"; got {style!r}.')
    return {response.name: _defaults_of(design, response, style) for response in design.responses}


def _defaults_of(design: Design, response: ResponseDesign, style: Style) -> DefaultPriors:
    y = _measured_response(response, style)
    predictors = (t.predictor for p in design.schema.predictors for t in p.terms if t.predictor.resp == response.name)
    scales = {
        key: predictor_scale(response.likelihood, key.dpar, y, _offset_mean(design, key), style)
        for key in dict.fromkeys(predictors)
    }
    return DefaultPriors.of(response.likelihood, y, scales, style)


def _measured_response(response: ResponseDesign, style: Style) -> np.ndarray:
    """Return what default priors are scaled by: the response; of counts out of trials the share, where brms counts."""
    arrays = response.data.arrays
    if response.data.unobserved is not None or response.rows is not None:
        observed = arrays["y"][~np.isnan(arrays["y"])]
        return observed if observed.size else np.zeros(1)
    if style == "brms" or "trials" not in arrays or response.likelihood.response_labels:
        return arrays["y"]
    return arrays["y"] / np.maximum(arrays["trials"], 1)


def _offset_mean(design: Design, key: PredictorKey) -> float:
    predictor = design.schema.predictor(key)
    offset = None if predictor is None else known_addend(predictor.terms, design.arrays[key])
    return 0.0 if offset is None else float(np.mean(offset))


def single_parameters(design: Design) -> tuple[DistributionalParameter, ...]:
    """Return the distributional parameters that are one number each."""
    likelihood = design.likelihood
    predicted = {likelihood.name_of(p.key) for p in design.schema.predictors}
    known = {names.of_response("sigma", resp) for resp in design.schema.known_errors}
    return tuple(
        p for p in likelihood.dpars if p.name not in predicted and p.unpredicted is None and p.name not in known
    )


def _parameters(design: Design, defaults: Defaults) -> Iterator[ParameterSpec]:
    for predictor in design.schema.predictors:
        for term in predictor.terms:
            yield from term.parameters(defaults[term.predictor.resp].scales[term.predictor])
    for own in single_parameters(design):
        key = design.likelihood.key_of(own.name)
        of = PredictorKey(key.resp)
        parameter = ParameterSpec(own.name, key.dpar, predictor=of, support=Interval(*own.bounds))
        center = _defaults_for(defaults, key).center(parameter)
        yield replace(parameter, centers=(center,), scales=(center,))
    for further in design.likelihood.parameters:
        yield replace(further, priors=())


def _rows(design: Design, defaults: Defaults) -> Iterator[PriorRow]:
    for predictor in design.schema.predictors:
        for term in predictor.terms:
            yield from term.prior_rows(defaults[term.predictor.resp])
    for own in single_parameters(design):
        key = design.likelihood.key_of(own.name)
        prior = _defaults_for(defaults, key).family_parameter(key.dpar)
        yield PriorRow(prior, key.dpar, predictor=(key.resp, "", ""), bounds=own.bounds)
    yield from _fixed_rows(design)
    for parameter in design.likelihood.parameters:
        style = _defaults_for(defaults, parameter.predictor).style
        is_flat = style == "brms" and parameter.prior_class in design.likelihood.flat_in_brms
        yield from _family_rows(parameter, flat() if is_flat else parameter.priors[0])


def _fixed_rows(design: Design) -> Iterator[PriorRow]:
    """Yield a row for each parameter that the formula holds at a number, ``bf("y ~ x", sigma=0.5)``."""
    for response in design.schema.parsed.responses:
        for each in response.fixed:
            if not isinstance(each.value, str):
                of = (each.key.resp, "", each.key.nlpar)
                yield PriorRow(constant(each.value), each.key.dpar, predictor=of, source=FIXED)


def refuse_improper(spec: ModelSpec) -> None:
    """Refuse a model of which nothing can be drawn without a response.

    Raises:
        PriorError: a prior is improper.
    """
    improper = spec.improper()
    if improper:
        named = ", ".join(f'class "{p.prior_class}"' + (f' of group "{p.group}"' if p.group else "") for p in improper)
        raise PriorError(
            f"Drawing from the prior needs proper priors, but that of {named} is flat. Set one with "
            'prior("normal(0, 10)", class_=...), or use default_priors="bayesml", where all are proper.'
        )


def _defaults_for(defaults: Defaults, key: PredictorKey) -> DefaultPriors:
    """Return the defaults of a response; what all responses have in common has those that any of them gives it."""
    return defaults[key.resp] if key.resp in defaults else next(iter(defaults.values()))


def _family_rows(parameter: ParameterSpec, prior: Distribution) -> Iterator[PriorRow]:
    """Yield the class of a further parameter of the family with its default, and the labels that inherit it."""
    of = parameter.predictor.target
    whole = type(prior) if isinstance(prior, WholeDistribution) else None
    kind, group, bounds, inherited = parameter.prior_class, parameter.group, parameter.bounds, "(vectorized)"
    yield PriorRow(prior, kind, parameter.label, "", of, bounds, whole=whole)
    if group:
        yield PriorRow(None, kind, "", group, of, bounds, inherited)
    yield from (PriorRow(None, kind, c, group, of, bounds, inherited) for c in dict.fromkeys(parameter.targets) if c)


def _expanded(resolution: Resolution, design: Design) -> tuple[tuple[ParameterSpec, ...], tuple[JointTarget, ...]]:
    """Put the parameters of joint priors in the place of the coefficients that are computed from them."""
    in_model = joint_in_model(resolution, design.n_rows, _fixed_sigmas(design))
    sampled: list[ParameterSpec] = []
    joint: list[JointTarget] = []
    for parameter in resolution.parameters:
        prior = in_model.get(parameter.name)
        if prior is not None:
            joint.append(JointTarget(prior, parameter))
            sampled += prior.parameters(parameter)
        else:
            sampled.append(parameter)
    return tuple(sampled), tuple(joint)


def _fixed_sigmas(design: Design) -> dict[str, float]:
    """Return sigma of each response whose formula fixes it."""
    fixed = [each for response in design.schema.parsed.responses for each in response.fixed]
    return {each.key.resp: each.value for each in fixed if each.key.dpar == "sigma" and not isinstance(each.value, str)}


def _is_placed(design: Design, parameter: ParameterSpec) -> bool:
    """Whether the data bound a parameter, such as a shift, which lies below the responses."""
    of = parameter.predictor
    dpar = of.dpar if parameter.prior_class == "Intercept" else parameter.prior_class
    return any(
        own.name == dpar and own.placed_by_data
        for response in design.responses
        if response.name == of.resp and not of.nlpar
        for own in response.likelihood.dpars
    )


def _started(parameter: ParameterSpec, is_placed: bool) -> ParameterSpec:
    """Let a proper prior of the user narrow the starting region; flat and wide ones leave it to the data.

    Where the data bound the parameter, the centre of its prior may lie outside, so that the region is narrowed alone.
    """
    if not parameter.priors or parameter.is_whole:
        return parameter
    n = len(parameter.labels)
    centers = parameter.centers if len(parameter.centers) == n else parameter.centers * n
    scales = parameter.scales if len(parameter.scales) == n else parameter.scales * n
    pairs = [_start(c, s, d) for c, s, d in zip(centers, scales, parameter.priors, strict=True)]
    narrowed = replace(parameter, centers=centers, scales=tuple(s for _, s in pairs))
    return narrowed if is_placed else replace(narrowed, centers=tuple(c for c, _ in pairs))


def _start(center: float, scale: float, prior: Distribution) -> tuple[float, float]:
    if not prior.is_proper or prior.scale >= scale:
        return center, scale
    return prior.location, max(prior.scale, 1e-12)
