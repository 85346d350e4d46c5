"""Conditional effects as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.plots.style import DARK, MAIN, PALETTE, clean, new_figure, number
from bayesml.results.record.conditional_effects import AbstractConditionalEffects, inner_columns

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.predict.asked_effects import Effect

__all__ = ["draw_effects", "figure_of"]

COLUMNS = 3
MOST_TICKS = 20


def draw_effects(
    every: Sequence[AbstractConditionalEffects], points: bool, ax: Axes | None, rug: bool = False, near: float = 0.0
) -> Figure:
    """Draw every effect under every condition.

    Args:
        every: the effects, those on each of several responses by themselves.
        points: whether to show observed responses.
        ax: where to draw a single panel; None makes a figure.
        rug: whether to mark the observed values along numeric axes.
        near: share of the range of a number within which observed rows belong to a condition; 0 for any distance.

    Raises:
        ModelError: ``ax`` is given for more than one panel, or points for what is not on the response's scale.
    """
    if points and all(effects.observed is None for effects in every):
        raise ModelError("Observed responses can be shown beside the expected or predicted response only.")
    if isinstance(near, bool) or not isinstance(near, (int, float)) or not near >= 0:
        raise ModelError(f"`select_points` is a share of the range of a number, 0 or larger; got {near!r}.")
    panels = [
        (effects, effects.effects[name], str(label), part)
        for effects in every
        for name, table in effects.items()
        for label, part in table.groupby("cond__", sort=False)
    ]
    if ax is not None and len(panels) > 1:
        raise ModelError(f"`ax` takes one panel, but there are {len(panels)}; ask for a single effect and condition.")
    if ax is None:
        figure, axes = _layout(len(panels), any(effect.moderator for _, effect, _, _ in panels))
    else:
        figure, axes = figure_of(ax), [ax]
    drawn: dict[tuple[str, str], list[tuple[Axes, str]]] = {}
    for panel, (effects, effect, label, part) in zip(axes, panels, strict=False):
        chosen = _rows_of(effects, label, near)
        observed = effects.observed if points else None
        _panel(panel, effect, part, effects, None if observed is None else observed[chosen])
        if rug and effects.rows is not None:
            _rug(panel, effect, effects.rows[chosen])
        drawn.setdefault((effects.response, effect.name), []).append((panel, label))
    for alike in drawn.values():
        if len(alike) > 1:
            _share_height([panel for panel, _ in alike])
            for panel, label in alike:
                panel.set_title(label, fontsize=9.5, loc="left")
    return figure


def figure_of(ax: Axes) -> Figure:
    """Return the figure of the caller in which axes stand."""
    from bayesml.results.plots.picture import shown_once

    figure: Any = ax.figure
    return shown_once(getattr(figure, "figure", None) or figure)  # of a subfigure, the figure it stands in


def _share_height(axes: list[Axes]) -> None:
    limits = np.array([axis.get_ylim() for axis in axes])
    for axis in axes:
        axis.set_ylim(limits[:, 0].min(), limits[:, 1].max())


def _layout(count: int, is_wide: bool) -> tuple[Figure, list[Axes]]:
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure = new_figure((5.0 if is_wide else 4.3) * columns + (0.8 if count == 1 else 0.0), 3.5 * rows + 0.2)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in axes[count:]:
        unused.set_axis_off()
    return figure, axes


def _rows_of(effects: AbstractConditionalEffects, label: str, near: float) -> np.ndarray:
    """Return which rows of the fit belong to a condition: those with its levels, and near its numbers."""
    assert effects.rows is not None
    chosen = np.ones(len(effects.rows), dtype=bool)
    for name, value in effects.conditions.get(label, {}).items():
        column = effects.rows[name]
        if column.dtype.kind in "iuf":
            reach = near * float(column.max() - column.min())
            chosen &= np.abs(column.to_numpy(dtype=float) - float(value)) <= (reach if near else np.inf)
        else:
            chosen &= (column.astype(str) == str(value)).to_numpy()
    return chosen


def _rug(axes: Axes, effect: Effect, rows: pd.DataFrame) -> None:
    """Mark the observed values at the edges of a panel."""
    marks: dict[str, Any] = {"color": DARK, "alpha": 0.35, "markersize": 7, "linestyle": "", "clip_on": False}
    if effect.is_numeric:
        x = rows[effect.axis].to_numpy(dtype=float)
        axes.plot(x, np.zeros(len(x)), "|", transform=axes.get_xaxis_transform(), **marks)
    if effect.is_surface:
        y = rows[effect.moderator].to_numpy(dtype=float)
        axes.plot(np.zeros(len(y)), y, "_", transform=axes.get_yaxis_transform(), **marks)


def _panel(
    axes: Axes,
    effect: Effect,
    table: pd.DataFrame,
    effects: AbstractConditionalEffects,
    observed: pd.DataFrame | None,
) -> None:
    if effect.is_surface:
        _surface(axes, effect, table, effects, observed)
        return
    parts = [("", table)] if not effect.moderator else list(table.groupby("effect2__", sort=False, observed=True))
    colours = [MAIN] if not effect.moderator else [PALETTE[i % len(PALETTE)] for i in range(len(parts))]
    if observed is not None:
        _points(axes, effect, observed, [value for value, _ in parts], colours)
    for i, ((value, part), colour) in enumerate(zip(parts, colours, strict=True)):
        label = number(value) if effect.moderator else None
        if effect.is_line:
            _line(axes, part, effects, effects.draws.get(effect.name), colour, label)
        else:
            x, gap = _places(effect, part)
            moved = x + gap * (i - (len(parts) - 1) / 2) * min(0.16, 0.7 / len(parts))
            _intervals(axes, part, moved, effects, colour, label)
    if effect.is_numeric and not effect.is_line:
        numbers = sorted(set(table["effect1__"]))
        if len(numbers) <= MOST_TICKS:
            axes.set_xticks(numbers, [_category(v) for v in numbers])
    elif not effect.is_line:
        labels = [_category(v) for v in dict.fromkeys(table["effect1__"])]
        axes.set_xticks(range(len(labels)), labels, rotation=30 if max(map(len, labels)) * len(labels) > 40 else 0)
        axes.set_xlim(-0.6, len(labels) - 0.4)
    axes.set_xlabel(effect.axis, fontsize=10)
    axes.set_ylabel(effects.response, fontsize=10)
    clean(axes, grid="y")
    if effect.moderator:
        axes.legend(
            title=effect.legend or effect.moderator,
            fontsize=8.5,
            title_fontsize=9,
            frameon=False,
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
        )


def _category(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _surface(
    axes: Axes,
    effect: Effect,
    table: pd.DataFrame,
    effects: AbstractConditionalEffects,
    observed: pd.DataFrame | None,
) -> None:
    """Draw estimates over two numbers in colours, with lines of equal height."""
    height = table.pivot(index="effect2__", columns="effect1__", values="estimate__")
    x, y, z = height.columns.to_numpy(dtype=float), height.index.to_numpy(dtype=float), height.to_numpy()
    every = effects[effect.name]["estimate__"]  # the same colours under every condition
    look: dict[str, Any] = {"cmap": "viridis", "vmin": every.min(), "vmax": every.max(), "rasterized": True}
    # cells in the place of a smooth picture where points of it are left out
    shading: Any = "nearest" if np.isnan(z).any() else "gouraud"
    colours = axes.pcolormesh(x, y, np.ma.masked_invalid(z), shading=shading, **look)
    if np.nanmin(z) < np.nanmax(z):
        lines = axes.contour(x, y, z, colors="white", linewidths=0.8)
        axes.clabel(lines, fontsize=7.5)
    if observed is not None:
        axes.scatter(observed[effect.axis], observed[effect.moderator], s=9, color=DARK, alpha=0.5)
    axes.set_xlabel(effect.axis, fontsize=10)
    axes.set_ylabel(effect.moderator, fontsize=10)
    clean(axes)
    bar = axes.figure.colorbar(colours, ax=axes)
    bar.set_label(effects.response, fontsize=9.5)
    bar.ax.tick_params(labelsize=8.5)
    bar.outline.set_visible(False)  # type: ignore[operator]


def _line(
    axes: Axes,
    part: pd.DataFrame,
    effects: AbstractConditionalEffects,
    draws: np.ndarray | None,
    colour: str,
    label: str | None,
) -> None:
    """Draw estimates as a line, with the lines of draws or intervals within each other."""
    x = part["effect1__"].to_numpy(dtype=float)
    if draws is not None:
        alpha = float(np.clip(8.0 / len(draws), 0.04, 0.5))
        axes.plot(x, draws[:, part.index.to_numpy()].T, color=colour, alpha=alpha, linewidth=0.9)
    else:
        for lower, upper in _ends(effects):
            axes.fill_between(x, part[lower], part[upper], color=colour, alpha=0.2, linewidth=0)
    axes.plot(x, part["estimate__"].to_numpy(), color=colour, linewidth=1.9, label=label)
    axes.margins(x=0.02)


def _places(effect: Effect, part: pd.DataFrame) -> tuple[np.ndarray, float]:
    """Return where the points of a panel stand along its axis, and how far apart they are at least."""
    if not effect.is_numeric:
        return np.arange(len(part), dtype=float), 1.0
    x = part["effect1__"].to_numpy(dtype=float)
    gaps = np.diff(np.unique(x))
    return x, float(gaps.min()) if gaps.size else 1.0


def _ends(effects: AbstractConditionalEffects) -> list[tuple[str, str]]:
    """Return the columns of the ends of each interval, the widest first."""
    return [("lower__", "upper__"), *(inner_columns(prob) for prob in reversed(effects.inner))]


def _intervals(
    axes: Axes, part: pd.DataFrame, x: np.ndarray, effects: AbstractConditionalEffects, colour: str, label: str | None
) -> None:
    middle = part["estimate__"].to_numpy()
    for place, (lower, upper) in enumerate(_ends(effects)):
        distances = [middle - part[lower].to_numpy(), part[upper].to_numpy() - middle]
        own = {"markersize": 6, "label": label} if not place else {"markersize": 0}
        axes.errorbar(x, middle, yerr=distances, fmt="o", color=colour, elinewidth=1.6 + 1.8 * place, **own)


def _points(axes: Axes, effect: Effect, observed: pd.DataFrame, values: list[Any], colours: list[str]) -> None:
    y = observed["response__"].to_numpy()
    x = _positions(effect, observed)
    by_category = effect.moderator and set(observed[effect.moderator].unique()) <= set(values)
    shades = np.full(len(y), DARK, dtype=object)
    if by_category:
        for value, colour in zip(values, colours, strict=True):
            shades[(observed[effect.moderator] == value).to_numpy()] = colour
    spread = 0.0 if effect.is_line else 0.12
    jitter = np.random.default_rng(0).uniform(-spread, spread, len(y))
    axes.scatter(x + jitter, y, s=10, c=shades.tolist(), alpha=0.35, linewidths=0, zorder=1)


def _positions(effect: Effect, observed: pd.DataFrame) -> np.ndarray:
    column = observed[effect.axis]
    if effect.is_numeric:
        return column.to_numpy(dtype=float)
    categories = list(column.cat.categories) if str(column.dtype) == "category" else sorted(column.unique())
    return column.map({c: float(i) for i, c in enumerate(categories)}).to_numpy(dtype=float)
