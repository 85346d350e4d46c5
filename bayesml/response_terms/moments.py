"""Expected values and draws of a truncated response, from the density and distribution functions of the whole one."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bayesml.families.base import AbstractLikelihood

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Observed, PerRow, Values

__all__ = ["truncated_draw", "truncated_moments"]

LOG_NOTHING = -28.0
"""Log of the share of the range's mass, 1e-12, that may lie beyond where a range without bound ends."""
WIDENINGS = 60
NODES = 12
CUTS = (1e-10, 1e-6, 1e-3, 0.05, 0.5, 0.95, 1.0 - 1e-3, 1.0 - 1e-6, 1.0 - 1e-10)
MOST_COUNTS = 400
REJECTIONS = 50
BISECTIONS = 60


class TruncatedLikelihood(Hashable, Protocol):
    """A likelihood on a range."""

    @property
    def base(self) -> AbstractLikelihood:
        """The likelihood without bounds."""

    @property
    def has_lower(self) -> bool:
        """Whether there are lower bounds."""

    @property
    def has_upper(self) -> bool:
        """Whether there are upper bounds."""

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density."""

    def log_mass(self, values: Values, data: DataArrays) -> PerRow:
        """Return log P(response within the bounds)."""

    def log_cdf(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(response <= y)."""


def truncated_moments(
    likelihood: TruncatedLikelihood, parameters: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of the response within the bounds.

    The range is cut at quantiles of the truncated distribution, which bisection of its distribution function gives. The
    density is integrated over each piece by Gauss and Legendre's rule, so that nodes lie where the probability is,
    whatever the bounds and however long the tails. Counts on a short range are summed.
    """
    shape = _shape(likelihood, parameters, data)
    lower, upper = _range(likelihood, parameters, data, shape)
    values = {name: np.asarray(v, dtype=float) for name, v in likelihood.base.values({}, parameters).items()}
    discrete = likelihood.base.traits.discrete
    if discrete and float(np.max(upper - lower, initial=0.0)) <= MOST_COUNTS:
        return _moments(likelihood, values, data, _counts(lower, upper))
    cuts = [_quantile(likelihood, np.full(shape, u), values, data, lower, upper) for u in CUTS]
    return _moments(likelihood, values, data, _nodes(cuts))


Points = Iterator[tuple[np.ndarray, np.ndarray]]


def _counts(lower: np.ndarray, upper: np.ndarray) -> Points:
    """Yield the counts of a range, each with weight 1."""
    for step in range(int(np.max(upper - lower, initial=0.0)) + 1):
        y = lower + step
        yield np.minimum(y, upper), (y <= upper).astype(float)


def _nodes(cuts: Sequence[np.ndarray]) -> Points:
    """Yield the nodes of all pieces with their weights."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    for left, right in pairwise(cuts):
        half = 0.5 * (right - left)
        for node, weight in zip(nodes, weights, strict=True):
            yield left + half * (node + 1.0), weight * half


def _moments(
    likelihood: TruncatedLikelihood, values: Values, data: DataArrays, points: Points
) -> tuple[np.ndarray, np.ndarray]:
    zero = np.zeros(())
    mass, first, second = zero, zero, zero
    density = _evaluated(likelihood, "log_prob")
    for y, weight in points:
        p = np.where(weight > 0, np.exp(density(y, values, data)), 0.0) * weight
        mass, first, second = mass + p, first + p * y, second + p * y**2
    with np.errstate(all="ignore"):
        mean = first / mass
        return mean, np.maximum(second / mass - mean**2, 0.0)


def truncated_draw(
    likelihood: TruncatedLikelihood,
    rng: np.random.Generator,
    parameters: Mapping[str, np.ndarray],
    data: Mapping[str, np.ndarray],
) -> np.ndarray:
    """Draw responses on the range: rejected ones are drawn again, those that stay out come by inversion."""
    shape = _shape(likelihood, parameters, data)
    low, high = (np.broadcast_to(np.asarray(data[name], dtype=float), shape) for name in ("lb", "ub"))
    drawn = np.array(np.broadcast_to(likelihood.base.draw(rng, parameters, data), shape), dtype=float)
    for _ in range(REJECTIONS):
        outside = (drawn < low) | (drawn > high)
        if not outside.any():
            return drawn
        drawn = np.where(outside, np.broadcast_to(likelihood.base.draw(rng, parameters, data), shape), drawn)
    outside = (drawn < low) | (drawn > high)
    if outside.any():
        lower, upper = _range(likelihood, parameters, data, shape)
        values = {name: np.asarray(v, dtype=float) for name, v in likelihood.base.values({}, parameters).items()}
        inverted = _quantile(likelihood, rng.random(shape), values, data, lower, upper)
        drawn = np.where(outside, inverted, drawn)
    return drawn


def _shape(
    likelihood: TruncatedLikelihood, parameters: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]
) -> tuple[int, ...]:
    shapes = [np.shape(parameters[p.name]) for p in likelihood.base.dpars]
    return np.broadcast_shapes(np.shape(data["lb"]), *shapes)


