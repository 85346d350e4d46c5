"""Ratios Gamma(s + y) / Gamma(s) at any s, in NumPy or JAX.

``gammaln(s + y) - gammaln(s)`` loses every digit where s is large (at s = 1e12 it errs by 0.003), and a shape runs off
to such values whenever counts vary no more than Poisson counts do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast

__all__ = ["digamma_rising", "log_rising", "stirling", "stirling_slope"]

SHIFT = 8
# Coefficients of Stirling's series of log Gamma(z) in z^-11, z^-9, ..., z^-1 (Abramowitz and Stegun 6.1.41).
STIRLING = (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12)


def log_rising(s: Broadcast, y: Broadcast) -> Broadcast:
    """Return log Gamma(s + y) - log Gamma(s) - y log(s) for s > 0 and y >= 0, to rounding even at s = 1e15.

    For whole y it is sum_{k < y} log(1 + k / s). Each log Gamma(x) is Stirling's series at z = x + 8, where its first
    term left out is below 1e-14, and the recurrence back, -log(x (x + 1) ... (x + 7)) (Abramowitz and Stegun 6.1.15);
    what the two have in common is taken out before anything is subtracted.
    """
    xp = array_namespace(s, y)
    low, high = s + SHIFT, s + y + SHIFT
    ratio = 1.0
    for k in range(SHIFT):
        ratio = ratio * ((low / (s + k)) * ((s + y + k) / high))
    powers = y * xp.log1p((y + SHIFT) / s) + (s - 0.5) * xp.log1p(y / low) - y
    return powers + (stirling(high) - stirling(low)) - xp.log(ratio)


def digamma_rising(s: Broadcast, y: Broadcast) -> Broadcast:
    """Return the derivative of ``log_rising`` in s, digamma(s + y) - digamma(s) - y / s (6.3.6 and 6.3.18)."""
    xp = array_namespace(s, y)
    low, high = s + SHIFT, s + y + SHIFT
    recurrence = 0.0
    for k in range(SHIFT):
        recurrence = recurrence + y / ((s + k) * (s + y + k))
    logarithms = xp.log1p(y / low) + (y / (2 * low * high) + stirling_slope(high) - stirling_slope(low))
    return logarithms + recurrence - y / s


def stirling(z: Broadcast) -> Broadcast:
    """Return log Gamma(z) - (z - 1/2) log(z) + z - log(2 pi) / 2, for z of 8 and above."""
    square, series = 1.0 / z**2, 0.0
    for coefficient in STIRLING:
        series = series * square + coefficient
    return series / z


def stirling_slope(z: Broadcast) -> Broadcast:
    """Return the derivative of ``stirling``."""
    square, series = 1.0 / z**2, 0.0
    for power, coefficient in zip(range(2 * len(STIRLING) - 1, 0, -2), STIRLING, strict=True):
        series = series * square - power * coefficient
    return series * square
