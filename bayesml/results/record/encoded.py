"""A fit as plain data for a file, and back: formula, family, priors, engine and timing as JSON, nothing to execute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from bayesml.engines import AbstractEngine, get_engine
from bayesml.errors import ModelError
from bayesml.families import FAMILIES_OF_FAMILIES, FAMILIES_OF_RESPONSES, AbstractFamily, get_family
from bayesml.formula import (
    Addition,
    Expression,
    FixedParameter,
    GroupCall,
    LinearPart,
    Membership,
    Nonlinear,
    ParsedFormula,
    Predictor,
    Response,
    ResponseFormula,
    SpecialCall,
)
from bayesml.keys import PredictorKey
from bayesml.links import get_link
from bayesml.posterior import Timing
from bayesml.priors import Prior, as_distribution

__all__ = [
    "engine_from_json",
    "engine_to_json",
    "family_from_json",
    "family_to_json",
    "formula_from_json",
    "formula_to_json",
    "prior_from_json",
    "prior_to_json",
    "timing_from_json",
    "timing_to_json",
]

FORMULA_TYPES = {
    kind.__name__: kind
    for kind in (
        *(Addition, Expression, FixedParameter, GroupCall, LinearPart, Membership, Nonlinear, ParsedFormula, Predictor),
        *(PredictorKey, Response, ResponseFormula, SpecialCall),
    )
}
PLAIN = (str, int, float, bool, type(None))


def formula_to_json(value: Any) -> Any:
    """Return a part of a read formula as JSON: ``{"type": "Expression", "text": ...}``.

    What was read is kept, not its text alone: a ``.`` depends on columns that the fit does not keep.
    """
    if is_dataclass(value):
        content = {field.name: formula_to_json(getattr(value, field.name)) for field in fields(value)}
        return {"type": type(value).__name__, **content}
    return [formula_to_json(each) for each in value] if isinstance(value, (tuple, list)) else value


def formula_from_json(value: Any) -> Any:
    """Return the part of a formula that ``formula_to_json`` took apart; only ``FORMULA_TYPES`` are ever built."""
    if isinstance(value, Mapping):
        content = {name: formula_from_json(each) for name, each in value.items() if name != "type"}
        return FORMULA_TYPES[value["type"]](**content)
    return tuple(formula_from_json(each) for each in value) if isinstance(value, list) else value


def family_to_json(family: AbstractFamily) -> dict[str, Any]:
    """Return the name of a family, of its links, and the options that its name does not say.

    Functions of the user are left out.
    """
    is_made = family.user_functions or family.name.partition("(")[0] in {*FAMILIES_OF_FAMILIES, *FAMILIES_OF_RESPONSES}
    known = None if is_made else get_family(family.name)
    left_out = {"links", *family.not_stored}
    chosen = {f.name: getattr(family, f.name) for f in fields(family) if f.name not in left_out}
    options = {k: _option_to_json(v) for k, v in chosen.items() if known is None or v != getattr(known, k)}
    return {"name": family.name, "links": [link.name for link in family.links], "options": options}


def _option_to_json(value: Any) -> Any:
    if isinstance(value, AbstractFamily):
        return family_to_json(value)
    return [_option_to_json(each) for each in value] if isinstance(value, tuple) else value


def family_from_json(content: Mapping[str, Any]) -> AbstractFamily:
    """Return the family with its links and options."""
    options = {name: _option_from_json(value) for name, value in content.get("options", {}).items()}
    links = tuple(get_link(name) for name in content["links"])
    name = content["name"].partition("(")[0]
    for made_of_others in (FAMILIES_OF_FAMILIES, FAMILIES_OF_RESPONSES):
        if name in made_of_others:
            return made_of_others[name](links=links, **options)
    return replace(get_family(name), links=links, **options)


def _option_from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return family_from_json(value)
    return tuple(_option_from_json(each) for each in value) if isinstance(value, list) else value


def prior_to_json(prior: Prior) -> dict[str, Any]:
    """Return a prior of the user with its target and bounds.

    Raises:
        ModelError: it is an object of NumPyro whose arguments are no numbers, which no text can be read back from.
    """
    text = str(prior.distribution)
    if "..." in text:
        raise ModelError(f"A file cannot hold the prior {prior}: arguments of the distribution are no numbers.")
    content = {field.name: getattr(prior, field.name) for field in fields(prior)}
    return {**content, "distribution": text}


def prior_from_json(content: Mapping[str, Any]) -> Prior:
    """Return the prior."""
    return Prior(**{**content, "distribution": as_distribution(content["distribution"])})


def engine_to_json(engine: AbstractEngine) -> dict[str, Any]:
    """Return the method and its options; an option that is not a plain value is left at its default.

    So is the folder of a checkpoint: what is read from a file never says where to write.
    """
    options = {field.name: getattr(engine, field.name) for field in fields(engine) if field.name != "checkpoint"}
    return {"method": engine.method, "options": {k: v for k, v in options.items() if isinstance(v, PLAIN)}}


def engine_from_json(content: Mapping[str, Any]) -> AbstractEngine:
    """Return the engine; options that this version does not have are left out."""
    engine = get_engine(content["method"])
    known = {field.name for field in fields(engine)} - {"checkpoint"}
    return replace(engine, **{k: v for k, v in content["options"].items() if k in known})


def timing_to_json(timing: Timing) -> dict[str, float]:
    """Return the seconds of each part."""
    return {field.name: float(getattr(timing, field.name)) for field in fields(timing)}


def timing_from_json(content: Mapping[str, float]) -> Timing:
    """Return the timing; parts that this version does not have are left out."""
    known = {field.name for field in fields(Timing)}
    return Timing(**{name: seconds for name, seconds in content.items() if name in known})
