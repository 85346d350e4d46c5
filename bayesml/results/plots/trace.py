"""Density and trace of each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.plots.style import DARK, PALETTE, chosen_parameters, clean, density, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["plot"]


def plot(fit: AbstractSampledFit, variables: Sequence[str] | str | None = None) -> Figure:
    """Draw the density of each parameter beside its trace, one colour for each chain.

    Args:
        fit: the fit.
        variables: names of parameters or of whole variables; None takes those of the summary.

    Raises:
        ModelError: a name is unknown, or there are too many parameters for one picture.

    Example:
        >>> fit.plot(["b_Days", "sigma"]).savefig("trace.png")
    """
    chosen = chosen_parameters(fit, variables)
    count = len(chosen.names)
    figure = new_figure(10, 0.6 + (1.35 if count <= 12 else 1.15) * count)
    axes = figure.subplots(count, 2, squeeze=False, gridspec_kw={"width_ratios": (1, 1.7)})
    divergent = fit.draws_record.statistics.get("diverging")
    for (left, right), name, drawn in zip(axes, chosen.names, np.moveaxis(chosen.values, 2, 0), strict=True):
        _densities(left, name, drawn)
        _traces(right, drawn, divergent)
    axes[-1, 1].set_xlabel("draw", fontsize=9)
    _legend(figure, axes[0, 1], len(chosen.values), divergent)
    return figure


def _densities(axes: Axes, name: str, drawn: np.ndarray) -> None:
    for chain, values in enumerate(drawn):
        curve = density(values)
        if curve is not None:
            axes.plot(*curve, color=PALETTE[chain % len(PALETTE)], linewidth=1.2, alpha=0.9)
    axes.set_title(name, fontsize=9.5, loc="left")
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=6)
    axes.set_ylim(bottom=0)
    clean(axes)
    axes.spines["left"].set_visible(False)


def _traces(axes: Axes, drawn: np.ndarray, divergent: np.ndarray | None) -> None:
    for chain, values in enumerate(drawn):
        axes.plot(values, color=PALETTE[chain % len(PALETTE)], linewidth=0.5, alpha=0.7)
    if divergent is not None and divergent.any():
        where = np.flatnonzero(np.asarray(divergent, dtype=bool).any(axis=0))
        axes.plot(
            where,
            np.full(len(where), 0.0),
            "|",
            color=DARK,
            markersize=7,
            clip_on=False,
            transform=axes.get_xaxis_transform(),
        )
    axes.margins(x=0)
    clean(axes)


def _legend(figure: Figure, axes: Axes, chains: int, divergent: np.ndarray | None) -> None:
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=PALETTE[c % len(PALETTE)], label=f"chain {c}") for c in range(chains)]
    if divergent is not None and np.any(divergent):
        handles.append(Line2D([], [], color=DARK, marker="|", linestyle="", label="divergent"))
    axes.legend(
        handles=handles,
        ncols=min(len(handles), 6),
        fontsize=8,
        frameon=False,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2,
    )
