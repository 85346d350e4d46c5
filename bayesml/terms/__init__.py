"""The term kinds. Adding one is one file and one line here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bayesml.keys import PredictorKey
from bayesml.terms import (
    car,
    category_specific,
    group_calls,
    latent_residuals,
    members,
    nearest_process,
    nonlinear,
    offset,
    population,
    process,
    smooth,
    special,
)
from bayesml.terms.base import AbstractTerm, Collect, Functions, ModelContext, ResponseContext, rows_of
from bayesml.terms.curves import AbstractCurveTerm
from bayesml.terms.effect_block import AbstractEffects, EffectBlock, SlopeColumns
from bayesml.terms.functions import checked_functions
from bayesml.terms.group_level import AbstractGroupTerm
from bayesml.terms.missing import MissingValues
from bayesml.terms.nonlinear import NonlinearPredictor
from bayesml.terms.population_level import AbstractPopulationTerm
from bayesml.terms.row_groups import RowGroups
from bayesml.terms.sampled import SampledBlock, SampledSlopes
from bayesml.terms.shared_effects import Share, SharedEffects

__all__ = [
    "CLAIMS",
    "MATRICES",
    "TERMS",
    "AbstractEffects",
    "AbstractCurveTerm",
    "AbstractGroupTerm",
    "AbstractPopulationTerm",
    "AbstractTerm",
    "Collect",
    "EffectBlock",
    "Functions",
    "OF_ALL_ROWS",
    "RowGroups",
    "MissingValues",
    "ModelContext",
    "NonlinearPredictor",
    "ResponseContext",
    "SampledBlock",
    "SampledSlopes",
    "Share",
    "SharedEffects",
    "blocks_of",
    "SlopeColumns",
    "checked_functions",
    "combine",
    "group_terms",
    "integrated_blocks_of",
    "known_addend",
    "population_term",
    "population_terms",
    "rows_of",
    "tables_of",
]

TERMS: tuple[Collect, ...] = (
    population.collect,
    special.collect,
    category_specific.collect,
    group_calls.collect,
    smooth.collect,
    car.collect,
    process.collect,
    nearest_process.collect,
    latent_residuals.collect,
    offset.collect,
    nonlinear.collect,
)
"""Each takes a parsed predictor and the data and returns the encoded terms it claims."""

OF_ALL_ROWS: frozenset[Collect] = frozenset({group_calls.collect})
"""Those that look at all rows of the data, also where a response has some of them alone: levels are those of all."""

CLAIMS: dict[str, str] = {
    **special.CLAIMS,
    **category_specific.CLAIMS,
    **smooth.CLAIMS,
    **process.CLAIMS,
    **latent_residuals.CLAIMS,
    **members.CLAIMS,
    **car.CLAIMS,
}
"""The special calls that kinds claim, ``{"mo": "monotonic effect"}``; the grammar reads them as terms of their own."""

MATRICES: dict[str, str] = {**latent_residuals.MATRICES, **car.MATRICES}
"""Of each claimed call that takes a matrix of ``data2`` the name of that argument, which is the first of the call."""


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
    functions = {key: t for key, terms in predictors for t in terms if isinstance(t, NonlinearPredictor)}
    known = {key: value for key, value in sums.items() if key not in functions}
    while len(known) < len(sums):
        for key, term in functions.items():
            if key not in known and all(taken in known for taken in term.takes):
                known[key] = term.combined(known, arrays[key][term.key])
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