def _range(
    likelihood: TruncatedLikelihood, parameters: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray], shape: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return finite bounds: where there is none, so far out that next to nothing of the range's mass lies beyond."""
    with np.errstate(all="ignore"):
        mean = np.broadcast_to(np.asarray(likelihood.base.mean(parameters, data), dtype=float), shape)
        variance = np.broadcast_to(np.asarray(likelihood.base.variance(parameters, data), dtype=float), shape)
    spread = np.sqrt(np.where(np.isfinite(variance), variance, (1.0 + np.abs(mean)) ** 2)) + 1e-12
    low, high = (np.broadcast_to(np.asarray(data[name], dtype=float), shape) for name in ("lb", "ub"))
    values = {name: np.asarray(v, dtype=float) for name, v in likelihood.base.values({}, parameters).items()}
    least = _evaluated(likelihood, "log_mass")(values, data) + LOG_NOTHING
    lower = np.minimum(mean, np.where(np.isfinite(high), high, mean))
    lower = np.where(np.isfinite(low), low, _outwards(likelihood, "log_cdf", lower, -spread, least, values, data, low))
    upper = np.maximum(mean, np.where(np.isfinite(low), low, mean))
    upper = np.where(
        np.isfinite(high), high, _outwards(likelihood, "log_survival", upper, spread, least, values, data, high)
    )
    if likelihood.base.traits.discrete:
        return np.maximum(np.ceil(lower), np.where(np.isfinite(low), -np.inf, 0.0)), np.floor(upper)
    return lower, upper


def _outwards(
    likelihood: TruncatedLikelihood,
    tail: str,
    start: np.ndarray,
    step: np.ndarray,
    least: np.ndarray,
    values: Values,
    data: DataArrays,
    bound: np.ndarray,
) -> np.ndarray:
    """Where nothing bounds, go from ``start`` in growing steps until the log probability beyond is below ``least``."""
    place, log_tail, free = start, _evaluated(likelihood.base, tail), ~np.isfinite(bound)
    for _ in range(WIDENINGS if free.any() else 0):
        goes_on = free & (log_tail(place, values, data) > least)
        if not goes_on.any():
            break
        place, step = np.where(goes_on, place + step, place), step * 1.5
    return place


def _quantile(
    likelihood: TruncatedLikelihood,
    u: np.ndarray,
    values: Values,
    data: DataArrays,
    lower: np.ndarray,
    upper: np.ndarray,
) -> np.ndarray:
    """Return y with P(Y <= y) = u on the range by bisection; of counts the smallest with at least u."""
    discrete = likelihood.base.traits.discrete
    low, high = lower - (1.0 if discrete else 0.0), np.array(upper)
    target, cdf = np.log(u), _evaluated(likelihood, "log_cdf")
    for _ in range(BISECTIONS):
        middle = np.floor(0.5 * (low + high)) if discrete else 0.5 * (low + high)
        above = np.asarray(cdf(middle, values, data)) >= target
        low, high = np.where(above, low, middle), np.where(above, middle, high)
        if float(np.max(high - low, initial=0.0)) <= (1.0 if discrete else 0.0):
            break
    return high


@lru_cache(maxsize=64)
def _evaluated(likelihood: Any, method: str) -> Any:
    """Return a compiled method of a likelihood that takes and gives NumPy arrays in double precision."""
    import jax

    compiled = jax.jit(getattr(likelihood, method))

    def evaluate(*arguments: Any) -> np.ndarray:
        *y, values, data = arguments
        with jax.enable_x64(True):
            return np.asarray(compiled(*y, dict(values), {k: np.asarray(v, float) for k, v in data.items()}))

    return evaluate
