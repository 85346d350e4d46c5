"""How well a model predicts each row: log predictive density and expected response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.checks.psis import smoothed_weights

__all__ = ["STATISTICS", "Performance", "averaged", "check_statistics", "of_draws", "statistic"]

STATISTICS = ("elpd", "mlpd", "gmpd", "mse", "rmse", "acc")


@final
@dataclass(frozen=True)
class Performance:
    """What a model says of each row.

    Attributes:
        density: ``(rows,)`` log predictive densities.
        mean: ``(rows,)`` expected responses; probabilities of a binomial response.
    """

    density: np.ndarray
    mean: np.ndarray


def of_draws(log_lik: np.ndarray, mean: np.ndarray, *, leaves_out: bool) -> Performance:
    """Return averages over draws, with each row left out by Pareto-smoothed importance sampling on request.

    Args:
        log_lik: ``(draws, rows)``.
        mean: ``(draws, rows)``.
        leaves_out: whether the draws have seen the row that they should predict.
    """
    weights = smoothed_weights(-log_lik.T)[0].T if leaves_out else np.full(log_lik.shape, -np.log(len(log_lik)))
    return averaged(weights, log_lik, mean)


def averaged(log_weights: np.ndarray, log_lik: np.ndarray, mean: np.ndarray) -> Performance:
    """Return averages over draws, each row with weights of its own, ``(draws, rows)``."""
    total = log_weights + log_lik
    largest = total.max(axis=0)
    density = largest + np.log(np.exp(total - largest).sum(axis=0))
    return Performance(density, (np.exp(log_weights) * mean).sum(axis=0))


def statistic(
    name: str, own: Performance, other: Performance | None, y: np.ndarray, trials: np.ndarray, shares: np.ndarray
) -> tuple[float, float]:
    """Return a statistic and its standard error; with another model their difference and its standard error.

    Args:
        name: ``elpd``, the sum of the log predictive densities; ``mlpd``, their mean; ``gmpd``, its exponential;
            ``mse``, ``rmse`` of the expected response; ``acc``, the share of rows whose more probable value it was.
        own: the model.
        other: the model that it is compared with; None for none.
        y: ``(rows,)`` the responses, of trials the share of successes.
        trials: ``(rows,)`` numbers of trials, 1 where there are none.
        shares: ``(rows,)`` weights of the rows, whose sum is 1.
    """
    value, gradient = _statistic(name, own, y, trials, shares)
    if other is not None:
        its_value, its_gradient = _statistic(name, other, y, trials, shares)
        value, gradient = value - its_value, gradient - its_gradient
    return value, float(np.sqrt(len(y) * gradient.var(ddof=1)))


def _statistic(
    name: str, own: Performance, y: np.ndarray, trials: np.ndarray, shares: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return a statistic, and how each row moves it: the statistic is a function of a sum over rows (delta method)."""
    n = len(y)
    if name in ("elpd", "mlpd", "gmpd"):
        parts = own.density * shares * n
        mean = float(parts.mean())
        if name == "elpd":
            return n * mean, parts
        return (mean, parts / n) if name == "mlpd" else (float(np.exp(mean)), np.exp(mean) * parts / n)
    if name in ("mse", "rmse"):
        parts = (y - own.mean) ** 2 * shares
        total = float(parts.sum())
        return (total, parts) if name == "mse" else (float(np.sqrt(total)), parts / (2.0 * np.sqrt(total)))
    size = shares * trials / np.sum(shares * trials)
    parts = np.where(own.mean >= 0.5, y, 1.0 - y) * size
    return float(parts.sum()), parts


def check_statistics(names: str | Sequence[str], has_accuracy: bool) -> tuple[str, ...]:
    """Return the names of statistics, or raise a ModelError."""
    chosen = (names,) if isinstance(names, str) else tuple(names)
    known = [name for name in STATISTICS if has_accuracy or name != "acc"]
    for name in chosen:
        if name not in known:
            listed = ", ".join(f'"{each}"' for each in known)
            raise ModelError(f"A statistic is one of {listed}; got {name!r}.")
    return chosen
