"""The bounds of a model's priors, for the posterior mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.distributions import Distribution
from bayesml.engines.generalised_mixed import PenaltyValue, Point
from bayesml.linalg import ThetaLayout
from bayesml.links import Link

__all__ = ["Intervals", "PriorSupport"]

NEARER = 0.3  # at a bound distances fall with the barrier, tenfold; elsewhere hardly


@final
@dataclass(frozen=True)
class Intervals:
    """Bounds of some parameters.

    Attributes:
        names: the parameters as users write them.
        lower: lower bounds, -inf where there is none.
        upper: upper bounds, or inf.
        location: a typical value within.
    """

    names: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray
    location: np.ndarray

    @classmethod
    def of(
        cls, names: Sequence[str], priors: Sequence[Distribution], lowest: float | Sequence[float] = -np.inf
    ) -> Intervals:
        """Read them from the priors; a lower bound of ``lowest`` is the parameter's own and no bound."""
        pairs = [prior.support for prior in priors]
        lower = np.array([low for low, _ in pairs], dtype=float)
        lower = np.where(lower > lowest, lower, -np.inf)
        upper = np.array([high for _, high in pairs], dtype=float)
        location = np.array([prior.location for prior in priors], dtype=float)
        return cls(tuple(names), lower, upper, location)

    @property
    def any(self) -> bool:
        """Whether there is a bound."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    def inside(self, x: np.ndarray, share: float) -> np.ndarray:
        """Move values that are not within their bounds."""
        x = np.where(x <= self.lower, self.lower + share * (self.location - self.lower), x)
        return np.where(x >= self.upper, self.upper - share * (self.upper - self.location), x)

    def barrier(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        """Return minus twice the sum of the logarithms of the distances to finite bounds, and its derivatives."""
        value, slope = 0.0, np.zeros(len(x))
        for bound, sign in ((self.lower, 1.0), (self.upper, -1.0)):
            finite = np.isfinite(bound)
            distance = sign * (x[finite] - bound[finite])
            value -= 2.0 * float(np.log(np.where(distance > 0, distance, np.nan)).sum())
            slope[finite] -= 2.0 * sign / distance
        return value, slope

    def reached(self, before: np.ndarray, now: np.ndarray) -> list[tuple[str, float]]:
        """Return the values that came much nearer to a bound, by name, and the bound."""
        out = []
        for bounds, sign in ((self.lower, 1.0), (self.upper, -1.0)):
            nearer = sign * (now - bounds) < NEARER * sign * (before - bounds)
            out += [(self.names[i], float(bounds[i])) for i in np.flatnonzero(nearer & np.isfinite(bounds))]
        return out


@final
@dataclass(frozen=True)
class PriorSupport:
    """The bounds of all priors.

    Attributes:
        combinations: ``combinations @ beta`` has the bounds of ``coefficients``.
        coefficients: bounds of the Intercept of centred predictors and of the slopes.
        deviations: bounds of the standard deviations of each group-level term.
        parameters: bounds of the family parameters.
        links: their links.
        layout: places of theta.
    """

    combinations: np.ndarray
    coefficients: Intervals
    deviations: tuple[Intervals, ...]
    parameters: Intervals
    links: tuple[Link, ...]
    layout: ThetaLayout

    @property
    def any(self) -> bool:
        """Whether there is a bound."""
        return any(part.any for part in (self.coefficients, self.parameters, *self.deviations))

    def inside(self, point: Point, share: float) -> Point:
        """Move what lies outside its bounds inside."""
        theta, beta, psi = point
        factors = []
        for part, factor in zip(self.deviations, self.layout.matrices(theta), strict=True):
            sd = _deviations(factor)
            factors.append(factor * (part.inside(sd, share) / sd)[:, None])
        x = self.combinations @ beta
        change = np.linalg.lstsq(self.combinations, self.coefficients.inside(x, share) - x, rcond=None)[0]
        natural = self._natural(psi)
        moved = self.parameters.inside(natural, share)
        forward = [float(link.forward(value)) for link, value in zip(self.links, moved, strict=True)]
        return self.layout.gather(factors), beta + change, np.where(moved == natural, psi, forward)

    def barrier(self, point: Point) -> PenaltyValue:
        """Return minus twice the sum of the logarithms of all distances to bounds, and its derivatives."""
        theta, beta, psi = point
        total, slopes = 0.0, []
        for part, factor in zip(self.deviations, self.layout.matrices(theta), strict=True):
            sd = _deviations(factor)
            value, slope = part.barrier(sd)
            total += value
            slopes.append(slope[:, None] * factor / sd[:, None])
        of_beta, by_x = self.coefficients.barrier(self.combinations @ beta)
        of_psi, by_natural = self.parameters.barrier(self._natural(psi))
        steps = np.array([float(link.jet(value).d1) for link, value in zip(self.links, psi, strict=True)])
        value = total + of_beta + of_psi
        return PenaltyValue(value, self.layout.gather(slopes), by_x @ self.combinations, by_natural * steps)

    def reached(self, before: Point, now: Point) -> tuple[tuple[str, float], ...]:
        """Return what came much nearer to a bound as the barrier was lowered, and the bound: it lies there."""
        parts = (self.coefficients, *self.deviations, self.parameters)
        triples = zip(parts, self._values(before), self._values(now), strict=True)
        return tuple(found for part, *values in triples for found in part.reached(*values))

    def held(self, at_bounds: frozenset[str]) -> np.ndarray:
        """Return the combinations of the coefficients that lie at a bound, ``(r, p)``."""
        return self.combinations[[name in at_bounds for name in self.coefficients.names]]

    def _values(self, point: Point) -> list[np.ndarray]:
        """Return coefficients, standard deviations of each term, and family parameters."""
        theta, beta, psi = point
        deviations = [_deviations(factor) for factor in self.layout.matrices(theta)]
        return [self.combinations @ beta, *deviations, self._natural(psi)]

    def _natural(self, psi: np.ndarray) -> np.ndarray:
        return np.array([float(link.inverse(value)) for link, value in zip(self.links, psi, strict=True)])


def _deviations(factor: np.ndarray) -> np.ndarray:
    return np.maximum(np.sqrt(np.einsum("ij,ij->i", factor, factor)), 1e-150)
