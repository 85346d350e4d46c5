"""Diagnostics of a run as data, with the texts that say what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

__all__ = ["LARGEST_RHAT", "LEAST_EBFMI", "LEAST_ESS_PER_CHAIN", "Diagnostics", "Worst"]

LARGEST_RHAT = 1.01
LEAST_ESS_PER_CHAIN = 100
LEAST_EBFMI = 0.3


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
        requested: draws requested in each chain.
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
            f"The chains do not agree: Rhat is {run.max_rhat.value:.5g} for `{run.max_rhat.name}` and should be at "
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
