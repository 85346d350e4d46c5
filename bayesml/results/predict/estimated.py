"""Numbers of rows from a point estimate: functions of the linear predictor, with errors by the delta method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy.special import ndtri

from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.errors import ModelError
from bayesml.results.frequentist.residuals import expected, natural_parameters
from bayesml.results.predict.point_rows import PointRows, point_rows
from bayesml.results.predict.prepare import Request
from bayesml.results.predict.quantity import EstimatedQuantity, What
from bayesml.results.predict.several_predictors import evaluate_several
from bayesml.results.record.fit import AbstractPointFit

__all__ = ["evaluate_estimates", "function_of_rows"]

STEP = 1e-6
SIMULATED = 4000


def evaluate_estimates(fit: AbstractPointFit, request: Request, what: What) -> EstimatedQuantity:
    """Return estimates of a number of each row; see ``evaluate``."""
    if request.ndraws is not None:
        raise ModelError("`ndraws` chooses among draws, and a point estimate has none; to_normal_draws() makes some.")
    estimate = fit.estimate
    if isinstance(estimate, SeveralEstimate):
        return evaluate_several(fit, estimate, request, what)
    rows, function = _rows_and_function(fit, request, what)
    found = _Function(fit, rows, function)
    seed = 0 if request.seed is None else request.seed
    ends = found.confidence if what.kind != "predict" else lambda prob: found.prediction(prob, seed)
    shown = rows.shown
    return EstimatedQuantity(
        rows.labels,
        shown(found.value(rows.eta)),
        lambda: shown(found.error),
        lambda prob: (shown((limits := ends(prob))[0]), shown(limits[1])),
        rows.data,
    )


def function_of_rows(
    fit: AbstractPointFit, request: Request, what: What
) -> tuple[PointRows, Callable[[np.ndarray], np.ndarray]]:
    """Return rows, and what is requested as a function of their linear predictor ``(rows,)``."""
    rows, function = _rows_and_function(fit, request, what)
    return rows, (lambda eta: eta) if function is None else function


def _rows_and_function(
    fit: AbstractPointFit, request: Request, what: What
) -> tuple[PointRows, Callable[[np.ndarray], np.ndarray] | None]:
    if what.dpar not in (None, "mu"):
        raise ModelError(f"`dpar` is a parameter with a formula, which is `mu` alone; got {what.dpar!r}.")
    newdata, groups, policy = request.newdata, request.re_formula, request.new_levels
    function: Callable[[np.ndarray], np.ndarray] | None = None
    if what.kind == "linpred" or what.dpar is not None:
        rows = point_rows(fit, newdata, groups, policy, additions=False)
        if what.transform or what.kind == "epred":
            function = _inverse_link(fit)
    else:
        rows = point_rows(fit, newdata, groups, policy, trials=not what.one_trial)
        function = _mean(fit, rows)
    return rows, function


def _inverse_link(fit: AbstractPointFit) -> Callable[[np.ndarray], np.ndarray]:
    inverse = fit.likelihood.link("mu").inverse
    return lambda eta: np.asarray(inverse(eta), dtype=float)


def _mean(fit: AbstractPointFit, rows: PointRows) -> Callable[[np.ndarray], np.ndarray]:
    return lambda eta: expected(fit, eta, rows.data, rows.weights)


@final
@dataclass(frozen=True)
class _Function:
    """A monotonic function of the linear predictor at some rows.

    Attributes:
        fit: the fit.
        rows: the rows.
        function: the function; None is the linear predictor itself.
    """

    fit: AbstractPointFit
    rows: PointRows
    function: Callable[[np.ndarray], np.ndarray] | None

    def value(self, eta: np.ndarray) -> np.ndarray:
        """Return the function at a linear predictor."""
        return eta if self.function is None else self.function(eta)

    @cached_property
    def eta_error(self) -> np.ndarray:
        """``(rows,)`` standard errors of the linear predictor."""
        return self.fit.estimate.joint.standard_errors(self.rows.rows)

    @cached_property
    def error(self) -> np.ndarray:
        """``(rows,)`` standard errors by the delta method: ``|f'(eta)|`` times those of the linear predictor."""
        if self.function is None:
            return self.eta_error
        eta = self.rows.eta
        step = STEP * np.maximum(np.abs(eta), 1.0)
        with np.errstate(invalid="ignore"):
            return np.abs((self.value(eta + step) - self.value(eta - step)) / (2.0 * step)) * self.eta_error

    def confidence(self, prob: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the function at the limits of the linear predictor."""
        margin = float(ndtri((1 + prob) / 2)) * self.eta_error
        ends = np.sort([self.value(self.rows.eta - margin), self.value(self.rows.eta + margin)], axis=0)
        return ends[0], ends[1]

    def prediction(self, prob: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Return limits of a new response: exact for gaussian and lognormal models, else from simulated responses."""
        fit, rows, error = self.fit, self.rows, self.eta_error
        if fit.likelihood.traits.normal and fit.likelihood.link("mu").name == "identity":
            spread = float(ndtri((1 + prob) / 2)) * np.sqrt(error**2 + _residual_variance(fit, rows))
            ends = np.array([rows.eta - spread, rows.eta + spread])
            ends = np.exp(ends) if fit.likelihood.traits.response_on_log_scale else ends
            return ends[0], ends[1]
        rng = np.random.default_rng(seed)
        known = np.isfinite(error)
        eta = rows.eta + np.where(known, error, 0.0) * rng.standard_normal((SIMULATED, len(rows.eta)))
        natural = {k: np.broadcast_to(v, eta.shape) for k, v in natural_parameters(fit, eta, rows.weights).items()}
        drawn = fit.likelihood.draw(rng, natural, rows.data)
        ends = np.where(known, np.quantile(drawn, [(1 - prob) / 2, (1 + prob) / 2], axis=0), np.nan)
        return ends[0], ends[1]


def _residual_variance(fit: AbstractPointFit, rows: PointRows) -> np.ndarray:
    known = rows.data.get("se", np.zeros(len(rows.eta))) ** 2
    return natural_parameters(fit, rows.eta, rows.weights)["sigma"] ** 2 + known
