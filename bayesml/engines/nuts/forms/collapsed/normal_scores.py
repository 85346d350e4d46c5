r"""Coordinates in which the marginal distribution of a length-scale is nearly normal, and other parameters centred.

The data often determine a length-scale poorly: it is below some bound, or in one of two ranges. Its posterior is then
skewed or has several modes on every simple scale. Other parameters depend on it along a curve: a process with a small
sd and a short length-scale has the same size at the rows as one with a large sd and a long one. A linear map removes
neither. After the collapse few parameters are left, so that both are computed numerically. With t the unconstrained
length-scale and v all other coordinates, let mu(t) be the mode of v given t, and

    log p(t) = log p(t, mu(t)) - 1/2 log |minus the Hessian in v there|

be Laplace's approximation of the log marginal density of t, and F its distribution function. The sampler's coordinates
are (x, w) with

    t = T(x),    v = mu(T(x)) + w,    log |d(t, v) / d(x, w)| = log T'(x),

where T(x) is close to F^-1(Phi(x)), so that x, the normal score of t, is nearly standard normal. T and mu(T(x)) are
tabulated as functions of the form

    a + s_0 x + sum_k (s_k - s_(k-1)) h softplus((x - x_k) / h),

which has the slopes s_0, s_1, ... between the knots x_k and changes from one to the next over a width of about h. T
increases, since its slopes are positive. The density of (x, w) is exact whatever the tables are; their error costs
efficiency alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jax import nn
from jax import numpy as jnp

from bayesml.engines.nuts.forms.preconditioned.whitening import Evaluate, climb, clipped_roots, hessian_products
from bayesml.links.elementary import softplus

if TYPE_CHECKING:
    from bayesml.shapes import Position, Scalar

__all__ = ["from_scores", "in_layout", "learned_scores", "no_scores"]

KNOTS = np.linspace(-2.5, 2.5, 11)
WIDTH = 0.25
"""The width h."""
STEP = 0.2
"""Distance of the places at which the marginal density is computed, in units of the standard deviation at the mode."""
MOST_STEPS = 60
"""Largest number of such places on each side of the mode."""
NEGLIGIBLE = 9.0
"""The places end where the log marginal density is lower than its maximum by this."""


def no_scores(size: int, places: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Return the tables of the identity, one for each length-scale.

    Args:
        size: number of coordinates d.
        places: the length-scales among them.

    Returns:
        A table for each, ``(knots + 2, d)``: the values at x = 0 of the first line, its slopes, and their changes.
    """
    return tuple(np.zeros((len(KNOTS) + 2, size)) for _ in places)


def from_scores(q: Position, places: Sequence[int], tables: Sequence[Any]) -> tuple[Position, Scalar]:
    """Map the sampler's coordinates to unconstrained ones, and return the log Jacobian determinant.

    Args:
        q: ``(d,)``: x in the places of the length-scales, w in all others.
        places: the length-scales.
        tables: their tables, see ``no_scores``; T is x plus the function in its column.
    """
    total, log_jacobian = q, jnp.zeros(())
    for place, table in zip(places, tables, strict=True):
        away = (q[place] - KNOTS) / WIDTH
        total = total + table[0] + q[place] * table[1] + (WIDTH * softplus(away)) @ table[2:]
        slope = 1.0 + table[1, place] + nn.sigmoid(away) @ table[2:, place]
        log_jacobian = log_jacobian + jnp.log(slope)
    return total, log_jacobian


def learned_scores(evaluate: Evaluate, mode: np.ndarray, places: Sequence[int]) -> tuple[np.ndarray, ...]:
    """Return the tables of a density.

    Args:
        evaluate: the log density of unconstrained coordinates and its gradient.
        mode: ``(d,)``.
        places: the length-scales.

    Raises:
        ArithmeticError: the density is not finite where it should be, or has no usable mode.
    """
    return tuple(_table(evaluate, mode, place, places) for place in places)


