"""Profile likelihood: how the deviance rises when one parameter is moved and all others follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from bayesml.engines.linear_mixed.boundary import blocks_of
from bayesml.engines.linear_mixed.constrained import HeldCovariance, hold_fixed_effect
from bayesml.engines.linear_mixed.criterion import AbstractObjective, ProfiledCriterion
from bayesml.engines.linear_mixed.fitting import fit_linear_mixed, off_boundary
from bayesml.engines.linear_mixed.optimise import minimise
from bayesml.engines.linear_mixed.solution import LinearMixedFit
from bayesml.engines.linear_mixed.start import expected_inverse_hessian
from bayesml.errors import ModelError

__all__ = ["Parameter", "ProfileTrace", "Profiler", "parameters", "profiler"]

TOLERANCE = 3e-4  # of the Newton decrement: zeta is then right to about 1e-7
SOLVED = 1e-5
OFF_BOUNDARY = 0.05  # a relative sd starts at least here, since zero is stationary whether or not it is the minimum
LARGEST_STEPS = 40


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
        value = float(group.correlation[parameter.row, parameter.column])
        if not np.isfinite(value):
            raise ModelError(f"a correlation in `{group.name}` has no estimate: a standard deviation is zero")
        return value

    def interval(self, parameter: Parameter, level: float = 0.95) -> tuple[float, float]:
        """Return where the profile crosses the normal quantiles; a bound of the parameter where it never does."""
        if not 0.0 < level < 1.0:
            raise ModelError(f"level is {level}; it must lie between 0 and 1")
        cut = float(ndtri(0.5 + level / 2.0))
        walk = _Walk(self.fit, parameter, self.estimate(parameter))
        return float(walk.solve(-cut)), float(walk.solve(cut))

    def trace(self, parameter: Parameter, largest: float = 2.8, points: int = 8) -> ProfileTrace:
        """Return the profile at ``points`` values on either side, up to ``|zeta| = largest`` or a bound."""
        estimate = self.estimate(parameter)
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
    """Profiles one parameter from value to value, each minimisation starting where the last one ended."""

    def __init__(self, fit: LinearMixedFit, parameter: Parameter, estimate: float) -> None:
        self.fit, self.parameter, self.center = fit, parameter, estimate
        self.known: dict[float, float] = {estimate: 0.0}
        self.x: np.ndarray | None = None
        self.H: np.ndarray | None = None
        self.low, self.high = _bounds(parameter)

    def at_bound(self, value: float) -> bool:
        return value in (self.low, self.high)

    def zeta(self, value: float) -> float:
        """Return the signed root of the rise of the deviance at a value."""
        if value not in self.known:
            objective, start, H = _objective(self.fit, self.parameter, value)
            point = objective.evaluate(start if self.x is None else self._off_boundary(self.x, objective))
            if point is None:
                point = objective.evaluate(start)
            if point is None:
                raise ModelError(f"the deviance cannot be computed with {self.parameter.kind} = {value:.6g}")
            minimum = minimise(objective, point, H if self.H is None else self.H, TOLERANCE)
            self.x, self.H = minimum.point.x, minimum.inverse_hessian
            rise = max(minimum.point.value - self.fit.criterion, 0.0)
            self.known[value] = float(np.sign(value - self.center) * np.sqrt(rise))
        return self.known[value]

    def _off_boundary(self, x: np.ndarray, objective: AbstractObjective) -> np.ndarray:
        """Move standard deviations that have become zero inside."""
        scale = np.exp(x[-1]) / _column_scales(self.fit) if isinstance(objective, HeldCovariance) else 1.0
        layout, out = self.fit.problem.layout, x.copy()
        least = np.where(layout.is_diagonal, OFF_BOUNDARY * scale, 0.0)
        theta = x[: layout.size]
        out[: layout.size] = np.where(np.abs(theta) < least, np.where(theta < 0, -least, least), theta)
        return out

    def solve(self, target: float, accuracy: float = SOLVED) -> float:
        """Return the value at which zeta equals ``target``, by secants within the bracket known so far."""
        side = np.sign(target)
        bound = self.high if side > 0 else self.low
        if self.center == bound:
            return self.center
        reached = [v for v, z in self.known.items() if z * side >= 0 and abs(z) <= abs(target)]
        inner = max(reached, key=lambda v: side * v)
        value = self._clip(inner + side * self._first_step(), bound)
        for _ in range(LARGEST_STEPS):
            zeta = self.zeta(value)
            if abs(zeta - target) < accuracy or (value == bound and side * (target - zeta) >= 0):
                return value
            value = self._clip(self._next(target, side), bound)
        return value

    def _clip(self, value: float, bound: float) -> float:
        return max(value, bound) if bound < self.center else min(value, bound)

    def _first_step(self) -> float:
        if self.parameter.kind == "beta":
            return float(self.fit.standard_errors[self.parameter.row])
        if self.parameter.kind == "sigma":
            return 2.0 * self.fit.sigma / np.sqrt(2.0 * self.fit.n)
        return 0.2 if self.parameter.kind == "cor" else max(0.2 * abs(self.center), 0.02 * self.fit.sigma)

    def _next(self, target: float, side: float) -> float:
        """Secant through the two known points nearest to the target, kept inside the bracket."""
        points = sorted((z, v) for v, z in self.known.items() if z * side >= 0)
        points.sort(key=lambda point: abs(point[0] - target))
        (z1, v1), (z2, v2) = points[0], points[1]
        value = v1 + (target - z1) * (v2 - v1) / (z2 - z1) if z1 != z2 else v1 + side * self._first_step()
        inner = max((v for z, v in points if abs(z) <= abs(target)), key=lambda v: side * v)
        beyond = [v for z, v in points if abs(z) > abs(target)]
        if not beyond:
            furthest = inner + side * (3.0 * abs(inner - self.center) + self._first_step())
            ahead = side * inner < side * value <= side * furthest
            return value if ahead else furthest
        outer = min(beyond, key=lambda v: side * v)
        inside = side * inner < side * value < side * outer
        return value if inside else 0.5 * (inner + outer)


def _bounds(parameter: Parameter) -> tuple[float, float]:
    if parameter.kind == "cor":
        return -1.0, 1.0
    return (0.0, np.inf) if parameter.kind in ("sd", "sigma") else (-np.inf, np.inf)


def _objective(
    fit: LinearMixedFit, parameter: Parameter, value: float
) -> tuple[AbstractObjective, np.ndarray, np.ndarray]:
    """Return the deviance with the parameter held, a start and a first inverse Hessian."""
    theta = fit.problem.internal(off_boundary(fit, OFF_BOUNDARY))
    H = expected_inverse_hessian(fit.problem, theta)
    if parameter.kind in ("beta", "sigma"):
        held = fit.problem if parameter.kind == "sigma" else hold_fixed_effect(fit.problem, parameter.row, value)
        criterion = ProfiledCriterion(held, False, value if parameter.kind == "sigma" else None)
        return criterion, theta, H
    objective, J = _held(fit, parameter, value), fit.problem.from_internal
    start = objective.start(list(fit.problem.layout.matrices(J @ theta)), fit.sigma)
    joint = np.eye(len(start)) / (4.0 * fit.n)
    joint[:-1, :-1] = fit.sigma**2 * J @ H @ J.T
    return objective, start, joint


def _column_scales(fit: LinearMixedFit) -> np.ndarray:
    """``(k,)`` root mean square of the column of Z that each entry of theta multiplies."""
    layout = fit.problem.layout
    norms = [np.sqrt(np.einsum("ij,ij->j", T, T)) for T in fit.problem.products.bases]
    return np.array([norms[g][r] for g, r in zip(layout.group, layout.row, strict=True)])


def _held(fit: LinearMixedFit, parameter: Parameter, value: float) -> HeldCovariance:
    group = fit.problem.groups[parameter.group]
    order = np.arange(group.q)
    if parameter.kind == "sd":
        return HeldCovariance(fit.problem, parameter.group, order, parameter.row, parameter.row, value, False)
    block = next(b for b in blocks_of(group) if b.start <= parameter.row < b.stop)
    pair = [parameter.column, parameter.row]
    order[block] = [*pair, *(i for i in range(block.start, block.stop) if i not in pair)]
    return HeldCovariance(fit.problem, parameter.group, order, block.start + 1, block.start, value, True)
