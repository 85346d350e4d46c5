"""Judge draws: effective sample sizes, Rhat, means with their Monte Carlo errors; the same code for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Judged", "distance", "judge"]


@dataclass(frozen=True)
class Judged:
    """What the draws of one run are worth.

    Attributes:
        bulk: smallest bulk effective sample size of the reported parameters, and of which one.
        tail: smallest tail effective sample size.
        rhat: largest Rhat.
        worst: the parameter with the smallest bulk effective sample size.
        means: posterior means.
        errors: their Monte Carlo standard errors.
    """

    bulk: float
    tail: float
    rhat: float
    worst: str
    means: dict[str, float] = field(repr=False)
    errors: dict[str, float] = field(repr=False)


def judge(draws: Mapping[str, np.ndarray]) -> Judged:
    """Judge the ``(chains, draws)`` of every parameter."""
    from arviz_stats.base import array_stats

    bulk = {name: float(array_stats.ess(values, method="bulk")) for name, values in draws.items()}
    tail = [float(array_stats.ess(values, method="tail", prob=(0.05, 0.95))) for values in draws.values()]
    rhat = [float(array_stats.rhat(values)) for values in draws.values()]
    means = {name: float(values.mean()) for name, values in draws.items()}
    errors = {
        name: float(values.std(ddof=1) / np.sqrt(array_stats.ess(values, method="mean")))
        for name, values in draws.items()
    }
    return Judged(min(bulk.values()), min(tail), max(rhat), min(bulk, key=lambda n: bulk[n]), means, errors)


def distance(one: Judged, other: Judged) -> float:
    """Return the largest difference of means that both report, in Monte Carlo standard errors of the difference."""
    shared = [name for name in one.means if name in other.means]
    gaps = [
        abs(one.means[name] - other.means[name]) / np.hypot(one.errors[name], other.errors[name]) for name in shared
    ]
    return float(max(gaps, default=0.0))