def _table(evaluate: Evaluate, mode: np.ndarray, place: int, places: Sequence[int]) -> np.ndarray:
    t, log_density, modes = _marginal(evaluate, mode, place)
    others = [i for i in range(len(mode)) if i not in places]
    x = _scores(t, log_density)
    ends = np.concatenate([[2.0 * KNOTS[0] - KNOTS[1]], KNOTS, [2.0 * KNOTS[-1] - KNOTS[-2]]])
    values = np.zeros((len(ends), len(mode)))
    values[:, place] = _extended(ends, x, t)
    values[:, others] = np.stack([_extended(ends, x, modes[:, i]) for i in others], axis=1) if others else 0.0
    slopes = np.diff(values, axis=0) / np.diff(ends)[:, None]
    table = np.concatenate([values[:1] - ends[0] * slopes[:1], slopes[:1], np.diff(slopes, axis=0)])
    table[1, place] -= 1.0
    return table


def in_layout(
    tables: Sequence[np.ndarray], mode: np.ndarray, distances: np.ndarray, places: Sequence[int]
) -> tuple[np.ndarray, ...]:
    """Return the tables of ``mode + distances * y``, where y are the coordinates that the given tables lead to."""
    moved = []
    for number, (place, table) in enumerate(zip(places, tables, strict=True)):
        stretched = table * distances
        stretched[1, place] += distances[place] - 1.0
        stretched[0] += mode if number == 0 else 0.0
        moved.append(stretched)
    return tuple(moved)


def _extended(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Interpolate y, linearly beyond the ends."""
    slopes = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    below, above = np.minimum(at - x[0], 0.0), np.maximum(at - x[-1], 0.0)
    return np.interp(at, x, y) + slopes[0] * below + slopes[1] * above


def _marginal(evaluate: Evaluate, mode: np.ndarray, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return places t, the logarithm of the marginal density there, and the modes given t ``(places, d)``."""
    unit = np.eye(len(mode))
    root, _ = clipped_roots(hessian_products(evaluate, mode, unit))
    step = STEP * float(np.sqrt((root[place] ** 2).sum()))
    start, density = _given(evaluate, mode, place)
    found = {0: (density, start)}
    for sign in (1, -1):
        at, highest = start, density
        for number in range(1, MOST_STEPS + 1):
            at, density = _given(evaluate, at + sign * step * unit[place], place)
            found[sign * number] = density, at
            highest = max(highest, density)
            if density < highest - NEGLIGIBLE:
                break
    order = sorted(found)
    positions = np.array([found[k][1] for k in order])
    return positions[:, place], np.array([found[k][0] for k in order]), positions


def _given(evaluate: Evaluate, near: np.ndarray, place: int) -> tuple[np.ndarray, float]:
    """Return the mode of all other coordinates given one, and Laplace's approximation of its marginal density."""
    others = np.delete(np.arange(len(near)), place)
    if not len(others):
        return near, evaluate(near)[0]

    def of_others(v: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = evaluate(np.insert(v, place, near[place]))
        return value, gradient[others]

    identity = np.eye(len(others))
    mode, curvature = climb(of_others, lambda v: _Curvature.of(hessian_products(of_others, v, identity)), near[others])
    return np.insert(mode, place, near[place]), of_others(mode)[0] - curvature.halves


@final
@dataclass(frozen=True)
class _Curvature:
    """Minus the Hessian H by ``root``, with root root' = H^-1, and half of log |H|."""

    root: np.ndarray
    halves: float

    @classmethod
    def of(cls, precision: np.ndarray) -> _Curvature:
        root, eigenvalues = clipped_roots(precision)
        return cls(root, 0.5 * float(np.log(eigenvalues).sum()))

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Return H^-1 g."""
        step: np.ndarray = self.root @ (self.root.T @ gradient)
        return step


def _scores(t: np.ndarray, log_density: np.ndarray) -> np.ndarray:
    """Return the normal scores of places: Phi^-1 of the distribution function by the trapezoidal rule."""
    from scipy.special import ndtri

    density = np.exp(log_density - log_density.max())
    pieces = 0.5 * (density[1:] + density[:-1]) * np.diff(t)
    # half of the first and of the last density stands for what lies beyond
    tails = 0.5 * density[[0, -1]] * (t[1] - t[0])
    below = tails[0] + np.concatenate([[0.0], np.cumsum(pieces)])
    above = tails[1] + np.concatenate([np.cumsum(pieces[::-1])[::-1], [0.0]])
    total = below[-1] + tails[1]
    scores = np.where(below < above, ndtri(below / total), -ndtri(above / total))
    if not np.all(np.isfinite(scores)) or np.any(np.diff(scores) <= 0):
        raise ArithmeticError("the marginal density of a length-scale is not usable")
    return scores
