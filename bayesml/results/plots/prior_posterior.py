"""Densities of parameters before and after the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.prior_draws import prior_elements
from bayesml.results.plots.hypotheses import window_of
from bayesml.results.plots.style import FAINT, MAIN, MUTED, chosen_parameters, clean, density, new_figure
from bayesml.results.record.select import is_prior_only

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["plot_prior_posterior"]

COLUMNS = 4
FEWEST_DRAWS = 4000


def plot_prior_posterior(
    fit: AbstractSampledFit, variables: Sequence[str] | str | None = None, *, seed: int | None = None
) -> Figure:
    """Draw the density of each parameter under the prior and under the posterior.

    The window shows the posterior, and of a prior that is much wider only its middle. Draws from the prior are those of
    the fit (``sample_prior="yes"``), or 4,000 that are simulated now. A parameter with a flat prior has the posterior
    alone, with a note.

    Args:
        fit: the fit.
        variables: names of parameters or of whole variables; None takes those of the summary.
        seed: whole number that makes simulated draws from the prior reproducible; None takes the seed of the fit.

    Raises:
        ModelError: a name is unknown, there are too many parameters for one picture, or the draws of the fit come from
            the prior themselves.

    Example:
        >>> fit.plot_prior_posterior(["b_Days", "sigma"])
    """
    if is_prior_only(fit):
        raise ModelError(
            'The draws come from the prior alone (sample_prior="only"): there is no posterior to compare with. '
            "`fit.plot()` shows them."
        )
    chosen = chosen_parameters(fit, variables)
    kept = bool(fit.draws_record.prior) and seed is None
    prior = prior_elements(fit, chosen.names, ndraws=None if kept else FEWEST_DRAWS, seed=seed)
    columns = min(COLUMNS, len(chosen.names))
    rows = -(-len(chosen.names) // columns)
    figure = new_figure(2.7 * columns + (2.4 if columns == 1 else 1.0), 1.9 * rows + 0.5)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for k, panel in enumerate(panels):
        if k < len(chosen.names):
            before = prior.values[..., prior.names.index(chosen.names[k])].ravel()
            _panel(panel, chosen.names[k], before, chosen.values[..., k].ravel())
        else:
            panel.set_axis_off()
    panels[columns - 1].legend(*_handles(), frameon=False, fontsize=8.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _panel(axes: Axes, name: str, prior: np.ndarray, posterior: np.ndarray) -> None:
    prior = prior[np.isfinite(prior)]
    low, high = window_of(posterior, prior if prior.size else None)
    grid = np.linspace(low, high, 256)
    if prior.size and (curve := density(prior, grid)) is not None:
        axes.fill_between(*curve, color=FAINT, alpha=0.5, linewidth=0)
        axes.plot(*curve, color=FAINT, linewidth=1.2)
    if (curve := density(posterior, grid)) is not None:
        axes.fill_between(*curve, color=MAIN, alpha=0.3, linewidth=0)
        axes.plot(*curve, color=MAIN, linewidth=1.6)
    else:
        axes.axvline(float(posterior[0]), color=MAIN, linewidth=1.6)
    if not prior.size:
        axes.text(0.02, 0.97, "flat prior", transform=axes.transAxes, fontsize=8, color=MUTED, va="top")
    axes.set_title(name, fontsize=9, loc="left")
    axes.set_xlim(low, high)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.locator_params(axis="x", nbins=5)
    clean(axes)
    axes.spines["left"].set_visible(False)


def _handles() -> tuple[list[object], list[str]]:
    from matplotlib.patches import Patch

    return [Patch(color=FAINT, alpha=0.6), Patch(color=MAIN, alpha=0.6)], ["prior", "posterior"]
