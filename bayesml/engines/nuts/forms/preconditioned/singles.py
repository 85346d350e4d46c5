"""The single parameters of a likelihood in the pilot: which they are, where they start, one Newton step of all."""

from __future__ import annotations

import numpy as np

from bayesml.describe import single_parameters
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.preconditioned.rows import RowDerivatives
from bayesml.families.coordinates import SingleCoordinates
from bayesml.spec import ModelSpec

__all__ = ["single_coordinates", "single_step", "typical_singles"]

SMALLEST_CURVATURE = 1e-3
LONGEST = 1.0


def single_coordinates(problem: Problem) -> SingleCoordinates:
    """Return the coordinates of the single parameters of a problem."""
    spec, taken = problem.description.spec, dict(problem.likelihood.further)
    # What densities take after it has been computed, such as thresholds of centred predictors, is held at its start.
    further = tuple(spec.parameter(p.name) for p in problem.likelihood.parameters if p.name in taken)
    return SingleCoordinates(single_parameters(problem.design), further)


def typical_singles(spec: ModelSpec, singles: SingleCoordinates) -> dict[str, np.ndarray]:
    """Return where the parameters start."""
    values = {}
    for name in (p.name for p in singles.dpars):
        values[name] = np.asarray(spec.parameter(name).centers[0])
    for p in singles.further:
        start = p.support.start(p.shape, np.asarray(p.centers), np.asarray(p.scales))[0]
        values[p.name] = np.asarray(p.support.constrain(start, p.shape)[0])
    return singles.inside(values)


def single_step(
    singles: SingleCoordinates, values: dict[str, np.ndarray], rows: RowDerivatives
) -> dict[str, np.ndarray]:
    """Return the parameters after a Newton step of at most 1 in each coordinate, uphill in every direction."""
    if not singles.size:
        return values
    curvature = rows.single_curvature + SMALLEST_CURVATURE * np.eye(singles.size)
    eigenvalues, vectors = np.linalg.eigh(curvature)
    step = vectors @ ((vectors.T @ rows.single_gradient) / np.maximum(np.abs(eigenvalues), SMALLEST_CURVATURE))
    return singles.moved(values, np.clip(step, -LONGEST, LONGEST))
