"""Counts of each value of a response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.plots.predictive.compared import Compared
from bayesml.results.plots.predictive.overlaid import MOST_BARS
from bayesml.results.plots.style import DARK, FAINT, MAIN, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bars", "rootogram"]


def bars(axes: Axes, compared: Compared, place: int) -> None:
    """Draw how often each value was observed, and medians and 90% intervals of how often the model draws it."""
    centers, width, observed, counts = _counted(compared)
    lower, middle, upper = np.quantile(counts, [0.05, 0.5, 0.95], axis=0)
    axes.bar(centers, observed, width=0.88 * width, color=FAINT, label="y")
    distances = [middle - lower, upper - middle]
    axes.errorbar(centers, middle, yerr=distances, fmt="o", color=DARK, markersize=3.6, elinewidth=1.3, label="y_rep")
    axes.set_ylabel("count" if width == 1 else f"count in bins of {width:.0f}", fontsize=10)
    _axis(axes, compared, centers)


def rootogram(axes: Axes, compared: Compared, place: int) -> None:
    """Draw square roots of counts, observed as bars that hang from the expected ones, with 90% intervals.

    Roots of counts vary by about 1/2 whatever their size. A bar that does not reach 0 stands for a value that was
    observed less often than expected (Kleiber and Zeileis 2016, The American Statistician 70).
    """
    if not compared.is_discrete:
        raise ModelError('A rootogram is of counts, and the response is continuous; use kind="hist".')
    centers, width, observed, counts = _counted(compared)
    expected = np.sqrt(counts.mean(axis=0))
    lower, upper = np.sqrt(np.quantile(counts, [0.05, 0.95], axis=0))
    axes.bar(
        centers, np.sqrt(observed), width=0.88 * width, bottom=expected - np.sqrt(observed), color=FAINT, label="y"
    )
    axes.fill_between(centers, lower, upper, color=MAIN, alpha=0.25, linewidth=0, label="y_rep, 90%")
    axes.plot(centers, expected, "o-", color=MAIN, markersize=3.0, linewidth=1.4, label="expected")
    axes.axhline(0.0, color=DARK, linewidth=0.9)
    axes.set_ylabel("root of the count", fontsize=10)
    _axis(axes, compared, centers)


def _counted(compared: Compared) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Return centres and width of the bins, and counts of y ``(bins,)`` and of y_rep ``(draws, bins)`` in them."""
    y, replicated = compared.y, compared.replicated
    finite = replicated[np.isfinite(replicated)]
    low, high = np.floor(y.min()), np.ceil(max(y.max(), np.quantile(finite, 0.995)))
    if compared.ticks:
        low, high = min(compared.ticks), max(compared.ticks)
    width = float(max(1.0, np.ceil((high - low + 1) / MOST_BARS)))
    edges = np.arange(low - 0.5, high + 0.5 + width, width)
    counts = np.stack([np.histogram(drawn, edges)[0] for drawn in replicated])
    return 0.5 * (edges[1:] + edges[:-1]), width, np.histogram(y, edges)[0], counts


def _axis(axes: Axes, compared: Compared, centers: np.ndarray) -> None:
    if compared.ticks:
        labels = list(compared.ticks.values())
        axes.set_xticks(list(compared.ticks), labels, rotation=30 if len("".join(labels)) > 60 else 0)
    elif len(centers) <= 12:
        axes.set_xticks(centers)
    axes.set_xlabel(compared.name, fontsize=10)
    clean(axes)
