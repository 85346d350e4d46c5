"""Pictures that show whether the assumptions of a point estimate hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaincinv, ndtri

from bayesml.results.checks.influence import influence
from bayesml.results.plots.style import ALARM, DARK, FAINT, MAIN, MUTED, PALETTE, clean, new_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["check_model"]

MOST_POINTS = 3000
MOST_EFFECTS = 6
MOST_LEVELS = 60
NAMED = 3


def check_model(fit: AbstractPointFit) -> Figure:
    """Draw what would show a violated assumption, as one figure.

    Residuals against fitted values (curvature: a missing term), scale against fitted values (a slope: unequal
    variance), normal quantiles of the residuals and of the group effects, leverage against residuals with contours of
    Cook's distance, and residuals within groups. Residuals are scaled Pearson residuals; those of discrete responses
    form bands and are not normal even if the model is true. Of more than 3,000 rows an even selection is drawn; lines
    and named points are those of all rows.

    Args:
        fit: the fit.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("sleepstudy")
        >>> bayesml.fit("Reaction ~ Days + (Days | Subject)", data, method="reml").check_model().savefig("check.png")
    """
    table = influence(fit)
    has_groups = bool(fit.estimate.arrays.terms)
    figure = new_figure(11, 6.6)
    panels = figure.subplots(2, 3).ravel()
    _residuals(panels[0], table)
    _scale(panels[1], table)
    _quantiles(panels[2], table["studentised"].to_numpy(), fit.likelihood.traits.discrete)
    _influence(panels[3], table, max(len(fit.estimate.kept), 1))
    if has_groups:
        _effects(panels[4], fit)
        _variation(panels[5], fit, table)
    else:
        panels[4].set_axis_off()
        panels[5].set_axis_off()
    figure.suptitle(fit.formula, fontsize=11, color=DARK)
    return figure


def _dress(axes: Axes, title: str, hint: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10, loc="left", color=DARK, pad=18)
    axes.text(0.0, 1.015, hint, transform=axes.transAxes, fontsize=8, color=MUTED, va="bottom")
    axes.set_xlabel(x, fontsize=9)
    axes.set_ylabel(y, fontsize=9)
    clean(axes)


def _selection(count: int) -> np.ndarray:
    """Places of at most ``MOST_POINTS`` rows, evenly spread."""
    return np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(int)


def _points(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    chosen = _selection(len(x))
    size = 14 if len(chosen) <= 400 else 6
    axes.scatter(x[chosen], y[chosen], s=size, color=MAIN, alpha=0.55 if len(chosen) <= 400 else 0.3, linewidths=0)


def _residuals(axes: Axes, table: pd.DataFrame) -> None:
    x, y = table["fitted"].to_numpy(), table["residual"].to_numpy()
    axes.axhline(0.0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    _points(axes, x, y)
    _smooth(axes, x, y)
    _dress(axes, "Residuals", "the line should be flat", "fitted value", "scaled residual")


def _scale(axes: Axes, table: pd.DataFrame) -> None:
    x, y = table["fitted"].to_numpy(), np.sqrt(np.abs(table["studentised"].to_numpy()))
    _points(axes, x, y)
    _smooth(axes, x, y)
    axes.set_ylim(bottom=0)
    _dress(axes, "Scale", "the line should be flat", "fitted value", "root of |studentised residual|")


def _smooth(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """A running line: local linear fits at 40 places with the nearest two fifths of the rows (Cleveland 1979)."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    if len(np.unique(x)) < 8:
        return
    span = max(int(0.4 * len(x)), 8)
    places = np.quantile(x, np.linspace(0.01, 0.99, 40))
    curve = [_local(x, y, place, span) for place in places]
    axes.plot(places, curve, color=ALARM, linewidth=1.6)


