"""Distributions of y and y_rep over each other, or side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.plots.predictive.compared import Compared, window
from bayesml.results.plots.style import DARK, FAINT, clean, density
from bayesml.results.plots.survival import draw_overlay

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    *(
        "MOST_BARS",
        "boxes",
        "densities",
        "density_of_one",
        "distribution_functions",
        "frequencies",
        "histogram",
        "survival",
    ),
    *("violins", "without_left"),
]

MOST_BARS = 60
BINS = 30


def without_left(axes: Axes, grid: str = "") -> None:
    """Take away the frame and the ticks of an axis that has no unit."""
    axes.set_yticks([])
    clean(axes, grid=grid)
    axes.spines["left"].set_visible(False)


def _densities_of(responses: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [curve for curve in map(density, responses) if curve is not None]


def densities(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the density of y over those of y_rep."""
    curve, others = density(compared.y), _densities_of(compared.replicated)
    if curve is None or not others:
        raise ModelError('The response does not vary, so that it has no density; use kind="intervals".')
    for k, each in enumerate(others):
        axes.plot(*each, color=FAINT, linewidth=1.0, alpha=0.8, label="" if k else "y_rep")
    axes.plot(*curve, color=DARK, linewidth=2.2, label="y")
    axes.set_xlim(*window(compared))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(compared.name, fontsize=10)
    without_left(axes)


def distribution_functions(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the distribution function of y over those of y_rep."""
    heights = np.arange(1, len(compared.y) + 1) / len(compared.y)
    for k, drawn in enumerate(compared.replicated):
        label = "" if k else "y_rep"
        axes.step(np.sort(drawn), heights, where="post", color=FAINT, linewidth=1.0, alpha=0.8, label=label)
    axes.step(np.sort(compared.y), heights, where="post", color=DARK, linewidth=2.0, label="y")
    axes.set_xlim(*window(compared))
    axes.set_xlabel(compared.name, fontsize=10)
    axes.set_ylabel("cumulative share", fontsize=10)
    clean(axes)


def survival(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the survival curve of y, by Kaplan and Meier, over those of y_rep."""
    assert compared.observed is not None
    draw_overlay(axes, compared.observed, compared.replicated, compared.name)


def _edges(compared: Compared) -> np.ndarray:
    low, high = window(compared)
    sets = (compared.y, compared.replicated[np.isfinite(compared.replicated)])
    whole = all((s == np.round(s)).all() for s in sets) and high - low <= MOST_BARS
    return np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.0) if whole else np.linspace(low, high, BINS + 1)


def _one(compared: Compared, place: int) -> tuple[np.ndarray, str]:
    """Return y, or one of y_rep, with its colour."""
    if place < 0:
        return compared.y, DARK
    values = compared.replicated[place]
    return values[np.isfinite(values)], FAINT


def histogram(axes: Axes, compared: Compared, place: int) -> None:
    """Draw a histogram of y, or of one of y_rep."""
    values, colour = _one(compared, place)
    axes.hist(values, bins=_edges(compared).tolist(), color=colour)
    axes.set_xlabel(compared.name, fontsize=9.5)
    without_left(axes)


def density_of_one(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the density of y, or of one of y_rep."""
    values, colour = _one(compared, place)
    curve = density(values)
    if curve is None:
        raise ModelError('The response does not vary, so that it has no density; use kind="intervals".')
    axes.fill_between(*curve, color=colour, alpha=0.6, linewidth=0)
    axes.plot(*curve, color=colour, linewidth=1.5)
    axes.set_xlim(*window(compared))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(compared.name, fontsize=9.5)
    without_left(axes)


def frequencies(axes: Axes, compared: Compared, place: int) -> None:
    """Draw y and one of y_rep as histograms whose tops are joined."""
    edges = _edges(compared)
    centers = 0.5 * (edges[1:] + edges[:-1])
    values, _ = _one(compared, place)
    axes.plot(centers, np.histogram(values, edges)[0], color=FAINT, linewidth=1.6, label="y_rep")
    axes.plot(centers, np.histogram(compared.y, edges)[0], color=DARK, linewidth=1.6, label="y")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(compared.name, fontsize=9.5)
    without_left(axes)


def _sets(compared: Compared) -> list[np.ndarray]:
    return [compared.y, *(drawn[np.isfinite(drawn)] for drawn in compared.replicated)]


def boxes(axes: Axes, compared: Compared, place: int) -> None:
    """Draw box plots of y and of each y_rep side by side."""
    sets = _sets(compared)
    drawn = axes.boxplot(sets, widths=0.6, patch_artist=True, flierprops={"marker": ".", "markersize": 3, "alpha": 0.5})
    for k, box in enumerate(drawn["boxes"]):
        box.set(facecolor=DARK if not k else FAINT, alpha=0.75, edgecolor=DARK)
    for line in drawn["medians"]:
        line.set(color="white", linewidth=1.6)
    _side_by_side(axes, compared, len(sets))


def violins(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the densities of y and of each y_rep upright, side by side, with medians and quartiles."""
    width = 0.42
    for k, values in enumerate(_sets(compared)):
        curve = density(values)
        if curve is None:
            raise ModelError('The response does not vary, so that it has no density; use kind="intervals".')
        grid, heights = curve
        half = width * heights / heights.max()
        colour = DARK if not k else FAINT
        axes.fill_betweenx(grid, k + 1 - half, k + 1 + half, color=colour, alpha=0.7, linewidth=0)
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        axes.vlines(k + 1, low, high, color="white" if not k else DARK, linewidth=2.0)
        axes.plot(k + 1, middle, "o", color="white" if not k else DARK, markersize=3.6)
    _side_by_side(axes, compared, len(compared.replicated) + 1)


def _side_by_side(axes: Axes, compared: Compared, count: int) -> None:
    labels = ["y", *(str(k) if count <= 12 else "" for k in range(1, count))]
    axes.set_xticks(range(1, count + 1), labels)
    axes.set_xlim(0.4, count + 0.6)
    axes.set_ylim(*window(compared))
    axes.set_xlabel(f"y, and y_rep 1 to {count - 1}", fontsize=10)
    axes.set_ylabel(compared.name, fontsize=10)
    clean(axes, grid="y")
