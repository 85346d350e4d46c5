"""Group-level effects in order of size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.names import prefixed
from bayesml.results.plots.style import DARK, MAIN, MUTED, clean, new_figure
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit
from bayesml.results.record.reduced import require_effects

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ranef_plot"]

LABELLED = 70
LEVELS_AT_ONCE = 2000
NORMAL_95 = 1.959963984540054


@final
@dataclass(frozen=True)
class _Panel:
    """The effects of the levels of a grouping factor on one coefficient.

    Attributes:
        group: the grouping factor.
        title: the coefficient.
        levels: labels of the levels.
        ends: ``(3, levels)`` lower end, middle and upper end of the intervals.
    """

    group: str
    title: str
    levels: tuple[str, ...]
    ends: np.ndarray


def ranef_plot(fit: AbstractFit, group: str | None = None) -> Figure:
    """Draw the group-level effects with 95% intervals, each panel sorted by its effect (a caterpillar plot).

    Of draws these are the central intervals around the medians, of estimates the conditional modes with conditional
    intervals.

    Args:
        fit: the fit.
        group: the grouping factor; None draws all of them.

    Raises:
        ModelError: the model has no such grouping factor.

    Example:
        >>> fit.ranef_plot("Subject")
    """
    rows = list(_by_group(list(_panels(fit)), group).values())
    heights = [_height(len(row[0].levels)) for row in rows]
    widest = max(len(row) for row in rows)
    figure = new_figure(max(3.4 * widest, 5.0), sum(heights))
    for part, row in zip(np.atleast_1d(figure.subfigures(len(rows), 1, height_ratios=heights)), rows, strict=True):
        axes = part.subplots(1, widest, squeeze=False)[0]
        for each, panel in zip(axes, row, strict=False):
            _caterpillar(each, panel)
        for unused in axes[len(row) :]:
            unused.set_axis_off()
        part.suptitle(f"{row[0].group} ({len(row[0].levels)} levels)", fontsize=10.5, color=DARK)
    return figure


def _by_group(panels: list[_Panel], group: str | None) -> dict[str, list[_Panel]]:
    if not panels:
        raise ModelError("The model has no group-level effects to draw.")
    known = {name: [p for p in panels if p.group == name] for name in dict.fromkeys(p.group for p in panels)}
    if group is None:
        return known
    if not isinstance(group, str) or group not in known:
        listed = ", ".join(f"`{k}`" for k in known)
        raise ModelError(
            f"The model has no grouping factor `{group}`{did_you_mean(str(group), known)}; it has {listed}."
        )
    return {group: known[group]}


def _panels(fit: AbstractFit) -> Iterator[_Panel]:
    if isinstance(fit, AbstractSampledFit):
        require_effects(fit, "The picture of group-level effects")
        for v in fit.variables:
            for k, coef in enumerate(v.coords[1]) if v.kind == "r" else ():
                drawn = fit.draws_record.values[v.name][..., k]
                ends = _intervals(drawn.reshape(-1, drawn.shape[-1]))
                yield _Panel(v.group, prefixed(coef, v.predictor), v.coords[0], ends)
        return
    assert isinstance(fit, AbstractPointFit)
    for own in fit.estimate.level_effects:
        for k, coef in enumerate(own.term.coefs):
            middle, reach = own.effects[:, k], NORMAL_95 * np.sqrt(np.maximum(own.variances[:, k, k], 0.0))
            ends = np.stack([middle - reach, middle, middle + reach])
            yield _Panel(own.term.name, coef, own.term.levels.labels, ends)


def _intervals(draws: np.ndarray) -> np.ndarray:
    parts = [
        np.quantile(draws[:, start : start + LEVELS_AT_ONCE], [0.025, 0.5, 0.975], axis=0)
        for start in range(0, draws.shape[1], LEVELS_AT_ONCE)
    ]
    return np.concatenate(parts, axis=1)


def _height(levels: int) -> float:
    return 0.9 + 0.19 * max(levels, 8) if levels <= LABELLED else 8.0


def _caterpillar(axes: Axes, panel: _Panel) -> None:
    order = np.argsort(panel.ends[1], kind="stable")
    lower, middle, upper = panel.ends[:, order]
    rows, labelled = np.arange(len(order)), len(order) <= LABELLED
    axes.axvline(0.0, color="#8A939C", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    if labelled:
        axes.hlines(rows, lower, upper, color=MAIN, linewidth=1.3)
    else:
        axes.fill_betweenx(rows, lower, upper, color=MAIN, alpha=0.3, linewidth=0, step="mid")
        axes.set_ylabel("levels, sorted", fontsize=9, color=MUTED)
    axes.plot(middle, rows, "o" if labelled else ".", color=DARK, markersize=3.8 if labelled else 1.6)
    axes.set_yticks(rows if labelled else [], [panel.levels[i] for i in order] if labelled else [])
    axes.set_ylim(-0.8, len(order) - 0.2)
    axes.set_title(panel.title, fontsize=9.5)
    clean(axes, grid="x")
