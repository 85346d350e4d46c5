"""A fingerprint of the design: enough to notice that the same data are encoded differently somewhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesml.design import Design
from bayesml.names import predictor_name

__all__ = ["differing_array", "fingerprint"]

TOLERANCE = 1e-8
INFINITE = 1e100


def fingerprint(design: Design) -> dict[str, list[Any]]:
    """Return shape, length and one projection of every array of the design, by name.

    The projection on cos(1 + 0.75 i) changes when columns or rows are exchanged, which a sum would not show. It is
    compared with a tolerance, since the last digits of a spline or of orthogonal polynomials differ between machines.
    """
    return {name: [list(array.shape), *_projections(array)] for name, array in _arrays(design)}


def differing_array(design: Design, stored: dict[str, list[Any]]) -> str | None:
    """Return the name of the first array that is not the one whose fingerprint was stored, or None."""
    own = fingerprint(design)
    if set(own) != set(stored):
        return sorted(set(own) ^ set(stored))[0]
    return next((name for name, mine in own.items() if not _alike(mine, stored[name])), None)


def _alike(first: list[Any], second: list[Any]) -> bool:
    if list(first[0]) != list(second[0]):
        return False
    size = max(first[1], 1e-300)
    return abs(first[1] - second[1]) <= TOLERANCE * size and abs(first[2] - second[2]) <= TOLERANCE * size


def _projections(array: np.ndarray) -> tuple[float, float]:
    flat = np.asarray(array, dtype=float).ravel()
    # A bound of trunc() may be infinite, and a response in mi() may be missing.
    flat = np.where(np.isnan(flat), 0.5 * INFINITE, np.clip(flat, -INFINITE, INFINITE))
    weights = np.cos(1.0 + 0.75 * np.arange(flat.size))
    return float(np.linalg.norm(flat)), float(flat @ weights) / max(flat.size, 1) ** 0.5


def _arrays(design: Design) -> Iterator[tuple[str, np.ndarray]]:
    for predictor, terms in design.arrays.items():
        for key, arrays in terms.items():
            where = f"{predictor_name(predictor)} / {key}"
            yield from ((f"{where} / {name}", array) for name, array in arrays.items())
    yield from ((f"response / {name}", array) for name, array in design.response.arrays.items())
    probe = design.likelihood.probe(design.response.arrays)
    if probe is not None:
        yield "density of the response", probe
    if design.weights is not None:
        yield "weights", design.weights
