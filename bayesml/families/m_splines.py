"""M-splines, which are splines of mass one, and I-splines, their integrals: bases of hazards.

Source: Ramsay (1988), Monotone regression splines in action, Statistical Science 3, 425-441. The knots are placed as by
the R package splines2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Observed

__all__ = ["MSplines"]


@final
@dataclass(frozen=True)
class MSplines:
    """A basis of M-splines between two boundary knots.

    Beyond the upper boundary each function keeps the value that it has there, so that its integral is linear. A point
    below the lower boundary counts as that boundary.

    Attributes:
        lower: the lower boundary.
        upper: the upper boundary.
        knots: the knots between them.
        degree: of the polynomials between knots.
        intercept: whether the first function, the one that is not 0 at the lower boundary, is in the basis.
    """

    lower: float
    upper: float
    knots: tuple[float, ...]
    degree: int = 3
    intercept: bool = True

    @property
    def size(self) -> int:
        """Number of functions."""
        return len(self.knots) + self.degree + int(self.intercept)

    def values(self, x: Observed) -> Broadcast:
        """Return the functions at points, ``(..., size)``: M_i = (k + 1) B_i / (t_{i + k + 1} - t_i)."""
        xp, k, t = array_namespace(x), self.degree, self._all_knots(self.degree)
        splines = _b_splines(xp.clip(x, self.lower, self.upper), t, k)
        scaled = [(k + 1) / (t[i + k + 1] - t[i]) * spline for i, spline in enumerate(splines)]
        return xp.stack(scaled[self._first :], axis=-1)

    def integrals(self, x: Observed) -> Broadcast:
        """Return their integrals from the lower boundary, ``(..., size)``.

        That of the i-th is the sum of the B-splines of one degree more from the (i + 1)-th on.
        """
        xp, k = array_namespace(x), self.degree + 1
        splines = _b_splines(xp.clip(x, self.lower, self.upper), self._all_knots(k), k)
        sums = [splines[-1]]
        for spline in splines[-2:0:-1]:
            sums.insert(0, sums[0] + spline)
        beyond = xp.maximum(x - self.upper, 0.0)[..., None] * self.values(np.array(self.upper))
        return xp.stack(sums[self._first :], axis=-1) + beyond

    @property
    def _first(self) -> int:
        return 0 if self.intercept else 1

    def _all_knots(self, degree: int) -> tuple[float, ...]:
        return ((self.lower,) * (degree + 1)) + self.knots + ((self.upper,) * (degree + 1))


def _b_splines(x: Observed, t: Sequence[float], degree: int) -> list[Broadcast]:
    """Return all B-splines of a degree over the knots t by the recurrence of Cox and de Boor.

    The last interval holds its upper end; functions of intervals without length are 0 and left out of the sums.
    """
    xp = array_namespace(x)
    last = max(i for i in range(len(t) - 1) if t[i] < t[i + 1])
    splines = [
        xp.where((x >= t[i]) & ((x < t[i + 1]) | ((i == last) & (x <= t[i + 1]))), 1.0, 0.0) if t[i] < t[i + 1]
        else 0.0 * x
        for i in range(len(t) - 1)
    ]  # fmt: skip
    for k in range(1, degree + 1):
        splines = [
            _share(x - t[i], t[i + k] - t[i], splines[i])
            + _share(t[i + k + 1] - x, t[i + k + 1] - t[i + 1], splines[i + 1])
            for i in range(len(splines) - 1)
        ]
    return splines


def _share(distance: Broadcast, length: float, spline: Broadcast) -> Broadcast:
    return distance / length * spline if length > 0 else 0.0 * spline
