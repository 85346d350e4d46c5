"""Survival curves as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.kaplan_meier import Observed, kaplan_meier
from bayesml.results.plots.conditional import figure_of
from bayesml.results.plots.style import DARK, FAINT, MAIN, PALETTE, clean, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


__all__ = ["Curves", "draw_curves", "draw_overlay"]


@final
@dataclass(frozen=True)
class Curves:
    """Curves to draw.

    Attributes:
        values: ``(draws, curves, times)``.
        times: the times.
        names: what each curve is called.
        observed: Kaplan-Meier estimates by the name of their curve.
        response: name of the response.
        estimate: ``(curves, times)`` the lines of a point fit; None for the means of the draws.
    """

    values: np.ndarray
    times: np.ndarray
    names: tuple[str, ...]
    observed: Mapping[str, tuple[np.ndarray, np.ndarray]]
    response: str
    estimate: np.ndarray | None = None


def draw_curves(curves: Curves, observed: bool, prob: float, ax: Axes | None) -> Figure:
    """Draw curves with intervals, and Kaplan-Meier estimates as steps."""
    if isinstance(prob, bool) or not isinstance(prob, (int, float)) or not 0.0 < prob < 1.0:
        raise ModelError(f"`prob` lies between 0 and 1; got {prob!r}.")
    figure = new_figure(7.4, 4.2) if ax is None else figure_of(ax)
    axes = figure.subplots() if ax is None else ax
    values, times = curves.values, curves.times
    middle = values.mean(axis=0) if curves.estimate is None else curves.estimate
    for k, name in enumerate(curves.names):
        colour = MAIN if len(curves.names) == 1 else PALETTE[k % len(PALETTE)]
        lower, upper = np.quantile(values[:, k], [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        axes.fill_between(times, lower, upper, color=colour, alpha=0.2, linewidth=0)
        axes.plot(times, middle[k], color=colour, linewidth=1.9, label=name)
        if observed and name in curves.observed:
            _steps(axes, *curves.observed[name], float(times[-1]), DARK if len(curves.names) == 1 else colour)
    _finish(axes, curves.response)
    handles, labels = axes.get_legend_handles_labels()
    if observed and curves.observed:
        handles.append(axes.plot([], [], color=DARK, linewidth=1.1)[0])
        labels.append("Kaplan-Meier")
    if len(labels) > 1:
        axes.legend(handles, labels, frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def draw_overlay(axes: Axes, observed: Observed, replicated: np.ndarray, name: str) -> None:
    """Draw the Kaplan-Meier estimate of y over those of responses that the model draws."""
    everything, end = np.ones(replicated.shape[1], dtype=bool), float(observed.times.max())
    for k, drawn in enumerate(replicated):
        curve = kaplan_meier(drawn, everything, observed.entry, observed.weights)
        _steps(axes, *curve, end, FAINT, 1.0, 0.8).set_label("" if k else "y_rep")
    _steps(axes, *observed.curve(everything), end, DARK, 2.0).set_label("y")
    _finish(axes, name)


def _steps(
    axes: Axes, times: np.ndarray, shares: np.ndarray, end: float, colour: str, width: float = 1.1, alpha: float = 1.0
) -> Line2D:
    kept = times <= end
    last = shares[kept][-1] if kept.any() else 1.0
    x = np.concatenate([[min(0.0, float(times.min(initial=0.0)))], times[kept], [end]])
    y = np.concatenate([[1.0], shares[kept], [last]])
    return axes.step(x, y, where="post", color=colour, linewidth=width, alpha=alpha)[0]


def _finish(axes: Axes, name: str) -> None:
    axes.set_ylim(0.0, 1.02)
    axes.margins(x=0.01)
    axes.set_xlabel(name, fontsize=10)
    axes.set_ylabel("survival probability", fontsize=10)
    clean(axes, grid="y")
