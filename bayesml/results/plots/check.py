"""Posterior predictive checks: the observed response beside responses that the model draws (Gabry et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError, did_you_mean, warn_user
from bayesml.results.checks.kaplan_meier import Observed, right_censoring
from bayesml.results.plots.style import DARK, FAINT, MAIN, clean, density, new_figure
from bayesml.results.plots.survival import draw_overlay
from bayesml.results.predict.predict import predict
from bayesml.results.record.one_response import of_one

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["pp_check"]

OVERLAID = 10
SUMMARISED = 1000
MOST_BARS = 60


def pp_check(
    fit: AbstractSampledFit,
    ndraws: int | None = None,
    kind: str | None = None,
    seed: int | None = None,
    *,
    resp: str | None = None,
    column: str | None = None,
) -> Figure:
    """Draw the observed response y beside responses y_rep drawn from the posterior predictive distribution.

    Args:
        fit: the fit.
        ndraws: number of draws of the response; None takes 10 where each is drawn on its own, 1000 where they are
            summarised.
        kind: ``"dens_overlay"`` densities (default for a continuous response), ``"bars"`` counts of each value with 90%
            intervals (default for a discrete one), ``"hist"`` histograms side by side, ``"ecdf_overlay"`` cumulative
            distributions, ``"stat"`` mean and standard deviation, ``"intervals"`` 50% and 90% intervals of every row,
            ``"km_overlay"`` survival curves, of y by Kaplan and Meier (default for a response that is censored on the
            right).
        seed: whole number; the same seed gives the same picture.
        resp: which of several responses.
        column: which column of a response of several, ``cbind(a, b, c)``; None takes the first.

    Raises:
        ModelError: there is no such kind or column, or ``resp`` does not say which of several responses.

    Warns:
        FitWarning: responses are censored, so that a picture other than ``"km_overlay"`` compares what was observed of
            them with whole responses.

    Example:
        >>> fit.pp_check(kind="stat", seed=1)
    """
    fit = of_one(fit, resp)
    kind = kind or _default_kind(fit)
    if kind not in KINDS:
        listed = ", ".join(f'"{k}"' for k in KINDS)
        raise ModelError(f"`kind` is one of {listed}; got {kind!r}{did_you_mean(str(kind), KINDS)}.")
    observed = _right_censored(fit) if kind == "km_overlay" else None
    if kind != "km_overlay" and _is_censored(fit):
        warn_user(
            "Censored responses stand in the picture at the bounds that were observed, y_rep are whole responses."
        )
    draw, default = KINDS[kind]
    available = fit.draws_record.n_chains * fit.draws_record.n_draws
    drawn: Any = predict(fit, ndraws=min(default, available) if ndraws is None else ndraws, seed=seed)
    replicated = drawn.to_numpy()
    y, name = np.asarray(fit.problem.design.response.arrays["y"], dtype=float), fit.parsed.response.name
    if column is not None or fit.likelihood.response_labels:
        place, name = _column(fit.likelihood.response_labels, column)
        y, replicated = y[..., place], replicated[..., place]
    known = ~np.isnan(y)
    y, replicated = y[known], replicated[..., known]
    with np.errstate(all="ignore"):
        if observed is not None:
            return draw_overlay(observed, replicated, name)
        figure = draw(y, replicated.astype(float), name)
    levels = fit.problem.design.response.levels
    if kind == "bars" and levels is not None:
        first = 0 if fit.likelihood.traits.two_levels else fit.likelihood.first_category
        figure.axes[0].set_xticks(range(first, first + len(levels)), levels)
    return figure


def _default_kind(fit: AbstractSampledFit) -> str:
    if _is_censored(fit) and right_censoring(fit) is not None:
        return "km_overlay"
    return "bars" if fit.likelihood.traits.discrete else "dens_overlay"


def _is_censored(fit: AbstractSampledFit) -> bool:
    return any(addition.name == "cens" for addition in fit.parsed.response.additions)


def _right_censored(fit: AbstractSampledFit) -> Observed:
    """Return the observed times, of which survival curves are estimated.

    Raises:
        ModelError: the response has categories or several columns, or is censored on the left or on intervals.
    """
    if fit.likelihood.event_labels:
        raise ModelError('Survival curves are of a response that is one number; kind="bars" shows categories.')
    observed = right_censoring(fit)
    if observed is None:
        raise ModelError(
            'kind="km_overlay" is for responses that are observed or censored on the right; some are censored on the '
            'left or on intervals. kind="ecdf_overlay" shows the bounds that were observed.'
        )
    return observed


def _column(labels: tuple[str, ...], column: str | None) -> tuple[int, str]:
    """Return the place and the label of a column of the response."""
    if column is None:
        return 0, labels[0]
    if column not in labels:
        there = f"it has {', '.join(f'`{label}`' for label in labels)}" if labels else "it is one column"
        raise ModelError(f"The response has no column {column!r}{did_you_mean(str(column), labels)}; {there}.")
    return labels.index(column), column


def _one_panel(name: str, height: float = 4.2) -> tuple[Figure, Axes]:
    figure = new_figure(7, height)
    axes = figure.subplots()
    axes.set_xlabel(name, fontsize=10)
    clean(axes)
    return figure, axes


def _legend(axes: Axes, observed: Any, drawn: Any, place: str = "upper right") -> None:
    axes.legend([observed, drawn], ["y", "y_rep"], loc=place, frameon=False, fontsize=9)


def _densities(y: np.ndarray, replicated: np.ndarray, name: str) -> Figure:
    figure, axes = _one_panel(name)
    lines = [
        axes.plot(*curve, color=FAINT, linewidth=1.0, alpha=0.8)[0]
        for curve in map(density, replicated)
        if curve is not None
    ]
    curve = density(y)
    if curve is None or not lines:
        raise ModelError('The response does not vary, so that it has no density; use kind="intervals".')
    observed = axes.plot(*curve, color=DARK, linewidth=2.2)[0]
    _legend(axes, observed, lines[0])
    axes.set_xlim(*_window(y, replicated))
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    return figure


def _window(y: np.ndarray, replicated: np.ndarray) -> tuple[float, float]:
    """Return limits that show all of y and the bulk of y_rep: one wild draw must not squeeze the rest."""
    low, high = np.quantile(replicated[np.isfinite(replicated)], [0.002, 0.998])
    low, high = min(low, y.min()), max(high, y.max())
    margin = 0.04 * (high - low)
    return (max(low - margin, 0.0) if min(y.min(), replicated.min()) >= 0 else low - margin), high + margin


def _cumulative(y: np.ndarray, replicated: np.ndarray, name: str) -> Figure:
    figure, axes = _one_panel(name)
    heights = np.arange(1, len(y) + 1) / len(y)
    lines = [axes.step(np.sort(r), heights, where="post", color=FAINT, linewidth=1.0, alpha=0.8)[0] for r in replicated]
    observed = axes.step(np.sort(y), heights, where="post", color=DARK, linewidth=2.0)[0]
    _legend(axes, observed, lines[0], "upper left")
    axes.set_xlim(*_window(y, replicated))
    axes.set_ylabel("cumulative share", fontsize=10)
    return figure


def _histograms(y: np.ndarray, replicated: np.ndarray, name: str) -> Figure:
    sets = [y, *replicated[:19]]
    columns = min(4, len(sets))
    rows = -(-len(sets) // columns)
    figure = new_figure(2.3 * columns, 1.7 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    low, high = _window(y, replicated)
    whole = all((s == np.round(s)).all() for s in sets) and high - low <= MOST_BARS
    edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1.0) if whole else np.linspace(low, high, 31)
    for panel, values in zip(panels, sets, strict=False):
        is_observed = values is y
        panel.hist(values[np.isfinite(values)], bins=edges, color=DARK if is_observed else FAINT)
        panel.set_title("y" if is_observed else "y_rep", fontsize=9, loc="left")
        clean(panel)
        panel.set_yticks([])
    for unused in panels[len(sets) :]:
        unused.set_axis_off()
    figure.supxlabel(name, fontsize=10)
    return figure


def _bars(y: np.ndarray, replicated: np.ndarray, name: str) -> Figure:
    figure, axes = _one_panel(name)
    low, high = np.floor(y.min()), np.ceil(max(y.max(), np.quantile(replicated[np.isfinite(replicated)], 0.995)))
    width = max(1.0, np.ceil((high - low + 1) / MOST_BARS))
    edges = np.arange(low - 0.5, high + 0.5 + width, width)
    centers = 0.5 * (edges[1:] + edges[:-1])
    counts = np.stack([np.histogram(r, edges)[0] for r in replicated])
    lower, middle, upper = np.quantile(counts, [0.05, 0.5, 0.95], axis=0)
    observed = axes.bar(centers, np.histogram(y, edges)[0], width=0.88 * width, color=FAINT)
    drawn = axes.errorbar(
        centers, middle, yerr=[middle - lower, upper - middle], fmt="o", color=DARK, markersize=3.6, elinewidth=1.3
    )
    _legend(axes, observed, drawn)
    if len(centers) <= 12:
        axes.set_xticks(centers)
    axes.set_ylabel("count" if width == 1 else f"count in bins of {width:.0f}", fontsize=10)
    return figure


def _statistics(y: np.ndarray, replicated: np.ndarray, name: str) -> Figure:
    figure = new_figure(8.4, 3.4)
    mean, spread = figure.subplots(1, 2)
    _statistic(mean, f"T = mean of {name}", y.mean(), replicated.mean(axis=1))
    _statistic(spread, f"T = standard deviation of {name}", y.std(), replicated.std(axis=1))
    return figure


def _statistic(axes: Axes, title: str, observed: float, drawn: np.ndarray) -> None:
    axes.hist(drawn[np.isfinite(drawn)], bins=30, color=FAINT, label="T(y_rep)")
    axes.axvline(observed, color=DARK, linewidth=2.2, label="T(y)")
    axes.set_title(title, fontsize=10, loc="left")
    axes.set_yticks([])
    clean(axes)
    axes.spines["left"].set_visible(False)
    axes.legend(loc="upper right", frameon=False, fontsize=8.5)


def _intervals(y: np.ndarray, replicated: np.ndarray, name: str) -> Figure:
    figure = new_figure(9, 4.2)
    axes = figure.subplots()
    lower, low, middle, high, upper = np.quantile(replicated, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
    order, place = np.argsort(middle, kind="stable"), np.arange(len(y))
    if len(y) <= 120:
        axes.vlines(place, lower[order], upper[order], color=FAINT, linewidth=1.4)
        drawn: Any = axes.vlines(place, low[order], high[order], color=MAIN, linewidth=2.6, alpha=0.7)
    else:
        axes.fill_between(place, lower[order], upper[order], color=FAINT, alpha=0.5, linewidth=0)
        drawn = axes.fill_between(place, low[order], high[order], color=MAIN, alpha=0.45, linewidth=0)
    observed = axes.plot(place, y[order], "o", color=DARK, markersize=3.6 if len(y) <= 120 else 1.8)[0]
    _legend(axes, observed, drawn)
    axes.set_xlabel("rows, sorted by their predicted median", fontsize=10)
    axes.set_ylabel(name, fontsize=10)
    axes.margins(x=0.01)
    clean(axes, grid="y")
    return figure


KINDS: dict[str, tuple[Callable[[np.ndarray, np.ndarray, str], Any], int]] = {
    "dens_overlay": (_densities, OVERLAID),
    "hist": (_histograms, OVERLAID + 1),
    "bars": (_bars, SUMMARISED),
    "stat": (_statistics, SUMMARISED),
    "ecdf_overlay": (_cumulative, OVERLAID),
    "intervals": (_intervals, SUMMARISED),
    "km_overlay": (_cumulative, OVERLAID),
}
