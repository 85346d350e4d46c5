"""Identical rows are one row with a weight: the likelihood of the forms that read rows at every gradient.

Two rows with the same predictors, levels and response have the same log-likelihood at every parameter, so that n of
them are one with weight n. Survey data with categories only, and binary responses over few covariates, shrink by
orders of magnitude. What is reported for each row of the data is computed from all rows, elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bayesml.engines.base import Problem
from bayesml.terms import rows_of

__all__ = ["with_rows", "with_unique_rows"]

LEAST_SAVED = 0.5


def with_unique_rows(problem: Problem) -> Problem:
    """Return the problem on its distinct rows with weights, or the problem itself where that saves less than half.

    Only for responses that take few values (``Traits.rows_repeat``).
    """
    if not problem.likelihood.traits.rows_repeat or not problem.rows_commute:
        return problem
    design = problem.design
    columns = _columns(problem)
    if any(len(np.unique(column)) > (1 - LEAST_SAVED) * design.n_rows for column in columns):
        return problem
    _, first, counts = np.unique(np.stack(columns, axis=1), axis=0, return_index=True, return_counts=True)
    if len(first) > (1 - LEAST_SAVED) * design.n_rows:
        return problem
    given_weights = np.ones(design.n_rows) if design.weights is None else np.asarray(design.weights, float)
    return with_rows(problem, first, counts * given_weights[first])


def with_rows(problem: Problem, rows: np.ndarray, weights: np.ndarray | None) -> Problem:
    """Return the problem on some of its rows, in the order given, with other weights, one for each of them."""
    design = problem.design
    response = {name: v[rows] for name, v in design.response.arrays.items()}
    arrays = {
        predictor.key: {t.key: rows_of(t, design.arrays[predictor.key][t.key], rows) for t in predictor.terms}
        for predictor in design.schema.predictors
    }
    return replace(problem, design=replace(design, arrays=arrays).with_response(response, weights))


def _columns(problem: Problem) -> list[np.ndarray]:
    """Return everything that a row's log-likelihood depends on, as columns of numbers."""
    design = problem.design
    tables = [
        array
        for predictor in design.schema.predictors
        for term in predictor.terms
        for name, array in design.arrays[predictor.key][term.key].items()
        if name not in term.tables
    ]
    tables += list(design.response.arrays.values())
    tables += [] if design.weights is None else [design.weights]
    return [np.asarray(column, float) for table in tables for column in np.reshape(table, (design.n_rows, -1)).T]
