"""Ranks of the draws of each chain among those of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.plots.style import MUTED, PALETTE, chosen_parameters, clean, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["draw_ranks"]

BINS = 20
COLUMNS = 3


def draw_ranks(fit: AbstractSampledFit, names: Sequence[str]) -> Figure:
    """Draw, for each parameter, how often the ranks of each chain fall into each of 20 ranges.

    Chains that agree have as many draws in each range, but for chance (Vehtari et al. 2021).
    """
    chosen = chosen_parameters(fit, names)
    count, chains = len(chosen.names), chosen.values.shape[0]
    rows = -(-count // COLUMNS)
    figure = new_figure(10, 0.5 + 1.7 * rows)
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, name, drawn in zip(panels, chosen.names, np.moveaxis(chosen.values, 2, 0), strict=False):
        ranks = np.argsort(np.argsort(drawn.ravel(), kind="stable"), kind="stable").reshape(chains, -1)
        edges = np.linspace(0, ranks.size, BINS + 1)
        for chain, own in enumerate(ranks):
            axes.stairs(np.histogram(own, edges)[0], edges, color=PALETTE[chain % len(PALETTE)], linewidth=1.1)
        axes.axhline(ranks.shape[1] / BINS, color=MUTED, linewidth=0.8, linestyle="--")
        axes.set_title(name, fontsize=9.5, loc="left")
        axes.set_ylim(bottom=0)
        axes.set_xticks([])
        clean(axes)
    for axes in panels[count:]:
        axes.set_axis_off()
    figure.supxlabel("rank among the draws of all chains", fontsize=9)
    return figure
