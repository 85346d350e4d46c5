"""Profile likelihood: how the deviance rises when one parameter is moved and all others follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bayesml.engines.crossing import crossing
from bayesml.engines.linear_mixed.constrained import HeldCovariance, hold_fixed_effect
from bayesml.engines.linear_mixed.criterion import AbstractObjective, ProfiledCriterion
from bayesml.engines.linear_mixed.fitting import fit_linear_mixed, off_boundary
from bayesml.engines.linear_mixed.optimise import minimise
from bayesml.engines.linear_mixed.problem import LinearMixedProblem, prepare
from bayesml.engines.linear_mixed.solution import LinearMixedFit
from bayesml.engines.linear_mixed.start import expected_inverse_hessian
from bayesml.errors import ModelError
from bayesml.linalg import HeldTheta, hold_correlation, hold_deviation, in_front, reordered_factor

__all__ = ["Parameter", "ProfileTrace", "Profiler", "parameters", "profiler"]

TOLERANCE = 1e-4  # of the Newton decrement
SOLVED = 1e-6
NEARLY_NOTHING = 1e-3
OFF_BOUNDARY = 0.05  # a relative sd starts at least here, since zero is stationary whether or not it is the minimum


@dataclass(frozen=True)
class Parameter:
    """One parameter that can be profiled.

    Attributes:
        kind: ``"sd"``, ``"cor"``, ``"sigma"`` or ``"beta"``.
        group: index of the factor (sd, cor), else 0.
        row: coefficient (sd), later coefficient (cor), or place among the kept fixed effects (beta).
        column: earlier coefficient (cor), else 0.
    """

    kind: str
    group: int = 0
    row: int = 0
    column: int = 0


@dataclass(frozen=True)
class ProfileTrace:
    """The signed root of the rise of the deviance along one parameter.

    Attributes:
        parameter: what was moved.
        values: ``(points,)`` increasing.
        zeta: ``(points,)`` ``sign(value - estimate) sqrt(deviance - minimum)``; a standard normal deviate where the
            likelihood is quadratic.
    """

    parameter: Parameter
    values: np.ndarray
    zeta: np.ndarray


def parameters(fit: LinearMixedFit) -> tuple[Parameter, ...]:
    """Return all parameters in lme4's order: lower triangles of the factors column by column, sigma, fixed effects."""
    layout = fit.problem.layout
    out = []
    for group, row, column in zip(layout.group, layout.row, layout.column, strict=True):
        out.append(Parameter("sd" if row == column else "cor", int(group), int(row), int(column)))
    out += [Parameter("sigma")] if fit.fixed_sigma is None else []
    return (*out, *(Parameter("beta", row=j) for j in range(fit.rank)))


def profiler(fit: LinearMixedFit) -> Profiler:
    """Return what profiles the parameters of a fit; a REML fit is refitted by maximum likelihood first.

    Raises:
        ModelError: for a penalised fit or one with known sigma, whose criterion is not a likelihood of all parameters.
    """
    if fit.penalty is not None or fit.fixed_sigma is not None:
        raise ModelError("profile likelihood intervals need a fit by REML or ML with an estimated sigma and no priors")
    if fit.reml:
        fit = fit_linear_mixed(fit.problem, reml=False, start=off_boundary(fit, 2.0 * OFF_BOUNDARY))
    return Profiler(fit)


