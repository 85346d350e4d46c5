"""Rows to predict from a point estimate: those of the fit or new ones, with the group-level effects requested."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, final, get_args

import numpy as np

from bayesml.design import Arrays
from bayesml.engines.point.arrays import slope_matrix
from bayesml.engines.point.estimability import estimable
from bayesml.engines.point.estimate import AbstractEstimate
from bayesml.engines.point.joint import NewRows
from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.errors import DataError, ModelError, warn_user
from bayesml.frame import column_names
from bayesml.keys import MU
from bayesml.linalg import AbstractBlock
from bayesml.response_terms import needed_terms
from bayesml.results.predict.re_formula import Selection, select_groups
from bayesml.results.predict.rows import Rows, encoded_rows, own_rows
from bayesml.terms import blocks_of, known_addend

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["PointRows", "UnseenPolicy", "point_rows"]

UnseenPolicy = Literal["error", "zero"]
LISTED = 5


@final
@dataclass(frozen=True)
class PointRows:
    """Rows to predict.

    Attributes:
        eta: ``(rows,)`` linear predictor at the estimates, without effects for levels that the fit has not seen.
        rows: the same rows for standard errors.
        data: ``trials`` and ``se`` as the family takes them.
        weights: likelihood weights, or None.
        labels: a label for each row: the index of pandas data, else its position in the data given.
        estimable: ``(rows,)`` whether the data of the fit determine the population-level part.
        arrays: arrays of the terms.

    Where a row has several linear predictors, ``eta`` and ``rows`` hold those of the first one in all rows, then those
    of the second, and so on.
    """

    eta: np.ndarray
    rows: NewRows
    data: dict[str, np.ndarray]
    weights: np.ndarray | None
    labels: pd.Index
    estimable: np.ndarray
    arrays: Arrays

    def shown(self, values: np.ndarray) -> np.ndarray:
        """Return values of the rows, NaN where they cannot be estimated."""
        if self.estimable.all():
            return values
        known = self.estimable.reshape(-1, *[1] * (values.ndim - 1))
        return np.where(known, values, np.nan)


def point_rows(
    fit: AbstractPointFit,
    newdata: Any,
    re_formula: Any,
    new_levels: str,
    *,
    additions: bool = True,
    trials: bool = True,
    centred: bool = True,
    terms: tuple[str, ...] | None = None,
) -> PointRows:
    """Encode the rows to predict and compute their linear predictor.

    Args:
        fit: the fit.
        newdata: any supported data frame; None for the rows of the fit.
        re_formula: which group-level effects.
        new_levels: whether a level that the fit has not seen is refused or has effects of 0.
        additions: whether the response terms of the formula (``trials``, ``se``, ``weights``) are needed; without them
            ``data`` is empty.
        trials: whether the number of trials is needed; without it each row has one trial, whatever the data say.
        terms: names of the response terms that are needed; None for all that predictions need.
        centred: whether a linear predictor below thresholds is that of centred predictors, as the densities take it.

    Raises:
        DataError: the new data lack something, or have an unseen level that is refused.
        FormulaError: ``re_formula`` names what the model does not have.
        ModelError: ``new_levels`` is unknown.
    """
    if new_levels not in get_args(UnseenPolicy):
        raise ModelError(
            f'`new_levels` is "error" or "zero" (the population value) for a point estimate; got {new_levels!r}. Draws '
            "for new levels come from fit.to_normal_draws()."
        )
    selection = select_groups(fit, re_formula)
    if newdata is None:
        found = _assembled(fit, own_rows(fit, selection), centred)
    else:
        _refuse_absent_groups(selection, newdata, new_levels)
        wanted = tuple(n for n in _needed_additions(fit, newdata) if additions and (trials or n != "trials"))
        wanted = wanted if terms is None else terms
        rows = encoded_rows(fit, newdata, selection, wanted, "gaussian", True)  # unseen levels are numbered alone
        if new_levels == "error" and rows.unseen.labels:
            raise _refusal(*next(iter(rows.unseen.labels.items())))
        found = _assembled(fit, rows, centred)
        found = replace(found, estimable=_estimable(fit.estimate, found))
    return found if trials else _with_one_trial(found)


def _with_one_trial(rows: PointRows) -> PointRows:
    return replace(rows, data={**rows.data, "trials": np.ones(len(rows.labels))})


def _needed_additions(fit: AbstractPointFit, newdata: Any) -> tuple[str, ...]:
    """Return the response terms to evaluate; weights are 1 where their column is not there."""
    available = column_names(newdata)
    needed = needed_terms(fit.parsed.response.additions)
    return tuple(
        a.name
        for a in fit.parsed.response.additions
        if a.name in needed or (a.name == "weights" and all(e.text.strip("`") in available for e in a.arguments))
    )


def _refuse_absent_groups(selection: Selection, newdata: Any, new_levels: str) -> None:
    available = column_names(newdata)
    absent = [name for group in selection.groups() for name in group.factors if name not in available]
    if new_levels == "error" and absent:
        listed = ", ".join(f"`{name}`" for name in dict.fromkeys(absent))
        raise DataError(
            f'The new data lack the grouping column {listed}. Leave group-level effects out with re_formula="NA", or '
            'take every row as an unseen level with new_levels="zero".'
        )


def _refusal(group: str, labels: tuple[str, ...]) -> DataError:
    shown = ", ".join(f"`{label}`" for label in labels[:LISTED])
    more = f" and {len(labels) - LISTED} more" if len(labels) > LISTED else ""
    return DataError(
        f"The grouping factor `{group}` has levels in the new data that the fit has not seen: {shown}{more}. Predict "
        'them with new_levels="zero" (the population value), or leave group-level effects out with re_formula="NA".'
    )


def _assembled(fit: AbstractPointFit, rows: Rows, centred: bool) -> PointRows:
    estimate = fit.estimate
    if isinstance(estimate, SeveralEstimate):
        return _several(estimate, rows, centred)
    own, selection, labels = rows.arrays[MU], rows.selection, rows.labels
    X = slope_matrix(selection.predictors[0].terms, own, len(labels))
    offset = known_addend(selection.predictors[0].terms, own)
    eta = X @ estimate.full_beta + (0.0 if offset is None else offset)
    chosen = {group.key for group in selection.groups()}
    blocks: list[AbstractBlock | None] = []
    every = blocks_of(fit.problem.design.schema.predictors[0].terms)
    for (term, block), effects in zip(every, estimate.effects, strict=True):
        if block.has_levels and term.key not in chosen:
            blocks.append(None)
            continue
        found = block.design(own[term.key])
        blocks.append(found)
        eta += found.contribution(with_zeros(found, effects))
    known = np.ones(len(labels), dtype=bool)
    return PointRows(eta, NewRows(X, tuple(blocks)), dict(rows.data), rows.weights, labels, known, rows.arrays)


def _several(estimate: SeveralEstimate, rows: Rows, centred: bool) -> PointRows:
    """Return the rows with all their linear predictors."""
    slots, count = estimate.model.response.slots, len(rows.labels)
    X = slots.X(rows.arrays, count, centred=centred)
    eta = X @ estimate.column_coefficients(estimate.fit.beta)
    offset = slots.offset(rows.arrays, count)
    eta = eta if offset is None else eta + offset
    chosen = {(group.predictor, group.key) for group in rows.selection.groups()}
    left_out = {(term.predictor, term.key) for block in slots.blocks() for term, _ in block.entries} - chosen
    arrays = {p: {k: v for k, v in own.items() if (p, k) not in left_out} for p, own in rows.arrays.items()}
    blocks: list[AbstractBlock | None] = []
    for own, effects in zip(slots.blocks(), estimate.effects, strict=True):
        blocks.append(found := own.stacked(arrays, slots.count))
        eta = eta if found is None else eta + found.contribution(with_zeros(found, effects))
    known = np.ones(count, dtype=bool)
    return PointRows(eta, NewRows(X, tuple(blocks)), dict(rows.data), rows.weights, rows.labels, known, rows.arrays)


def with_zeros(rows: AbstractBlock, effects: np.ndarray) -> np.ndarray:
    """Return the effects ``(vectors, q)`` with zeros for the levels without data."""
    beyond = int(rows.codes.max(initial=-1)) + 1 - len(effects)
    return effects if beyond <= 0 else np.concatenate([effects, np.zeros((beyond, effects.shape[1]))])


def _estimable(estimate: AbstractEstimate, rows: PointRows) -> np.ndarray:
    """Return which rows can be estimated; warn about the others."""
    weights = np.zeros((len(rows.rows.X), len(estimate.labels)))
    weights[:, estimate.column_places] = rows.rows.X
    known = np.asarray(estimable(estimate, weights).reshape(-1, len(rows.labels)).all(axis=0))
    if not known.all():
        dropped = ", ".join(f"`{name}`" for name in estimate.dropped)
        first = rows.labels[int(np.argmin(known))]
        warn_user(
            f"{(~known).sum()} of {len(known)} rows cannot be predicted and are NaN, the first labelled {first}. The "
            f"model was fitted without {dropped}, which depends on other columns or is zero in all rows of the "
            "fit; these rows differ in that."
        )
    return known
