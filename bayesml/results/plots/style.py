"""What the pictures share: figures, colours, densities, the choice of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.record.select import Elements, draws, elements

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayesml.results.plots.picture import Picture
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["ALARM", "DARK", "FAINT", "MAIN", "MUTED", "PALETTE", "chosen_parameters", "clean", "density", "new_figure"]

# Okabe & Ito: told apart by colour-blind readers and in print.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5B5B5B", "#B8A500")
MAIN, ALARM, DARK, MUTED, FAINT = "#0072B2", "#D55E00", "#1B2A3A", "#6B7785", "#9DB8D2"

GRID_POINTS = 256


def new_figure(width: float, height: float) -> Picture:
    """Return an empty figure of that size in inches; see ``bayesml.results.plots.picture``."""
    from bayesml.results.plots.picture import new_picture

    return new_picture(width, height)


def clean(axes: Axes, *, grid: str = "") -> None:
    """Take away the upper and right frame; ``grid`` is ``x``, ``y`` or ``both``."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#B0B7BF")
    axes.tick_params(colors="#3A4653", labelsize=8.5, length=3)
    if grid:
        axes.grid(axis=grid, color="#E4E8EC", linewidth=0.7)  # type: ignore[arg-type]
        axes.set_axisbelow(True)


def chosen_parameters(fit: AbstractSampledFit, variables: Sequence[str] | str | None, most: int = 60) -> Elements:
    """Return the draws of the parameters to draw: those of the summary, or those named.

    Raises:
        ModelError: a name is unknown, or there are more than ``most``.
    """
    if variables is None:
        chosen = elements(fit.draws_record.values, [v for v in fit.variables if not v.is_many])
    else:
        frame = draws(fit, variables).drop(columns=[".chain", ".draw"])
        shape = (fit.draws_record.n_chains, fit.draws_record.n_draws, frame.shape[1])
        chosen = Elements(tuple(frame.columns), frame.to_numpy(dtype=float).reshape(shape))
    if len(chosen.names) > most:
        raise ModelError(
            f"{len(chosen.names)} parameters do not fit into one picture, at most {most} do; choose some "
            f'with `variables`, for example ["{chosen.names[0]}", "{chosen.names[1]}"].'
        )
    return chosen


def density(
    values: np.ndarray, grid: np.ndarray | None = None, *, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a grid and a kernel density estimate on it, or None where the values do not vary.

    Values that are all positive, or all within -1 and 1, are reflected at the end of that range: no mass leaks out.

    Args:
        values: the values; those that are not finite are left out.
        grid: where to evaluate it; None makes a grid.
        weights: of the values; None for equal ones. The bandwidth is that of equal ones.
    """
    from scipy.ndimage import gaussian_filter1d

    finite = values[np.isfinite(values)]
    shares = np.ones(len(finite)) if weights is None else weights[np.isfinite(values)]
    if len(finite) < 2 or np.ptp(finite) <= 1e-12 * max(abs(finite).max(), 1e-300):
        return None
    spread = min(finite.std(ddof=1), np.subtract(*np.quantile(finite, [0.75, 0.25])) / 1.349 or np.inf)
    width = 0.9 * spread * len(finite) ** -0.2
    low, high = _range(finite, 3 * width, grid)
    edges = np.linspace(low, high, 4 * GRID_POINTS + 1)
    counts = np.histogram(finite, edges, weights=shares)[0]
    smooth = gaussian_filter1d(counts, width / (edges[1] - edges[0]), mode="reflect", truncate=5.0)
    centers = 0.5 * (edges[1:] + edges[:-1])
    heights = smooth / (shares.sum() * (edges[1] - edges[0]))
    return (centers, heights) if grid is None else (grid, np.interp(grid, centers, heights, left=0.0, right=0.0))


def _range(values: np.ndarray, margin: float, grid: np.ndarray | None) -> tuple[float, float]:
    low, high = values.min() - margin, values.max() + margin
    if values.min() >= 0:
        low = max(low, 0.0)
    if np.abs(values).max() <= 1:
        low, high = max(low, -1.0), min(high, 1.0)
    return float(low), float(high)


def number(value: Any) -> str:
    """Return a short text of a number, or the text itself."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