def _local(x: np.ndarray, y: np.ndarray, place: float, span: int) -> float:
    start = int(np.clip(np.searchsorted(x, place) - span // 2, 0, len(x) - span))
    near, own = x[start : start + span] - place, y[start : start + span]
    weight = (1.0 - (np.abs(near) / (np.abs(near).max() * 1.0001 + 1e-300)) ** 3) ** 3
    total = weight.sum()
    center = (weight @ near) / total
    spread = weight @ (near - center) ** 2
    slope = (weight @ ((near - center) * own)) / spread if spread > 1e-12 * (weight @ near**2 + 1e-300) else 0.0
    return float(weight @ own / total - slope * center)


def _normal_scores(count: int) -> np.ndarray:
    return ndtri((np.arange(1, count + 1) - 0.375) / (count + 0.25))


def _quantiles(axes: Axes, values: np.ndarray, discrete: bool) -> None:
    values = np.sort(values[np.isfinite(values)])
    chosen, count = _selection(len(values)), len(values)
    scores, values = _normal_scores(count)[chosen], values[chosen]
    low, high = _envelope(chosen + 1, count)
    axes.fill_between(scores, low, high, color=FAINT, alpha=0.35, linewidth=0)
    axes.plot(scores, scores, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    _points(axes, scores, values)
    hint = "a discrete response need not follow the line" if discrete else "inside the band (95% of each point)"
    _dress(axes, "Normal quantiles of residuals", hint, "normal quantile", "studentised residual")


def _envelope(i: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise 95% band of the i-th order statistics of a normal sample: quantiles of Beta(i, n + 1 - i)."""
    return ndtri(betaincinv(i, count + 1 - i, 0.025)), ndtri(betaincinv(i, count + 1 - i, 0.975))


def _influence(axes: Axes, table: pd.DataFrame, p: int) -> None:
    h, r, cook = (table[name].to_numpy() for name in ("leverage", "studentised", "cooks_distance"))
    _points(axes, h, r)
    right = float(h.max()) * 1.12
    axes.set_xlim(0.0, right)
    limit = float(np.abs(r).max()) * 1.15
    _contours(axes, p, right, limit)
    for row in np.argsort(cook)[::-1][:NAMED]:
        name, place = str(table.index[row] + 1), (h[row], r[row])
        axes.annotate(name, place, xytext=(4, 3), textcoords="offset points", fontsize=8, color=DARK)
    axes.set_ylim(-limit, limit)
    hint = "beyond the lines of Cook's distance; row numbers from 1"
    _dress(axes, "Influence", hint, "leverage", "studentised residual")


def _contours(axes: Axes, p: int, right: float, limit: float) -> None:
    h = np.linspace(max(right * 0.01, 1e-6), min(right, 0.999), 200)
    for distance in (0.5, 1.0):
        r = np.sqrt(distance * p * (1.0 - h) / h)
        if r.min() > limit:
            continue
        for sign in (-1.0, 1.0):
            axes.plot(h, sign * r, color=ALARM, linewidth=0.9, linestyle=(0, (4, 3)), scaley=False)
        place = int(0.93 * len(h))
        if r[place] < limit:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            axes.text(h[place], r[place], f"{distance:g}", fontsize=8, color=ALARM, ha="center", va="center", bbox=box)


def _effects(axes: Axes, fit: AbstractPointFit) -> None:
    """Normal quantiles of the conditional modes of each coefficient, over their own standard deviation."""
    shown = 0
    for term, effects in ((own.term, own.effects) for own in fit.estimate.level_effects):
        for k, coef in enumerate(term.coefs):
            spread = effects[:, k].std(ddof=1) if len(effects) > 2 else 0.0
            if spread <= 0 or shown == MOST_EFFECTS:
                continue
            label = term.name if term.coefs == ("Intercept",) else f"{term.name}: {coef}"
            own = np.sort((effects[:, k] - effects[:, k].mean()) / spread)
            color = PALETTE[shown % len(PALETTE)]
            axes.plot(_normal_scores(len(own)), own, "o", markersize=3.4, color=color, alpha=0.8, label=label)
            shown += 1
    ends = np.array(axes.get_xlim())
    axes.plot(ends, ends, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    axes.set_xlim(*ends)
    if shown:
        axes.legend(frameon=False, fontsize=8, loc="upper left", handletextpad=0.2)
    _dress(axes, "Normal quantiles of group effects", "near the line", "normal quantile", "standardised effect")


def _variation(axes: Axes, fit: AbstractPointFit, table: pd.DataFrame) -> None:
    """Residuals within the levels of the factor with the fewest: their spread should be equal."""
    blocks = [group.block for group in fit.estimate.groups]
    place = min(range(len(blocks)), key=lambda i: blocks[i].n_levels)
    term, block = fit.estimate.arrays.terms[place], blocks[place]
    scaled, order = table["residual"].to_numpy(), np.argsort(block.codes, kind="stable")
    ends = np.cumsum(np.bincount(block.codes, minlength=block.n_levels))[:-1]
    groups = [
        (name, own) for name, own in zip(term.levels.labels, np.split(scaled[order], ends), strict=True) if len(own)
    ]
    if len(groups) <= MOST_LEVELS:
        _boxes(axes, sorted(groups, key=lambda group: float(np.median(group[1]))))
        _dress(axes, f"Residuals by {term.name}", "quartiles and range: equal spread", "", "scaled residual")
    else:
        axes.hist([float(own.std(ddof=1)) for _, own in groups if len(own) > 1], bins=30, color=FAINT)
        hint = "one bulk, no far values"
        _dress(axes, f"Spread of residuals by {term.name}", hint, "standard deviation", "number of levels")


def _boxes(axes: Axes, groups: list[tuple[str, np.ndarray]]) -> None:
    axes.axhline(0.0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    for at, (_, own) in enumerate(groups):
        low, middle, high = np.quantile(own, [0.25, 0.5, 0.75])
        axes.plot([at, at], [own.min(), own.max()], color=FAINT, linewidth=1.0)
        axes.plot([at, at], [low, high], color=MAIN, linewidth=3.2, alpha=0.75, solid_capstyle="butt")
        axes.plot(at, middle, "o", color=DARK, markersize=3)
    size = 7 if len(groups) <= 24 else 5
    axes.set_xticks(range(len(groups)), [name for name, _ in groups], rotation=90, fontsize=size)
    axes.set_xlim(-0.8, len(groups) - 0.2)
