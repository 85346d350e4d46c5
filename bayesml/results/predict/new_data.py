"""New data for a prediction: only the columns it needs, grouping columns with gaps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.columns import bare_name, evaluate, variables_of
from bayesml.errors import DataError, did_you_mean
from bayesml.families import AbstractLikelihood, JointLikelihood, RawResponse
from bayesml.formula import Addition
from bayesml.frame import Column, Frame, RawData, column_names, finish_frame, read_columns, recode
from bayesml.frame.convert import RawColumn
from bayesml.frame.types import frozen_array
from bayesml.frame.values import Value, value_texts
from bayesml.response_columns import column_values
from bayesml.response_terms import sparse_columns, term_arrays, term_texts
from bayesml.results.predict.re_formula import Selection
from bayesml.results.record.one_response import each_response, has_several

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["read_new_data", "response_arrays"]


def read_new_data(
    fit: AbstractFit,
    newdata: Any,
    selection: Selection,
    additions: Sequence[str],
    response: bool,
    may_lack_groups: bool,
) -> Frame:
    """Read the columns of new data that a prediction needs.

    Args:
        fit: the fit.
        newdata: any supported container of columns.
        selection: the predictors with the group-level terms requested.
        additions: names of the response terms needed (``trials``, ``se``, ``weights``).
        response: whether the response itself is needed.
        may_lack_groups: whether an absent grouping column stands for an unseen level.

    Raises:
        DataError: a column is absent, has a missing value or a type that cannot be used.
    """
    available = column_names(newdata)
    ordinary = _ordinary_columns(fit, selection, additions, response)
    past = [name for name in _past_columns(fit, available, response) if name not in ordinary]
    grouping = [name for name in _grouping_columns(selection) if name not in ordinary]
    absent = [name for name in (*ordinary, *(() if may_lack_groups else grouping)) if name not in available]
    if absent:
        hints = _trials_hint(fit, absent, response) + _response_hint(fit)
        raise DataError(_absent_text(absent, grouping, available) + hints)
    # All columns are read at once, so that Series with labels of their own are brought into one order.
    raw = read_columns(newdata, [name for name in (*ordinary, *past, *grouping) if name in available], grouping)
    frame = _complete(raw, (*ordinary, *past), sparse_columns(fit.parsed, available) | set(past))
    frame = replace(frame, matrices=fit.frame.matrices)
    return frame.replace_columns(_grouping_column(name, raw.columns.get(name), frame.n_rows) for name in grouping)


def _grouping_columns(selection: Selection) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in selection.groups() for name in group.factors))


def _ordinary_columns(
    fit: AbstractFit, selection: Selection, additions: Sequence[str], response: bool
) -> tuple[str, ...]:
    """Return every column needed for another purpose than to tell which group a row belongs to."""
    needed: list[str] = []
    for predictor in selection.predictors:
        for term in predictor.terms:
            needed += term.covariates
    texts = []
    for each in fit.parsed.responses:
        texts += [each.response.expression.text] if response else []
        texts += [text for a in each.response.additions if a.name in additions for text in term_texts(a)]
    return tuple(dict.fromkeys([*needed, *(v for text in texts for v in variables_of(text))]))


def _past_columns(fit: AbstractFit, available: Collection[str], response: bool) -> tuple[str, ...]:
    """Return the columns of responses that later rows depend on, where the new data have them all."""
    if response:
        return ()
    found: list[str] = []
    for one in each_response(fit).values():
        if one.likelihood.traits.reads_past:
            names = variables_of(one.parsed.response.expression.text)
            found += names if all(name in available for name in names) else ()
    return tuple(dict.fromkeys(found))


def _absent_text(absent: Sequence[str], grouping: Sequence[str], available: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`{did_you_mean(name, available)}" for name in absent)
    text = f"The new data lack the column{'s' * (len(absent) > 1)} {listed}, which this prediction needs."
    if any(name in grouping for name in absent):
        text += (
            ' Leave group-level effects out with re_formula="NA", or treat every row as an unseen level with '
            'new_levels="uncertainty" or "gaussian".'
        )
    return text


def _trials_hint(fit: AbstractFit, absent: Sequence[str], response: bool) -> str:
    every = [a for each in fit.parsed.responses for a in each.response.additions]
    texts = [e.text for a in every if a.name == "trials" for e in a.arguments]
    if response or not any(name in variables_of(text) for text in texts for name in absent):
        return ""
    said = f" The number of trials is `{texts[0]}`"
    if any(each.likelihood.response_labels for each in fit.problem.design.responses):
        return f"{said}; with `trials(n)` in the formula new data need a column `n` instead."
    return f"{said}. A probability needs none: linpred(newdata, transform=True) gives it."


def _response_hint(fit: AbstractFit) -> str:
    several = has_several(fit)
    return " Of several responses one alone, `resp=`, needs the columns of its own formula." if several else ""


def _complete(raw: RawData, ordinary: Sequence[str], sparse: Collection[str]) -> Frame:
    missing = {name: raw.columns[name].missing for name in ordinary if name not in sparse}
    gaps = {name: rows for name, rows in missing.items() if rows.any()}
    if gaps:
        rows = int(np.logical_or.reduce(list(gaps.values())).sum())
        raise DataError(
            f"The new data have missing values in {', '.join(f'`{name}`' for name in gaps)} "
            f"({rows} of {raw.n_rows} rows). Fill them in, or leave these rows out."
        )
    return finish_frame(replace(raw, columns={name: raw.columns[name] for name in ordinary}), sparse=sparse)


def _grouping_column(name: str, raw: RawColumn | None, n_rows: int) -> Column:
    """Return a column of which only the levels matter; a missing value is a level of its own, None."""
    if raw is None:
        return _as_levels(name, np.zeros(n_rows, dtype=np.int64), (None,))
    present = raw.values[~raw.missing]
    if raw.levels is None and not raw.missing.any():
        return Column(name, frozen_array(raw.values), None, False, raw.is_boolean)
    used, codes = np.unique(present, return_inverse=True)
    values: Sequence[Value]
    if raw.levels is None:
        values = (used.astype(bool) if raw.is_boolean else used).tolist()
    else:
        values = [(raw.categories or raw.levels)[code] for code in used.tolist()]
    all_codes = np.full(n_rows, len(values), dtype=np.int64)
    all_codes[~raw.missing] = codes
    return _as_levels(name, all_codes, (*values, None) if raw.missing.any() else tuple(values))


def _as_levels(name: str, codes: np.ndarray, values: tuple[Value, ...]) -> Column:
    return Column(name, frozen_array(codes), value_texts(values), categories=values)


def response_arrays(fit: AbstractFit, frame: Frame, response: bool, additions: Sequence[str]) -> dict[str, np.ndarray]:
    """Return what the family needs beside its parameters: ``trials``, ``se``, ``weights``, and ``y`` on request.

    Those of several responses have the names that their joint likelihood gives them, weights among them.

    Raises:
        DataError: a value is impossible for the family.
    """
    if isinstance(fit.likelihood, JointLikelihood):
        every = [response_arrays(one, frame, response, additions) for one in each_response(fit).values()]
        if any("y" in arrays for arrays in every):  # responses that nothing depends on are not known
            parts = [part for _, part in fit.likelihood.parts]
            every = [{"y": _unknown(p, frame.n_rows)} | arrays for p, arrays in zip(parts, every, strict=True)]
        return fit.likelihood.joined(every)
    wanted = [a for a in fit.parsed.response.additions if a.name in additions]
    values = term_arrays(wanted, frame, fit.problem.design.schema.functions)
    for addition in wanted:
        if addition.name == "trials":
            _check_trials(addition, values["trials"], frame)
    if not response:
        return {**fit.likelihood.encoded_additions(values), **_past(fit, frame)}
    encoded = fit.likelihood.encode(_raw_response(fit, frame, values), for_fit=False).arrays
    return {**fit.likelihood.encoded_additions(values), **encoded}


def _unknown(likelihood: AbstractLikelihood, rows: int) -> np.ndarray:
    columns = likelihood.response_labels
    return np.full((rows, len(columns)) if columns else rows, np.nan)


def _past(fit: AbstractFit, frame: Frame) -> dict[str, np.ndarray]:
    """Return the responses that later rows depend on, NaN where they are not known."""
    if not fit.likelihood.traits.reads_past:
        return {}
    expression, y = fit.parsed.response.expression, np.full(frame.n_rows, np.nan)
    names = variables_of(expression.text)
    if names and all(name in frame.columns for name in names):
        known = np.flatnonzero(np.all([np.isfinite(frame.column(name).values) for name in names], axis=0))
        y[known] = evaluate(expression, frame.select(known), fit.problem.design.schema.functions)
    return {"y": y}


def _raw_response(fit: AbstractFit, frame: Frame, additions: Mapping[str, np.ndarray]) -> RawResponse:
    expression, name = fit.parsed.response.expression, fit.parsed.response.name
    is_share = fit.problem.design.response.is_share
    if fit.likelihood.response_labels:
        values = column_values(fit.parsed.response, frame, fit.problem.design.schema.functions)
        return RawResponse(name, values, None, additions, rows=frame.rows, columns=fit.likelihood.response_labels)
    column = bare_name(expression.text)
    if column is None or column not in frame.columns:
        values = evaluate(expression, frame, fit.problem.design.schema.functions)
        return RawResponse(name, values, None, additions, rows=frame.rows, is_share=is_share)
    levels = fit.problem.design.response.levels
    codes, found = frame.factor(column)
    if levels is not None and set(found) <= set(levels):
        # Two categories or two numbers: which of them is 1 was decided by the fit.
        return RawResponse(name, recode(codes, found, levels), levels, additions, rows=frame.rows)
    read = frame.column(column)
    return RawResponse(name, read.values, read.levels, additions, read.is_boolean, frame.rows, is_share)


def _check_trials(addition: Addition, values: np.ndarray, frame: Frame) -> None:
    wrong = np.flatnonzero((values < 0) | (values != np.floor(values)))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(
            f"`trials({addition.arguments[0].text})` is {values[row]:g} in row {frame.rows[row] + 1} of the new data "
            "(counting from 1); it is a whole number of at least 0."
        )
