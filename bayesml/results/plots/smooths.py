"""Pictures of the smooths of a model, with partial residuals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.engines.point.joint import NewRows
from bayesml.errors import ModelError, did_you_mean
from bayesml.linalg import AbstractBlock, DenseBlock
from bayesml.names import prefixed
from bayesml.results.frequentist.residuals import residual_values
from bayesml.results.plots.style import DARK, FAINT, MAIN, MUTED, PALETTE, clean, new_figure
from bayesml.results.predict.predict import linpred
from bayesml.results.record.fit import AbstractFit, AbstractPointFit, AbstractSampledFit
from bayesml.results.record.one_response import has_several
from bayesml.terms.curves import AbstractCurveTerm

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_smooths"]

POINTS = 200
SIDE = 40
NORMAL_95 = 1.959963984540054
MOST_DRAWS = 1000
MOST_MARKS = 5000
MOST_CURVES = 12


@final
@dataclass(frozen=True)
class _Curve:
    """One curve of one smooth.

    Attributes:
        term: the smooth.
        number: of the curve within it.
        title: its label, with the predictor.
        covariates: its covariates in the rows that it is for.
        rows: which rows these are.
    """

    term: AbstractCurveTerm
    number: int
    title: str
    covariates: dict[str, np.ndarray]
    rows: np.ndarray

    @property
    def numbers(self) -> tuple[str, ...]:
        """The covariates that are numbers."""
        return tuple(name for name, levels in self.term.inputs.items() if not levels)

    @property
    def factors(self) -> dict[str, tuple[str, ...]]:
        """The factors among the covariates with their levels."""
        return {name: levels for name, levels in self.term.inputs.items() if levels}

    @property
    def is_drawn(self) -> bool:
        """Whether there is a picture of it: of one or two numbers, with one factor at most."""
        return 1 <= len(self.numbers) + len(self.factors) <= 2 and len(self.factors) <= 1


def plot_smooths(fit: AbstractFit, select: str | None = None, residuals: bool = True) -> Figure:
    """Draw each smooth as a function of its covariates, on the scale of the linear predictor.

    Curves have pointwise 95% intervals: of draws the central ones around the medians, of estimates those of the normal
    approximation given the smoothing parameters. Surfaces are drawn as contours over the data. Marks are partial
    residuals: what the smooth says of a row plus the row's working residual. A smooth of more than two covariates
    has no picture; look at `conditional_effects` of it.

    Args:
        fit: the fit.
        select: the label of a smooth, such as ``"sx"`` or ``"s(x)"``; None draws all of them.
        residuals: whether to draw partial residuals, where the model has one linear predictor.

    Raises:
        ModelError: the model has no such smooth, or a point estimate has several linear predictors.

    Example:
        >>> fit = bayesml.fit("accel ~ s(times)", mcycle, method="reml")
        >>> fit.plot_smooths()
    """
    if has_several(fit):
        raise ModelError(
            "`plot_smooths` is for models with one response; ask for each of them with conditional_effects."
        )
    if isinstance(fit, AbstractPointFit) and not fit.estimate.has_one_predictor:
        raise ModelError(
            "`plot_smooths` of a point estimate is for models with one linear predictor; "
            'fit with method="nuts", or look at conditional_effects.'
        )
    curves = _chosen([curve for curve in _curves(fit) if curve.is_drawn], select)
    across = min(len(curves), 3)
    figure = new_figure(max(3.6 * across, 4.6), 3.1 * ceil(len(curves) / across))
    axes = figure.subplots(ceil(len(curves) / across), across, squeeze=False).ravel()
    working = _working(fit) if residuals else None
    for each, curve in zip(axes, curves, strict=False):
        _draw(each, fit, curve, working)
        each.set_title(curve.title, fontsize=9.5)
        clean(each)
    for unused in axes[len(curves) :]:
        unused.set_axis_off()
    return figure


def _curves(fit: AbstractFit) -> Iterator[_Curve]:
    for predictor in fit.problem.design.schema.predictors:
        for term in predictor.terms:
            if isinstance(term, AbstractCurveTerm):
                covariates = term.input_values(fit.frame)
                for number, label in enumerate(term.curves):
                    rows = term.rows_of_curve(fit.frame, number)
                    own = {name: values[rows] for name, values in covariates.items()}
                    yield _Curve(term, number, prefixed(label, term.predictor), own, rows)


def _chosen(curves: list[_Curve], select: str | None) -> list[_Curve]:
    if not curves:
        raise ModelError("The model has no smooth of one or two covariates to draw.")
    if select is None:
        return curves
    wanted = "".join(str(select).split())
    found = [c for c in curves if wanted in (c.title, c.title.split("_")[-1], "".join(c.term.key.split()))]
    if not found:
        known = list(dict.fromkeys(c.title for c in curves))
        listed = ", ".join(f"`{k}`" for k in known)
        raise ModelError(f"The model has no smooth `{select}`{did_you_mean(str(select), known)}; it has {listed}.")
    return found


def _values(fit: AbstractFit, curve: _Curve, covariates: dict[str, np.ndarray]) -> np.ndarray:
    """Return lower end, middle and upper end of the curve, ``(3, points)``."""
    arrays = curve.term.at(curve.number, covariates)
    if isinstance(fit, AbstractSampledFit):
        record = fit.draws_record
        count = record.n_chains * record.n_draws
        drawn = curve.term.contribution(record.stacked(np.arange(0, count, max(1, count // MOST_DRAWS))), arrays)
        return np.asarray(np.quantile(drawn, [0.025, 0.5, 0.975], axis=0))
    assert isinstance(fit, AbstractPointFit)
    middle = curve.term.contribution(fit.estimate.values, arrays)
    reach = NORMAL_95 * fit.estimate.joint.standard_errors(_rows(fit, curve.term, arrays))
    return np.stack([middle - reach, middle, middle + reach])


def _rows(fit: AbstractPointFit, term: AbstractCurveTerm, arrays: dict[str, np.ndarray]) -> NewRows:
    """Return rows in which everything but one smooth is left out."""
    model = fit.estimate.arrays
    X = np.zeros((len(arrays["Zs"]), len(model.coefs)))
    slopes = term.slope_columns()
    if slopes is not None:
        X[:, [model.texts.index(text) for text in slopes.texts]] = arrays["Xs"]
    own = {block.sd_texts: block for block in term.effect_blocks()}
    blocks: list[AbstractBlock | None] = []
    for effects in model.effects:
        block = own.get(effects.sd_texts)
        blocks.append(None if block is None else DenseBlock.of(block.name, arrays["Zs"][:, block.columns]))
    return NewRows(X, tuple(blocks))


def _working(fit: AbstractFit) -> np.ndarray | None:
    """Return working residuals of the rows; None where there are none."""
    if isinstance(fit, AbstractPointFit):
        return None if fit.likelihood.event_shape else np.asarray(residual_values(fit, "working"))
    assert isinstance(fit, AbstractSampledFit)
    if len(fit.problem.design.schema.predictors) > 1 or fit.likelihood.event_shape:
        return None
    link = fit.likelihood.link("mu")
    eta = np.asarray(linpred(fit).values)
    eta = eta.reshape(-1, eta.shape[-1]).mean(axis=0)
    mean, step = np.asarray(link.inverse(eta)), 1e-5
    slope = (np.asarray(link.inverse(eta + step)) - np.asarray(link.inverse(eta - step))) / (2 * step)
    arrays = fit.problem.design.response.arrays
    y = np.asarray(arrays["y"], float)
    if fit.likelihood.traits.response_on_log_scale:
        y = np.log(y)
    return np.asarray((y / arrays["trials"] if "trials" in arrays else y) - mean) / slope


def _draw(axes: Axes, fit: AbstractFit, curve: _Curve, working: np.ndarray | None) -> None:
    if len(curve.numbers) == 2:
        _surface(axes, fit, curve)
    elif not curve.numbers:
        _levels(axes, fit, curve)
    elif curve.factors:
        _curves_of_levels(axes, fit, curve)
    else:
        _line(axes, fit, curve, working)


def _line(axes: Axes, fit: AbstractFit, curve: _Curve, working: np.ndarray | None) -> None:
    (name,) = curve.numbers
    x = curve.covariates[name]
    grid = np.linspace(x.min(), x.max(), POINTS)
    lower, middle, upper = _values(fit, curve, {name: grid})
    is_slope = curve.term.is_multiplied
    if working is not None and not is_slope and len(x):
        shown = np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST_MARKS)).astype(int))
        at_rows = _values(fit, curve, {name: x[shown]})[1] + working[curve.rows[shown]]
        axes.plot(x[shown], at_rows, "o", color=FAINT, markersize=2.6, alpha=0.7, zorder=1)
    axes.fill_between(grid, lower, upper, color=MAIN, alpha=0.22, linewidth=0, zorder=2)
    axes.plot(grid, middle, color=MAIN, linewidth=1.7, zorder=3)
    axes.plot(x, np.zeros(len(x)), "|", color=DARK, markersize=5, alpha=0.35, transform=axes.get_xaxis_transform())
    axes.set_xlabel(name, fontsize=9, color=MUTED)


def _curves_of_levels(axes: Axes, fit: AbstractFit, curve: _Curve) -> None:
    (name,), ((factor, levels),) = curve.numbers, curve.factors.items()
    x = curve.covariates[name]
    grid = np.linspace(x.min(), x.max(), POINTS)
    labelled = len(levels) <= MOST_CURVES
    for level, label in enumerate(levels):
        covariates = {n: grid if n == name else np.full(POINTS, float(level)) for n in curve.term.inputs}
        colour = PALETTE[level % len(PALETTE)] if labelled else MAIN
        middle = _values(fit, curve, covariates)[1]
        axes.plot(grid, middle, color=colour, linewidth=1.3, alpha=1.0 if labelled else 0.4, label=label)
    if labelled:
        axes.legend(title=factor, fontsize=7.5, title_fontsize=8, frameon=False)
    axes.set_xlabel(name, fontsize=9, color=MUTED)


def _levels(axes: Axes, fit: AbstractFit, curve: _Curve) -> None:
    ((factor, levels),) = curve.factors.items()
    lower, middle, upper = _values(fit, curve, {factor: np.arange(float(len(levels)))})
    order = np.argsort(middle, kind="stable")
    places = np.arange(len(order))
    axes.axhline(0.0, color="#8A939C", linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    axes.vlines(places, lower[order], upper[order], color=MAIN, linewidth=1.3)
    axes.plot(places, middle[order], "o", color=DARK, markersize=3.5)
    few = len(order) <= MOST_CURVES
    axes.set_xticks(places if few else [], [levels[i] for i in order] if few else [])
    axes.set_xlabel(factor if few else f"{factor}, sorted", fontsize=9, color=MUTED)


def _surface(axes: Axes, fit: AbstractFit, curve: _Curve) -> None:
    first, second = curve.numbers
    x, z = curve.covariates[first], curve.covariates[second]
    across, along = np.linspace(x.min(), x.max(), SIDE), np.linspace(z.min(), z.max(), SIDE)
    grid = np.meshgrid(across, along)
    middle = _values(fit, curve, {first: grid[0].ravel(), second: grid[1].ravel()})[1].reshape(SIDE, SIDE)
    filled = axes.contourf(across, along, middle, levels=14, cmap="cividis")
    axes.contour(across, along, middle, levels=14, colors="white", linewidths=0.4, alpha=0.6)
    axes.plot(x, z, ".", color="black", markersize=2, alpha=0.35)
    axes.figure.colorbar(filled, ax=axes, fraction=0.05, pad=0.03).ax.tick_params(labelsize=7.5)
    axes.set_xlabel(first, fontsize=9, color=MUTED)
    axes.set_ylabel(second, fontsize=9, color=MUTED)
