"""The observed response beside replicated ones: what every predictive check draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from bayesml.results.checks.kaplan_meier import Observed

__all__ = ["Compared", "Statistic", "pit_values", "window"]


@final
@dataclass(frozen=True)
class Statistic:
    """A number that is computed of a whole response.

    Attributes:
        name: what it is called.
        function: takes an array and an axis.
    """

    name: str
    function: Callable[[np.ndarray, int], np.ndarray]

    def of(self, values: np.ndarray) -> np.ndarray:
        """Return the number of each row of ``values``."""
        return np.asarray(self.function(values, -1), dtype=float)


@final
@dataclass(frozen=True)
class Compared:
    """Responses of the same rows, observed and replicated.

    Attributes:
        y: ``(rows,)`` the observed response.
        replicated: ``(draws, rows)`` responses that the model draws.
        name: of the response.
        is_discrete: whether it counts.
        ticks: labels of its values, where these are categories.
        x: ``(rows,)`` where the rows stand along an axis; None for their order.
        x_name: what is on that axis.
        expected: ``(draws, rows)`` expected responses, of a check that needs them.
        log_weights: ``(draws, rows)`` logarithms of weights, with sum 1 over the draws, that leave each row out, of a
            check that needs them.
        statistics: what a check of statistics computes.
        observed: when events were observed, of a check of survival times.
        seed: makes what a check draws at random reproducible.
    """

    y: np.ndarray
    replicated: np.ndarray
    name: str
    is_discrete: bool = False
    ticks: Mapping[float, str] = field(default_factory=dict)
    x: np.ndarray | None = None
    x_name: str = ""
    expected: np.ndarray | None = None
    log_weights: np.ndarray | None = None
    statistics: tuple[Statistic, ...] = ()
    observed: Observed | None = None
    seed: int = 0

    def rows(self, chosen: np.ndarray) -> Compared:
        """Return the comparison of some rows."""
        x, expected, log_weights = (
            None if values is None else values[..., chosen] for values in (self.x, self.expected, self.log_weights)
        )
        return replace(
            self,
            y=self.y[chosen],
            replicated=self.replicated[:, chosen],
            x=x,
            expected=expected,
            log_weights=log_weights,
            observed=None if self.observed is None else self.observed.rows(chosen),
        )

    @property
    def weights(self) -> np.ndarray | None:
        """Weights of the draws of each row that leave it out, ``(draws, rows)``; None for equal ones."""
        return None if self.log_weights is None else np.exp(self.log_weights)


def pit_values(compared: Compared) -> np.ndarray:
    """Return P(y_rep < y) + u P(y_rep = y) of each row with u uniform: uniform numbers where the model is right."""
    weights = np.full((len(compared.replicated), 1), 1.0 / len(compared.replicated))
    if compared.weights is not None:
        weights = compared.weights
    below = (weights * (compared.replicated < compared.y)).sum(axis=0)
    equal = (weights * (compared.replicated == compared.y)).sum(axis=0)
    u = np.random.default_rng([compared.seed, 7]).random(len(compared.y))
    return np.clip(below + u * equal, 0.0, 1.0)


def window(compared: Compared) -> tuple[float, float]:
    """Return limits that show all of y and the bulk of y_rep: one wild draw must not squeeze the rest."""
    y, finite = compared.y, compared.replicated[np.isfinite(compared.replicated)]
    low, high = np.quantile(finite, [0.002, 0.998])
    low, high = min(low, y.min()), max(high, y.max())
    margin = 0.04 * (high - low or 1.0)
    return (max(low - margin, 0.0) if min(y.min(), finite.min()) >= 0 else low - margin), high + margin
