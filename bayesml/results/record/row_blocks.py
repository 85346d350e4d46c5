"""Some of the rows of a fit with the draws that they need, so that large data are handled part by part."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np

from bayesml.design import PredictorDesign
from bayesml.results.predict.re_formula import Selection
from bayesml.results.predict.rows import Rows
from bayesml.terms import rows_of

__all__ = ["RowBlock", "narrowed", "row_blocks", "workers"]

Arrays = Mapping[str, np.ndarray]
Each: TypeAlias = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]
"""Calls a function with each of some values and returns what it returns."""


@final
@dataclass(frozen=True)
class RowBlock:
    """Rows that follow each other, with the place that they have among all rows."""

    where: slice
    rows: Rows


def row_blocks(rows: Rows, size: int) -> list[RowBlock]:
    """Return the rows in blocks of ``size`` rows, for which all draws stay as they are.

    ``rows`` may have unseen levels; no row depends on another.
    """
    if rows.count <= size:
        return [RowBlock(slice(0, rows.count), rows)]
    places = [slice(start, min(start + size, rows.count)) for start in range(0, rows.count, size)]
    return [RowBlock(where, _at(rows, where)) for where in places]


def _at(rows: Rows, where: slice) -> Rows:
    arrays = {
        p.key: {term.key: rows_of(term, rows.arrays[p.key][term.key], where) for term in p.terms}
        for p in rows.selection.predictors
    }
    data = {name: array[where] for name, array in rows.data.items()}
    weights = None if rows.weights is None else rows.weights[where]
    return Rows(rows.selection, arrays, data, weights, rows.labels[where], rows.unseen)


@contextmanager
def workers(tasks: int) -> Iterator[Each]:
    """Yield what calls a function with each of some values, on all cores: NumPy computes without Python's lock.

    Args:
        tasks: how many values there are at a time; a single one needs no thread.
    """
    cores = min(os.cpu_count() or 1, tasks)
    if cores <= 1:
        yield lambda function, values: [function(value) for value in values]
        return
    with ThreadPoolExecutor(cores) as pool:
        yield lambda function, values: list(pool.map(function, values))


def narrowed(rows: Rows, values: Arrays, part: np.ndarray) -> tuple[Rows, dict[str, np.ndarray]]:
    """Return some rows, and draws in which grouping factors have the levels of these rows alone.

    Args:
        rows: rows of the fit; no level is unseen.
        values: draws of the reported variables, ``(chains, draws, *shape)``.
        part: positions of the rows requested.
    """
    kept = dict(values)
    predictors, arrays = [], {}
    for predictor in rows.selection.predictors:
        terms, own = [], {}
        for term in predictor.terms:
            some = rows_of(term, rows.arrays[predictor.key][term.key], part)
            narrow, own[term.key], smaller = term.narrowed(some, kept)
            kept |= smaller
            terms.append(narrow)
        predictors.append(PredictorDesign(predictor.key, tuple(terms)))
        arrays[predictor.key] = own
    data = {name: array[part] for name, array in rows.data.items()}
    weights = None if rows.weights is None else rows.weights[part]
    selection = Selection(tuple(predictors), rows.selection.dropped)
    return Rows(selection, arrays, data, weights, rows.labels[part], rows.unseen), kept
