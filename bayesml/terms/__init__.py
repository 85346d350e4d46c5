"""The term kinds. Adding one is one file and one line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bayesml.formula import Predictor
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.lazy import lazy_module
from bayesml.response_terms import RESIDUAL_TERMS
from bayesml.terms.base import AbstractTerm, Functions, rows_of
from bayesml.terms.context import ModelContext, ResponseContext
from bayesml.terms.effect_block import AbstractEffects, EffectBlock, SlopeColumns
from bayesml.terms.functions import checked_functions
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.kind import TermKind
from bayesml.terms.population_level import AbstractPopulationTerm
from bayesml.terms.row_groups import RowGroups
from bayesml.terms.sampled import LatentValues, SampledBlock, SampledSlopes

__all__ = [
    "TERMS",
    "AbstractEffects",
    "AbstractGroupTerm",
    "AbstractPopulationTerm",
    "AbstractTerm",
    "EffectBlock",
    "Functions",
    "RowGroups",
    "ModelContext",
    "ResponseContext",
    "LatentValues",
    "SampledBlock",
    "SampledSlopes",
    "blocks_of",
    "SlopeColumns",
    "TermKind",
    "checked_functions",
    "combine",
    "group_terms",
    "integrated_blocks_of",
    "kinds_in",
    "known_addend",
    "matrix_arguments",
    "missing_values",
    "population_term",
    "population_terms",
    "rows_of",
    "special_calls",
    "tables_of",
]

TERMS: dict[str, TermKind] = {
    "population": TermKind(lazy_module("bayesml.terms.population"), part="population"),
    "special": TermKind(lazy_module("bayesml.terms.special"), calls=("mo", "me", "mi")),
    "category_specific": TermKind(lazy_module("bayesml.terms.category_specific"), calls=("cs", "cse")),
    "group_calls": TermKind(
        lazy_module("bayesml.terms.group_calls"), part="groups", calls=("mmc",), of_all_rows=True
    ),  # levels of a factor are those of all rows
    "smooth": TermKind(lazy_module("bayesml.terms.smooth"), calls=("s", "t2", "ti")),
    "car": TermKind(lazy_module("bayesml.terms.car"), calls=("car",), matrices={"car": "M"}),
    "process": TermKind(lazy_module("bayesml.terms.process"), calls=("gp",)),
    "nearest_process": TermKind(lazy_module("bayesml.terms.nearest_process"), calls=("gp",)),
    "latent_residuals": TermKind(
        lazy_module("bayesml.terms.latent_residuals"), calls=tuple(RESIDUAL_TERMS), matrices={"fcor": "M", "sar": "M"}
    ),
    "offset": TermKind(lazy_module("bayesml.terms.offset"), part="offsets"),
    "nonlinear": TermKind(lazy_module("bayesml.terms.nonlinear"), part="nonlinear"),
}
"""The kinds in the order of their terms, each with what it claims of a formula; its file is imported when it does."""


def kinds_in(predictor: Predictor) -> tuple[TermKind, ...]:
    """Return the kinds for which a parsed predictor has something."""
    return tuple(kind for kind in TERMS.values() if kind.is_in(predictor))


def special_calls() -> frozenset[str]:
    """Return the names of the calls that kinds claim, such as ``mo``."""
    return frozenset(call for kind in TERMS.values() for call in kind.calls)


def matrix_arguments() -> dict[str, str]:
    """Return of each claimed call that takes a matrix of ``data2`` the name of that argument."""
    return {call: argument for kind in TERMS.values() for call, argument in kind.matrices.items()}


def missing_values(
    predictor: PredictorKey, response: ResponseContext, frame: Frame, follows_mean: bool
) -> AbstractTerm:
    """Return the term that holds the unobserved values of a response, a part of its main predictor."""
    from bayesml.terms.missing import MissingValues

    return MissingValues.of(predictor, response, frame, follows_mean)


def group_terms(terms: Iterable[AbstractTerm]) -> tuple[AbstractGroupTerm, ...]:
    """Return the group-level terms."""
    return tuple(term for term in terms if isinstance(term, AbstractGroupTerm))


def population_terms(terms: Iterable[AbstractTerm]) -> tuple[AbstractPopulationTerm, ...]:
    """Return the population-level coefficients of a predictor: one term, or none."""
    return tuple(term for term in terms if isinstance(term, AbstractPopulationTerm))


def population_term(terms: Iterable[AbstractTerm]) -> AbstractPopulationTerm | None:
    """Return the population-level coefficients of a predictor, None where it has none."""
    return next(iter(population_terms(terms)), None)


def blocks_of(terms: Iterable[AbstractTerm]) -> tuple[tuple[AbstractTerm, EffectBlock], ...]:
    """Return the blocks of the terms of a predictor, each with its term; those over the levels of factors first."""
    every = ((term, block) for term in terms for block in term.effect_blocks())
    return tuple(sorted(every, key=lambda pair: not pair[1].has_levels))


def integrated_blocks_of(terms: Iterable[AbstractTerm]) -> tuple[tuple[AbstractTerm, EffectBlock], ...]:
    """Return what `blocks_of` returns, with the blocks that only a sampler integrates out."""
    every = ((term, block) for term in terms for block in term.integrated_blocks())
    return tuple(sorted(every, key=lambda pair: not pair[1].has_levels))


def combine(
    predictors: Iterable[tuple[PredictorKey, tuple[AbstractTerm, ...]]],
    sums: Mapping[PredictorKey, Any],
    arrays: Mapping[PredictorKey, Mapping[str, Any]],
) -> dict[PredictorKey, Any]:
    """Return all predictors: nonlinear ones are computed from those that they are functions of.

    Args:
        predictors: key and terms of each predictor.
        sums: the predictors that are sums of terms.
        arrays: arrays of every term.
    """
    functions = {key: t for key, terms in predictors for t in terms if t.is_function}
    known = {key: value for key, value in sums.items() if key not in functions}
    while len(known) < len(sums):
        for key, term in functions.items():
            if key not in known and all(taken in known for taken in term.takes):
                known[key] = term.computed(known, arrays[key][term.key])
    return {key: known[key] for key in sums}


def tables_of(
    predictors: Iterable[tuple[PredictorKey, tuple[AbstractTerm, ...]]],
    arrays: Mapping[PredictorKey, Mapping[str, Mapping[str, np.ndarray]]],
) -> dict[PredictorKey, dict[str, dict[str, np.ndarray]]]:
    """Return those arrays of every term that are not indexed by row.

    Args:
        predictors: key and terms of each predictor.
        arrays: arrays of every term.
    """
    return {
        key: {term.key: {name: arrays[key][term.key][name] for name in term.tables} for term in terms}
        for key, terms in predictors
    }


def known_addend(terms: Iterable[AbstractTerm], arrays: Mapping[str, Mapping[str, np.ndarray]]) -> np.ndarray | None:
    """Return what the terms of a predictor add to it without any parameter, ``(rows,)``; None where that is nothing.

    Args:
        terms: the terms of one predictor.
        arrays: their arrays by key.
    """
    known = [addend for term in terms if (addend := term.known_addend(arrays[term.key])) is not None]
    return np.sum(known, axis=0) if known else None
