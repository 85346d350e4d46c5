"""Rank-normalised split Rhat and effective sample sizes of many numbers at once.

Vehtari, Gelman, Simpson, Carpenter & Buerkner (2021), Rank-normalization, folding, and localization: an improved Rhat
for assessing convergence of MCMC. Bayesian Analysis 16, 667-718. Here for a whole stack of parameters in one pass of
sorts and Fourier transforms, and without what the general packages import; the tests compare it with ``arviz_stats``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import numpy as np

__all__ = ["Convergence", "convergence"]

MINIMUM_DRAWS = 4
CHUNK = 2_000_000
"""Numbers handled at once: bounds the memory for temporary arrays to about 150 MB."""


@final
@dataclass(frozen=True)
class Convergence:
    """Convergence of each parameter; NaN where it does not vary, is not finite, or has fewer than four draws a chain.

    Attributes:
        rhat: the larger of the rank-normalised split Rhat of the values and of their distances from the median.
        bulk_ess: effective sample size of the rank-normalised values.
        tail_ess: the smaller effective sample size of the 5% and 95% quantiles.
        mcse: Monte Carlo standard error of the mean.
    """

    rhat: np.ndarray
    bulk_ess: np.ndarray
    tail_ess: np.ndarray
    mcse: np.ndarray


def convergence(values: np.ndarray, data_sets: int = 1) -> Convergence:
    """Measure the convergence of parameters.

    Args:
        values: ``(chains, draws, parameters)``.
        data_sets: number of data sets whose chains stand one after the other, as many of each. Their posteriors differ,
            so that each is measured alone: the largest Rhat, the sums of the effective sample sizes, and the error of
            the mean of the means.

    Returns:
        Arrays of one number for each parameter.
    """
    if data_sets > 1:
        return _over_data_sets([convergence(part) for part in np.split(np.asarray(values), data_sets)])
    stacked = np.ascontiguousarray(np.moveaxis(np.asarray(values, dtype=float), 2, 0))
    count, size = len(stacked), max(stacked[0].size if len(stacked) else 1, 1)
    out = np.full((4, count), np.nan)
    usable = _varies(stacked) if values.shape[1] >= MINIMUM_DRAWS else np.zeros(count, dtype=bool)
    chosen = np.flatnonzero(usable)
    step = max(CHUNK // size, 1)
    for first in range(0, len(chosen), step):
        part = chosen[first : first + step]
        out[:, part] = _measure(stacked[part])
    return Convergence(*out)


def _over_data_sets(parts: Sequence[Convergence]) -> Convergence:
    rhat = np.fmax.reduce([part.rhat for part in parts])
    bulk, tail = (np.sum([getattr(part, name) for part in parts], axis=0) for name in ("bulk_ess", "tail_ess"))
    return Convergence(rhat, bulk, tail, np.sqrt(np.sum([part.mcse**2 for part in parts], axis=0)) / len(parts))


def _varies(stacked: np.ndarray) -> np.ndarray:
    flat = stacked.reshape(len(stacked), -1)
    low, high = flat.min(axis=1), flat.max(axis=1)
    return np.isfinite(low) & np.isfinite(high) & (high > low)


def _measure(stacked: np.ndarray) -> np.ndarray:
    halves = _split(stacked)
    normal_scores = _normal_scores(halves)
    folded = np.abs(halves - np.median(halves, axis=(1, 2), keepdims=True))
    rhat = np.fmax(_rhat(normal_scores), _rhat(_normal_scores(folded)))
    low, high = np.quantile(stacked, (0.05, 0.95), axis=(1, 2))[:, :, None, None]
    tail = np.minimum(_ess(_split(stacked <= low)), _ess(_split(stacked <= high)))
    spread = stacked.reshape(len(stacked), -1).std(axis=1, ddof=1)
    return np.stack([rhat, _ess(normal_scores), tail, spread / np.sqrt(_ess(halves))])


def _split(stacked: np.ndarray) -> np.ndarray:
    """Cut each chain into a first and a second half; the middle draw of an odd number is left out."""
    half = stacked.shape[2] // 2
    return np.concatenate([stacked[:, :, :half], stacked[:, :, -half:]], axis=1)


def _normal_scores(values: np.ndarray) -> np.ndarray:
    """Replace values by normal quantiles of their fractional ranks, (rank - 3/8) / (n + 1/4); ties share a rank."""
    flat = values.reshape(len(values), -1)
    size = flat.shape[1]
    order = np.argsort(flat, axis=1)
    ascending = np.take_along_axis(flat, order, axis=1)
    ranks = np.empty_like(flat, dtype=float)
    np.put_along_axis(ranks, order, _shared_ranks(ascending), axis=1)
    return _score_of_rank(ranks, size).reshape(values.shape)


def _score_of_rank(ranks: np.ndarray, size: int) -> np.ndarray:
    """Look the scores up by twice the rank, a whole number; the module of the standard library imports at once."""
    if np.all(ranks == np.floor(ranks)):
        return _scores(np.arange(1.0, size + 1), size)[ranks.astype(np.intp) - 1]
    return _scores(np.arange(2.0, 2 * size + 1) / 2, size)[(2 * ranks).astype(np.intp) - 2]


def _scores(ranks: np.ndarray, size: int) -> np.ndarray:
    return np.fromiter(map(NormalDist().inv_cdf, ((ranks - 0.375) / (size + 0.25)).tolist()), float, len(ranks))


def _shared_ranks(ascending: np.ndarray) -> np.ndarray:
    size = ascending.shape[1]
    place = np.broadcast_to(np.arange(size), ascending.shape)
    differs = ascending[:, 1:] != ascending[:, :-1]
    if differs.all():
        return place + 1.0
    edge = np.ones((len(ascending), 1), dtype=bool)
    starts = np.where(np.concatenate([edge, differs], axis=1), place, 0)
    ends = np.where(np.concatenate([differs, edge], axis=1), place, size)
    first = np.maximum.accumulate(starts, axis=1)
    last = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    return 0.5 * (first + last) + 1.0


def _rhat(halves: np.ndarray) -> np.ndarray:
    """Return sqrt((B / W + n - 1) / n); infinite where chains stand still at different places."""
    length = halves.shape[2]
    between = length * halves.mean(axis=2).var(axis=1, ddof=1)
    within = halves.var(axis=2, ddof=1).mean(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt((between / within + length - 1) / length)


def _ess(halves: np.ndarray) -> np.ndarray:
    """Return n / tau with Geyer's initial monotone sequence: pair sums P_k, tau = -1 + 2 sum_{k<K} min P + rho_2K."""
    halves = np.asarray(halves, dtype=float)
    chains, length = halves.shape[1:]
    constant = np.ptp(halves.reshape(len(halves), -1), axis=1) == 0
    rho = _autocorrelation(halves, np.where(constant, np.nan, 1.0))
    last = _last_pair(length)
    even, pairs = rho[:, : 2 * last + 1 : 2], rho[:, : 2 * last + 2 : 2] + rho[:, 1 : 2 * last + 2 : 2]
    stop = np.where((pairs > 0).all(axis=1), last, np.argmax(~(pairs > 0), axis=1))
    monotone = np.minimum.accumulate(pairs, axis=1)
    rows = np.arange(len(halves))
    kept = np.where(np.arange(pairs.shape[1]) < stop[:, None], monotone, 0.0).sum(axis=1)
    after = np.where((even[rows, stop] > 0) | (pairs[rows, stop] >= 0), even[rows, stop], 0.0)
    size = chains * length
    tau = np.maximum(-1.0 + 2.0 * kept + after, 1.0 / np.log10(size))
    return np.where(constant, np.nan, size / tau)


def _last_pair(length: int) -> int:
    end = max(length - 3, 1)
    return (end + (end % 2 == 0) - 1) // 2


def _autocorrelation(halves: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return 1 - (W - mean autocovariance) / var+ for each lag, the first being 1."""
    length = halves.shape[2]
    means = halves.mean(axis=2)
    padded = 1 << (2 * length - 1).bit_length()
    power = (np.abs(np.fft.rfft(halves - means[:, :, None], padded, axis=2)) ** 2).mean(axis=1)
    covariance = np.fft.irfft(power, padded, axis=1)[:, :length] / length
    within = covariance[:, 0] * length / (length - 1.0)
    total = covariance[:, 0] + (means.var(axis=1, ddof=1) if halves.shape[1] > 1 else 0.0)
    rho = 1.0 - (within[:, None] - covariance) / np.where(total > 0, total, np.nan)[:, None] * scale[:, None]
    rho[:, 0] = np.where(np.isnan(scale), np.nan, 1.0)
    return rho
