"""Group-level effects of a point estimate in order of size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.plots.style import DARK, MAIN, MUTED, clean, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractPointFit
    from bayesml.terms import AbstractGroupTerm

__all__ = ["ranef_plot"]

LABELLED = 70
NORMAL_95 = 1.959963984540054


def ranef_plot(fit: AbstractPointFit, group: str | None = None) -> Figure:
    """Draw the conditional modes with 95% conditional intervals, each panel sorted by its effect (a caterpillar plot).

    Args:
        fit: the fit.
        group: the grouping factor; None draws all of them.

    Raises:
        ModelError: the model has no such grouping factor.

    Example:
        >>> fit.ranef_plot("Subject")
    """
    places = _chosen(fit, group)
    shown = [fit.estimate.level_effects[place] for place in places]
    terms = [own.term for own in shown]
    heights = [_height(len(term.levels)) for term in terms]
    widest = max(len(term.coefs) for term in terms)
    figure = new_figure(max(3.4 * widest, 5.0), sum(heights))
    parts = np.atleast_1d(figure.subfigures(len(terms), 1, height_ratios=heights))
    for part, own, term in zip(parts, shown, terms, strict=True):
        axes = part.subplots(1, widest, squeeze=False)[0]
        effects, variances = own.effects, own.variances
        for k, label in enumerate(term.coefs):
            error = np.sqrt(np.maximum(variances[:, k, k], 0.0))
            _caterpillar(axes[k], effects[:, k], error, term)
            axes[k].set_title(label, fontsize=9.5)
        for unused in axes[len(term.coefs) :]:
            unused.set_axis_off()
        part.suptitle(f"{term.name} ({len(term.levels)} levels)", fontsize=10.5, color=DARK)
    return figure


def _chosen(fit: AbstractPointFit, group: str | None) -> list[int]:
    known = [term.name for term in fit.estimate.arrays.terms]
    if not known:
        raise ModelError("The model has no group-level effects to draw.")
    if group is not None and group not in known:
        listed = ", ".join(f"`{k}`" for k in known)
        raise ModelError(
            f"The model has no grouping factor `{group}`{did_you_mean(str(group), known)}; it has {listed}."
        )
    return [i for i, name in enumerate(known) if group in (None, name)]


def _height(levels: int) -> float:
    return 0.9 + 0.19 * max(levels, 8) if levels <= LABELLED else 8.0


def _caterpillar(axes: Axes, middle: np.ndarray, error: np.ndarray, term: AbstractGroupTerm) -> None:
    order = np.argsort(middle, kind="stable")
    rows, labelled = np.arange(len(order)), len(order) <= LABELLED
    lower, upper = (middle - NORMAL_95 * error)[order], (middle + NORMAL_95 * error)[order]
    axes.axvline(0.0, color="#8A939C", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    if labelled:
        axes.hlines(rows, lower, upper, color=MAIN, linewidth=1.3)
    else:
        axes.fill_betweenx(rows, lower, upper, color=MAIN, alpha=0.3, linewidth=0, step="mid")
        axes.set_ylabel("levels, sorted", fontsize=9, color=MUTED)
    axes.plot(middle[order], rows, "o" if labelled else ".", color=DARK, markersize=3.8 if labelled else 1.6)
    axes.set_yticks(rows if labelled else [], [term.levels.labels[i] for i in order] if labelled else [])
    axes.set_ylim(-0.8, len(order) - 0.2)
    clean(axes, grid="x")
