"""One run of the sampler: its chains, started or continued, and their draws."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np

from bayesml.engines.base import Continuation, Problem
from bayesml.engines.nuts.driver.chains import Chain, Recorder
from bayesml.engines.nuts.driver.checkpoint import RunLog
from bayesml.engines.nuts.driver.methods import ChainMethod, advance
from bayesml.engines.nuts.driver.states import arrays_of, state_of
from bayesml.engines.nuts.driver.store import DrawStore, reported_kept
from bayesml.engines.nuts.options import NUTS
from bayesml.engines.nuts.programs.compiled import Compiled, starting_point
from bayesml.engines.nuts.sampler.chain_state import Statistics
from bayesml.engines.progress import Progress
from bayesml.errors import ModelError
from bayesml.posterior import Draws, ReducedEffects
from bayesml.variables import ReportedVariable

__all__ = ["Attempt", "Session"]

STARTS, TRANSITIONS, REPORTS = 1, 2, 3
"""Number of each kind of stream of random numbers; the seed of a NumPy generator is the user's seed and this number."""


@final
@dataclass
class Attempt:
    """One attempt at a run: all chains from their starting points to their present state.

    Attributes:
        number: 0, or 1 for the second attempt after divergent transitions.
        target: acceptance rate that warm-up aimed at.
        chains: the chains.
        store: their draws.
        recorder: records their blocks.
        before: statistics of the earlier draws, if this attempt extends a run.
        incomplete: whether an interrupt or the time limit came before all draws were made.
        kept: number of draws of each chain.
        seconds: elapsed time.
    """

    number: int
    target: float
    chains: list[Chain]
    store: DrawStore
    recorder: Recorder
    before: dict[str, np.ndarray] = field(default_factory=dict)
    incomplete: bool = False
    kept: int = 0
    seconds: float = 0.0

    def statistics(self) -> dict[str, np.ndarray]:
        """Return the sampler's statistics, each ``(chains, draws)``."""
        statistics = {}
        for name in Statistics._fields:
            new = [np.concatenate([getattr(s, name) for s in c.statistics] or [np.zeros(0)]) for c in self.chains]
            statistics[name] = np.concatenate([self.before[name], new], axis=1) if self.before else np.stack(new)
        return statistics

    def divergences(self) -> int:
        """Return the number of divergent transitions after warm-up."""
        return int(sum(s.diverging.sum() for c in self.chains for s in c.statistics))

    def continuation(self) -> Continuation:
        """Return the state of the chains, so that the run can be extended."""
        states = [arrays_of(chain.state) for chain in self.chains]
        stacked = {name: np.stack([state[name] for state in states]) for name in states[0]}
        return Continuation(self.chains[0].done, self.number, stacked)


@final
@dataclass(frozen=True)
class Session:
    """What all attempts at one run have in common.

    Attributes:
        options: the options, with seed and warm-up filled in.
        problem: the model with its data.
        compiled: the programs.
        variables: all reported variables.
        method: how the chains run beside each other.
        deadline: a reading of ``time.monotonic()``, or None.
        progress: the line of progress that is shown to the user.
    """

    options: NUTS
    problem: Problem
    compiled: Compiled
    variables: tuple[ReportedVariable, ...]
    method: ChainMethod
    deadline: float | None
    progress: Progress

    @property
    def warmup(self) -> int:
        """Warm-up iterations."""
        return self.options.warmup or 0

    def begin(self, number: int, target: float) -> Attempt:
        """Start the chains, from their states in the checkpoint if there is one."""
        attempt = self._attempt(number, target, [])
        chains = self.options.chains
        label = f"again, target_accept={target:g}:" if number else ""
        self.progress.sampling(chains * self.warmup, chains * self.options.draws, label)
        for index in range(chains):
            attempt.chains.append(Chain(index, self._stream(number, index), self._first_state(attempt, index)))
        return attempt

    def take_up(self, continuation: Continuation, draws: Draws, target: float) -> Attempt:
        """Continue the chains of a finished or interrupted run."""
        attempt = self._attempt(continuation.attempt, target, [])
        self.progress.sampling(0, draws.n_chains * (self.options.draws - draws.n_draws))
        for index in range(draws.n_chains):
            arrays = {name: values[index] for name, values in continuation.states.items()}
            state, stream = state_of(arrays, self.compiled), self._stream(continuation.attempt, index)
            attempt.chains.append(Chain(index, stream, state, continuation.iterations))
        attempt.store.load(draws)
        attempt.before, attempt.kept = dict(draws.statistics), draws.n_draws
        return attempt

    def sample(self, attempt: Attempt, draws: int) -> Attempt:
        """Advance an attempt until each chain has that many draws.

        Raises:
            KeyboardInterrupt: the user interrupted warm-up.
            ModelError: the time limit was reached during warm-up.
        """
        began = time.perf_counter()
        attempt.store.grow(draws)
        stopped = advance(
            self.method, attempt.recorder, attempt.chains, self.warmup + draws, attempt.target, self.deadline
        )
        attempt.seconds += time.perf_counter() - began
        attempt.incomplete = stopped
        attempt.kept = min(chain.done for chain in attempt.chains) - self.warmup
        if attempt.kept > 0:
            return attempt
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise ModelError("The time of `max_seconds` ended during warm-up. Allow more, or ask for less `warmup`.")
        raise KeyboardInterrupt

    def draws(self, attempt: Attempt, prior: dict[str, np.ndarray]) -> Draws:
        """Return the draws of an attempt."""
        values = attempt.store.values(attempt.kept)
        empty = {v.name: ReducedEffects() for v in self.variables}
        reduced = {name: empty[name] for name in empty if name not in values} | attempt.store.reduced(attempt.kept)
        prior = {name: drawn for name, drawn in prior.items() if name in values}
        return Draws(values, attempt.statistics(), prior, reduced)

    def _attempt(self, number: int, target: float, chains: list[Chain]) -> Attempt:
        options = self.options
        computed = reported_kept(self.variables, options.keep_group_effects)
        store = DrawStore(computed, options.keep_group_effects, options.chains)
        stream = options.seed or 0, REPORTS, number
        recorder = Recorder(self.compiled, self.warmup, stream, store, self._log(number, target), self.progress)
        return Attempt(number, target, chains, store, recorder)

    def _log(self, number: int, target: float) -> RunLog | None:
        if self.options.checkpoint is None:
            return None
        identity = (float(self.options.seed or 0), float(self.warmup), float(target))
        return RunLog(Path(self.options.checkpoint).expanduser() / f"attempt-{number}", identity)

    def _first_state(self, attempt: Attempt, index: int) -> Any:
        log = attempt.recorder.log
        stored = log.state(index) if log else {}
        if stored:
            return state_of({name: a for name, a in stored.items() if name != "iterations"}, self.compiled)
        return starting_point(self.compiled, np.random.default_rng([self.options.seed or 0, STARTS, index]))

    def _stream(self, number: int, chain: int) -> tuple[int, ...]:
        return self.options.seed or 0, TRANSITIONS, number, chain
