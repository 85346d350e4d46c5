"""Scatter plots of every pair of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.plots.style import ALARM, MAIN, MUTED, chosen_parameters, clean, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["pairs"]

SHOWN_BY_DEFAULT = 8
MOST = 16
POINTS = 1500


def pairs(fit: AbstractSampledFit, variables: Sequence[str] | str | None = None) -> Figure:
    """Draw every pair of parameters against each other, with histograms on the diagonal; divergent draws stand out.

    Args:
        fit: the fit.
        variables: names of parameters or of whole variables; None takes the first eight of the summary.

    Raises:
        ModelError: a name is unknown, or there are too many parameters for one picture.

    Example:
        >>> fit.pairs(["sd_Subject__Intercept", "sd_Subject__Days", "sigma"])
    """
    chosen = chosen_parameters(fit, variables, MOST if variables is not None else 10**9)
    names = chosen.names[:SHOWN_BY_DEFAULT] if variables is None else chosen.names
    values = chosen.values.reshape(-1, len(chosen.names))[:, : len(names)]
    statistics = fit.draws_record.statistics
    divergent = (
        np.asarray(statistics["diverging"], bool).ravel() if "diverging" in statistics else np.zeros(len(values), bool)
    )
    size = len(names)
    inches = max(1.45 * size, 3.5) if size > 3 else max(2.2 * size, 3.5)
    figure = new_figure(inches + 0.6, inches)
    axes = figure.subplots(size, size, squeeze=False, sharex="col")
    for row in range(size):
        for column in range(size):
            _panel(axes[row, column], values[:, column], values[:, row], divergent, row, column)
    _labels(axes, names)
    _notes(figure, axes, divergent, len(names), len(chosen.names))
    return figure


def _panel(axes: Axes, x: np.ndarray, y: np.ndarray, divergent: np.ndarray, row: int, column: int) -> None:
    if row < column:
        axes.set_axis_off()
        return
    clean(axes)
    axes.tick_params(labelsize=7)
    axes.locator_params(nbins=3)
    if row == column:
        axes.hist(x[np.isfinite(x)], bins=30, color=MAIN, alpha=0.75)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        return
    ordinary = np.flatnonzero(~divergent)
    shown = ordinary[:: max(1, len(ordinary) // POINTS)]
    axes.scatter(x[shown], y[shown], s=3, color=MAIN, alpha=0.25, linewidths=0, rasterized=True)
    axes.scatter(x[divergent], y[divergent], s=16, color=ALARM, marker="x", linewidths=1.2, zorder=3)


def _labels(axes: np.ndarray, names: Sequence[str]) -> None:
    last = len(names) - 1
    for i, name in enumerate(names):
        text = _broken(name)
        axes[last, i].set_xlabel(text, fontsize=8)
        if i:
            axes[i, 0].set_ylabel(text, fontsize=8)
    for row in range(len(names)):
        for column in range(row + 1):
            axes[row, column].tick_params(labelbottom=row == last, labelleft=column == 0 and row > 0)


def _broken(name: str) -> str:
    """Break a long name at its double underscores, or before it gets too wide."""
    return name.replace("__", "__\n") if len(name) > 14 else name


def _notes(figure: Figure, axes: np.ndarray, divergent: np.ndarray, shown: int, available: int) -> None:
    notes = [f"{int(divergent.sum())} divergent draws (x)"] if divergent.any() else []
    if shown < available:
        notes.append(f"first {shown} of {available} parameters; choose others with `variables`")
    if notes:
        figure.suptitle("; ".join(notes), fontsize=9, color=ALARM if divergent.any() else MUTED)
