"""Numbers of rows from a fit with draws, in batches of draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from bayesml.engines.weighting import sigma_of_rows, weights_are_precisions
from bayesml.frame import column_names
from bayesml.frozen import FrozenMapping
from bayesml.keys import PredictorKey
from bayesml.response_terms import needed_terms
from bayesml.results.predict.prepare import (
    Batch,
    DrawChoice,
    DrawnValues,
    Request,
    choose_draws,
    draws_of_values,
    generators,
    natural_parameters,
    prepare_rows,
    random_responses,
    with_predictors,
)
from bayesml.results.predict.quantity import DrawnQuantity, What
from bayesml.results.predict.rows import Rows
from bayesml.results.record.fit import AbstractSampledFit
from bayesml.results.record.one_response import full_key
from bayesml.results.record.row_blocks import RowBlock, row_blocks, workers

__all__ = [
    "evaluate_draws",
    "category_labels",
    "drawn_quantity",
    "evaluate_rows",
    "has_precisions",
    "natural_of_rows",
    "needed_predictors",
    "row_values",
    "rows_to_evaluate",
]

ROWS_AT_ONCE = 1_000
NUMBERS_AT_ONCE = 64_000
"""Numbers of one block of draws and rows, .5 MB: some temporary arrays of that size stay in the cache of a core."""
NO_SHIFTS: Mapping[PredictorKey, np.ndarray] = FrozenMapping({})


def evaluate_draws(fit: AbstractSampledFit, request: Request, what: What) -> DrawnQuantity:
    """Return draws of a number of each row; see ``evaluate``."""
    return evaluate_rows(fit, rows_to_evaluate(fit, request, what), request, what)


def evaluate_rows(
    fit: AbstractSampledFit,
    rows: Rows,
    request: Request,
    what: What,
    shifts: Mapping[PredictorKey, np.ndarray] = NO_SHIFTS,
) -> DrawnQuantity:
    """Return draws of a number of each row.

    Args:
        fit: the fit.
        rows: the rows, encoded.
        request: which draws are used, and how unseen levels are treated.
        what: what is evaluated.
        shifts: ``(rows,)`` numbers to add to linear predictors.
    """
    choice, rng = choose_draws(fit, request), generators(request.seed)[2]
    categories = category_labels(fit, what)
    shape = (choice.count, rows.count)
    values = np.empty((*shape, len(categories)) if categories else shape)
    # Random responses are drawn in the order of the draws; rows of series depend on the rows before them.
    whole = what.kind == "predict" or fit.likelihood.traits.rows_depend
    blocks = row_blocks(rows, rows.count if whole else ROWS_AT_ONCE)

    with workers(len(blocks)) as each:
        for drawn in draws_of_values(fit, rows, choice, request, None, NUMBERS_AT_ONCE // max(blocks[0].rows.count, 1)):

            def fill(block: RowBlock, drawn: DrawnValues = drawn) -> None:
                batch = with_predictors(fit, block.rows, drawn)
                with np.errstate(all="ignore"):
                    moved = _shifted(batch, {key: shift[block.where] for key, shift in shifts.items()})
                    values[drawn.where, block.where] = row_values(fit, moved, block.rows, what, rng)

            each(fill, blocks)
    return drawn_quantity(fit, rows, values, choice, what)


def drawn_quantity(
    fit: AbstractSampledFit, rows: Rows, values: np.ndarray, choice: DrawChoice, what: What
) -> DrawnQuantity:
    """Return draws with the labels that belong to them."""
    categories, levels = category_labels(fit, what), _code_labels(fit, what)
    return DrawnQuantity(
        rows.labels, values, choice, what.name, categories, levels=levels, first=fit.likelihood.first_category
    )


def _shifted(batch: Batch, shifts: Mapping[PredictorKey, np.ndarray]) -> Batch:
    if not shifts:
        return batch
    own = {(key if key in batch.predictors else replace(key, resp="")): shift for key, shift in shifts.items()}
    moved = {key: batch.predictors[key] + shift for key, shift in own.items()}
    return replace(batch, predictors={**batch.predictors, **moved})


def category_labels(fit: AbstractSampledFit, what: What) -> tuple[str, ...]:
    """Return the labels of the numbers that a row has, where it has several."""
    if what.dpar is not None or what.kind == "linpred":
        return ()
    return fit.likelihood.event_labels if what.kind == "epred" else fit.likelihood.response_labels


def _code_labels(fit: AbstractSampledFit, what: What) -> tuple[str, ...]:
    """Return the labels of the categories where a random response is the code of one of them."""
    is_code = what.kind == "predict" and what.dpar is None and not fit.likelihood.response_labels
    return fit.likelihood.event_labels if is_code else ()


def rows_to_evaluate(fit: AbstractSampledFit, request: Request, what: What) -> Rows:
    """Return the rows with all that is needed to evaluate what is requested."""
    if what.kind == "linpred" or what.dpar is not None:
        return prepare_rows(fit, request, predictors=needed_predictors(fit, what), additions=())
    weights = has_precisions(fit, request.newdata)
    if not what.one_trial:
        return prepare_rows(fit, request, weights=weights)
    others = tuple(name for name in needed_terms(fit.parsed.response.additions) if name != "trials")
    rows = prepare_rows(fit, request, additions=others, weights=weights)
    return replace(rows, data={**rows.data, "trials": np.ones(rows.count)})


def needed_predictors(fit: AbstractSampledFit, what: What) -> tuple[PredictorKey, ...]:
    """Return the predictors of a linear predictor, or of a parameter."""
    shown = what.dpar or "mu"
    needed = (shown,) if what.kind == "linpred" else fit.likelihood.shown_parameters[shown]
    return tuple(full_key(fit, name) for name in needed)


def row_values(fit: AbstractSampledFit, batch: Batch, rows: Rows, what: What, rng: np.random.Generator) -> np.ndarray:
    """Return a number of each draw and row, ``(draws, rows)``, with an axis for those of categories."""
    if what.kind == "linpred":
        eta = batch.predictors[fit.likelihood.key_of(what.dpar or "mu")]
        return np.asarray(fit.likelihood.link(what.dpar or "mu").inverse(eta)) if what.transform else eta
    natural = natural_of_rows(fit, batch, rows)
    if what.dpar is not None:
        return fit.likelihood.shown_parameter(what.dpar, natural)
    if what.kind == "predict":
        return random_responses(fit.likelihood, rng, natural, rows)
    return np.asarray(fit.likelihood.mean(natural, rows.data))


def has_precisions(fit: AbstractSampledFit, newdata: Any) -> bool:
    """Whether the rows have weights that divide the residual variance: draws around an estimate by likelihood."""
    if not weights_are_precisions(fit.engine.method, fit.likelihood):
        return False
    given = [a for a in fit.parsed.response.additions if a.name == "weights"]
    available = () if newdata is None else column_names(newdata)
    return newdata is None or all(e.text.strip("`") in available for a in given for e in a.arguments)


def natural_of_rows(fit: AbstractSampledFit, batch: Batch, rows: Rows) -> dict[str, np.ndarray]:
    """Return every distributional parameter; with precision weights sigma is that of each row, sigma / sqrt(weight)."""
    natural = natural_parameters(fit.likelihood, batch)
    if rows.weights is not None and weights_are_precisions(fit.engine.method, fit.likelihood):
        natural["sigma"] = sigma_of_rows(natural["sigma"], rows.weights)
    return natural
