"""What is computed of the data before a form is sampled: the rows of each level, the distinct counts.

The likelihood is a sum over rows, so rows may stand in any order: sorted by level, the rows of one factor lie side by
side, and where the design is balanced, levels and rows form a grid (``terms.gather``). Terms of the density without any
parameter, such as log(y!), need nothing of the kind: XLA takes them out of the sampler's loops.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.unique_rows import with_rows
from bayesml.keys import PredictorKey
from bayesml.terms import AbstractTerm

__all__ = ["with_distinct_counts", "with_level_tables"]

LEAST_REPEATED = 2
"""Fewest rows for each entry of the table of distinct counts, for which it is used."""


def with_level_tables(problem: Problem) -> Problem:
    """Return the problem with its rows sorted by level, and the rows of each level among the arrays of group terms.

    The factor with the most levels orders the rows, the others those within its levels. Places of a Gaussian process
    count as levels.
    """
    groups = [(p.key, term) for p in problem.design.schema.predictors for term in p.terms if term.gathered]
    if not groups:
        return problem
    ordered = _ordered(problem, groups) if problem.rows_commute else problem
    arrays: dict[PredictorKey, dict[str, Any]] = {
        predictor: dict(by_term) for predictor, by_term in ordered.design.arrays.items()
    }
    for predictor, group in groups:
        arrays[predictor][group.key] = group.with_tables(arrays[predictor][group.key])
    return replace(ordered, design=replace(ordered.design, arrays=arrays))


def _ordered(problem: Problem, groups: Sequence[tuple[PredictorKey, AbstractTerm]]) -> Problem:
    """Return the problem with its rows sorted by level."""
    by_levels = sorted((pair for pair in groups if pair[1].orders_rows), key=lambda pair: pair[1].gathered)
    indices = [problem.design.arrays[predictor][g.key]["index"] for predictor, g in by_levels]
    order = np.lexsort(indices) if indices else np.arange(problem.design.n_rows)
    weights = problem.design.weights
    return with_rows(problem, order, None if weights is None else weights[order])


def with_distinct_counts(problem: Problem) -> Problem:
    """Return a problem with the ``distinct`` counts, and each row's ``place`` in them, in its response arrays.

    One whose density has no use for them (``Traits.count_table``), and one whose counts hardly repeat, stays as it is.
    """
    design = problem.design
    parameter = problem.likelihood.traits.count_table
    if not parameter or design.schema.predictor(PredictorKey(dpar=parameter)) is not None:
        return problem
    distinct, place = np.unique(design.response.arrays["y"], return_inverse=True)
    # A power of two, so that other responses of the same design mostly find the program compiled.
    length = 1 << (len(distinct) - 1).bit_length()
    if length * LEAST_REPEATED > len(place):
        return problem
    filled = np.pad(distinct, (0, length - len(distinct)), mode="edge")
    arrays = {**design.response.arrays, "distinct": filled, "place": place.reshape(-1).astype(np.int32)}
    return replace(problem, design=design.with_response(arrays, design.weights))