@dataclass(frozen=True)
class Profiler:
    """Profiles the parameters of a maximum-likelihood fit.

    Attributes:
        fit: the maximum-likelihood fit.
    """

    fit: LinearMixedFit

    def estimate(self, parameter: Parameter) -> float:
        """Return the maximum-likelihood estimate of a parameter."""
        if parameter.kind == "sigma":
            return self.fit.sigma
        if parameter.kind == "beta":
            return float(self.fit.beta[parameter.row])
        group = self.fit.groups[parameter.group]
        if parameter.kind == "sd":
            return float(group.sd[parameter.row])
        return float(group.correlation[parameter.row, parameter.column])

    def interval(self, parameter: Parameter, level: float = 0.95) -> tuple[float, float]:
        """Return where the profile crosses the normal quantiles; a bound of the parameter where it never does.

        A correlation may be anything where one of its standard deviations may be zero: the limits are then -1 and 1.
        """
        if not 0.0 < level < 1.0:
            raise ModelError(f"level is {level}; it must lie between 0 and 1")
        cut = float(ndtri(0.5 + level / 2.0))
        if parameter.kind == "cor" and self._is_free(parameter, cut):
            return -1.0, 1.0
        walk = _Walk(self.fit, parameter, self.estimate(parameter))
        return walk.solve(-cut), walk.solve(cut)

    def _is_free(self, parameter: Parameter, cut: float) -> bool:
        if not np.isfinite(self.estimate(parameter)):
            return True
        sds = [Parameter("sd", parameter.group, place, place) for place in (parameter.row, parameter.column)]
        return any(abs(_Walk(self.fit, sd, self.estimate(sd)).zeta(0.0)) < cut for sd in sds)

    def trace(self, parameter: Parameter, largest: float = 2.8, points: int = 8) -> ProfileTrace:
        """Return the profile at ``points`` values on either side, up to ``|zeta| = largest`` or a bound."""
        estimate = self.estimate(parameter)
        if not np.isfinite(estimate):
            raise ModelError("a correlation has no estimate where a standard deviation is zero, and no profile")
        values, zetas = [estimate], [0.0]
        for side in (-1.0, 1.0):
            walk = _Walk(self.fit, parameter, estimate)
            for i in range(1, points + 1):
                value = walk.solve(side * largest * i / points, accuracy=0.02)
                values.append(value)
                zetas.append(walk.zeta(value))
                if walk.at_bound(value):
                    break
        order = np.argsort(values)
        return ProfileTrace(parameter, np.array(values)[order], np.array(zetas)[order])


class _Walk:
    """Profiles one parameter from value to value, each minimisation starting at the estimate and where one ended."""

    def __init__(self, fit: LinearMixedFit, parameter: Parameter, estimate: float) -> None:
        self.fit, self.parameter, self.center = fit, parameter, estimate
        self.known: dict[float, float] = {estimate: 0.0}
        self.held = _Held.of(fit, parameter)
        self.last: _Place | None = None
        self.low, self.high = _bounds(parameter)

    def at_bound(self, value: float) -> bool:
        return value in (self.low, self.high)

    def zeta(self, value: float) -> float:
        """Return the signed root of the rise of the deviance at a value."""
        if value not in self.known:
            value_there, self.last = self._best(value)
            rise = max(value_there - self.fit.criterion, 0.0)
            self.known[value] = float(np.sign(value - self.center) * np.sqrt(rise))
        return self.known[value]

    def _best(self, value: float) -> tuple[float, _Place]:
        """Minimise from the last place; on the boundary, where there may be several minima, from the estimate too."""
        found = []
        if self.last is not None:
            found = [self.held.minimum(value, self.last)]
        if not found or found[0] is None or self.fit.is_singular or self.held.is_at_boundary(found[0][1]):
            found.append(self.held.minimum(value, self.held.estimate))
        usable = [pair for pair in found if pair is not None]
        if not usable:
            raise ModelError(f"the deviance cannot be computed with {self.parameter.kind} = {value:.6g}")
        return min(usable, key=lambda pair: pair[0])

    def solve(self, target: float, accuracy: float = SOLVED) -> float:
        """Return the value at which zeta equals ``target``."""
        side = float(np.sign(target))
        bound = self.high if side > 0 else self.low
        return crossing(
            lambda v: abs(self.zeta(v)), self.center, abs(target), side * self._first_step(), bound, accuracy
        )

    def _first_step(self) -> float:
        if self.parameter.kind == "beta":
            return float(self.fit.standard_errors[self.parameter.row])
        if self.parameter.kind == "sigma":
            return 2.0 * self.fit.sigma / np.sqrt(2.0 * self.fit.n)
        if self.parameter.kind == "cor":
            return 0.2
        group = self.fit.problem.groups[self.parameter.group]
        size = float(np.sqrt(np.mean(group.Z[:, self.parameter.row] ** 2)))
        return max(0.2 * abs(self.center), 0.02 * self.fit.sigma / (size or 1.0))


def _bounds(parameter: Parameter) -> tuple[float, float]:
    if parameter.kind == "cor":
        return -1.0, 1.0
    return (0.0, np.inf) if parameter.kind in ("sd", "sigma") else (-np.inf, np.inf)


