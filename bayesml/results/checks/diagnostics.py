"""How well the sampler did, and warnings that say what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesml.convergence import convergence
from bayesml.engines.base import Sampling
from bayesml.errors import warn_user
from bayesml.results.record.diagnostics import LARGEST_RHAT, Diagnostics, Worst
from bayesml.results.record.select import Elements, elements
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["diagnose", "warn_about"]

MOST_GROUP_EFFECTS = 1000
BISECTIONS = 60
"""After so many an interval is as short as double precision allows."""


def diagnose(fit: AbstractSampledFit) -> Diagnostics:
    """Measure how well the sampler did.

    Rhat and effective sample sizes (Vehtari et al. 2021) are taken over every reported parameter. Of more than 1,000
    group-level effects, 1,000 are looked at, evenly spaced over levels and coefficients; hyperparameters are always
    all included. Parameters that do not vary are left out.

    Args:
        fit: the fit.
    """
    record = fit.draws_record
    sampling = fit.engine.sampling or Sampling(record.n_chains, record.n_draws)
    if not record.statistics:
        return Diagnostics(record.n_chains, record.n_draws, sampling.draws, fit.outcome.incomplete, independent=True)
    statistics = record.statistics
    watched = watched_elements(record.values, fit.variables)
    measured = convergence(watched.values, fit.outcome.data_sets)
    limits = rhat_limits(watched.names, measured.bulk_ess, record.n_chains)
    suspect = _worst(watched.names, measured.rhat - limits, largest=True).name
    worst = list(watched.names).index(suspect) if suspect else None
    return Diagnostics(
        chains=record.n_chains,
        draws=record.n_draws,
        requested=sampling.draws,
        incomplete=fit.outcome.incomplete,
        divergences=int(np.sum(statistics["diverging"])),
        treedepth_hits=int(np.sum(statistics["tree_depth"] >= sampling.max_treedepth)),
        max_treedepth=sampling.max_treedepth,
        target_accept=sampling.target_accept,
        ebfmi=tuple(energy_fraction(statistics["energy"]).tolist()),
        max_rhat=Worst(float("nan"), "") if worst is None else Worst(float(measured.rhat[worst]), suspect),
        rhat_limit=LARGEST_RHAT if worst is None else float(limits[worst]),
        min_bulk_ess=_worst(watched.names, measured.bulk_ess),
        min_tail_ess=_worst(watched.names, measured.tail_ess),
        leapfrog_steps=int(np.sum(statistics["n_steps"])),
        step_size=tuple(np.asarray(statistics["step_size"], dtype=float)[:, -1].tolist()),
        not_finite=tuple(watched.names[i] for i in np.flatnonzero(~np.isfinite(watched.values).all(axis=(0, 1)))),
        notes=fit.outcome.notes,
    )


def warn_about(fit: AbstractSampledFit) -> None:
    """Warn about everything in a run that the user should act on.

    Warns:
        FitWarning: divergent transitions, saturated trees, E-BFMI below 0.3, Rhat above 1.01, effective sample sizes
            below 100 for each chain, or a run that was interrupted; each with its cure.
    """
    for problem in fit.diagnostics.problems:
        warn_user(problem)


def watched_elements(values: Mapping[str, np.ndarray], variables: Sequence[ReportedVariable]) -> Elements:
    """Return all hyperparameters and at most ``MOST_GROUP_EFFECTS`` group-level effects."""
    effects = [text for variable in variables if variable.is_many for _, text in variable.texts]
    if len(effects) <= MOST_GROUP_EFFECTS:
        return elements(values, variables)
    chosen = [effects[i] for i in np.linspace(0, len(effects) - 1, MOST_GROUP_EFFECTS).astype(int)]
    hyper = [text for variable in variables if not variable.is_many for _, text in variable.texts]
    return elements(values, variables, frozenset([*hyper, *chosen]))


def energy_fraction(energy: np.ndarray) -> np.ndarray:
    """Return E-BFMI of each chain: mean squared change of the energy over its variance (Betancourt 2016)."""
    energy = np.asarray(energy, dtype=float)
    if energy.shape[1] < 2:
        return np.full(len(energy), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        # a ratio of squares: in units of the largest, since those of energies beyond 1e154 overflow
        scaled = energy / np.maximum(np.abs(energy).max(axis=1, keepdims=True), 1.0)
        return np.mean(np.diff(scaled, axis=1) ** 2, axis=1) / scaled.var(axis=1, ddof=1)


def rhat_limits(names: Sequence[str], bulk_ess: np.ndarray, chains: int) -> np.ndarray:
    """Return the Rhat that each parameter may have: 1.01, and for group-level effects what chance gives so many.

    With M half-chains of effective size E / M, (Rhat - 1) 2 E / M + 1 is about chi-squared over its M - 1 degrees of
    freedom when the chains agree. The limit of an effect is the value that the largest of all effects exceeds in one
    run of a hundred, so that thousands of them do not cry wolf. E is the median over the effects: that of a parameter
    whose chains disagree is small.
    """
    effects = np.array([name.startswith("r_") for name in names])
    halves = 2 * chains
    quantile = chi_squared_limit(halves - 1, 0.01 / max(effects.sum(), 1)) / (halves - 1)
    varying = bulk_ess[effects & np.isfinite(bulk_ess)]
    size = max(float(np.median(varying)), 1.0) if varying.size else np.inf
    by_chance = 1.0 + (quantile - 1.0) * halves / (2.0 * size)
    return np.where(effects, max(by_chance, LARGEST_RHAT), LARGEST_RHAT)


def chi_squared_limit(degrees: int, probability: float) -> float:
    """Return what a chi-squared variable of an odd number of degrees of freedom exceeds with a probability.

    The chance to exceed x is ``2 Phi(-t) + 2 phi(t) sum_k t^(2k-1) / (1 * 3 * ... * (2k-1))`` for t = sqrt(x) and k up
    to (degrees - 1) / 2 (Abramowitz & Stegun 26.4.4). Importing scipy.special takes longer than a small model to fit.
    """

    def exceeds(t: float) -> float:
        term = total = t if degrees > 1 else 0.0
        for odd in range(3, degrees, 2):
            term *= t * t / odd
            total += term
        return math.erfc(t / math.sqrt(2.0)) + math.sqrt(2.0 / math.pi) * math.exp(-t * t / 2.0) * total

    low, high = 0.0, 1.0
    while exceeds(high) > probability:
        high *= 2.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if exceeds(middle) > probability else (low, middle)
    return high * high


def _worst(names: Sequence[str], measure: np.ndarray, largest: bool = False) -> Worst:
    if np.all(np.isnan(measure)):
        return Worst(float("nan"), "")
    place = int(np.nanargmax(measure) if largest else np.nanargmin(measure))
    return Worst(float(measure[place]), names[place])
