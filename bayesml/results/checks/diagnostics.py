"""How well the sampler did, and warnings that say what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.convergence import convergence
from bayesml.engines.base import Sampling
from bayesml.errors import warn_user
from bayesml.reported import ReportedVariable
from bayesml.results.record.select import Elements, elements

if TYPE_CHECKING:
    from bayesml.results.fit_object import Fit

__all__ = ["Diagnostics", "diagnose", "warn_about"]

LARGEST_RHAT = 1.01
LEAST_ESS_PER_CHAIN = 100
LEAST_EBFMI = 0.3
MOST_GROUP_EFFECTS = 1000
BISECTIONS = 60
"""After so many an interval is as short as double precision allows."""


@final
@dataclass(frozen=True)
class Worst:
    """The most suspicious value of one measure and the parameter that has it; NaN and an empty name without any."""

    value: float
    name: str

    def __str__(self) -> str:
        return f"{self.value:.4g} (`{self.name}`)" if self.name else "NA"


@final
@dataclass(frozen=True)
class Diagnostics:
    """Diagnostics of a run; ``str`` is a readable account.

    Attributes:
        chains: number of chains.
        draws: draws kept in each chain.
        requested: draws asked for in each chain.
        incomplete: whether the run was interrupted.
        independent: the draws are independent (from the prior, or from an approximation); the rest is then empty.
        divergences: number of divergent transitions after warm-up.
        treedepth_hits: number of transitions that ended because they reached ``max_treedepth``.
        max_treedepth: the limit.
        target_accept: the acceptance rate that the step size aimed at.
        ebfmi: energy Bayesian fraction of missing information of each chain (Betancourt 2016).
        max_rhat: largest rank-normalised split Rhat, measured from its limit.
        rhat_limit: the limit that this Rhat is held against, see ``rhat_limits``.
        min_bulk_ess: smallest bulk effective sample size.
        min_tail_ess: smallest tail effective sample size.
        leapfrog_steps: gradient evaluations after warm-up, all chains.
        step_size: step size of each chain.
        not_finite: parameters with a draw that is NaN or infinite.
        notes: what the engine had to say.
    """

    chains: int
    draws: int
    requested: int
    incomplete: bool = False
    independent: bool = False
    divergences: int = 0
    treedepth_hits: int = 0
    max_treedepth: int = 0
    target_accept: float = 0.0
    ebfmi: tuple[float, ...] = ()
    max_rhat: Worst = Worst(float("nan"), "")
    rhat_limit: float = LARGEST_RHAT
    min_bulk_ess: Worst = Worst(float("nan"), "")
    min_tail_ess: Worst = Worst(float("nan"), "")
    leapfrog_steps: int = 0
    step_size: tuple[float, ...] = ()
    not_finite: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with the run and what to do, one text each; empty for a healthy one."""
        sampling = () if self.independent else (*_sampler_problems(self), *_convergence_problems(self))
        return (*_interruption(self), *self.notes, *sampling)

    def __str__(self) -> str:
        kept = f"{self.chains} chains with {self.draws} draws each"
        per_draw = self.leapfrog_steps / (self.chains * self.draws)
        if self.independent:
            return "\n".join([f"{kept}, independent of each other: there is no chain to diagnose.", *self.problems])
        lines = [
            ("draws", kept),
            ("divergent transitions", f"{self.divergences}"),
            (f"transitions at the maximum tree depth {self.max_treedepth}", f"{self.treedepth_hits}"),
            ("E-BFMI of each chain", ", ".join(f"{e:.2f}" for e in self.ebfmi)),
            ("largest Rhat", str(self.max_rhat)),
            ("smallest bulk ESS", str(self.min_bulk_ess)),
            ("smallest tail ESS", str(self.min_tail_ess)),
            ("leapfrog steps", f"{self.leapfrog_steps} ({per_draw:.1f} a draw)"),
            ("step size of each chain", ", ".join(f"{s:.3g}" for s in self.step_size)),
        ]
        width = max(len(label) for label, _ in lines) + 2
        return "\n".join([*(f"{label + ':':<{width}}{text}" for label, text in lines), *self.problems])

    __repr__ = __str__


def diagnose(fit: Fit) -> Diagnostics:
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
    measured = convergence(watched.values)
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


