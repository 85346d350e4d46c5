"""Profile likelihood of generalised linear mixed models.

The deviance plus ``K (g - v)^2`` is minimised, g the parameter and v a target. The minimum is a point of the profile
whatever K is: given the value g* found there, every other parameter is at its best. So each refit gives one exact pair
(g*, rise of the deviance), and the targets are moved until the rise is the one wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np
from scipy.special import ndtri

from bayesml.engines.generalised_mixed import GeneralisedMixedFit, Penalty, PenaltyValue, fit_generalised_mixed
from bayesml.engines.point.generalised import GeneralisedEstimate
from bayesml.errors import ModelError
from bayesml.linalg import GroupBlock, ThetaLayout
from bayesml.links import get_link
from bayesml.results.inference.parameters import Element, values_of
from bayesml.results.inference.submodels import without_columns

if TYPE_CHECKING:
    from bayesml.results.point.fit_object import PointFit

__all__ = ["GeneralisedProfile"]

STIFFNESS = 60.0  # of the constraint, in squared standard errors
ACCURACY = 2e-4  # of zeta
FLAT = 0.02  # change of zeta over a standard error below which the deviance has stopped rising
MOST_REFITS = 30


@final
@dataclass(frozen=True)
class GeneralisedProfile:
    """Profiles the parameters of a fit by Laplace's approximation or quadrature.

    Attributes:
        fit: the fit.
        found: its estimate.
    """

    fit: PointFit
    found: GeneralisedEstimate

    @classmethod
    def of(cls, fit: PointFit) -> GeneralisedProfile:
        """Prepare the profiles of a fit."""
        assert isinstance(fit.estimate, GeneralisedEstimate)
        return cls(fit, fit.estimate)

    def estimate(self, element: Element) -> float:
        """Return the maximum-likelihood estimate."""
        return self._value(element, self.found)

    def _value(self, element: Element, estimate: GeneralisedEstimate) -> float:
        values = values_of([element], estimate.factors, dict(estimate.auxiliary), estimate.beta)
        return float(values[0])

    def interval(self, element: Element, level: float) -> tuple[float, float]:
        """Return where the signed root of the rise of the deviance crosses the normal quantiles."""
        cut = float(ndtri(0.5 + level / 2.0))
        center, g = self.estimate(element), _Scaled(self.fit, element)
        if not np.isfinite(center):
            raise ModelError("a correlation has no estimate, since a standard deviation is zero.")
        return self._end(element, g, center, -cut), self._end(element, g, center, cut)

    def _end(self, element: Element, g: _Scaled, center: float, cut: float) -> float:
        """Move the target until the profile's zeta is ``cut``; pairs (zeta, value on the unbounded scale) guide it."""
        side, error = float(np.sign(cut)), self._error(element, g)
        start = g.forward(center)
        if element.kind == "sd" and side < 0 and self._zeta_without(element, center) > cut:
            return 0.0
        pairs = [(0.0, start)]
        target = start + abs(cut) * side * error
        for _ in range(MOST_REFITS):
            point = self._refit(element, g, target, error)
            value = self._value(element, point)
            rise = max(2.0 * (self.found.log_likelihood - point.log_likelihood), 0.0)
            zeta = side * float(np.sqrt(rise))
            pairs.append((zeta, g.forward(value)))
            if abs(zeta - cut) < ACCURACY:
                break
            if _is_flat(pairs, error) and abs(zeta) < abs(cut):
                return self._bound(element, side)
            target = self._next(pairs, cut, target, error * side)
        else:
            raise ModelError("the deviance does not rise far enough; the likelihood is too flat on that side.")
        return g.inverse(_through(pairs, cut))

    def _bound(self, element: Element, side: float) -> float:
        """Return the end of the range of a parameter along which the deviance has stopped rising."""
        if element.kind == "cor":
            return side
        if element.kind == "family":
            dpar = next(p for p in self.fit.family.dpars if p.name == element.text)
            return dpar.bounds[0] if side < 0 else dpar.bounds[1]
        raise ModelError("the deviance stops rising on one side.")

    def _next(self, pairs: list[tuple[float, float]], cut: float, target: float, step: float) -> float:
        """Move the target by as much as the value must move, at most three standard errors."""
        wanted = _through(pairs, cut)
        return target + float(np.clip(wanted - pairs[-1][1], -3.0 * abs(step), 3.0 * abs(step)))

    def _error(self, element: Element, g: _Scaled) -> float:
        """Standard error on the unbounded scale, roughly."""
        hyper = self.found.hyper_covariance()
        if element.kind == "b":
            return float(np.sqrt(self.found.vcov[element.row, element.row]))
        fit = self.found.fit
        gradient = g.gradient(fit.theta, fit.beta, fit.psi)
        slope = np.concatenate([gradient[0], gradient[2]])
        error = float(np.sqrt(max(slope @ hyper.covariance @ slope, 0.0)))
        return error if np.isfinite(error) and error > 1e-6 else 0.5

    def _zeta_without(self, element: Element, center: float) -> float:
        """Zeta where the standard deviation is zero: without that column."""
        if center == 0.0:
            return 0.0
        blocks = without_columns(self.found.arrays.blocks, element.term, (element.row,))
        found = self._fit(blocks, None)
        return -float(np.sqrt(max(2.0 * (self.found.log_likelihood - found.log_likelihood), 0.0)))

    def _fit(self, blocks: Sequence[GroupBlock], penalty: Penalty | None) -> GeneralisedMixedFit:
        arrays, options = self.found.arrays, self.found.options
        return fit_generalised_mixed(
            self.found.response,
            arrays.X,
            blocks,
            offset=arrays.offset,
            weights=arrays.weights,
            quadrature_points=options.quadrature_points if blocks else 1,
            curvature=options.curvature,
            penalty=penalty,
            names=arrays.coefs,
        )

    def _refit(self, element: Element, g: _Scaled, target: float, error: float) -> GeneralisedEstimate:
        strength = STIFFNESS / error**2

        def penalty(theta: np.ndarray, beta: np.ndarray, psi: np.ndarray) -> PenaltyValue:
            away = g.value(theta, beta, psi) - target
            slopes = g.gradient(theta, beta, psi)
            return PenaltyValue(strength * away**2, *(2.0 * strength * away * s for s in slopes))

        return replace(self.found, fit=self._fit(self.found.arrays.blocks, penalty))


