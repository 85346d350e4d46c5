"""Profile likelihood of generalised linear mixed models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import ndtri

from bayesml.engines.crossing import crossing
from bayesml.engines.generalised_mixed import FamilyResponse, GeneralisedMixedFit, HeldFit, HeldParameter, hold
from bayesml.engines.generalised_mixed.problem import Curvature
from bayesml.engines.point.arrays import PointArrays
from bayesml.engines.point.elements import Element, values_of
from bayesml.links import Link, get_link

__all__ = ["GeneralisedProfile"]

ACCURACY = 1e-5  # of zeta


@final
@dataclass(frozen=True)
class GeneralisedProfile:
    """Profiles the parameters of a fit by Laplace's approximation or quadrature.

    The likelihood is maximised over all other parameters while one is held, exactly, at a value; the value is moved
    until twice the log-likelihood has fallen by the square of the normal quantile.

    Attributes:
        found: the estimates.
        response: the response distribution with its data.
        arrays: the arrays of the model.
        powers: powers of the densities, or None.
        quadrature_points: how the likelihood is approximated.
        curvature: the same.
    """

    found: GeneralisedMixedFit
    response: FamilyResponse
    arrays: PointArrays
    powers: np.ndarray | None
    quadrature_points: int
    curvature: Curvature

    def estimate(self, element: Element) -> float:
        """Return the maximum-likelihood estimate."""
        factors = tuple(group.factor for group in self.found.groups)
        auxiliary = self.response.natural(self.found.psi)
        return float(values_of([element], factors, auxiliary, self.found.beta)[0])

    def interval(self, element: Element, level: float) -> tuple[float, float]:
        """Return where the signed root of the rise of the deviance crosses the normal quantiles.

        A bound of the parameter where it never does. A correlation may be anything where one of its standard
        deviations may be zero: the limits are then -1 and 1.
        """
        cut = float(ndtri(0.5 + level / 2.0))
        center = self.estimate(element)
        if element.kind == "cor" and self._is_free(element, center, cut):
            return -1.0, 1.0
        link = self._link(element)
        held = self._held(element)
        walk = _Walk(held, self.found.deviance)
        middle = center if link is None else float(link.forward(center))
        low, high = held.psi_range if link is not None else _bounds(element)
        step = self._first_step(element, center)
        falls, rises = self._runs_away(element)
        lower = low if falls else crossing(walk.height, middle, cut, -step, low, ACCURACY)
        upper = high if rises else crossing(walk.restarted().height, middle, cut, step, high, ACCURACY)
        return (lower, upper) if link is None else self._natural(element, link, (lower, low), (upper, high))

    def _runs_away(self, element: Element) -> tuple[bool, bool]:
        """Whether a coefficient may go to minus and to plus infinity at no cost (separation)."""
        if element.kind != "b":
            return False, False
        falls, rises = self.found.runaway[:, element.row]
        return bool(falls), bool(rises)

    def _is_free(self, element: Element, center: float, cut: float) -> bool:
        if not np.isfinite(center):
            return True
        sds = [Element("", "sd", element.term, place) for place in (element.row, element.column)]
        return any(_Walk(self._held(sd), self.found.deviance).height(0.0) < cut for sd in sds)

    def _held(self, element: Element) -> HeldFit:
        place = self.response.auxiliary.index(element.text) if element.kind == "family" else element.row
        kind = "psi" if element.kind == "family" else element.kind
        return hold(
            HeldParameter(kind, element.term, place, element.column),
            self.found,
            self.response,
            self.arrays.X,
            self.arrays.blocks,
            offset=self.arrays.offset,
            weights=self.powers,
            quadrature_points=self.quadrature_points,
            curvature=self.curvature,
        )

    def _link(self, element: Element) -> Link | None:
        if element.kind != "family":
            return None
        return get_link(next(p.links[0] for p in self.response.likelihood.dpars if p.name == element.text))

    def _natural(
        self, element: Element, link: Link, lower: tuple[float, float], upper: tuple[float, float]
    ) -> tuple[float, float]:
        """Return limits of a family parameter on its own scale; its bound where the walk came to its end."""
        bounds = next(p.bounds for p in self.response.likelihood.dpars if p.name == element.text)
        ends = zip((lower, upper), bounds, strict=True)
        low, high = (bound if at == end else float(link.inverse(at)) for (at, end), bound in ends)
        return low, high

    def _first_step(self, element: Element, center: float) -> float:
        if element.kind == "b":
            error = float(np.sqrt(max(self.found.vcov[element.row, element.row], 0.0)))
            return error if np.isfinite(error) and error > 0 else 1.0
        if element.kind == "sd":
            column = self.arrays.blocks[element.term].Z[:, element.row]
            return max(0.25 * center, 0.1 / float(np.sqrt(np.mean(column**2)) or 1.0))
        return 0.2 if element.kind == "cor" else 0.3


def _bounds(element: Element) -> tuple[float, float]:
    return {"sd": (0.0, np.inf), "cor": (-1.0, 1.0)}.get(element.kind, (-np.inf, np.inf))


@final
class _Walk:
    """Profiles one parameter from value to value, starting from the estimate and from where the last search ended."""

    def __init__(self, held: HeldFit, least: float) -> None:
        self.held, self.least = held, least
        self.last: np.ndarray | None = None

    def restarted(self) -> _Walk:
        """Return a walk that starts from the estimate again."""
        return _Walk(self.held, self.least)

    def height(self, value: float) -> float:
        """Return the root of the rise of the deviance."""
        starts = [self.held.estimate] if self.last is None else [self.last]
        deviance, place = self.held.minimum(value, starts)
        if self.last is not None and (not np.isfinite(deviance) or self.held.is_at_boundary(place)):
            again, other = self.held.minimum(value, [self.held.estimate])
            deviance, place = (again, other) if again < deviance else (deviance, place)
        if np.isfinite(deviance):
            self.last = place
        return float(np.sqrt(max(deviance - self.least, 0.0)))
