"""The probability of an interval, in log space from whichever tail keeps its digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jax import numpy as jnp

from bayesml.families.base import AbstractLikelihood
from bayesml.families.incomplete import log_difference

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Observed, PerRow, Values

__all__ = ["log_between"]


def log_between(
    likelihood: AbstractLikelihood,
    lower: PerRow | None,
    upper: PerRow | None,
    values: Values,
    data: DataArrays,
) -> PerRow:
    """Return log P(lower < Y <= upper).

    It is the difference of two distribution functions below the median and of two survival functions above it, so that
    it is exact far out in both tails.

    Args:
        likelihood: the distribution of Y.
        lower: lower ends, None or minus infinity where there is none.
        upper: upper ends, None or infinity where there is none.
        values: the parameters.
        data: arrays of the response.
    """
    if lower is None or upper is None:
        if lower is not None:
            return likelihood.log_survival(lower, values, data)
        return likelihood.log_cdf(upper, values, data)
    below, above = _tails(likelihood, lower, values, data, at_infinity=(-jnp.inf, 0.0))
    low_end, high_end = _tails(likelihood, upper, values, data, at_infinity=(0.0, -jnp.inf))
    left = below < above  # the interval begins below the median
    # The difference that is not taken is computed of numbers that have one, for the sake of the gradient.
    by_cdf = log_difference(jnp.where(left, low_end, -1.0), jnp.where(left, below, -2.0))
    by_survival = log_difference(jnp.where(left, -1.0, above), jnp.where(left, -2.0, high_end))
    return jnp.where(left, by_cdf, by_survival)


def _tails(
    likelihood: AbstractLikelihood,
    y: Observed,
    values: Values,
    data: DataArrays,
    at_infinity: tuple[float, float],
) -> tuple[PerRow, PerRow]:
    """Return log P(Y <= y) and log P(Y > y), and those given where y is infinite."""
    finite = jnp.isfinite(y)
    inner = jnp.where(finite, y, 0.0)
    tails = likelihood.log_tails(inner, values, data)
    return jnp.where(finite, tails[0], at_infinity[0]), jnp.where(finite, tails[1], at_infinity[1])
