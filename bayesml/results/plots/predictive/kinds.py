"""The kinds of predictive checks, under the names of bayesplot: a function that draws one panel, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

from bayesml.errors import ModelError, did_you_mean
from bayesml.results.plots.predictive import by_row, calibration, counted, errors, overlaid, statistics
from bayesml.results.plots.predictive.compared import Compared

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KINDS", "Kind", "read_kind"]

OVERLAID, SUMMARISED, MANY, ALL = 10, 1000, 200, 0
OBSERVED = -1
"""The panel of y, beside those of y_rep."""
GROUPED = "_grouped"


def one_panel(compared: Compared) -> Sequence[int]:
    """Return the number of the only panel."""
    return (0,)


def observed_and_draws(compared: Compared) -> Sequence[int]:
    """Return a panel for y and one for each y_rep."""
    return range(OBSERVED, len(compared.replicated))


def each_draw(compared: Compared) -> Sequence[int]:
    """Return a panel for each y_rep."""
    return range(len(compared.replicated))


def each_statistic(compared: Compared) -> Sequence[int]:
    """Return a panel for each statistic."""
    return range(len(compared.statistics))


@final
@dataclass(frozen=True)
class Kind:
    """A kind of predictive check.

    Attributes:
        draw: draws one panel, given its number.
        ndraws: number of draws unless others are requested; 0 takes all.
        panels: the numbers of the panels.
        needs: what it needs beside y and y_rep: ``expected`` responses, ``weights`` that leave each row out, ``x``, the
            times ``observed`` of events.
        shared: the axes that all panels have in common.
        height: of a picture of one panel, in inches.
    """

    draw: Callable[[Axes, Compared, int], None]
    ndraws: int
    panels: Callable[[Compared], Sequence[int]] = one_panel
    needs: frozenset[str] = frozenset()
    shared: Literal["", "x", "xy"] = ""
    height: float = 4.2


_X = frozenset({"x"})
_EXPECTED = frozenset({"expected"})
_LEFT_OUT = frozenset({"weights"})

KINDS: dict[str, Kind] = {
    # distributions
    "dens_overlay": Kind(overlaid.densities, OVERLAID, shared="x"),
    "dens": Kind(overlaid.density_of_one, OVERLAID + 1, observed_and_draws, shared="xy"),
    "hist": Kind(overlaid.histogram, OVERLAID + 1, observed_and_draws, shared="xy"),
    "freqpoly": Kind(overlaid.frequencies, 8, each_draw, shared="xy"),
    "ecdf_overlay": Kind(overlaid.distribution_functions, OVERLAID, shared="xy"),
    "km_overlay": Kind(overlaid.survival, OVERLAID, needs=frozenset({"observed"}), shared="xy"),
    "boxplot": Kind(overlaid.boxes, 8, shared="xy"),
    "violin": Kind(overlaid.violins, 8, shared="xy"),
    # counts
    "bars": Kind(counted.bars, SUMMARISED, shared="x"),
    "rootogram": Kind(counted.rootogram, SUMMARISED, shared="x"),
    # statistics
    "stat": Kind(statistics.statistic, SUMMARISED, each_statistic),
    "stat_freqpoly": Kind(statistics.frequency_of_statistic, SUMMARISED, each_statistic),
    "stat_2d": Kind(statistics.both_statistics, SUMMARISED),
    # rows
    "intervals": Kind(by_row.intervals, SUMMARISED),
    "ribbon": Kind(by_row.ribbon, SUMMARISED),
    "loo_intervals": Kind(by_row.intervals, ALL, needs=_LEFT_OUT),
    "loo_ribbon": Kind(by_row.ribbon, ALL, needs=_LEFT_OUT),
    "scatter": Kind(errors.scatter, 6, each_draw, shared="xy"),
    "scatter_avg": Kind(errors.average_of_rows, SUMMARISED, shared="xy"),
    # errors
    "error_hist": Kind(errors.error_histogram, 6, each_draw, shared="xy"),
    "error_scatter": Kind(errors.error_scatter, 6, each_draw, shared="xy"),
    "error_scatter_avg": Kind(errors.error_averages, SUMMARISED, shared="xy"),
    "error_scatter_avg_vs_x": Kind(errors.error_averages_along, SUMMARISED, needs=_X, shared="xy"),
    "error_binned": Kind(errors.binned_errors, SUMMARISED, needs=_EXPECTED),
    # probabilities
    "pit_ecdf": Kind(calibration.pit_ecdf, ALL),
    "loo_pit_ecdf": Kind(calibration.pit_ecdf, ALL, needs=_LEFT_OUT),
    "loo_pit_overlay": Kind(calibration.pit_density, ALL, needs=_LEFT_OUT),
    "loo_pit_qq": Kind(calibration.pit_quantiles, ALL, needs=_LEFT_OUT, height=4.6),
    "calibration": Kind(calibration.reliability, SUMMARISED, needs=_EXPECTED, height=4.6),
    "loo_calibration": Kind(calibration.reliability, ALL, needs=_EXPECTED | _LEFT_OUT, height=4.6),
}
"""By the names of bayesplot without ``ppc_``; each takes ``group=``."""

ALIASES = {
    "loo_pit": "loo_pit_ecdf",
    "dist": "dens_overlay",
    "interval": "intervals",
    "tstat": "stat",
    "pit": "pit_ecdf",
    "pava": "calibration",
    "censored": "km_overlay",
    "loo_pava": "loo_calibration",
    "loo_interval": "loo_intervals",
    "residual": "error_binned",
}
"""Names of ArviZ without ``plot_ppc_``, and short ones."""


def read_kind(asked: object) -> tuple[str, bool]:
    """Return the name of a kind, and whether it was requested in groups.

    Raises:
        ModelError: there is no such kind; the message lists them.
    """
    name = str(asked).removeprefix("plot_").removeprefix("ppc_") if isinstance(asked, str) else ""
    plain = name.removesuffix(GROUPED)
    plain = ALIASES.get(plain, plain)
    if plain not in KINDS:
        listed = ", ".join(f'"{known}"' for known in KINDS)
        raise ModelError(f"`kind` is one of {listed}; got {asked!r}{did_you_mean(str(asked), [*KINDS, *ALIASES])}.")
    return plain, name.endswith(GROUPED)
