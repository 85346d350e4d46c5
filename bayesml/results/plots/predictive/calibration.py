"""Whether probabilities that the model gives are right: probability integral transforms and reliability."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.plots.predictive.compared import Compared, pit_values
from bayesml.results.plots.style import DARK, FAINT, MAIN, clean, density

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["pit_density", "pit_ecdf", "pit_quantiles", "reliability"]

SIMULATIONS = 1000
SHOWN = 50
MOST_POINTS = 100
LEVEL = 0.95


def pit_ecdf(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the distribution function of the probability integral transforms minus that of uniform numbers.

    The band holds the whole of it in 95% of cases if they are uniform (Saeilynoja, Buerkner and Vehtari 2022,
    Statistics and Computing 32, 32).
    """
    pit = np.sort(pit_values(compared))
    at = np.linspace(0.0, 1.0, min(len(pit), MOST_POINTS) + 1)[1:-1]
    lower, upper = simultaneous_band(len(pit), len(at))
    axes.fill_between(
        at, lower - at, upper - at, color=FAINT, alpha=0.45, linewidth=0, step="mid", label="95% if right"
    )
    axes.axhline(0.0, color=DARK, linewidth=0.9, linestyle=(0, (4, 3)))
    shares = np.searchsorted(pit, at, side="right") / len(pit)
    axes.step(at, shares - at, where="mid", color=MAIN, linewidth=1.7, label="observed")
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel(_pit_name(compared), fontsize=10)
    axes.set_ylabel("share below - uniform", fontsize=10)
    clean(axes)


def pit_density(axes: Axes, compared: Compared, place: int) -> None:
    """Draw the density of the probability integral transforms over those of uniform numbers."""
    rng = np.random.default_rng([compared.seed, 8])
    grid = np.linspace(0.0, 1.0, 202)[1:-1]
    for k in range(SHOWN):
        curve = density(rng.random(len(compared.y)), grid)
        if curve is not None:
            axes.plot(*curve, color=FAINT, linewidth=0.8, alpha=0.6, label="" if k else "uniform")
    curve = density(pit_values(compared), grid)
    if curve is not None:
        axes.plot(*curve, color=DARK, linewidth=2.2, label="observed")
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(bottom=0)
    axes.set_yticks([])
    axes.set_xlabel(_pit_name(compared), fontsize=10)
    clean(axes)
    axes.spines["left"].set_visible(False)


def pit_quantiles(axes: Axes, compared: Compared, place: int) -> None:
    """Draw sorted probability integral transforms against quantiles of the uniform distribution."""
    pit = np.sort(pit_values(compared))
    axes.plot([0, 1], [0, 1], color=DARK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.plot((np.arange(len(pit)) + 0.5) / len(pit), pit, "o", color=MAIN, markersize=3.0, alpha=0.7)
    axes.set_aspect("equal")
    axes.set_xlabel("uniform quantile", fontsize=10)
    axes.set_ylabel(_pit_name(compared), fontsize=10)
    clean(axes)


def _pit_name(compared: Compared) -> str:
    return f"{'LOO-' if compared.log_weights is not None else ''}PIT of {compared.name}"


@lru_cache(maxsize=32)
def simultaneous_band(rows: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return limits that hold the empirical distribution function of uniform numbers at all points at once.

    Counts of numbers up to a point z are binomial(rows, z). The limits are their gamma / 2 and 1 - gamma / 2 quantiles,
    with gamma such that in 95% of simulations no point lies outside.
    """
    from scipy.stats import binom

    at = np.linspace(0.0, 1.0, points + 2)[1:-1]
    rng = np.random.default_rng(20221)
    shares = np.diff(at, prepend=0.0, append=1.0)
    counts = np.cumsum(rng.multinomial(rows, shares, SIMULATIONS)[:, :-1], axis=1)
    tails = np.minimum(binom.cdf(counts, rows, at), binom.sf(counts - 1, rows, at))
    gamma = 2.0 * np.quantile(tails.min(axis=1), 1.0 - LEVEL)
    return binom.ppf(gamma / 2, rows, at) / rows, binom.ppf(1.0 - gamma / 2, rows, at) / rows


def reliability(axes: Axes, compared: Compared, place: int) -> None:
    """Draw how often the response is 1 against the probability that the model gives.

    The curve is the isotonic regression of y on the probability (Dimitriadis, Gneiting and Jordan 2021, PNAS 118). The
    band holds 90% of the curves of responses that are drawn with these probabilities.
    """
    assert compared.expected is not None
    if not np.isin(compared.y, [0.0, 1.0]).all():
        raise ModelError(
            'kind="calibration" is for a response of two values, or of categories; kind="pit_ecdf" is for all others.'
        )
    x, place_of_row, rows = np.unique(_probability(compared), return_inverse=True, return_counts=True)
    rng = np.random.default_rng([compared.seed, 9])
    drawn = np.stack([isotonic(rng.binomial(rows, x) / rows, rows) for _ in range(SIMULATIONS // 5)])
    lower, upper = np.quantile(drawn, [0.05, 0.95], axis=0)
    axes.fill_between(x, lower, upper, color=FAINT, alpha=0.45, linewidth=0, label="90% if right")
    shares = isotonic(np.bincount(place_of_row, compared.y) / rows, rows)
    axes.plot(x, shares, color=MAIN, linewidth=1.8, drawstyle="steps-mid", label="observed")
    low, high = min(x.min(), lower.min(), shares.min()), max(x.max(), upper.max(), shares.max())
    axes.plot([low, high], [low, high], color=DARK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.set_xlabel("probability by the model", fontsize=10)
    axes.set_ylabel(f"share of {compared.name}", fontsize=10)
    clean(axes)


def _probability(compared: Compared) -> np.ndarray:
    assert compared.expected is not None
    if compared.weights is None:
        return np.clip(compared.expected.mean(axis=0), 0.0, 1.0)
    return np.clip((compared.weights * compared.expected).sum(axis=0), 0.0, 1.0)


def isotonic(y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the increasing sequence nearest to y in weighted squares, by pooling adjacent violators."""
    from scipy.optimize import isotonic_regression

    return np.asarray(isotonic_regression(y, weights=weights).x)
