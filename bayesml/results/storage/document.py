"""A model as plain data for a file, and back: what ``fit.save`` and a checkpoint have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bayesml.describe import describe
from bayesml.design import Design, build_design
from bayesml.engines import Problem
from bayesml.errors import ModelError
from bayesml.frame import Frame
from bayesml.priors import Prior
from bayesml.results.record import encoded
from bayesml.results.storage.fingerprint import differing_array, fingerprint
from bayesml.results.storage.to_arviz import package_version
from bayesml.terms import Functions

__all__ = ["MALFORMED", "model_to_json", "priors_from_json", "problem_from_json"]

MALFORMED = (OSError, LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RuntimeError, MemoryError)
"""What is raised where a file is not what it should be: a wrong type, a number out of range, text that is too deep."""


def model_to_json(
    problem: Problem, columns: Mapping[str, Any], priors: Sequence[Prior], default_priors: str, data_name: str
) -> dict[str, Any]:
    """Return a model without its data.

    Args:
        problem: the described model.
        columns: what ``frame_to_arrays`` says about the columns.
        priors: those the user set.
        default_priors: the style of the rest.
        data_name: how the summary names the data.
    """
    parsed = problem.design.schema.parsed
    return {
        "package_version": package_version(),
        "formula": [
            parsed.text,
            *(f"{p.key.parameter} {p.population.expression.source}" for p in parsed.predictors[1:]),
        ],
        "parsed": encoded.formula_to_json(parsed),
        "functions": sorted(problem.design.schema.functions),
        "family": encoded.family_to_json(problem.family),
        "priors": [encoded.prior_to_json(prior) for prior in priors],
        "default_priors": default_priors,
        "data_name": data_name,
        "data": columns,
        "fingerprint": fingerprint(problem.design),
    }


def priors_from_json(document: Mapping[str, Any]) -> tuple[Prior, ...]:
    """Return the priors that the user had set."""
    return tuple(encoded.prior_from_json(each) for each in document["priors"])


def problem_from_json(source: Path, document: Mapping[str, Any], frame: Frame, functions: Functions | None) -> Problem:
    """Encode the stored columns again and describe the model.

    Args:
        source: the file, for messages.
        document: what ``model_to_json`` returned.
        frame: the columns.
        functions: the functions that the fit was given, where it was.

    Raises:
        ModelError: a function is missing, or the libraries installed here encode the data differently.
    """
    given = _functions(source, document["functions"], functions)
    family = encoded.family_from_json(document["family"])
    design = build_design(encoded.formula_from_json(document["parsed"]), frame, family, given)
    _check_design(source, document, design)
    return Problem(design, family, describe(design, family, priors_from_json(document), document["default_priors"]))


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
