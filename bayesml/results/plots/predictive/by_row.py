"""Each row's observed response within the interval of its replicated ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.plots.predictive.compared import Compared
from bayesml.results.plots.style import DARK, FAINT, MAIN, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["intervals", "ribbon"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FEW_ROWS = 120


def intervals(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the 50% and 90% interval of y_rep for each row, and y as points."""
    _rows(axes, compared, joined=len(compared.y) > FEW_ROWS and compared.x is None)


def ribbon(axes: Axes, compared: Compared, place: int) -> None:
    """Draw 50% and 90% intervals of y_rep as ribbons along the rows, and y as points.

    Of rows at the same place on the axis the means of the ends of their intervals are drawn.
    """
    _rows(axes, compared, joined=True)


def _rows(axes: Axes, compared: Compared, *, joined: bool) -> None:
    lower, low, middle, high, upper = quantiles(compared)
    order = np.argsort(middle if compared.x is None else compared.x, kind="stable")
    where = np.arange(len(order), dtype=float) if compared.x is None else compared.x[order]
    size = 3.6 if len(order) <= FEW_ROWS else 1.8
    if joined:
        along, ends = _distinct(where, np.stack([lower, upper, low, high])[:, order])
        axes.fill_between(along, ends[0], ends[1], color=FAINT, alpha=0.5, linewidth=0, label="y_rep, 90%")
        axes.fill_between(along, ends[2], ends[3], color=MAIN, alpha=0.45, linewidth=0, label="y_rep, 50%")
    else:
        axes.vlines(where, lower[order], upper[order], color=FAINT, linewidth=1.4, label="y_rep, 90%")
        axes.vlines(where, low[order], high[order], color=MAIN, linewidth=2.6, alpha=0.7, label="y_rep, 50%")
    axes.plot(where, compared.y[order], "o", color=DARK, markersize=size, label="y")
    axes.set_xlabel(compared.x_name or "rows, sorted by their predicted median", fontsize=10)
    axes.set_ylabel(compared.name, fontsize=10)
    axes.margins(x=0.02)
    clean(axes, grid="y")


def _distinct(where: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct places, and of rows at the same place the means of the ends of their intervals."""
    along, place, count = np.unique(where, return_inverse=True, return_counts=True)
    return along, np.stack([np.bincount(place, each) / count for each in ends])


def quantiles(compared: Compared) -> np.ndarray:
    """Return quantiles of y_rep of each row, ``(5, rows)``; weighted ones where each row is left out."""
    if compared.log_weights is None:
        return np.asarray(np.nanquantile(compared.replicated, QUANTILES, axis=0))
    order = np.argsort(compared.replicated, axis=0)
    ordered = np.take_along_axis(compared.replicated, order, axis=0)
    below = np.cumsum(np.exp(np.take_along_axis(compared.log_weights, order, axis=0)), axis=0)
    # the first draw up to which the weights reach the share
    places = [np.minimum((below < share).sum(axis=0), len(below) - 1) for share in QUANTILES]
    return np.stack([np.take_along_axis(ordered, place[None], axis=0)[0] for place in places])