@final
class _Scaled:
    """One parameter on its unbounded scale as a function of (theta, beta, psi), with its derivatives."""

    def __init__(self, fit: PointFit, element: Element) -> None:
        estimate = fit.estimate
        assert isinstance(estimate, GeneralisedEstimate)
        self.element = element
        self.layout = ThetaLayout.of([block.blocks for block in estimate.arrays.blocks])
        self.place = estimate.response.auxiliary.index(element.text) if element.kind == "family" else 0
        self.forward, self.inverse = _scale_of(fit, element)

    def value(self, theta: np.ndarray, beta: np.ndarray, psi: np.ndarray) -> float:
        """Return the parameter."""
        e = self.element
        if e.kind == "b":
            return float(beta[e.row])
        if e.kind == "family":
            return float(psi[self.place])
        factor = self.layout.matrices(theta)[e.term]
        if e.kind == "sd":
            return float(np.log(np.maximum(np.linalg.norm(factor[e.row]), 1e-150)))
        return self.forward(self._correlation(factor))

    def _correlation(self, factor: np.ndarray) -> float:
        a, b = factor[self.element.row], factor[self.element.column]
        size = max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-150)
        return float(np.clip(a @ b / size, -1 + 1e-12, 1 - 1e-12))

    def gradient(self, theta: np.ndarray, beta: np.ndarray, psi: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the derivatives in theta, beta and psi."""
        e = self.element
        slopes = (np.zeros(len(theta)), np.zeros(len(beta)), np.zeros(len(psi)))
        if e.kind == "b":
            slopes[1][e.row] = 1.0
        elif e.kind == "family":
            slopes[2][self.place] = 1.0
        else:
            matrices = [np.zeros_like(m) for m in self.layout.matrices(theta)]
            matrices[e.term] = self._factor_slope(self.layout.matrices(theta)[e.term])
            slopes[0][:] = self.layout.gather(matrices)
        return slopes

    def _factor_slope(self, factor: np.ndarray) -> np.ndarray:
        e, out = self.element, np.zeros_like(factor)
        a = factor[e.row]
        size = max(float(a @ a), 1e-300)
        if e.kind == "sd":
            out[e.row] = a / size
            return out
        b = factor[e.column]
        other, r = max(float(b @ b), 1e-300), self._correlation(factor)
        stretch = 1.0 / (1.0 - r**2)
        out[e.row] = stretch * (b / np.sqrt(size * other) - r * a / size)
        out[e.column] = stretch * (a / np.sqrt(size * other) - r * b / other)
        return out


def _scale_of(fit: PointFit, element: Element) -> tuple[Callable[[float], float], Callable[[float], float]]:
    if element.kind == "b":
        return float, float
    if element.kind == "sd":
        return (lambda v: float(np.log(max(v, 1e-150)))), (lambda x: float(np.exp(x)))
    if element.kind == "cor":
        return (lambda v: float(np.arctanh(np.clip(v, -1 + 1e-12, 1 - 1e-12)))), (lambda x: float(np.tanh(x)))
    link = get_link(next(p.links[0] for p in fit.family.dpars if p.name == element.text))
    return (lambda v: float(link.forward(v))), (lambda x: float(link.inverse(x)))


def _is_flat(pairs: list[tuple[float, float]], error: float) -> bool:
    """Whether the last step was long and changed zeta by little."""
    (z1, v1), (z2, v2) = pairs[-2], pairs[-1]
    return abs(v2 - v1) > error and abs(z2 - z1) < FLAT


def _through(pairs: list[tuple[float, float]], cut: float) -> float:
    """Value at which zeta is ``cut``, from the two pairs nearest to it."""
    ordered = sorted(dict(pairs).items(), key=lambda pair: abs(pair[0] - cut))
    (z1, v1), (z2, v2) = ordered[0], ordered[1] if len(ordered) > 1 else ordered[0]
    return v1 if z1 == z2 else v1 + (cut - z1) * (v2 - v1) / (z2 - z1)
