"""Intervals of each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.names import prefix
from bayesml.results.plots.style import DARK, MAIN, chosen_parameters, clean, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["draw_intervals", "forest"]

LABELLED = 80
KINDS = {
    "Intercept": "intercept",
    "thresholds": "thresholds",
    "b": "population-level coefficients",
    "sd": "standard deviations",
    "family": "family parameters",
    "cor": "correlations",
    "lncor": "correlations of log ratios",
    "rescor": "residual correlations",
    "r": "group-level effects",
}


def forest(fit: AbstractSampledFit, variables: Sequence[str] | str | None = None) -> Figure:
    """Draw the median of each parameter with its 50% and 95% intervals; parameters of one kind share an axis.

    Args:
        fit: the fit.
        variables: names of parameters or of whole variables (``r_Subject``); None takes those of the summary.

    Raises:
        ModelError: a name is unknown, or there are too many parameters for one picture.

    Example:
        >>> fit.forest()
    """
    chosen = chosen_parameters(fit, variables, 2000)
    kinds = _kinds(fit)
    panels: dict[str, list[int]] = {}
    for position, name in enumerate(chosen.names):
        panels.setdefault(kinds[name], []).append(position)
    draws = chosen.values.reshape(-1, len(chosen.names))
    heights = [_height(len(positions)) for positions in panels.values()]
    figure = new_figure(7.5, sum(heights) + 0.6 * len(heights))
    axes = figure.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for panel, (title, positions) in zip(axes, panels.items(), strict=True):
        draw_intervals(panel, draws[:, positions], [chosen.names[i] for i in positions])
        panel.set_title(title, fontsize=9.5, loc="left")
    return figure


def _kinds(fit: AbstractSampledFit) -> dict[str, str]:
    """Return the title of the panel of each parameter: kinds apart, and parameters with different scales apart."""
    titles = {}
    for variable in fit.variables:
        owner = "" if variable.kind == "family" else prefix(variable.predictor)
        of = f" of {owner}" if owner else ""
        for _, text in variable.texts:
            # On the scale of an intercept the slopes would be dots.
            is_intercept = variable.kind == "b" and text.endswith("_Intercept")
            titles[text] = KINDS.get("Intercept" if is_intercept else variable.kind, "further parameters") + of
    return titles


def _height(rows: int) -> float:
    return 0.25 * rows + 0.35 if rows <= LABELLED else 9.0


def draw_intervals(axes: Axes, draws: np.ndarray, labels: Sequence[str]) -> None:
    """Draw one row for each column of ``draws``, the first on top; labels are left out where there are too many."""
    lower, low, middle, high, upper = np.quantile(draws, [0.025, 0.25, 0.5, 0.75, 0.975], axis=0)
    rows = np.arange(len(labels))[::-1]
    few = len(labels) <= LABELLED
    axes.hlines(rows, lower, upper, color=MAIN, linewidth=1.1 if few else 0.5, alpha=1.0 if few else 0.5)
    if few:
        axes.hlines(rows, low, high, color=MAIN, linewidth=3.2)
    axes.plot(middle, rows, "o", color=DARK, markersize=4.2 if few else 1.2)
    if lower.min() < 0 < upper.max():
        axes.axvline(0.0, color="#8A939C", linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    axes.set_yticks(rows if few else [], list(labels) if few else [])
    axes.set_ylim(-0.7, len(labels) - 0.3)
    clean(axes, grid="x")
