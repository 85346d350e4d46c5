"""Statistics of y beside those of y_rep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.plots.predictive.compared import Compared, Statistic
from bayesml.results.plots.predictive.overlaid import without_left
from bayesml.results.plots.style import DARK, FAINT, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["STATISTICS", "both_statistics", "frequency_of_statistic", "read_statistics", "statistic"]


def _mad(values: np.ndarray, axis: int) -> np.ndarray:
    middle = np.median(values, axis=axis, keepdims=True)
    return np.asarray(1.4826 * np.median(np.abs(values - middle), axis=axis))


def _zeros(values: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray((values == 0).mean(axis=axis))


def _quantile(share: float) -> Callable[[np.ndarray, int], np.ndarray]:
    return lambda values, axis: np.asarray(np.quantile(values, share, axis=axis))


STATISTICS: dict[str, Statistic] = {
    short: Statistic(name, function)
    for short, name, function in (
        ("mean", "mean", lambda values, axis: values.mean(axis=axis)),
        ("sd", "standard deviation", lambda values, axis: values.std(axis=axis)),
        ("median", "median", lambda values, axis: np.median(values, axis=axis)),
        ("mad", "scaled mad", _mad),
        ("min", "smallest value", lambda values, axis: values.min(axis=axis)),
        ("max", "largest value", lambda values, axis: values.max(axis=axis)),
        ("q5", "5% quantile", _quantile(0.05)),
        ("q25", "25% quantile", _quantile(0.25)),
        ("q75", "75% quantile", _quantile(0.75)),
        ("q95", "95% quantile", _quantile(0.95)),
        ("prop_zero", "share of zeros", _zeros),
    )
}
"""Statistics by the name under which they are requested."""


def read_statistics(asked: Any) -> tuple[Statistic, ...]:
    """Return the statistics that are requested: names, functions of an array, or a list of them.

    Raises:
        ModelError: there is no such statistic; the message lists them.
    """
    every: Sequence[Any] = asked if isinstance(asked, (list, tuple)) else (asked,)
    if not 1 <= len(every) <= 6:
        raise ModelError(f"`stat` is one statistic, or a list of up to 6; got {asked!r}.")
    return tuple(_read(each) for each in every)


def _read(asked: Any) -> Statistic:
    if callable(asked):
        name = str(getattr(asked, "__name__", "T"))
        return Statistic(name, lambda values, axis: np.apply_along_axis(_checked(asked, name), axis, values))
    if not isinstance(asked, str) or asked not in STATISTICS:
        listed = ", ".join(f'"{name}"' for name in STATISTICS)
        raise ModelError(
            f"`stat` is one of {listed}, or a function of an array; got {asked!r}"
            f"{did_you_mean(str(asked), STATISTICS)}."
        )
    return STATISTICS[asked]


def _checked(function: Callable[[np.ndarray], Any], name: str) -> Callable[[np.ndarray], float]:
    def of(values: np.ndarray) -> float:
        try:
            return float(function(values))
        except Exception as error:
            raise ModelError(f"The statistic `{name}` does not return a number of an array: {error}") from error

    return of


def statistic(axes: Axes, compared: Compared, place: int) -> None:
    """Draw a statistic of y over a histogram of that of y_rep."""
    chosen = compared.statistics[place]
    observed, drawn = float(chosen.of(compared.y)), chosen.of(compared.replicated)
    axes.hist(drawn[np.isfinite(drawn)], bins=30, color=FAINT, label="T(y_rep)")
    axes.axvline(observed, color=DARK, linewidth=2.2, label="T(y)")
    axes.set_xlabel(f"{chosen.name} of {compared.name}", fontsize=10)
    without_left(axes)


def frequency_of_statistic(axes: Axes, compared: Compared, place: int) -> None:
    """Draw a statistic of y over the tops of a histogram of that of y_rep, joined."""
    chosen = compared.statistics[place]
    observed, drawn = float(chosen.of(compared.y)), chosen.of(compared.replicated)
    counts, edges = np.histogram(drawn[np.isfinite(drawn)], 30)
    axes.plot(0.5 * (edges[1:] + edges[:-1]), counts, color=FAINT, linewidth=2.0, label="T(y_rep)")
    axes.axvline(observed, color=DARK, linewidth=2.2, label="T(y)")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"{chosen.name} of {compared.name}", fontsize=10)
    without_left(axes)


def both_statistics(axes: Axes, compared: Compared, place: int) -> None:
    """Draw two statistics against each other, of y and of each y_rep."""
    if len(compared.statistics) != 2:
        raise ModelError('kind="stat_2d" takes two statistics, `stat=["mean", "sd"]`.')
    first, second = compared.statistics
    drawn = (first.of(compared.replicated), second.of(compared.replicated))
    axes.scatter(*drawn, s=10, color=FAINT, alpha=0.6, linewidths=0, label="T(y_rep)")
    observed = (float(first.of(compared.y)), float(second.of(compared.y)))
    axes.axvline(observed[0], color=DARK, linewidth=0.8, linestyle=":")
    axes.axhline(observed[1], color=DARK, linewidth=0.8, linestyle=":")
    axes.plot(*observed, "o", color=DARK, markersize=7, label="T(y)")
    axes.set_xlabel(f"{first.name} of {compared.name}", fontsize=10)
    axes.set_ylabel(f"{second.name} of {compared.name}", fontsize=10)
    clean(axes)
