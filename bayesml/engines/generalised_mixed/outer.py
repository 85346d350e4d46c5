"""The criterion as a function of all outer parameters, warm-started from its last evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

import numpy as np
from scipy.linalg import solve_triangular

from bayesml.engines.generalised_mixed.criterion import Value, laplace
from bayesml.engines.generalised_mixed.mode import Mode, find_mode
from bayesml.engines.generalised_mixed.problem import Parameters, Penalty, Problem
from bayesml.engines.generalised_mixed.quadrature import adaptive_quadrature
from bayesml.engines.generalised_mixed.support import Support
from bayesml.linalg import NotPositiveDefinite

__all__ = ["FARTHEST_PSI", "Criterion", "Evaluation"]

FARTHEST_PSI = 25.0  # from the start, mostly in logarithms: beyond, the likelihood has no maximum


@final
@dataclass(frozen=True)
class Evaluation:
    """The criterion at one point.

    Attributes:
        flat: the point.
        value: minus twice the (penalised) log likelihood; infinite where it cannot be had.
        gradient: its gradient, zero where the value is infinite.
        deviance: minus twice the log likelihood alone.
        mode: the group effects there, None where the value is infinite.
        problem: why the value is infinite.
    """

    flat: np.ndarray
    value: float
    gradient: np.ndarray
    deviance: float
    mode: Mode | None
    problem: str = ""


@final
@dataclass
class Criterion:
    """Minus twice the log likelihood, Laplace or quadrature, plus a penalty; keeps the last mode and counts.

    Attributes:
        problem: the data.
        points: quadrature points per dimension, 1 for Laplace.
        penalty: minus twice a log prior, or None.
        support: the bounds of the prior, or None where there are none.
        barrier: factor of the logarithms of the distances to these bounds.
        evaluations: number of calls.
        newton_steps: total steps of the inner search.
        last: the last mode found.
    """

    problem: Problem
    points: int
    penalty: Penalty | None
    support: Support | None = None
    barrier: float = 0.0
    evaluations: int = 0
    newton_steps: int = 0
    last: Mode | None = field(default=None, repr=False)

    def at(self, flat: np.ndarray) -> Evaluation:
        """Evaluate value and gradient."""
        self.evaluations += 1
        parameters = self.problem.parameters(flat)
        if np.abs(parameters.psi - self.problem.psi_start).max(initial=0.0) > FARTHEST_PSI:
            return self._failed(flat, "an auxiliary parameter runs away")
        try:
            mode = self._mode(parameters)
            value = self._likelihood(mode)
        except NotPositiveDefinite:
            return self._failed(flat, "the group effects have no interior mode")
        except FloatingPointError as error:
            return self._failed(flat, str(error))
        if not (np.isfinite(value.value) and np.isfinite(value.gradient).all()):
            return self._failed(flat, "the log likelihood is not finite")
        penalised = self._penalised(parameters, value)
        if not (np.isfinite(penalised.value) and np.isfinite(penalised.gradient).all()):
            return self._failed(flat, "the prior density is zero or not finite")
        self.last = mode
        self.newton_steps += mode.steps
        return Evaluation(flat, penalised.value, penalised.gradient, value.value, mode)

    def _mode(self, parameters: Parameters) -> Mode:
        """Search from the last mode, and from zero where that leads nowhere."""
        try:
            return find_mode(self.problem, parameters, self.last)
        except (NotPositiveDefinite, FloatingPointError):
            if self.last is None:
                raise
            return find_mode(self.problem, parameters)

    def _likelihood(self, mode: Mode) -> Value:
        if self.points == 1 or not self.problem.columns:
            return laplace(self.problem, mode)
        return adaptive_quadrature(self.problem, mode, self.points)

    def _failed(self, flat: np.ndarray, why: str) -> Evaluation:
        return Evaluation(flat, np.inf, np.zeros(len(flat)), np.inf, None, why)

    def _penalised(self, parameters: Parameters, value: Value) -> Value:
        if self.penalty is None:
            return value
        problem = self.problem
        beta = problem.beta(parameters.gamma)
        point = (problem.theta(parameters.theta), beta, parameters.psi)
        added = self.penalty(*point)
        if self.support is not None:
            added = added.plus(self.support.barrier(point), self.barrier)
        theta = problem.signs(parameters.theta) * (added.theta @ problem.from_internal)
        gamma = solve_triangular(problem.fixed.R, added.beta, trans="T") if len(beta) else added.beta
        gradient = np.concatenate([theta, gamma, added.psi])
        return Value(value.value + added.value, value.gradient + gradient)
