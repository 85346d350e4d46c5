"""Numbers of rows from estimates of a model with several linear predictors, with errors by the delta method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy.special import expit, logit, ndtri

from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.engines.weighting import sigma_of_rows
from bayesml.errors import ModelError
from bayesml.families.drawing import draw_where_possible
from bayesml.keys import PredictorKey
from bayesml.results.frequentist.residuals import shown_response
from bayesml.results.predict.point_rows import PointRows, point_rows
from bayesml.results.predict.prepare import Request, main_parameter
from bayesml.results.predict.quantity import EstimatedQuantity, What
from bayesml.results.record.fit import AbstractPointFit

__all__ = ["evaluate_several", "numbers_of_rows", "several_natural"]

STEP = 1e-5
SIMULATED = 4000
Numbers = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From linear predictors ``(d, rows)`` and psi to numbers of each row, ``(rows,)`` or ``(rows, categories)``."""


def several_natural(
    fit: AbstractPointFit, estimate: SeveralEstimate, eta: np.ndarray, psi: np.ndarray, rows: PointRows
) -> dict[str, np.ndarray]:
    """Return every parameter on its natural scale, from ``(d, ..., rows)`` linear predictors and psi."""
    response = shown_response(fit, estimate)
    natural = response.natural(eta, psi, rows.arrays, rows.data)
    if rows.weights is not None and response.precisions:
        natural["sigma"] = sigma_of_rows(natural["sigma"], rows.weights)
    return natural


def evaluate_several(
    fit: AbstractPointFit, estimate: SeveralEstimate, request: Request, what: What
) -> EstimatedQuantity:
    """Return estimates of a number of each row, or of one for each category; see ``evaluate``.

    Raises:
        ModelError: ``dpar`` is unknown, or the response has categories and is to be predicted itself.
    """
    if what.kind == "predict" and fit.likelihood.event_shape:
        raise ModelError(
            f"A response of the family {fit.family.name} has no prediction interval; its probabilities are "
            "epred(se=True), and simulate() draws responses."
        )
    key = _predictor_asked(fit, what)
    rows, numbers = numbers_of_rows(fit, estimate, request, what)
    found = _Function(fit, estimate, rows, numbers, _scale(fit, what, key))
    seed = 0 if request.seed is None else request.seed
    ends = found.confidence if what.kind != "predict" else lambda prob: found.prediction(prob, seed)
    shown = rows.shown
    categories = () if key is not None else fit.likelihood.event_labels
    return EstimatedQuantity(
        rows.labels,
        shown(found.value),
        lambda: shown(found.error),
        lambda prob: (shown((limits := ends(prob))[0]), shown(limits[1])),
        rows.data,
        categories,
    )


def numbers_of_rows(
    fit: AbstractPointFit, estimate: SeveralEstimate, request: Request, what: What
) -> tuple[PointRows, Numbers]:
    """Return rows, and what is requested as a function of their linear predictors ``(d, rows)`` and psi."""
    newdata, groups, policy = request.newdata, request.re_formula, request.new_levels
    key = _predictor_asked(fit, what)
    if key is not None:
        rows = point_rows(fit, newdata, groups, policy, additions=False, centred=False)
        return rows, _parameter(fit, estimate, rows, key, what)
    rows = point_rows(fit, newdata, groups, policy, trials=not what.one_trial)
    return rows, _mean(fit, estimate, rows)


def _predictor_asked(fit: AbstractPointFit, what: What) -> PredictorKey | None:
    """Return the predictor that is meant; None where the response is.

    Raises:
        ModelError: there is none of that name.
    """
    if what.dpar is None and what.kind != "linpred":
        return None
    name = main_parameter(fit.likelihood) if what.dpar is None else what.dpar
    keys = {p.key.parameter: p.key for p in fit.problem.design.schema.predictors}
    if name not in keys:
        listed = ", ".join(f"`{known}`" for known in keys)
        raise ModelError(f"`dpar` is a parameter with a formula, one of {listed}; got {name!r}.")
    return keys[name]


def _parameter(
    fit: AbstractPointFit, estimate: SeveralEstimate, rows: PointRows, key: PredictorKey, what: What
) -> Numbers:
    transformed = (what.transform or what.kind == "epred") and not key.nlpar
    inverse = fit.likelihood.link(key.dpar).inverse if transformed else None

    def numbers(eta: np.ndarray, psi: np.ndarray) -> np.ndarray:
        found = shown_response(fit, estimate).predictor(key, eta, psi, rows.arrays)
        return found if inverse is None else np.asarray(inverse(found), dtype=float)

    return numbers


