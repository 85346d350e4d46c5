"""Maps of standard deviations that are linear near the mode, over a width that the curvature there gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bayesml.engines.layout import Layout
from bayesml.engines.nuts.forms.base import ValueAndGradient
from bayesml.engines.nuts.forms.preconditioned.arrow import arrow_whitening
from bayesml.engines.nuts.forms.preconditioned.blocks import Blocks

__all__ = ["first_scales", "tuned_with_scales", "with_scales_at_zero"]

Scales = Mapping[str, tuple[np.ndarray, np.ndarray]]
FIRST_WIDTH = 0.5
"""Width of a standard deviation over its middle before anything is known of it."""
NARROWEST, WIDEST = 0.1, 1.0
"""Bounds of that ratio."""
ALIKE = 1.25
"""Middles and widths that differ by less than this factor are not worth another search for the mode."""
MOST_SEARCHED_TWICE = 200
"""Most dimensions beside the blocks for which the mode is searched for a second time."""


def first_scales(layout: Layout, sds: frozenset[str], start: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the middle and the width of each standard deviation of effects near a start in the layout."""
    scales = {}
    for site, place in zip(layout.sites, layout.slices(), strict=True):
        if site.support.bounds == (0.0, np.inf) and site.is_of(sds):
            scales[site.name] = np.exp(start[place]), FIRST_WIDTH * np.exp(start[place])
    return scales


def with_scales_at_zero(layout: Layout, scales: Scales, start: np.ndarray) -> np.ndarray:
    """Return the start with 0, the middle, in the place of each logarithm of a standard deviation."""
    moved = start.copy()
    for site, place in zip(layout.sites, layout.slices(), strict=True):
        if site.name in scales:
            moved[place] = 0.0
    return moved


def tuned_with_scales(layout: Layout, chain: tuple[Blocks, ...]) -> Callable[[ValueAndGradient, Any], Any]:
    """Return the function that tunes a form.

    It climbs to the mode and whitens there. The values of the standard deviations at the mode, and how uncertain they
    are, then give their maps (``near_linear``); where these differ from the maps before, it climbs once more.

    Args:
        layout: the sites.
        chain: the places of the effects that are not in the remainder of the whitening.
    """
    rest = np.ones(layout.size, dtype=bool)
    for first, stop in (segment for blocks in chain for segment in blocks.segments):
        rest[first:stop] = False
    place_in_rest = np.cumsum(rest) - 1

    def tune(value_and_gradient: ValueAndGradient, data: Any) -> Any:
        whitened = data | {"white": arrow_whitening(lambda x: value_and_gradient(x, data), data["white"])}
        if not data["scales"] or rest.sum() > MOST_SEARCHED_TWICE:
            return whitened
        mode, root = np.array(whitened["white"]["rest"]), np.asarray(whitened["white"]["root"])
        distances = np.sqrt((root**2).sum(axis=1))
        scales, moved = {}, False
        for site, place in zip(layout.sites, layout.slices(), strict=True):
            if site.name not in data["scales"]:
                continue
            positions = place_in_rest[place]
            before = tuple(np.asarray(each) for each in data["scales"][site.name])
            scales[site.name] = _learned(mode[positions], distances[positions], *before)
            moved |= bool(np.any(np.abs(np.log(np.divide(scales[site.name], before))) > np.log(ALIKE)))
            middle, width = scales[site.name]
            mode[positions], distances[positions] = 0.0, width / middle
        if not moved:
            return whitened
        stages = tuple(
            {**unit, "mode": stage["mode"]}
            for unit, stage in zip(data["white"]["stages"], whitened["white"]["stages"], strict=True)
        )
        again = data | {"scales": scales}
        start = data["white"] | {"rest": mode, "root": np.diag(distances), "stages": stages}
        return again | {"white": arrow_whitening(lambda x: value_and_gradient(x, again | {"white": start}), start)}

    return tune


def _learned(
    mode: np.ndarray, distance: np.ndarray, middle: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the value at a mode and the typical distance from there, within bounds."""
    value, slope = _value_and_slope(mode, middle, width)
    return value, np.clip(slope * distance, NARROWEST * value, WIDEST * value)


def _value_and_slope(y: np.ndarray, middle: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``near_linear`` and its derivative, in NumPy."""
    turned, outer = _bent(-y)
    inner, slope = _bent(middle * (1.0 - turned) / width)
    return width * np.logaddexp(0.0, inner), middle * outer * slope * np.exp(-np.logaddexp(0.0, -inner))


def _bent(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    root = np.sqrt(1.0 + x * x)
    square = 0.25 * (root - x) ** 2
    return x - 0.5 * (square - 0.25), 1.0 + square / root
