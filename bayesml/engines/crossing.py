"""Find where a function that rises on one side of a center reaches a given height, as a profile likelihood does."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["crossing"]

MOST_STEPS = 40
NARROW = 1e-7  # share of the first bracket: the height jumps within, as that of an approximation may
FLAT = 1e-3  # a height that is still this low after so many steps never comes
FLAT_STEPS = 12
OVERSHOOT = 1.05  # so that the next place lies beyond the target and closes the bracket


def crossing(
    height: Callable[[float], float], center: float, target: float, step: float, bound: float, accuracy: float = 1e-6
) -> float:
    """Return the place nearest to the center at which the height is ``target``, or the bound where it never is.

    Args:
        height: at least 0, and 0 at the center; nearly linear in the distance from it.
        center: where to start.
        target: positive.
        step: signed first step.
        bound: end of the range on that side, possibly infinite.
        accuracy: of the height.
    """
    if center == bound:
        return bound
    inner, low, reach = center, 0.0, step
    for count in range(MOST_STEPS):
        outer = inner + reach
        at_end = (outer - bound) * step >= 0
        outer = bound if at_end else outer
        high = height(outer)
        if high >= target - accuracy:
            return _between(height, target, (inner, low), (outer, high), accuracy)
        if at_end or (count > FLAT_STEPS and high < FLAT):
            return bound
        gained = max(high - low, 1e-12)
        reach *= min(max(OVERSHOOT * (target - high) / gained, 0.3), 3.0)
        inner, low = outer, high
    return bound


def _between(
    height: Callable[[float], float],
    target: float,
    inner: tuple[float, float],
    outer: tuple[float, float],
    accuracy: float,
) -> float:
    """Secants, through the two nearest places, inside the bracket; pairs are places with their heights."""
    if abs(outer[1] - target) <= accuracy:
        return outer[0]
    a, b, width = inner[0], outer[0], abs(outer[0] - inner[0])
    known = [pair for pair in (inner, outer) if pair[1] < float("inf")]
    for count in range(MOST_STEPS):
        (v1, h1), (v2, h2) = (known * 2)[:2]
        place = v1 + (target - h1) * (v2 - v1) / (h2 - h1) if h1 != h2 else a
        if not min(a, b) < place < max(a, b) or (count > 3 and count % 3 == 0):
            place = 0.5 * (a + b)
        reached = height(place)
        if abs(reached - target) <= accuracy or abs(b - a) <= NARROW * width:
            return place
        a, b = (place, b) if reached < target else (a, place)
        known = sorted([(place, reached), *known], key=lambda pair: abs(pair[1] - target))[:3]
        known = [pair for pair in known if pair[1] < float("inf")]
    return 0.5 * (a + b)
