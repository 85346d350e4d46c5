"""Posterior densities under a stronger and a weaker prior, and with more and less weight of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.checks.power_scaling import scaled_weights
from bayesml.results.plots.style import ALARM, DARK, MAIN, clean, density, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_scaled"]

POINTS = 256


def draw_scaled(
    names: Sequence[str], values: np.ndarray, scaled: Mapping[str, np.ndarray], alphas: tuple[float, float]
) -> Figure:
    """Draw a row of panels for each parameter: the prior scaled on the left, the likelihood on the right.

    Args:
        names: the parameters.
        values: ``(draws, parameters)``.
        scaled: log densities at the draws by what they are of.
        alphas: the powers beside 1.
    """
    figure = new_figure(3.7 * len(scaled) + 1.2, 1.9 * len(names) + 0.5)
    axes = figure.subplots(len(names), len(scaled), squeeze=False)
    powers = (alphas[0], 1.0, alphas[1])
    colours, styles = (MAIN, DARK, ALARM), ((0, (5, 2)), "-", (0, (1, 1.2)))
    for column, (what, log_density) in enumerate(scaled.items()):
        weights = [scaled_weights(log_density, alpha)[0] for alpha in powers]
        for row, name in enumerate(names):
            panel = axes[row, column]
            drawn = values[:, row]
            for alpha, own, colour, style in zip(powers, weights, colours, styles, strict=True):
                curve = density(drawn, weights=own)
                if curve is not None:
                    panel.plot(*curve, color=colour, linestyle=style, linewidth=1.6, label=f"{alpha:g}")
            low, high = np.quantile(drawn, [0.002, 0.998])
            margin = 0.15 * (high - low or 1.0)
            panel.set_xlim(low - margin, high + margin)
            panel.set_ylim(bottom=0)
            panel.set_yticks([])
            panel.set_xlabel(name, fontsize=9.5)
            if not row:
                panel.set_title(f"{what} to the power", fontsize=10, loc="left")
            clean(panel)
            panel.spines["left"].set_visible(False)
    axes[0, -1].legend(title="power", fontsize=8.5, title_fontsize=9, frameon=False, loc="upper left",
                       bbox_to_anchor=(1.0, 1.0))  # fmt: skip
    return figure
