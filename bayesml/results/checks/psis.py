"""Pareto-smoothed importance sampling of many observations at once (Vehtari, Simpson, Gelman, Yao & Gabry 2024).

The tests compare it with ``arviz_stats``, which takes one observation after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["LeaveOneOut", "leave_one_out", "smoothed_weights"]

SMALLEST = float(np.log(np.finfo(float).tiny))
LOWEST = -600.0
FEWEST = 5  # a generalised Pareto distribution is fitted to at least so many draws
NUMBERS_AT_ONCE = 1_000_000
NEGLIGIBLE = 10 * np.finfo(float).eps


@final
@dataclass(frozen=True)
class LeaveOneOut:
    """What each observation contributes.

    Attributes:
        elpd: log p(y_i | y without y_i).
        lppd: log p(y_i | y), the log of the mean density over the draws.
        pareto_k: shape of the tail of the importance ratios; infinite where fewer than five draws are in the tail, 0
            where all ratios are equal, as they are for a weight of 0.
    """

    elpd: np.ndarray
    lppd: np.ndarray
    pareto_k: np.ndarray


def leave_one_out(log_likelihood: np.ndarray, relative_efficiency: float = 1.0) -> LeaveOneOut:
    """Estimate the leave-one-out density of each observation from draws of its log-likelihood.

    The importance ratio of a draw is 1 / p(y_i | draw). The largest ratios, of min(S / 5, 3 sqrt(S / efficiency)) of S
    draws, are replaced by quantiles of the generalised Pareto distribution fitted to them.

    Args:
        log_likelihood: ``(rows, draws)``, finite.
        relative_efficiency: effective sample size of the draws over their number.
    """
    rows, draws = log_likelihood.shape
    tail = _tail_size(draws, relative_efficiency)
    elpd, lppd, k = np.empty(rows), np.empty(rows), np.empty(rows)
    step = max(1, NUMBERS_AT_ONCE // draws)
    for start in range(0, rows, step):
        part = slice(start, start + step)
        elpd[part], lppd[part], k[part] = _leave_out(-log_likelihood[part], tail)
    return LeaveOneOut(elpd, lppd, k)


def smoothed_weights(log_ratios: np.ndarray, relative_efficiency: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return log importance weights ``(rows, draws)``, smoothed, whose powers sum to 1, and the shape k of each row.

    Args:
        log_ratios: ``(rows, draws)`` logarithms of the importance ratios, up to a constant of each row.
        relative_efficiency: effective sample size of the draws over their number.
    """
    draws = log_ratios.shape[1]
    tail = _tail_size(draws, relative_efficiency)
    x = log_ratios - log_ratios.max(axis=1, keepdims=True)
    equal = x.min(axis=1) == 0.0
    largest = np.argpartition(x, draws - tail - 1, axis=1)[:, draws - tail - 1 :]
    order = np.take_along_axis(largest, np.argsort(np.take_along_axis(x, largest, axis=1), axis=1), axis=1)
    top = np.take_along_axis(x, order, axis=1)
    cutoff, top = np.maximum(top[:, 0], SMALLEST), top[:, 1:]
    smooth, k = _smoothed(top, cutoff, (top > cutoff[:, None]).sum(axis=1))
    np.put_along_axis(x, order[:, 1:], smooth, axis=1)
    highest = x.max(axis=1, keepdims=True)
    x -= np.log(np.exp(x - highest).sum(axis=1, keepdims=True)) + highest
    return x, np.where(equal, 0.0, k)


def _tail_size(draws: int, relative_efficiency: float) -> int:
    return min(int(np.ceil(min(draws / 5.0, 3.0 * np.sqrt(draws / relative_efficiency)))), draws - 1)


