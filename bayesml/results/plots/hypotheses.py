"""Tested hypotheses as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.plots.style import DARK, FAINT, MAIN, clean, density, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_hypotheses", "window_of"]

COLUMNS = 3
MOST = 12


def draw_hypotheses(labels: Sequence[str], draws: np.ndarray, priors: Sequence[np.ndarray | None]) -> Figure:
    """Draw the density of each difference, and of its prior; at most 12 of them."""
    count = min(len(labels), MOST)
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure = new_figure(3.6 * columns + (1.6 if count == 1 else 0.0), 2.7 * rows + 0.3)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for k, panel in enumerate(panels):
        if k >= count:
            panel.set_axis_off()
            continue
        posterior, prior = draws[:, k], priors[k]
        low, high = window_of(posterior, prior, 0.0)
        if prior is not None and (curve := density(prior, np.linspace(low, high, 256))) is not None:
            panel.fill_between(*curve, color=FAINT, alpha=0.45, linewidth=0, label="prior")
        if (curve := density(posterior, np.linspace(low, high, 256))) is not None:
            panel.fill_between(*curve, color=MAIN, alpha=0.35, linewidth=0, label="posterior")
            panel.plot(*curve, color=MAIN, linewidth=1.5)
        panel.axvline(0.0, color=DARK, linewidth=1.0, linestyle="--")
        panel.set_title(labels[k], fontsize=9, loc="left")
        panel.set_xlim(low, high)
        panel.set_ylim(bottom=0)
        panel.set_yticks([])
        clean(panel)
        panel.spines["left"].set_visible(False)
        if prior is not None:
            panel.legend(frameon=False, fontsize=8)
    return figure


def window_of(posterior: np.ndarray, prior: np.ndarray | None, point: float | None = None) -> tuple[float, float]:
    """Return limits that show the posterior, a point and the bulk of the prior, but not the tails of a wide prior."""
    low, high = np.quantile(posterior, [0.001, 0.999])
    if point is not None:
        low, high = min(low, point), max(high, point)
    if prior is not None:
        reach = 2.0 * (high - low)
        inner = np.quantile(prior, [0.05, 0.95])
        low, high = min(low, max(inner[0], low - reach)), max(high, min(inner[1], high + reach))
    margin = 0.06 * (high - low or 1.0)
    return float(low - margin), float(high + margin)