def warn_about(fit: Fit) -> None:
    """Warn about everything in a run that the user should act on.

    Warns:
        FitWarning: divergent transitions, saturated trees, E-BFMI below 0.3, Rhat above 1.01, effective sample sizes
            below 100 for each chain, or a run that was interrupted; each with its cure.
    """
    for problem in fit.diagnostics.problems:
        warn_user(problem)


def watched_elements(values: Mapping[str, np.ndarray], variables: Sequence[ReportedVariable]) -> Elements:
    """Return all hyperparameters and at most ``MOST_GROUP_EFFECTS`` group-level effects."""
    effects = [text for variable in variables if variable.kind == "r" for _, text in variable.texts]
    if len(effects) <= MOST_GROUP_EFFECTS:
        return elements(values, variables)
    chosen = [effects[i] for i in np.linspace(0, len(effects) - 1, MOST_GROUP_EFFECTS).astype(int)]
    hyper = [text for variable in variables if variable.kind != "r" for _, text in variable.texts]
    return elements(values, variables, frozenset([*hyper, *chosen]))


def energy_fraction(energy: np.ndarray) -> np.ndarray:
    """Return E-BFMI of each chain: mean squared change of the energy over its variance (Betancourt 2016)."""
    energy = np.asarray(energy, dtype=float)
    if energy.shape[1] < 2:
        return np.full(len(energy), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.mean(np.diff(energy, axis=1) ** 2, axis=1) / energy.var(axis=1, ddof=1)


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


def _interruption(run: Diagnostics) -> Iterator[str]:
    if run.incomplete:
        yield (
            f"The run was interrupted: each chain has {run.draws} of {run.requested} draws. They are valid draws, but "
            "fewer than asked for."
        )


def _sampler_problems(run: Diagnostics) -> Iterator[str]:
    if run.divergences:
        higher = next((t for t in (0.9, 0.95, 0.99, 0.999) if t > run.target_accept), None)
        advice = f"Raise `target_accept` from {run.target_accept:g} to {higher:g}" if higher else "Simplify the model"
        yield (
            f"{run.divergences} of {run.chains * run.draws} transitions after warm-up diverged: a part of the "
            f"posterior may have been missed, and estimates may be biased. {advice}, or set more informative priors, "
            "above all on group-level standard deviations."
        )
    if run.treedepth_hits:
        yield (
            f"{run.treedepth_hits} of {run.chains * run.draws} transitions reached the maximum tree depth of "
            f"{run.max_treedepth}: the draws are valid, but sampling is slow. Raise `max_treedepth` to "
            f"{run.max_treedepth + 2}, or rescale predictors that are very large or very small."
        )
    low = [e for e in run.ebfmi if e < LEAST_EBFMI]
    if low:
        yield (
            f"The energy fraction E-BFMI is below {LEAST_EBFMI} in {len(low)} of {run.chains} chains (lowest "
            f"{min(low):.2f}): the tails of the posterior were explored slowly. Run more warm-up (`warmup=2000`), or "
            "set more informative priors on parameters that the data say little about."
        )


def _convergence_problems(run: Diagnostics) -> Iterator[str]:
    if run.not_finite:
        yield (
            f"Some draws of {', '.join(f'`{name}`' for name in run.not_finite[:5])} are not finite. Check the scale of "
            "the data, and priors that reach to extreme values."
        )
    if run.max_rhat.value > run.rhat_limit:
        yield (
            f"The chains do not agree: Rhat is {run.max_rhat.value:.4g} for `{run.max_rhat.name}` and should be at "
            f"most {run.rhat_limit:.4g}. Run longer (`warmup=2000, draws=2000`); if that does not help, set more "
            "informative priors or simplify the model."
        )
    least = LEAST_ESS_PER_CHAIN * run.chains
    low = [
        f"{label} {worst.value:.0f} for `{worst.name}`"
        for label, worst in (("bulk", run.min_bulk_ess), ("tail", run.min_tail_ess))
        if worst.value < least
    ]
    if low:
        yield (
            f"The effective sample size is low ({', '.join(low)}; at least {least} are needed): means, or the ends of "
            "intervals, are imprecise. Ask for more draws with `draws=`."
        )