@dataclass(frozen=True)
class _Place:
    """Where a minimisation starts.

    Attributes:
        root: ``(k,)`` square roots of the covariance matrices, internal coordinates of the problem that is profiled.
        sigma: residual standard deviation.
        metric: inverse Hessian, or None where it is not known.
    """

    root: np.ndarray
    sigma: float
    metric: np.ndarray | None = None


@dataclass(frozen=True)
class _Held:
    """The deviance with one parameter held at any value.

    Attributes:
        parameter: which.
        problem: the model; of an sd or a correlation with the coefficients in question at the front of their block.
        place: its place within the factor then.
        estimate: the maximum-likelihood estimates, off the boundary.
    """

    parameter: Parameter
    problem: LinearMixedProblem
    place: int
    estimate: _Place

    @classmethod
    def of(cls, fit: LinearMixedFit, parameter: Parameter) -> _Held:
        problem = fit.problem
        theta = problem.internal(off_boundary(fit, OFF_BOUNDARY))
        if parameter.kind in ("beta", "sigma"):
            return cls(parameter, problem, 0, _Place(theta * fit.sigma, fit.sigma))
        first = [parameter.row] if parameter.kind == "sd" else [parameter.column, parameter.row]
        group, order = in_front(problem.groups[parameter.group], first)
        groups = [group if i == parameter.group else g for i, g in enumerate(problem.groups)]
        turned = prepare(groups, problem.X, problem.y, problem.weights, problem.offset, allow_saturated=True)
        lambdas = list(problem.layout.matrices(problem.from_internal @ theta))
        roots = [T @ lam * fit.sigma for T, lam in zip(turned.products.bases, lambdas, strict=True)]
        T = turned.products.bases[parameter.group]
        roots[parameter.group] = reordered_factor(lambdas[parameter.group], order, T) * fit.sigma
        place = int(np.flatnonzero(order == first[0])[0])
        return cls(parameter, turned, place, _Place(problem.layout.gather(roots), fit.sigma))

    def is_at_boundary(self, place: _Place) -> bool:
        """Whether a standard deviation, internal coordinates, is next to nothing beside sigma."""
        return bool(np.abs(place.root[self.problem.layout.is_diagonal]).min() < NEARLY_NOTHING * place.sigma)

    def minimum(self, value: float, start: _Place) -> tuple[float, _Place] | None:
        """Minimise the deviance at a value, and return where the next minimisation may start."""
        layout = self.problem.layout
        least = np.where(layout.is_diagonal, OFF_BOUNDARY * start.sigma, 0.0)
        root = np.where(np.abs(start.root) < least, np.where(start.root < 0, -least, least), start.root)
        if self.parameter.kind in ("beta", "sigma"):
            objective: AbstractObjective = self._profiled(value)
            x = root / start.sigma
        else:
            objective = HeldCovariance(self.problem, self._theta(value))
            x = np.append(objective.held.coordinates(root), np.log(start.sigma))
        point = objective.evaluate(x)
        if point is None:
            return None
        metric = self._metric(objective, x, root / start.sigma, start.sigma) if start.metric is None else start.metric
        found = minimise(objective, point, metric, TOLERANCE)
        best = found.point
        end = objective.root(best) if isinstance(objective, HeldCovariance) else best.x * best.sigma
        return best.value, _Place(end, best.sigma, found.inverse_hessian)

    def _metric(self, objective: AbstractObjective, x: np.ndarray, theta: np.ndarray, sigma: float) -> np.ndarray:
        """Return an expected inverse Hessian."""
        H = expected_inverse_hessian(self.problem, theta)
        if not isinstance(objective, HeldCovariance):
            return H
        J = objective.held.jacobian(x[:-1])
        metric = np.eye(len(x)) / (4.0 * self.problem.products.n)
        metric[:-1, :-1] = sigma**2 * np.linalg.inv((J.T / np.diagonal(H)) @ J)
        return metric

    def _profiled(self, value: float) -> ProfiledCriterion:
        if self.parameter.kind == "sigma":
            return ProfiledCriterion(self.problem, False, value)
        return ProfiledCriterion(hold_fixed_effect(self.problem, self.parameter.row, value), False, None)

    def _theta(self, value: float) -> HeldTheta:
        hold = hold_deviation if self.parameter.kind == "sd" else hold_correlation
        T = self.problem.products.bases[self.parameter.group]
        return hold(self.problem.layout, self.parameter.group, self.place, T, value)
