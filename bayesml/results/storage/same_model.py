"""Whether two models are the same: formula, family, priors, data and options of the engine, one after the other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bayesml.engines import AbstractEngine
from bayesml.frame import Frame, frame_to_arrays
from bayesml.results.record import encoded
from bayesml.results.record.recipe import PreparedModel, Recipe
from bayesml.results.storage.fingerprint import differing_array, fingerprint

__all__ = ["differing_option", "differing_part"]

WHERE_WRITTEN = ("source", "start")
"""What a formula that was read says about its text alone."""
OF_THE_RUN = ("progress",)
"""Options that have no influence on the result."""


def differing_part(ours: PreparedModel, theirs: PreparedModel, with_data: bool = True) -> str | None:
    """Return what differs first between two models, in words, or None.

    Spaces in a formula do not count. Functions of the user are compared by their names and by the columns that they
    give.

    Args:
        ours: a model.
        theirs: another one.
        with_data: whether the values of the data count too; their columns and levels always do.
    """
    own, other = _parts(ours.recipe), _parts(theirs.recipe)
    own["formula"], other["formula"] = (_formula(model) for model in (ours, theirs))
    for name, value in own.items():
        if json.dumps(value, default=str, sort_keys=True) != json.dumps(other[name], default=str, sort_keys=True):
            return name
    if _kinds(ours.frame) != _kinds(theirs.frame):
        return "columns of the data or levels of factors"
    if not with_data:
        return None
    if not _same_values(ours.frame, theirs.frame):
        return "data"
    array = differing_array(ours.problem.design, fingerprint(theirs.problem.design))
    return None if array is None else f"values computed from the data ({array})"


def differing_option(asked: AbstractEngine, used: AbstractEngine) -> str | None:
    """Return the method or the first option that was requested and is not the one that was used, or None.

    An option of ``asked`` that is None is decided by the run, and agrees with whatever was used. So is the
    number of draws where an effective sample size is requested; draws from the prior alone have no warm-up.
    """
    wanted, found = encoded.engine_to_json(asked), encoded.engine_to_json(used)
    if wanted["method"] != found["method"]:
        return "method"
    return next(_differing_options(wanted["options"], found["options"]), None)


def _differing_options(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    ignored = [*OF_THE_RUN, *(["draws"] if wanted.get("target_ess") is not None else [])]
    ignored += ["warmup"] if wanted.get("sample_prior") == "only" else []
    for name, value in wanted.items():
        if name not in ignored and value is not None and value != found.get(name):
            yield f"option `{name}`"


def _parts(recipe: Recipe) -> dict[str, Any]:
    family = {**encoded.family_to_json(recipe.family), "functions": dict(recipe.family.user_functions)}
    return {
        "formula": "",
        "family": family,
        "priors": sorted(json.dumps(encoded.prior_to_json(each), default=str) for each in recipe.priors),
        "default priors": recipe.default_priors,
        "functions": sorted(recipe.functions),
    }


def _formula(model: PreparedModel) -> Any:
    return _meaning(encoded.formula_to_json(model.problem.design.schema.parsed))


def _meaning(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _meaning(each) for name, each in value.items() if name not in WHERE_WRITTEN}
    if isinstance(value, (list, tuple)):
        return [_meaning(each) for each in value]
    return "".join(value.split()) if isinstance(value, str) else value


def _kinds(frame: Frame) -> dict[str, tuple[Any, ...]]:
    return {c.name: (c.levels, c.ordered, c.is_boolean, c.categories) for c in frame.columns.values()}


def _same_values(ours: Frame, theirs: Frame) -> bool:
    names = sorted(ours.columns)
    if ours.n_rows != theirs.n_rows:
        return False
    pairs = [(ours.columns[name].values, theirs.columns[name].values) for name in names]
    own, other = (
        {name: array for name, array in frame_to_arrays(frame)[0].items() if name.startswith("matrix_")}
        for frame in (ours, theirs)
    )
    if set(own) != set(other):
        return False
    return all(np.array_equal(a, b, equal_nan=True) for a, b in [*pairs, *((own[name], other[name]) for name in own)])
