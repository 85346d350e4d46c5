"""Smooths, a Gaussian process, areas and series: models whose terms are more than groups, in the words of both."""

from __future__ import annotations

from functools import partial

import numpy as np
from _data import Columns, labels
from _family_cases import FamilyCase

__all__ = ["TERM_CASES", "curves"]

SIDES = (25, 40)
"""Rows and columns of the map of 1,000 areas."""


def curves(rng: np.random.Generator, rows: int, groups: int, counts: bool) -> Columns:
    """Return a curve of x with groups beside it."""
    x, g = np.round(rng.uniform(0.0, 1.0, rows), 5), rng.integers(0, groups, rows)
    eta = np.sin(2.0 * np.pi * x) + 0.5 * x + 0.5 * rng.normal(size=groups)[g]
    y = rng.poisson(np.exp(0.5 + eta)) if counts else np.round(eta + rng.normal(size=rows), 4)
    return {"x": x, "g": labels("g", g), "y": y}


def _process(rng: np.random.Generator, rows: int) -> Columns:
    x = np.round(rng.uniform(0.0, 10.0, rows), 4)
    return {"x": x, "y": np.round(np.sin(x) + 0.3 * np.cos(2.3 * x) + 0.4 * rng.normal(size=rows), 4)}


def _neighbours() -> tuple[np.ndarray, np.ndarray]:
    """Return which squares of a map have a side in common."""
    number = np.arange(SIDES[0] * SIDES[1]).reshape(SIDES)
    W = np.zeros((number.size, number.size), int)
    for one, other in ((number[:, :-1], number[:, 1:]), (number[:-1], number[1:])):
        W[one.ravel(), other.ravel()] = W[other.ravel(), one.ravel()] = 1
    return W, labels("a", number.ravel())


def _areas(rng: np.random.Generator) -> Columns:
    W, area = _neighbours()
    root = np.linalg.cholesky(np.diag(W.sum(axis=0)) - 0.95 * W)
    effects, x = 0.7 * np.linalg.solve(root.T, rng.normal(size=len(W))), np.round(rng.normal(size=len(W)), 4)
    return {"x": x, "area": area, "y": rng.poisson(np.exp(1.0 + 0.3 * x + effects))}


def _series(rng: np.random.Generator) -> Columns:
    series, steps = 100, 50
    e = rng.normal(size=(series, steps))
    for t in range(1, steps):
        e[:, t] += 0.6 * e[:, t - 1]
    x = np.round(rng.normal(size=series * steps), 4)
    g, t = np.repeat(np.arange(series), steps), np.tile(np.arange(steps), series)
    return {"x": x, "g": labels("g", g), "t": t, "y": np.round(1.0 + 0.5 * x + e.ravel(), 4)}


GAUSSIAN, POISSON = ("gaussian", "gaussian()"), ("poisson", "poisson()")
TERM_CASES = (
    FamilyCase(
        "smooth_gaussian", "y ~ s(x) + (1 | g)", GAUSSIAN, partial(curves, rows=100_000, groups=200, counts=False)
    ),
    FamilyCase("smooth_poisson", "y ~ s(x) + (1 | g)", POISSON, partial(curves, rows=5000, groups=100, counts=True)),
    FamilyCase("process_500", "y ~ gp(x, k = 20, c = 1.25)", GAUSSIAN, partial(_process, rows=500)),
    FamilyCase("process_5000", "y ~ gp(x, k = 20, c = 1.25)", GAUSSIAN, partial(_process, rows=5000)),
    FamilyCase("areas", "y ~ x + car(W, gr = area)", POISSON, _areas, matrices={"W": _neighbours}),
    FamilyCase("series", "y ~ x + ar(time = t, gr = g)", GAUSSIAN, _series),
)
