"""Estimated numbers of sets of rows with their derivatives in coefficients, other parameters and group effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.engines.point.effect_rows import effects_matrix
from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.errors import ModelError
from bayesml.keys import MU
from bayesml.lazy import lazy_module
from bayesml.results.marginal.numbers import EstimatedNumbers, JointCovariance
from bayesml.results.marginal.question import Averages, Question
from bayesml.results.marginal.spread import spread_of
from bayesml.results.predict.estimated import function_of_rows
from bayesml.results.predict.point_rows import PointRows
from bayesml.results.predict.several_predictors import numbers_of_rows

if TYPE_CHECKING:
    import pandas as pd
    from scipy import sparse

    from bayesml.results.record.fit import AbstractPointFit
else:
    sparse = lazy_module("scipy.sparse")

__all__ = ["estimated_sets"]

STEP = 1e-5
Numbers = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From linear predictors ``(d, rows)`` and psi to ``(rows, categories)``."""


@final
@dataclass(frozen=True)
class _Model:
    """What all sets share.

    Attributes:
        fit: the fit.
        covariance: of all that is estimated.
        psi: parameters beside the coefficients, at their estimates.
        columns: places of the estimated coefficients among the columns.
        count: number of linear predictors of a row.
    """

    fit: AbstractPointFit
    covariance: JointCovariance
    psi: np.ndarray
    columns: np.ndarray
    count: int


def estimated_sets(
    fit: AbstractPointFit, sets: Sequence[pd.DataFrame], question: Question, averages: Averages | None
) -> list[EstimatedNumbers]:
    """Return the estimates of each set; see ``evaluate_sets``."""
    if question.ndraws is not None:
        raise ModelError("`ndraws` chooses among draws, and a point estimate has none; to_normal_draws() makes some.")
    model = _model(fit)
    return [_numbers(model, rows, question, averages) for rows in sets]


def _model(fit: AbstractPointFit) -> _Model:
    estimate = fit.estimate
    if isinstance(estimate, SeveralEstimate):
        joint = estimate.several_joint
        covariance = JointCovariance(joint.root, joint.shift, joint.solve, estimate.unbounded)
        return _Model(fit, covariance, estimate.fit.psi, estimate.kept_columns, estimate.model.response.slots.count)
    own = estimate.joint
    covariance = JointCovariance(own.vcov_root, own.shift, own.solve, own.unbounded)
    return _Model(fit, covariance, np.zeros(0), estimate.kept, 1)


def _numbers(model: _Model, given: pd.DataFrame, question: Question, averages: Averages | None) -> EstimatedNumbers:
    rows, function = _function(model, given, question)
    eta = rows.eta.reshape(model.count, -1)
    value = function(eta, model.psi)
    in_eta, in_psi = _derivatives(function, eta, model.psi, value.shape)
    blocks = _design(model, rows)
    known = np.where(rows.estimable, 1.0, np.nan)
    values, jacobians = [], []
    W = None if averages is None else sparse.csr_array(averages.matrix(np.arange(len(given))))
    for c in range(value.shape[1]):
        effects = sum(sparse.diags(in_eta[a, :, c]) @ design for a, design in enumerate(blocks))
        padded = sparse.hstack([sparse.csr_array((len(given), 0)), effects], format="csr")
        own = _with_psi(padded, in_psi[:, :, c].T, len(model.columns))
        column = value[:, c] * known
        values.append(column if W is None else _average(W, column))
        jacobians.append(own if W is None else sparse.csr_array(W @ own))
    # of each row all categories, one behind the other
    order = np.arange(len(values) * len(values[0])).reshape(len(values), -1).T.ravel()
    stacked = sparse.vstack(jacobians, format="csr")
    return EstimatedNumbers(np.concatenate(values)[order], stacked[order], model.covariance)


def _average(W: Any, column: np.ndarray) -> np.ndarray:
    """Return averages; NaN where a row with weight cannot be estimated."""
    missing = np.isnan(column)
    found = W @ np.where(missing, 0.0, column)
    return np.where(W @ missing.astype(float) > 0, np.nan, found)


def _with_psi(design: Any, in_psi: np.ndarray, coefficients: int) -> Any:
    """Put the derivatives in psi between those in the coefficients and those in the effects."""
    if not in_psi.shape[1]:
        return design
    parts = [design[:, :coefficients], sparse.csr_array(in_psi), design[:, coefficients:]]
    return sparse.hstack(parts, format="csr")


def _function(model: _Model, given: pd.DataFrame, question: Question) -> tuple[PointRows, Numbers]:
    fit, what = model.fit, question.what
    request = question.request(given)
    if isinstance(fit.estimate, SeveralEstimate):
        rows, plain = numbers_of_rows(fit, fit.estimate, request, what)
    else:
        rows, of_eta = function_of_rows(fit, request, what)
        plain = lambda eta, psi: of_eta(eta[0])  # noqa: E731

    def shaped(eta: np.ndarray, psi: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(plain(eta, psi), dtype=float).reshape(eta.shape[1], -1)

    if question.groups != "integrate":
        return rows, shaped
    spread = spread_of(fit, given)
    # a correlation of effects whose standard deviation is 0 is not known, and does not matter
    values = {name: np.nan_to_num(np.asarray(value, dtype=float))[None] for name, value in fit.estimate.values.items()}
    shifts = [(weight, _stacked(model, moves)) for weight, moves in spread.shifts(values)]

    def integrated(eta: np.ndarray, psi: np.ndarray) -> np.ndarray:
        return np.asarray(np.sum([weight * shaped(eta + shift, psi) for weight, shift in shifts], axis=0))

    return rows, integrated


def _stacked(model: _Model, moves: Any) -> np.ndarray:
    """Return shifts ``(d, rows)`` of all linear predictors, from those of predictors, ``(1, rows)`` each."""
    estimate = model.fit.estimate
    places = {MU: 0}
    if isinstance(estimate, SeveralEstimate):
        places = {slot.key: slot.start for slot in estimate.model.response.slots.slots}
    out = np.zeros((model.count, next(iter(moves.values())).shape[1]))
    for key, shift in moves.items():
        out[places[key]] += shift[0]
    return out


def _derivatives(
    function: Numbers, eta: np.ndarray, psi: np.ndarray, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(d, rows, categories)`` and ``(m, rows, categories)`` derivatives, by central differences."""
    in_eta, in_psi = np.empty((len(eta), *shape)), np.empty((len(psi), *shape))
    for a in range(len(eta)):
        step = np.zeros_like(eta)
        step[a] = STEP * np.maximum(np.abs(eta[a]), 1.0)
        in_eta[a] = (function(eta + step, psi) - function(eta - step, psi)) / (2.0 * step[a][:, None])
    for m, move in enumerate(STEP * np.eye(len(psi))):
        in_psi[m] = (function(eta, psi + move) - function(eta, psi - move)) / (2.0 * STEP)
    return np.nan_to_num(in_eta), np.nan_to_num(in_psi)


def _design(model: _Model, rows: PointRows) -> list[Any]:
    """Return the derivatives of each linear predictor in coefficients and standardised effects, sparse matrices."""
    estimate, n = model.fit.estimate, len(rows.labels)
    X = sparse.csr_array(rows.rows.X[:, model.columns])
    joint = estimate.several_joint if isinstance(estimate, SeveralEstimate) else estimate.joint
    M = effects_matrix(joint, rows.rows.blocks, X.shape[0])
    whole = X if M is None else sparse.hstack([X, M], format="csr")
    return [whole[a * n : (a + 1) * n] for a in range(model.count)]
