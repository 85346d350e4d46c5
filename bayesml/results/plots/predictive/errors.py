"""Predictive errors, observed minus replicated or expected response, and averages of y_rep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.plots.predictive.compared import Compared
from bayesml.results.plots.predictive.overlaid import without_left
from bayesml.results.plots.style import DARK, FAINT, MAIN, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    *("average_of_rows", "binned_errors", "error_averages", "error_averages_along", "error_histogram", "error_scatter"),
    "scatter",
]
BINS = 30
DASHED = (0, (4, 3))


def error_histogram(axes: Axes, compared: Compared, place: int) -> None:
    """Draw a histogram of y minus one of y_rep."""
    errors = compared.y - compared.replicated[place]
    axes.hist(errors[np.isfinite(errors)], bins=BINS, color=FAINT)
    axes.axvline(0.0, color=DARK, linewidth=1.0, linestyle=DASHED)
    axes.set_xlabel(f"{compared.name} - y_rep", fontsize=9.5)
    without_left(axes)


def error_scatter(axes: Axes, compared: Compared, place: int) -> None:
    """Draw y against y minus one of y_rep."""
    _points(axes, compared.y - compared.replicated[place], compared.y)
    axes.axvline(0.0, color=DARK, linewidth=0.9, linestyle=DASHED)
    axes.set_xlabel(f"{compared.name} - y_rep", fontsize=9.5)
    axes.set_ylabel(compared.name, fontsize=9.5)


def error_averages(axes: Axes, compared: Compared, place: int) -> None:
    """Draw y against its mean error."""
    _points(axes, compared.y - _means(compared), compared.y)
    axes.axvline(0.0, color=DARK, linewidth=0.9, linestyle=DASHED)
    axes.set_xlabel(f"{compared.name} - mean of y_rep", fontsize=9.5)
    axes.set_ylabel(compared.name, fontsize=9.5)


def error_averages_along(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the mean error of each row along x."""
    assert compared.x is not None
    _points(axes, compared.x, compared.y - _means(compared))
    axes.axhline(0.0, color=DARK, linewidth=0.9, linestyle=DASHED)
    axes.set_xlabel(compared.x_name, fontsize=9.5)
    axes.set_ylabel(f"{compared.name} - mean of y_rep", fontsize=9.5)


def scatter(axes: Axes, compared: Compared, place: int) -> None:
    """Draw y against one of y_rep."""
    _against(axes, compared.replicated[place], compared)
    axes.set_xlabel("y_rep", fontsize=9.5)


def average_of_rows(axes: Axes, compared: Compared, place: int) -> None:
    """Draw y against the mean of y_rep."""
    _against(axes, _means(compared), compared)
    axes.set_xlabel("mean of y_rep", fontsize=9.5)


def _against(axes: Axes, x: np.ndarray, compared: Compared) -> None:
    _points(axes, x, compared.y)
    ends = [min(np.nanmin(x), compared.y.min()), max(np.nanmax(x), compared.y.max())]
    axes.plot(ends, ends, color=DARK, linewidth=0.9, linestyle=DASHED)
    axes.set_ylabel(compared.name, fontsize=9.5)


def _points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    few = len(x) <= 300
    axes.scatter(x, y, s=16 if few else 6, color=MAIN, alpha=0.55 if few else 0.3, linewidths=0)
    clean(axes)


def _means(compared: Compared) -> np.ndarray:
    return np.asarray(np.nanmean(compared.replicated, axis=0))


def binned_errors(axes: Axes, compared: Compared, place: int) -> None:
    """Draw mean errors, observed minus expected, of rows in bins of the expected response.

    There are about sqrt(rows) bins with equally many rows (Gelman et al. 2000). The band holds the mean error of a bin
    in 95% of cases if the model is right: mean plus or minus 2 standard deviations over y_rep.
    """
    assert compared.expected is not None
    expected = compared.expected.mean(axis=0)
    order = np.argsort(expected, kind="stable")
    bins = np.array_split(order, max(2, int(np.sqrt(len(order)))))
    centers = np.array([expected[rows].mean() for rows in bins])
    observed = np.array([(compared.y - expected)[rows].mean() for rows in bins])
    drawn = np.stack([np.nanmean((compared.replicated - compared.expected)[:, rows], axis=1) for rows in bins])
    reach = 2.0 * drawn.std(axis=1)
    axes.fill_between(centers, -reach, reach, color=FAINT, alpha=0.45, linewidth=0, label="95% if the model is right")
    axes.axhline(0.0, color=DARK, linewidth=0.9, linestyle=DASHED)
    axes.plot(centers, observed, "o-", color=MAIN, markersize=4.5, linewidth=0.9, label="mean error")
    axes.set_xlabel("expected response", fontsize=10)
    axes.set_ylabel(f"mean of {compared.name} - expected", fontsize=10)
    clean(axes)
