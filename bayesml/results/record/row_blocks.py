"""Some of the rows of a fit with the draws that they need, so that large data are handled part by part."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesml.design import PredictorDesign
from bayesml.results.predict.re_formula import Selection
from bayesml.results.predict.rows import Rows
from bayesml.terms import rows_of

__all__ = ["narrowed"]

Arrays = Mapping[str, np.ndarray]


def narrowed(rows: Rows, values: Arrays, part: np.ndarray) -> tuple[Rows, dict[str, np.ndarray]]:
    """Return some rows, and draws in which grouping factors have the levels of these rows alone.

    Args:
        rows: rows of the fit; no level is unseen.
        values: draws of the reported variables, ``(chains, draws, *shape)``.
        part: positions of the rows wanted.
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