def _leave_out(ratios: np.ndarray, tail: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return elpd, lppd and k from log ratios ``(rows, draws)``.

    With x = log ratio - its maximum m, and v the smoothed x, elpd = log(sum e^v e^(-m - x)) - log(sum e^v). Draws
    outside the tail have v = x, so that each adds e^-m to the first sum.
    """
    draws = ratios.shape[1]
    largest = ratios.max(axis=1)
    x = ratios - largest[:, None]
    lowest = x.min(axis=1)
    powers = np.exp(x)
    lppd = _log_mean_inverse(powers, x, lowest) - largest
    x.partition(draws - tail - 1, axis=1)
    top = np.sort(x[:, draws - tail - 1 :], axis=1)
    cutoff = np.maximum(top[:, 0], SMALLEST)
    top = top[:, 1:]
    inside = top > cutoff[:, None]
    body = np.exp(x[:, : draws - tail]).sum(axis=1) + np.where(inside, 0.0, np.exp(top)).sum(axis=1)
    smooth, k = _smoothed(top, cutoff, inside.sum(axis=1))
    added = np.where(inside, np.exp(smooth - top), 1.0).sum(axis=1)
    total = body + np.where(inside, np.exp(smooth), 0.0).sum(axis=1)
    return np.log(draws - tail + added) - np.log(total) - largest, lppd, np.where(lowest == 0.0, 0.0, k)


def _log_mean_inverse(powers: np.ndarray, x: np.ndarray, lowest: np.ndarray) -> np.ndarray:
    """Return log mean exp(-x), from exp(x) where that is not 0."""
    result = np.empty(len(x))
    safe = lowest > LOWEST
    result[safe] = np.log(np.reciprocal(powers[safe]).mean(axis=1))
    rest = ~safe
    result[rest] = np.log(np.exp(lowest[rest, None] - x[rest]).mean(axis=1)) - lowest[rest]
    return result


def _smoothed(top: np.ndarray, cutoff: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smoothed tails and their shapes; ties with the cutoff leave a row a shorter tail than others."""
    smooth, k = top.copy(), np.full(len(top), np.inf)
    for count in np.unique(counts[counts >= FEWEST]):
        rows = np.flatnonzero(counts == count)
        base = np.exp(cutoff[rows])[:, None]
        with np.errstate(all="ignore"):
            k[rows], scale = _fit_pareto(np.exp(top[rows, -count:]) - base)
            quantiles = _pareto_quantiles((np.arange(count) + 0.5) / count, k[rows, None], scale[:, None])
            drawn = np.minimum(np.log(quantiles + base), 0.0)
        usable = np.isfinite(k[rows])
        smooth[rows[usable], -count:] = drawn[usable]
    return smooth, k


def _fit_pareto(excess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return shape and scale of a generalised Pareto distribution, from sorted ``(rows, n)`` excesses.

    The empirical Bayes estimate of Zhang & Stephens (2009, Technometrics 51, 316-325): theta = -shape / scale gets
    weights on a grid by its profile likelihood. The shape is drawn towards 0.5 with the weight of ten observations.
    """
    rows, n = excess.shape
    size = 30 + int(np.sqrt(n))
    grid = (1.0 - np.sqrt(size / (np.arange(1, size + 1) - 0.5))) / 3.0
    theta = grid / excess[:, [int(n / 4 + 0.5) - 1]] + 1.0 / excess[:, [-1]]
    shapes = np.empty((rows, size))
    step = max(1, NUMBERS_AT_ONCE // (size * n))
    for start in range(0, rows, step):
        part = slice(start, start + step)
        shapes[part] = np.log1p(-theta[part, :, None] * excess[part, None, :]).mean(axis=2)
    profile = n * (np.log(-theta / shapes) - shapes - 1.0)
    weights = np.exp(profile - profile.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    weights[weights < NEGLIGIBLE] = 0.0
    best = (theta * weights).sum(axis=1) / weights.sum(axis=1)
    shape = np.log1p(-best[:, None] * excess).mean(axis=1)
    return (n * shape + 5.0) / (n + 10.0), -shape / best


def _pareto_quantiles(probability: np.ndarray, shape: np.ndarray, scale: np.ndarray) -> np.ndarray:
    exponential = -np.log1p(-probability)
    powers = np.expm1(shape * exponential) / np.where(shape == 0.0, 1.0, shape)
    return scale * np.where(np.abs(shape) < np.finfo(float).eps, exponential, powers)
