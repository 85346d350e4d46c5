"""The single parameters of a likelihood in the pilot: which they are, where they start, one Newton step of all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesml.describe import single_parameters
from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.preconditioned.rows import RowDerivatives
from bayesml.families.coordinates import SingleCoordinates
from bayesml.families.records import DistributionalParameter
from bayesml.links import get_link
from bayesml.spec import ModelSpec

__all__ = ["log_prior", "single_coordinates", "single_step", "typical_singles"]

SMALLEST_CURVATURE = 1e-3
LONGEST = 1.0
STEP = 1e-2
"""Over which the log prior is differenced."""
DIFFERENCE = 1e-4
LEAST = -1e6
"""The log prior where there is none to speak of."""


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


def log_prior(spec: ModelSpec, singles: SingleCoordinates, values: Mapping[str, np.ndarray]) -> float:
    """Return the log prior density of the distributional parameters in their coordinates, without constants.

    With x = g(u) that of u is log p(g(u)) + log |g'(u)|. The likelihood alone may be largest where a standard deviation
    is 0; the density of its logarithm falls there.
    """
    return float(sum(_log_prior(spec, p, u) for p, u in zip(singles.dpars, singles.unbounded(values), strict=False)))


def _log_prior(spec: ModelSpec, parameter: DistributionalParameter, u: float) -> float:
    link, prior = get_link(parameter.links[0]), spec.parameter(parameter.name).priors[0]
    if prior.is_constant:
        return 0.0
    ahead, behind = (float(link.inverse(np.asarray(u + sign * DIFFERENCE))) for sign in (1.0, -1.0))
    with np.errstate(all="ignore"):
        found = float(prior.log_density_inside(0.5 * (ahead + behind))) + float(np.log(abs(ahead - behind)))
    return found if np.isfinite(found) else LEAST


def single_step(
    spec: ModelSpec, singles: SingleCoordinates, values: dict[str, np.ndarray], rows: RowDerivatives
) -> dict[str, np.ndarray]:
    """Return the parameters after a Newton step of at most 1 in each coordinate, uphill in every direction."""
    if not singles.size:
        return values
    gradient, curvature = (
        np.array(rows.single_gradient),
        rows.single_curvature + SMALLEST_CURVATURE * np.eye(singles.size),
    )
    for i, (parameter, u) in enumerate(zip(singles.dpars, singles.unbounded(values), strict=False)):
        behind, here, ahead = (_log_prior(spec, parameter, u + k * STEP) for k in (-1, 0, 1))
        gradient[i] += (ahead - behind) / (2 * STEP)
        curvature[i, i] += (2 * here - ahead - behind) / STEP**2
    eigenvalues, vectors = np.linalg.eigh(curvature)
    step = vectors @ ((vectors.T @ gradient) / np.maximum(np.abs(eigenvalues), SMALLEST_CURVATURE))
    return singles.moved(values, np.clip(step, -LONGEST, LONGEST))
