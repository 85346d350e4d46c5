"""Group-level effects in order of size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.names import prefixed
from bayesml.results.plots.style import DARK, MAIN, MUTED, clean, new_figure
from bayesml.results.record.reduced import require_effects
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["ranef_plot"]

LABELLED = 70
LEVELS_AT_ONCE = 2000


def ranef_plot(fit: AbstractSampledFit, group: str | None = None) -> Figure:
    """Draw the group-level effects with 95% intervals, each panel sorted by its effect (a caterpillar plot).

    Args:
        fit: the fit.
        group: the grouping factor; None draws all of them.

    Raises:
        ModelError: the model has no such grouping factor.

    Example:
        >>> fit.ranef_plot("Subject")
    """
    chosen = _chosen(fit, group)
    panels = [
        [(v, k) for v in chosen if v.group == name for k in range(len(v.coords[1]))]
        for name in dict.fromkeys(v.group for v in chosen)
    ]
    heights = [_height(len(row[0][0].coords[0])) for row in panels]
    widest = max(len(row) for row in panels)
    figure = new_figure(max(3.4 * widest, 5.0), sum(heights))
    for part, row in zip(np.atleast_1d(figure.subfigures(len(panels), 1, height_ratios=heights)), panels, strict=True):
        axes = part.subplots(1, widest, squeeze=False)[0]
        for panel, (variable, coef) in zip(axes, row, strict=False):
            _caterpillar(panel, fit.draws_record.values[variable.name][..., coef], variable, coef)
        for unused in axes[len(row) :]:
            unused.set_axis_off()
        part.suptitle(f"{row[0][0].group} ({len(row[0][0].coords[0])} levels)", fontsize=10.5, color=DARK)
    return figure


def _chosen(fit: AbstractSampledFit, group: str | None) -> list[ReportedVariable]:
    require_effects(fit, "The picture of group-level effects")
    effects = [v for v in fit.variables if v.kind == "r"]
    known = list(dict.fromkeys(v.group for v in effects))
    if not known:
        raise ModelError("The model has no group-level effects to draw.")
    if group is not None and group not in known:
        listed = ", ".join(f"`{k}`" for k in known)
        raise ModelError(
            f"The model has no grouping factor `{group}`{did_you_mean(str(group), known)}; it has {listed}."
        )
    return [v for v in effects if group in (None, v.group)]


def _height(levels: int) -> float:
    return 0.9 + 0.19 * max(levels, 8) if levels <= LABELLED else 8.0


def _caterpillar(axes: Axes, drawn: np.ndarray, variable: ReportedVariable, coef: int) -> None:
    lower, middle, upper = _intervals(drawn.reshape(-1, drawn.shape[-1]))
    order = np.argsort(middle, kind="stable")
    rows, labelled = np.arange(len(order)), len(order) <= LABELLED
    axes.axvline(0.0, color="#8A939C", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    if labelled:
        axes.hlines(rows, lower[order], upper[order], color=MAIN, linewidth=1.3)
    else:
        axes.fill_betweenx(rows, lower[order], upper[order], color=MAIN, alpha=0.3, linewidth=0, step="mid")
    axes.plot(middle[order], rows, "o" if labelled else ".", color=DARK, markersize=3.8 if labelled else 1.6)
    axes.set_yticks(rows if labelled else [], [variable.coords[0][i] for i in order] if labelled else [])
    axes.set_ylim(-0.8, len(order) - 0.2)
    axes.set_title(_title(variable, coef), fontsize=9.5)
    if not labelled:
        axes.set_ylabel("levels, sorted", fontsize=9, color=MUTED)
    clean(axes, grid="x")


def _title(variable: ReportedVariable, coef: int) -> str:
    label = variable.coords[1][coef]
    return prefixed(label, variable.predictor)


def _intervals(draws: np.ndarray) -> np.ndarray:
    parts = [
        np.quantile(draws[:, start : start + LEVELS_AT_ONCE], [0.025, 0.5, 0.975], axis=0)
        for start in range(0, draws.shape[1], LEVELS_AT_ONCE)
    ]
    return np.concatenate(parts, axis=1)
