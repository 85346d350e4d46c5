"""Selections of terms as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.plots.conditional import figure_of
from bayesml.results.plots.style import DARK, MAIN, MUTED, clean, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_selection"]


def draw_selection(table: pd.DataFrame, stats: Sequence[str], deltas: bool, ax: Axes | None) -> Figure:
    """Draw statistics of models of each size with intervals; the reference model is a dashed line.

    Args:
        table: a row for each size and the reference model behind them, see ``VariableSelection.summary``.
        stats: the statistics, a panel for each.
        deltas: whether they are differences from the reference model.
        ax: axes for one statistic.
    """
    if ax is not None and len(stats) > 1:
        raise ModelError(f"`ax` holds one statistic; got {len(stats)}. Leave it out for a panel for each.")
    width = 0.5 + 0.08 * max(8, *map(len, table["term"]))
    size = max(4.6, width * len(table) + 1.0), 2.4 * len(stats) + 1.2
    figure = new_figure(*size) if ax is None else figure_of(ax)
    panels = np.atleast_1d(figure.subplots(len(stats), 1, sharex=True)) if ax is None else np.array([ax], dtype=object)
    models, reference = table.iloc[:-1], table.iloc[-1]
    sizes = np.arange(len(models))
    for name, axes in zip(stats, panels, strict=True):
        value = models[name].to_numpy()
        ends = models[[f"{name}.lower", f"{name}.upper"]].to_numpy().T
        axes.axhline(reference[name], color=DARK, linewidth=1.0, linestyle="--", label="reference model")
        axes.errorbar(
            sizes,
            value,
            yerr=np.abs(ends - value),
            color=MAIN,
            marker="o",
            markersize=4.5,
            linewidth=1.2,
            elinewidth=1.2,
        )
        axes.set_ylabel(f"{name} - reference" if deltas else name, fontsize=9)
        clean(axes, grid="y")
    panels[0].legend(frameon=False, fontsize=8.5, loc="lower right")
    labels = [f"{size}\n{term}" for size, term in enumerate(models["term"])]
    slanted = max(len(term) for term in models["term"]) > 11 and len(labels) > 4
    panels[-1].set_xticks(sizes, labels, rotation=35 if slanted else 0, ha="right" if slanted else "center")
    panels[-1].set_xlabel("number of terms, and the term added last", fontsize=9, color=MUTED)
    return figure
