"""The marginal likelihood with one parameter held at a value, maximised over all others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np

from bayesml.engines.generalised_mixed.outer import FARTHEST_PSI, Criterion, Evaluation
from bayesml.engines.generalised_mixed.problem import Curvature, Problem, build_problem
from bayesml.engines.generalised_mixed.quasi_newton import minimise
from bayesml.engines.generalised_mixed.response import ResponseModel
from bayesml.engines.generalised_mixed.result import GeneralisedMixedFit
from bayesml.engines.generalised_mixed.start import starting_metric, working_scale
from bayesml.linalg import AbstractBlock, HeldTheta, hold_correlation, hold_deviation, in_front, reordered_factor

__all__ = ["HeldFit", "HeldParameter", "hold"]

NEARLY_NOTHING = 1e-3
OFF_BOUNDARY = 0.05  # in units of the working residual: zero is stationary whether or not it is the minimum


@final
@dataclass(frozen=True)
class HeldParameter:
    """Which parameter is held.

    Attributes:
        kind: ``"sd"``, ``"cor"``, ``"b"`` or ``"psi"``.
        group: the factor (sd, cor).
        row: the coefficient (sd), the later one (cor), the place among the kept columns (b) or in psi.
        column: the earlier coefficient (cor).
    """

    kind: Literal["sd", "cor", "b", "psi"]
    group: int = 0
    row: int = 0
    column: int = 0


@final
@dataclass(frozen=True)
class _Map:
    """From free coordinates to (theta, gamma, psi): ``constant + columns @ z``, theta through its own map if held."""

    constant: np.ndarray
    columns: np.ndarray
    theta: HeldTheta | None

    def flat(self, z: np.ndarray) -> np.ndarray:
        if self.theta is None:
            return self.constant + self.columns @ z
        size = self.theta.size
        return np.concatenate([self.theta.theta(z[:size]), z[size:]])

    def jacobian(self, z: np.ndarray) -> np.ndarray:
        if self.theta is None:
            return self.columns
        size, rest = self.theta.size, len(z) - self.theta.size
        out = np.zeros((len(self.theta.constant) + rest, len(z)))
        out[: len(self.theta.constant), :size] = self.theta.jacobian(z[:size])
        out[len(self.theta.constant) :, size:] = np.eye(rest)
        return out

    def coordinates(self, flat: np.ndarray) -> np.ndarray:
        if self.theta is None:
            return self.columns.T @ (flat - self.constant)
        k = len(self.theta.constant)
        return np.concatenate([self.theta.coordinates(flat[:k]), flat[k:]])


@final
class _HeldCriterion:
    """A criterion over the free coordinates of a map; keeps the last mode for the search as `Criterion` does."""

    def __init__(self, criterion: Criterion, held: _Map) -> None:
        self.criterion, self.held = criterion, held

    @property
    def last(self) -> object:
        return self.criterion.last

    @last.setter
    def last(self, mode: object) -> None:
        self.criterion.last = mode  # type: ignore[assignment]

    def at(self, flat: np.ndarray) -> Evaluation:
        evaluation = self.criterion.at(self.held.flat(flat))
        return replace(evaluation, flat=flat, gradient=evaluation.gradient @ self.held.jacobian(flat))


@final
@dataclass(frozen=True)
class HeldFit:
    """The deviance with one parameter held at any value.

    Attributes:
        parameter: which.
        criterion: the marginal likelihood, of an sd or a correlation with those coefficients in front of their block.
        place: place of the coefficients in question.
        estimate: the maximum in its coordinates.
    """

    parameter: HeldParameter
    criterion: Criterion
    place: int
    estimate: np.ndarray

    def minimum(self, value: float, starts: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        """Return the least deviance with the parameter at ``value``, and where.

        Args:
            value: of the parameter; of an auxiliary one on its unbounded scale.
            starts: where to search from, in the coordinates of ``estimate``.

        Returns:
            Minus twice the log likelihood, infinite where it cannot be had, and the place of the minimum.
        """
        held = self._map(value)
        criterion = _HeldCriterion(self.criterion, held)
        best, place = np.inf, self.estimate
        with np.errstate(all="ignore"):
            for start in starts:
                first = criterion.at(held.coordinates(self._off_boundary(start)))
                if not np.isfinite(first.value):
                    continue
                lowest = minimise(criterion, first, self._metric(held, first)).best
                if lowest.value < best:
                    best, place = lowest.value, held.flat(lowest.flat)
        return best, place

    @property
    def psi_range(self) -> tuple[float, float]:
        """The least and the largest value of the auxiliary parameter at which the likelihood is computed."""
        middle = float(self.criterion.problem.psi_start[self.parameter.row])
        return middle - 0.99 * FARTHEST_PSI, middle + 0.99 * FARTHEST_PSI

    def is_at_boundary(self, flat: np.ndarray) -> bool:
        """Whether a standard deviation, internal coordinates, is next to nothing."""
        layout = self.criterion.problem.layout
        return bool(np.abs(flat[: layout.size][layout.is_diagonal]).min(initial=np.inf) < NEARLY_NOTHING)

    def _off_boundary(self, flat: np.ndarray) -> np.ndarray:
        layout, mode = self.criterion.problem.layout, self.criterion.last
        least = np.zeros(len(flat))
        scale = 1.0 if mode is None else working_scale(mode.density)
        least[: layout.size] = np.where(layout.is_diagonal, OFF_BOUNDARY * scale, 0.0)
        return np.where(np.abs(flat) < least, np.where(flat < 0, -least, least), flat)

    def _metric(self, held: _Map, first: Evaluation) -> np.ndarray:
        problem = self.criterion.problem
        full = replace(first, flat=held.flat(first.flat))
        inverse = starting_metric(
            problem, self.criterion, replace(full, gradient=self.criterion.at(full.flat).gradient)
        )
        J = held.jacobian(first.flat)
        return np.linalg.inv(J.T @ np.linalg.inv(inverse) @ J)

    def _map(self, value: float) -> _Map:
        problem = self.criterion.problem
        k, p, _ = problem.sizes
        if self.parameter.kind in ("sd", "cor"):
            hold_one = hold_deviation if self.parameter.kind == "sd" else hold_correlation
            T = problem.bases[self.parameter.group]
            theta = hold_one(problem.layout, self.parameter.group, self.place, T, value)
            return _Map(np.zeros(0), np.zeros((0, 0)), theta)
        # one linear combination of (gamma, psi) is held: its own direction is taken out of the coordinates
        direction = np.zeros(problem.size)
        if self.parameter.kind == "psi":
            direction[k + p + self.parameter.row] = 1.0
        else:
            direction[k : k + p] = problem.fixed.coefficients(np.eye(p))[self.parameter.row]
        size = float(np.linalg.norm(direction))
        unit = direction / size
        # the other columns of a Householder reflection that turns a unit vector into this one
        axis = int(np.argmax(np.abs(unit)))
        normal = unit + np.sign(unit[axis]) * np.eye(problem.size)[axis]
        reflection = np.eye(problem.size) - 2.0 * np.outer(normal, normal) / (normal @ normal)
        return _Map(unit * value / size, np.delete(reflection, axis, axis=1), None)


def hold(
    parameter: HeldParameter,
    fit: GeneralisedMixedFit,
    response: ResponseModel,
    X: np.ndarray,
    groups: Sequence[AbstractBlock],
    *,
    offset: np.ndarray | None,
    weights: np.ndarray | None,
    quadrature_points: int,
    curvature: Curvature,
) -> HeldFit:
    """Prepare the profile of one parameter of a fit; the arguments are those of `fit_generalised_mixed`."""
    groups, order, place = list(groups), np.zeros(0, dtype=int), 0
    if parameter.kind in ("sd", "cor"):
        first = [parameter.row] if parameter.kind == "sd" else [parameter.column, parameter.row]
        groups[parameter.group], order = in_front(groups[parameter.group], first)
        place = int(np.flatnonzero(order == first[0])[0])
    problem = build_problem(response, X, groups, offset, weights, curvature)
    estimate = _internal(problem, fit, parameter, order)
    return HeldFit(parameter, Criterion(problem, quadrature_points, None), place, estimate)


def _internal(problem: Problem, fit: GeneralisedMixedFit, parameter: HeldParameter, order: np.ndarray) -> np.ndarray:
    """Return the estimates in the coordinates of the problem."""
    factors = [group.factor for group in fit.groups]
    roots = [T @ factor for T, factor in zip(problem.bases, factors, strict=True)]
    if len(order):
        g = parameter.group
        roots[g] = reordered_factor(factors[g], order, problem.bases[g])
    return np.concatenate([problem.layout.gather(roots), problem.fixed.R @ fit.beta, fit.psi])
