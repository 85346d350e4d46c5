"""How chains run beside each other: in threads on a CPU, in one vectorised program on a GPU."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import nullcontext
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Literal, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.driver.chains import Chain, Recorder
from bayesml.engines.precision import double_precision, persistent_cache

__all__ = ["ChainMethod", "advance", "chain_method"]

ChainMethod = Literal["threads", "together"]
POLL = 0.2


def chain_method() -> ChainMethod:
    """Return how chains are run on JAX's default device.

    The operations of one chain are too small to keep a GPU busy, so that one program advances all chains there. In such
    a program each chain waits for the longest trajectory. On a CPU a program of one chain in several threads is faster.
    """
    return "together" if jax.default_backend() in ("gpu", "tpu") else "threads"


def advance(
    method: ChainMethod, recorder: Recorder, chains: Sequence[Chain], total: int, target: float, deadline: float | None
) -> bool:
    """Advance all chains to ``total`` iterations, or until an interrupt or the deadline.

    Afterwards all chains have done the same number of iterations, except after an interrupt in warm-up.

    Args:
        method: how the chains run beside each other.
        recorder: records the blocks.
        chains: the chains.
        total: iterations, warm-up included.
        target: acceptance rate that warm-up aims at.
        deadline: a reading of ``time.monotonic()``, or None.

    Returns:
        Whether an interrupt or the deadline came first.
    """
    for chain in chains:
        recorder.replay(chain, total)
    stopped = _Team(recorder, chains, total, target).run(method, deadline)
    furthest = max(chain.done for chain in chains)
    if stopped and furthest > recorder.warmup:
        _Team(recorder, chains, furthest, target).run(method, None)
    for chain in chains:
        recorder.flush(chain)
    return stopped and furthest < total


@final
@dataclass
class _Team:
    """Threads that advance chains block by block.

    A free thread takes the chain that has done the fewest iterations. So the chains stay close to each other, and an
    interrupt, after which all are brought to the same number, wastes little.
    """

    recorder: Recorder
    chains: Sequence[Chain]
    total: int
    target: float
    stop: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)
    busy: set[int] = field(default_factory=set)

    def run(self, method: ChainMethod, deadline: float | None) -> bool:
        """Advance all chains to ``total``; return True if an interrupt or the deadline came first."""
        count = 1 if method == "together" else min(len(self.chains), os.cpu_count() or 1)
        work = self._together if method == "together" else self._alone
        with ThreadPoolExecutor(count) as pool:
            futures = [pool.submit(self._in_double_precision, work) for _ in range(count)]
            try:
                stopped = self._wait(futures, deadline)
            finally:
                self.stop.set()
            for future in futures:
                future.result()
        return stopped

    def _wait(self, futures: list[Future[None]], deadline: float | None) -> bool:
        try:
            while True:
                done, waiting = wait_for(futures, timeout=POLL, return_when=FIRST_EXCEPTION)
                if not waiting or any(future.exception() for future in done):
                    return False
                self.recorder.progress.refresh()
                if deadline is not None and time.monotonic() > deadline:
                    return True
        except KeyboardInterrupt:
            return True

    def _in_double_precision(self, work: Callable[[], None]) -> None:
        with double_precision():
            work()

    def _alone(self) -> None:
        recorder, compiled = self.recorder, self.recorder.compiled
        while (chain := self._next()) is not None:
            began, count = time.perf_counter(), recorder.count(chain, self.total)
            stages = recorder.stages(chain, count)
            numbers = recorder.random_numbers(chain)
            result = compiled.advance(chain.state, numbers, stages, count, self.target, compiled.data)
            recorder.take(chain, result, count, began)
            with self.lock:
                self.busy.discard(chain.index)

    def _next(self) -> Chain | None:
        with self.lock:
            idle = [c for c in self.chains if c.done < self.total and c.index not in self.busy]
            if not idle or self.stop.is_set():
                return None
            chain = min(idle, key=lambda c: c.done)
            self.busy.add(chain.index)
            return chain

    def _together(self) -> None:
        """Advance the chains that have done the fewest iterations in one program.

        These are all chains, except in a resumed run until the chains that are behind have caught up.
        """
        recorder, compiled = self.recorder, self.recorder.compiled
        sizes: set[int] = set()  # numbers of chains that the program has been compiled for
        while not self.stop.is_set() and (first := min(c.done for c in self.chains)) < self.total:
            team = [c for c in self.chains if c.done == first]
            began, count = time.perf_counter(), recorder.count(team[0], self._goal(first))
            stages = recorder.stages(team[0], count)
            states = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(c.state for c in team))
            numbers = jax.tree.map(lambda *parts: np.stack(parts), *(recorder.random_numbers(c) for c in team))
            with nullcontext() if len(team) in sizes else persistent_cache():
                results = compiled.advance_together(states, numbers, stages, count, self.target, compiled.data)
            sizes.add(len(team))
            jax.block_until_ready(results)
            for place, chain in enumerate(team):
                recorder.take(chain, jax.tree.map(lambda a, i=place: a[i], results), count, began)

    def _goal(self, first: int) -> int:
        """Return where the next block ends at the latest: where the next chain is, of those that are ahead."""
        ahead = [c.done for c in self.chains if c.done > first]
        return min([self.total, *ahead])
