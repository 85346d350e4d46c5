"""New responses from a fitted model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bayesml.engines.linear_mixed.fitting import refit
from bayesml.engines.linear_mixed.solution import LinearMixedFit

__all__ = ["parametric_bootstrap", "simulate"]


def simulate(fit: LinearMixedFit, draws: int, generator: np.random.Generator, new_effects: bool = True) -> np.ndarray:
    """Draw responses ``(draws, n)`` from the fitted model.

    Args:
        fit: the fitted model.
        draws: number of responses.
        generator: random number generator.
        new_effects: draw new group effects; else keep the conditional modes.
    """
    n = fit.n
    mean = fit.population_fitted if new_effects else fit.fitted
    out = np.tile(mean, (draws, 1))
    if new_effects:
        for group, estimate in zip(fit.problem.groups, fit.groups, strict=True):
            half = fit.sigma * estimate.relative_factor
            out += group.contribution(generator.standard_normal((draws, group.n_levels, group.q)) @ half.T)
    noise = generator.standard_normal((draws, n)) * fit.sigma
    return out + (noise if fit.problem.weights is None else noise / np.sqrt(fit.problem.weights))


def parametric_bootstrap(fit: LinearMixedFit, draws: int, generator: np.random.Generator) -> Iterator[LinearMixedFit]:
    """Yield the model fitted to each of ``draws`` simulated responses."""
    for _ in range(draws):
        yield refit(fit, simulate(fit, 1, generator)[0])
