"""A model as plain data for a file, and back: what ``fit.save`` and a checkpoint have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from bayesml.describe import describe
from bayesml.design import Design, build_design
from bayesml.engines import Problem
from bayesml.errors import ModelError
from bayesml.families import AbstractFamily, get_family
from bayesml.formula import formula_of
from bayesml.frame import Frame
from bayesml.priors import Style
from bayesml.results.record import encoded
from bayesml.results.record.recipe import Missing, PreparedModel, Recipe
from bayesml.results.storage.fingerprint import differing_array, fingerprint
from bayesml.results.storage.to_arviz import package_version
from bayesml.terms import Functions

__all__ = ["MALFORMED", "model_from_json", "model_to_json"]

MALFORMED = (OSError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError, MemoryError)
"""What is raised where a file is not what it should be: a wrong type, a number out of range, text that is too deep."""


def model_to_json(problem: Problem, columns: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """Return a model without its data.

    Args:
        problem: the described model.
        columns: what ``frame_to_arrays`` says about the columns.
        recipe: how it is fitted.
    """
    parsed = problem.design.schema.parsed
    return {
        "package_version": package_version(),
        "formula": [
            parsed.text,
            *(f"{p.key.parameter} {p.population.expression.source}" for p in parsed.predictors[1:]),
        ],
        "parsed": encoded.formula_to_json(parsed),
        "functions": sorted(recipe.functions),
        "family": encoded.family_to_json(recipe.family),
        "family_functions": dict(recipe.family.user_functions),
        "priors": [encoded.prior_to_json(prior) for prior in recipe.priors],
        "default_priors": recipe.default_priors,
        "engine": encoded.engine_to_json(recipe.engine),
        "missing": recipe.missing,
        "data_name": recipe.data_name,
        "data": columns,
        "fingerprint": fingerprint(problem.design),
    }


def model_from_json(
    source: Path,
    document: Mapping[str, Any],
    frame: Frame,
    functions: Functions | None,
    family: AbstractFamily | Sequence[str | AbstractFamily] | None = None,
) -> PreparedModel:
    """Encode the stored columns again and describe the model.

    Args:
        source: the file, for messages.
        document: what ``model_to_json`` returned.
        frame: the columns.
        functions: the functions that the fit was given, where it was.
        family: the family that the fit was given, where functions of the user are part of it.

    Raises:
        ModelError: a function or the family is missing, or the libraries installed here encode the data differently.
    """
    parsed = encoded.formula_from_json(document["parsed"])
    recipe = Recipe(
        formula_of(parsed),
        _family(source, document, family),
        encoded.engine_from_json(document["engine"]),
        tuple(encoded.prior_from_json(each) for each in document["priors"]),
        _one_of(document["default_priors"], get_args(Style)),
        _one_of(document["missing"], get_args(Missing)),
        _functions(source, document["functions"], functions),
        document["data_name"],
        frame.matrices,
    )
    design = build_design(parsed, frame, recipe.family, recipe.functions)
    _check_design(source, document, design)
    description = describe(design, recipe.priors, recipe.default_priors)
    recipe = replace(recipe, functions=design.schema.functions)
    return PreparedModel(Problem(design, description), frame, recipe)


def _family(
    source: Path, document: Mapping[str, Any], given: AbstractFamily | Sequence[str | AbstractFamily] | None
) -> AbstractFamily:
    """Return the family of a file; nothing that the file names is imported."""
    stored, names = document["family"], document.get("family_functions", {})
    given = get_family(given) if isinstance(given, (list, tuple)) else given  # one for each of several responses
    if given is not None and not isinstance(given, AbstractFamily):
        raise ModelError(f"`family` is the family that the fit was given, custom_family(...); got {given!r:.80}.")
    if given is not None and json.loads(json.dumps(encoded.family_to_json(given))) != stored:
        raise ModelError(
            f"The fit in `{source}` was made with another family than the one given as `family`: it has the family "
            f"{stored['name']}, with {_shown_options(stored)}."
        )
    if given is None and names:
        listed = ", ".join(f"{role} `{name}`" for role, name in names.items())
        raise ModelError(
            f"The fit in `{source}` has the family {stored['name']}, whose functions are not stored ({listed}). Make "
            "or import the family as it was and pass it: family=custom_family(...)."
        )
    return encoded.family_from_json(stored) if given is None else given


def _shown_options(stored: Mapping[str, Any]) -> str:
    options = {"links": stored["links"], **stored["options"]}
    return ", ".join(f"{name}={value}" for name, value in options.items() if not isinstance(value, dict))


def _one_of(value: Any, known: tuple[str, ...]) -> Any:
    if value not in known:
        raise ValueError(f"{value!r:.50} is none of {known}")
    return value


def _functions(source: Path, needed: list[str], given: Functions | None) -> Functions:
    missing = [name for name in needed if name not in (given or {})]
    if missing:
        named = ", ".join(f"`{name}`" for name in missing)
        example = ", ".join(f'"{name}": {name}' for name in needed)
        raise ModelError(
            f"The fit in `{source}` was given functions of its own, which are not stored: {named}. Pass them again, "
            f"functions={{{example}}}."
        )
    return {name: (given or {})[name] for name in needed}


def _check_design(source: Path, document: Mapping[str, Any], design: Design) -> None:
    differing = differing_array(design, document["fingerprint"])
    if differing is not None:
        raise ModelError(
            f"The data in `{source}` are encoded differently here (`{differing}`), so that the draws would not belong "
            f"to the model any more. The fit was saved by bayesml {document['package_version']}; load it with the "
            "versions of the packages, and the functions, that it was made with, or fit the model again."
        )
