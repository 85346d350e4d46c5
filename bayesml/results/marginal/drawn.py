"""Draws of numbers of sets of rows, some rows and some draws at a time, so that memory does not grow with either."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.keys import PredictorKey
from bayesml.results.marginal.numbers import DrawnNumbers
from bayesml.results.marginal.question import Averages, Question
from bayesml.results.marginal.spread import Spread, spread_of
from bayesml.results.predict.drawn import category_labels, row_values, rows_to_evaluate
from bayesml.results.predict.prepare import (
    Batch,
    DrawChoice,
    Request,
    batches,
    choose_draws,
    generators,
    values_at,
)
from bayesml.results.predict.quantity import What
from bayesml.results.predict.rows import Rows
from bayesml.results.record.one_response import full_key
from bayesml.results.record.row_blocks import narrowed
from bayesml.terms import RowGroups, combine

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["drawn_sets"]

ROWS_AT_ONCE = 500
DRAWS_AT_ONCE = 500
NUMBERS_AT_ONCE = 64_000
"""Numbers of one batch, .5 MB, which stay in the cache of a core."""


@final
@dataclass(frozen=True)
class _Set:
    """Rows of one set.

    Attributes:
        rows: the rows, encoded.
        request: which draws are used.
        spread: of group-level effects that are averaged over; None where they are not.
    """

    rows: Rows
    request: Request
    spread: Spread | None


def drawn_sets(
    fit: AbstractSampledFit, sets: Sequence[pd.DataFrame], question: Question, averages: Averages | None
) -> list[DrawnNumbers]:
    """Return draws of the numbers of each set; see ``evaluate_sets``."""
    encoded = [_encoded(fit, rows, question) for rows in sets]
    choice = choose_draws(fit, encoded[0].request)
    parts = _parts(encoded[0].rows)
    per_row = max(len(category_labels(fit, question.what)), 1)
    short = None if averages is None else _averages_of_columns(fit, encoded, question.what, choice, averages)
    if short is not None:
        return [DrawnNumbers(each) for each in short]
    count = encoded[0].rows.count if averages is None else averages.count
    out = np.zeros((len(sets), choice.count, count, per_row))
    with ThreadPoolExecutor(min(os.cpu_count() or 1, len(parts))) as pool:
        work = pool.map(lambda part: _part(fit, encoded, question.what, choice, averages, part, per_row), parts)
        for part, found in zip(parts, work, strict=True):
            if averages is None:
                out[:, :, part] = found
            else:
                out += found
    return [DrawnNumbers(each.reshape(choice.count, -1)) for each in out]


def _averages_of_columns(
    fit: AbstractSampledFit, sets: Sequence[_Set], what: What, choice: DrawChoice, averages: Averages
) -> np.ndarray | None:
    """Return averages ``(sets, draws, groups)`` of what is linear in the columns, from the averages of the columns.

    With weights w, sum_i w_i (x_i' b + z_i' r[g_i]) = (sum_i w_i x_i)' b + sum_g (sum_{i in g} w_i z_i)' r_g: so many
    products for each draw as there are coefficients, rather than rows. None where the number is no linear predictor, or
    a term of it is not linear.
    """
    unknown = any(own.spread is not None or own.rows.unseen.labels for own in sets)
    if unknown or fit.draws_record.reduced or not _is_linear(fit, what):
        return None
    key, groups = full_key(fit, what.dpar or "mu"), RowGroups(averages.count, averages.members, averages.weights)
    out = np.zeros((len(sets), choice.count, averages.count))
    positions = choice.positions()
    for k, own in enumerate(sets):
        terms = next((p.terms for p in own.rows.selection.predictors if p.key == key), ())
        for start in range(0, choice.count, DRAWS_AT_ONCE):
            where = slice(start, min(start + DRAWS_AT_ONCE, choice.count))
            values = values_at(fit.draws_record.values, positions[where])
            for term in terms:
                found = term.averaged(values, own.rows.arrays[key][term.key], groups)
                if found is None:
                    return None
                out[k, where] += found
    return out


def _is_linear(fit: AbstractSampledFit, what: What) -> bool:
    """Whether a number of a row is its linear predictor: requested as such, or the mean of a family without a link."""
    if what.kind == "linpred":
        return not what.transform
    likelihood = fit.likelihood
    is_location = bool(likelihood.traits.residuals) and not likelihood.traits.response_on_log_scale
    plain = likelihood.family is likelihood and likelihood.link("mu").name == "identity" if is_location else False
    return plain and what.kind == "epred" and what.dpar in (None, "mu")


def _encoded(fit: AbstractSampledFit, rows: pd.DataFrame, question: Question) -> _Set:
    request = question.request(rows)
    spread = spread_of(fit, rows) if question.groups == "integrate" else None
    return _Set(rows_to_evaluate(fit, request, question.what), request, spread)


def _parts(rows: Rows) -> list[np.ndarray]:
    """Return the rows in parts, those of a group next to each other; all at once where levels are unseen."""
    if rows.unseen.labels or rows.count <= ROWS_AT_ONCE:
        return [np.arange(rows.count)]
    groups = rows.selection.groups()
    order = np.arange(rows.count)
    if groups:
        index = np.asarray(rows.arrays[groups[0].place][groups[0].key]["index"])
        order = np.argsort(index if index.ndim == 1 else index[:, 0], kind="stable")
    return np.array_split(order, -(-rows.count // ROWS_AT_ONCE))


def _part(
    fit: AbstractSampledFit,
    sets: Sequence[_Set],
    what: What,
    choice: DrawChoice,
    averages: Averages | None,
    part: np.ndarray,
    per_row: int,
) -> np.ndarray:
    """Return the numbers of some rows, ``(sets, draws, rows, categories)``, or their part of the averages."""
    count = len(part) if averages is None else averages.count
    out = np.empty((len(sets), choice.count, count, per_row))
    W = None if averages is None else averages.matrix(part)
    for k, own in enumerate(sets):
        for where, values in _values(fit, own, what, choice, part):
            shaped = values.reshape(*values.shape[:2], per_row)
            if shaped.shape[1] != len(part):  # one number for all rows, such as sigma without a formula
                shaped = np.broadcast_to(shaped, (len(shaped), len(part), per_row))
            if W is None:
                out[k, where] = shaped
            elif per_row == 1:
                out[k, where, :, 0] = shaped[..., 0] @ W.T
            else:
                out[k, where] = np.einsum("gr,drc->dgc", W, shaped)
    return out


def _values(
    fit: AbstractSampledFit, own: _Set, what: What, choice: DrawChoice, part: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield positions of draws and their numbers of some rows."""
    whole = len(part) == own.rows.count
    rows, kept = (own.rows, None) if whole else narrowed(own.rows, fit.draws_record.values, part)
    spread = own.spread if own.spread is None or whole else own.spread.taken(part)
    rng = generators(own.request.seed)[2]
    for batch in batches(fit, rows, choice, own.request, kept, NUMBERS_AT_ONCE):
        with np.errstate(all="ignore"):
            if spread is None:
                yield batch.where, row_values(fit, batch, rows, what, rng)
            else:
                yield batch.where, _integrated(fit, batch, rows, what, rng, spread)


def _integrated(
    fit: AbstractSampledFit, batch: Batch, rows: Rows, what: What, rng: np.random.Generator, spread: Spread
) -> np.ndarray:
    """Return averages over the effects of new groups."""
    total: np.ndarray | float = 0.0
    for weight, shifts in spread.shifts(batch.values):
        total = total + weight * row_values(fit, _shifted(batch, shifts, rows), rows, what, rng)
    return np.asarray(total)


def _shifted(batch: Batch, shifts: Mapping[PredictorKey, np.ndarray], rows: Rows) -> Batch:
    """Return the batch with shifted predictors; nonlinear ones are computed from them anew."""
    own = {(key if key in batch.predictors else replace(key, resp="")): shift for key, shift in shifts.items()}
    moved = {key: eta + own[key] if key in own else eta for key, eta in batch.predictors.items()}
    if not any(key.nlpar for key in own):
        return replace(batch, predictors=moved)
    named = {p.key if p.key in moved else replace(p.key, resp=""): p for p in rows.selection.predictors}
    arrays = {key: rows.arrays[p.key] for key, p in named.items()}
    return replace(batch, predictors=combine(((key, p.terms) for key, p in named.items()), moved, arrays))
