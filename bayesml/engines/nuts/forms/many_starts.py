"""Where chains start in a density that may have several modes: around the one that holds nearly all of its mass.

Chains that start far apart stay in whichever mode is nearest, even one that has next to no mass: a component of a
mixture that took over the whole response. So the density is climbed from many places first. The mass of a mode is about
exp(log density) prod_i h_i^(-1/2) with the curvatures h_i along the coordinates. Where one mode has nearly all of it,
the coordinates are centred there, or whitened there if it is the one that their pilot leads to; where several have, as
with exchangeable components, chains start as everywhere else and show that they differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayesml.engines.nuts.forms.base import ValueAndGradient

__all__ = ["centred_at_the_highest_mode", "tuned_where_the_mass_is"]

PLACES = 16
SEED = 20231
CLIMBED = 8
"""Number of places, the centre and the highest of those drawn, from which the density is climbed to the end."""
STEPS = 500
NEGLIGIBLE = 7.0
"""Difference of log masses beyond which a mode is left to itself: a thousandth of the mass."""
APART = 1.0
"""Distance of two modes in typical steps, below which they are one."""
DIFFERENCE = 1e-4
SMALLEST, LARGEST = 0.05, 1e12
"""Bounds of a curvature: directions that are flat, or curved the wrong way, keep their width within reason."""


@final
@dataclass(frozen=True)
class _Mode:
    place: np.ndarray
    value: float
    curvatures: np.ndarray
    is_of_center: bool

    @property
    def log_mass(self) -> float:
        return self.value - 0.5 * float(np.log(self.curvatures).sum())


def centred_at_the_highest_mode(evaluate: ValueAndGradient, data: Any) -> Any:
    """Return the data of a plain form with its centre at the mode that holds the mass, and scales from there.

    Args:
        evaluate: log density and gradient at q, where u = center + scale q.
        data: the data of the form, with ``center`` and ``scale``.
    """
    center, scale = (np.asarray(data[name], dtype=float) for name in ("center", "scale"))
    best = _dominant_mode(lambda q: evaluate(q, data), len(center))
    if best is None:
        return data
    return data | {"center": center + scale * best.place, "scale": scale / np.sqrt(best.curvatures)}


def tuned_where_the_mass_is(
    tune: Callable[[ValueAndGradient, Any], Any], size: int
) -> Callable[[ValueAndGradient, Any], Any]:
    """Return the function that tunes a form around the mode that its zero leads to, if that one holds the mass.

    Raises:
        ArithmeticError: another mode holds the mass, or some of it.
    """

    def tuned(evaluate: ValueAndGradient, data: Any) -> Any:
        best = _dominant_mode(lambda x: evaluate(x, data), size)
        if best is None or not best.is_of_center:
            raise ArithmeticError("the density has several modes")
        return tune(evaluate, data)

    return tuned


def _dominant_mode(at: Any, size: int) -> _Mode | None:
    """Return the mode that holds nearly all of the mass; None where there is none."""
    modes = _modes(at, size)
    if not modes:
        return None
    best = max(modes, key=lambda mode: mode.log_mass)
    rivals = [m for m in modes if m is not best and m.log_mass > best.log_mass - NEGLIGIBLE]
    return None if rivals else best


def _modes(at: Any, size: int) -> list[_Mode]:
    """Return the different modes that were found."""
    from scipy.optimize import minimize

    def objective(q: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = at(q)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return 1e200, np.zeros(size)
        return -value, -gradient

    rng = np.random.default_rng(SEED)
    places = [np.zeros(size), *rng.uniform(-2.0, 2.0, (PLACES, size))]
    heights = [objective(q)[0] for q in places]
    highest = sorted(range(1, len(places)), key=heights.__getitem__)[: CLIMBED - 1]
    ends: list[tuple[float, np.ndarray, bool]] = []
    for k in (0, *highest):
        if heights[k] < 1e200:
            found = minimize(objective, places[k], jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
            if all(np.abs(found.x - other).max() > APART or found.fun < value - 1.0 for value, other, _ in ends):
                ends.append((float(found.fun), found.x, k == 0))
    lowest = min((value for value, *_ in ends), default=np.inf)
    near = [end for end in ends if end[0] < lowest + 5.0 * size]
    return [_Mode(q, -value, _curvatures(at, q), is_of_center) for value, q, is_of_center in near]


def _curvatures(at: Any, q: np.ndarray) -> np.ndarray:
    """Return minus the second derivatives along the coordinates, by differences of gradients, within bounds."""
    found = np.empty(len(q))
    for k in range(len(q)):
        step = np.zeros(len(q))
        step[k] = DIFFERENCE
        found[k] = (at(q - step)[1][k] - at(q + step)[1][k]) / (2.0 * DIFFERENCE)
    return np.clip(np.nan_to_num(found, nan=SMALLEST), SMALLEST, LARGEST)
