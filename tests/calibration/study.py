"""A calibration study: simulate, sample, rank, and test that every quantity's ranks are uniform."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesml.convergence import convergence
from tests.calibration.ecdf import p_value
from tests.calibration.quantities import Quantities
from tests.calibration.sampler import Sampler
from tests.calibration.simulate import Simulation

__all__ = ["FAMILYWISE", "Study", "rank_of", "run_study"]

FAMILYWISE = 0.01
"""Probability that a correct sampler fails one study: shared by its quantities after Bonferroni."""
MEASURED = 100
"""Simulations whose effective sample sizes are measured."""


@dataclass(frozen=True)
class Study:
    """What a study found.

    Attributes:
        ranks: rank of the truth among the draws in each simulation, for each quantity.
        draws: L, draws of each posterior.
        divergent: simulations with divergent transitions, after the second attempt.
        retried: simulations that needed a second attempt.
        fell_back: simulations for which no usable mode was found.
        efficiency: for each quantity the mean effective sample size over L, in the first simulations.
        seconds: of processor time for each simulation, without the first (compilation).
    """

    ranks: dict[str, np.ndarray]
    draws: int
    divergent: int
    retried: int
    fell_back: int
    efficiency: dict[str, float]
    seconds: float

    def p_values(self) -> dict[str, float]:
        """Return the p-value of uniformity of each quantity."""
        return {name: p_value(ranks, self.draws) for name, ranks in self.ranks.items()}

    def rejected(self) -> dict[str, float]:
        """Return the quantities outside the simultaneous bands at the familywise level, with their p-values."""
        return {name: p for name, p in self.p_values().items() if p < FAMILYWISE / len(self.ranks)}

    @property
    def count(self) -> int:
        """Number of simulations."""
        return len(next(iter(self.ranks.values())))

    def __str__(self) -> str:
        head = (
            f"{self.count} simulations, {self.draws} draws each, {self.seconds:.2f} s a simulation; {self.retried} run "
            f"twice, {self.divergent} with divergent transitions, {self.fell_back} without a mode\n"
            f"  rejected below p = {FAMILYWISE / len(self.ranks):.2g} (familywise {FAMILYWISE})"
        )
        rows = [
            f"  {name:<40} p {p:.3g}  mean rank {self.ranks[name].mean() / self.draws:.3f}  "
            f"variance {12 * self.ranks[name].var() / ((self.draws + 1) ** 2 - 1):.3f} (1 if uniform)  "
            f"ESS/L {self.efficiency[name]:.2f}"
            for name, p in self.p_values().items()
        ]
        return "\n".join([head, *rows])


def rank_of(truth: float, draws: np.ndarray, rng: np.random.Generator) -> int:
    """Return the number of draws below the truth; ties are broken at random."""
    return int((draws < truth).sum()) + int(rng.integers((draws == truth).sum() + 1))


def run_study(simulations: Sequence[Simulation], sampler: Sampler, quantities: Quantities) -> Study:
    """Sample the posterior of every simulation and rank its truth."""
    rng = np.random.default_rng(len(simulations))
    ranks: dict[str, list[int]] = {}
    efficiency: dict[str, list[float]] = {}
    divergent, retried, fell_back, draws, began = 0, 0, 0, 0, time.process_time()
    for done, simulation in enumerate(simulations):
        if done == 1:
            began = time.process_time()
        sample = sampler(simulation.problem, simulation.index)
        divergent, retried = divergent + (sample.divergences > 0), retried + sample.retried
        fell_back += sample.fell_back
        truth = quantities(simulation.problem, simulation.truth)
        drawn = quantities(simulation.problem, sample.values)
        for name, values in drawn.items():
            draws = len(values)
            ranks.setdefault(name, []).append(rank_of(truth[name][0], values, rng))
        if done < MEASURED:
            measured = convergence(np.stack(list(drawn.values()), axis=1)[None]).bulk_ess
            for name, ess in zip(drawn, measured, strict=True):
                efficiency.setdefault(name, []).append(ess / draws)
    seconds = (time.process_time() - began) / max(len(simulations) - 1, 1)
    mean = {name: float(np.nanmean(each)) for name, each in efficiency.items()}
    return Study({k: np.array(v) for k, v in ranks.items()}, draws, divergent, retried, fell_back, mean, seconds)
