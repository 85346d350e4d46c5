"""What one run of one engine has given."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Run", "median_of"]

LARGEST_RHAT, LARGEST_DISTANCE = 1.01, 4.0


@dataclass(frozen=True)
class Run:
    """One run of one engine.

    Attributes:
        engine: its name.
        start: ``cold`` (empty caches) or ``warm``.
        failure: why it has no numbers; empty where it has.
        to_summary: seconds from the start of the process to the printed summary, reading of data left out.
        cpu: processor seconds of the whole process and its children, the compilers and the writing of draws included.
        compiling: seconds of building and compiling.
        clock: seconds of warm-up and sampling by the clock.
        warmup: processor seconds of warm-up, shared out over the cores that the chains may use.
        sampling: the same of the draws kept.
        bulk: smallest bulk effective sample size.
        tail: smallest tail effective sample size.
        worst: the parameter with the smallest bulk effective sample size.
        rhat: largest Rhat.
        divergences: after warm-up.
        leapfrogs: of the draws kept.
        peak_mib: of the process and its children.
        distance: of its means from those of the other engines, in Monte Carlo standard errors (median over them).
        version: of the engine.
        note: what a reader must know.
        is_extrapolated: whether the effective sample sizes are those of a smaller case.
        is_other_model: whether the engine cannot fit the model of the case and fits a simpler one.
    """

    engine: str
    start: str
    failure: str = ""
    to_summary: float = 0.0
    cpu: float = 0.0
    compiling: float = 0.0
    clock: float = 0.0
    warmup: float = 0.0
    sampling: float = 0.0
    bulk: float = 0.0
    tail: float = 0.0
    worst: str = ""
    rhat: float = 0.0
    divergences: int = 0
    leapfrogs: float = 0.0
    peak_mib: float = 0.0
    distance: float = 0.0
    version: str = ""
    note: str = ""
    is_extrapolated: bool = False
    is_other_model: bool = False

    @property
    def counts(self) -> bool:
        """Whether it converged and agrees with the others."""
        converged = self.rhat < LARGEST_RHAT and self.divergences == 0
        if self.is_extrapolated:
            return converged
        comparable = not self.failure and not self.is_other_model
        return comparable and converged and self.distance <= LARGEST_DISTANCE

    @property
    def bulk_rate(self) -> float:
        """Smallest bulk effective sample size per second of sampling, warm-up left out."""
        return self.bulk / self.sampling if self.sampling else 0.0

    @property
    def tail_rate(self) -> float:
        """Smallest tail effective sample size per second of sampling."""
        return self.tail / self.sampling if self.sampling else 0.0

    @property
    def whole_rate(self) -> float:
        """The same with warm-up."""
        return self.bulk / (self.warmup + self.sampling) if self.sampling else 0.0


def median_of(runs: Sequence[Run], measure: str) -> tuple[float, bool]:
    """Return the median of the runs that count, else of all, and whether they count."""
    done = [run for run in runs if not run.failure]
    counting = [run for run in done if run.counts]
    chosen = counting or done
    return (statistics.median(getattr(r, measure) for r in chosen) if chosen else 0.0), bool(counting)