def _mean(fit: AbstractPointFit, estimate: SeveralEstimate, rows: PointRows) -> Numbers:
    def numbers(eta: np.ndarray, psi: np.ndarray) -> np.ndarray:
        natural = several_natural(fit, estimate, eta, psi, rows)
        mean = np.asarray(fit.likelihood.mean(natural, rows.data), dtype=float)
        return np.broadcast_to(mean, (len(rows.labels), *fit.likelihood.event_shape))

    return numbers


def _scale(
    fit: AbstractPointFit, what: What, key: PredictorKey | None
) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """Return where an interval is symmetric: on the scale of the link, logit of shares, log of what is positive."""
    if key is not None:
        if not (what.transform or what.kind == "epred") or key.nlpar:
            return _same, _same
        link = fit.likelihood.link(key.dpar)
        return link.forward, link.inverse
    if fit.likelihood.event_shape:
        return logit, expit
    return (np.log, np.exp) if fit.likelihood.dpars[0].bounds[0] == 0.0 else (_same, _same)


def _same(x: np.ndarray) -> np.ndarray:
    return x


@final
@dataclass(frozen=True)
class _Function:
    """Numbers of each row as a function of its linear predictors and psi.

    Attributes:
        fit: the fit.
        estimate: what was estimated.
        rows: the rows.
        numbers: the function.
        scale: where intervals are symmetric, forth and back.
    """

    fit: AbstractPointFit
    estimate: SeveralEstimate
    rows: PointRows
    numbers: Numbers
    scale: tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]

    @cached_property
    def eta(self) -> np.ndarray:
        """``(d, rows)``."""
        return self.rows.eta.reshape(self.estimate.model.response.slots.count, -1)

    @cached_property
    def value(self) -> np.ndarray:
        """The numbers at the estimates."""
        return self.numbers(self.eta, self.estimate.fit.psi)

    @cached_property
    def covariances(self) -> np.ndarray:
        """``(rows, d + m, d + m)`` of the linear predictors and psi."""
        rows = self.rows.rows
        own = type(rows)(rows.X[:, self.estimate.kept_columns], rows.blocks)
        return self.estimate.several_joint.covariances(own, len(self.eta))

    @cached_property
    def slopes(self) -> np.ndarray:
        """``(d + m, rows)`` or ``(d + m, rows, categories)`` derivatives, by central differences."""
        eta, psi = self.eta, self.estimate.fit.psi
        out = []
        for a in range(len(eta)):
            step = np.zeros_like(eta)
            step[a] = STEP * np.maximum(np.abs(eta[a]), 1.0)
            width = step[a].reshape(-1, *[1] * (self.value.ndim - 1))
            with np.errstate(invalid="ignore"):
                out.append((self.numbers(eta + step, psi) - self.numbers(eta - step, psi)) / (2.0 * width))
        for move in STEP * np.eye(len(psi)):
            with np.errstate(invalid="ignore"):
                out.append((self.numbers(eta, psi + move) - self.numbers(eta, psi - move)) / (2.0 * STEP))
        return np.array(out)

    @cached_property
    def error(self) -> np.ndarray:
        """Standard errors by the delta method."""
        variance = np.einsum("in...,nij,jn...->n...", self.slopes, self.covariances, self.slopes)
        return np.sqrt(np.maximum(variance, 0.0))

    def confidence(self, prob: float) -> tuple[np.ndarray, np.ndarray]:
        """Return limits that are symmetric on the scale."""
        forward, back = self.scale
        with np.errstate(all="ignore"):
            middle = forward(self.value)
            step = STEP * np.maximum(np.abs(middle), 1.0)
            slope = (back(middle + step) - back(middle - step)) / (2.0 * step)
            reach = float(ndtri((1 + prob) / 2)) * self.error / np.abs(slope)
            ends = np.sort([back(middle - reach), back(middle + reach)], axis=0)
        return ends[0], ends[1]

    def prediction(self, prob: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return limits of a new response, from simulated ones."""
        rng, count = np.random.default_rng(seed), len(self.eta)
        values, vectors = np.linalg.eigh(self.covariances[:, :count, :count])
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        noise = rng.standard_normal((SIMULATED, len(root), count))
        eta = self.eta[:, None] + np.einsum("nab,snb->asn", root, noise)
        natural = several_natural(self.fit, self.estimate, eta, self.estimate.fit.psi, self.rows)
        shape = eta.shape[1:]
        drawn = draw_where_possible(self.fit.likelihood, rng, natural, self.rows.data, shape)
        ends = np.quantile(drawn, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        return ends[0], ends[1]
