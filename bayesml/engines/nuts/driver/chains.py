"""Chains, and what is done with each block of their draws: it is translated, stored and written to the checkpoint."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import jax
import numpy as np

from bayesml.engines.nuts.driver.checkpoint import Block, RunLog
from bayesml.engines.nuts.driver.states import arrays_of
from bayesml.engines.nuts.driver.store import DrawStore
from bayesml.engines.nuts.programs.compiled import Compiled
from bayesml.engines.nuts.sampler.chain_state import Stage, Statistics, stages
from bayesml.engines.nuts.sampler.random_numbers import RandomNumbers, random_numbers, report_noise
from bayesml.engines.progress import Progress

__all__ = ["Chain", "Recorder"]

LONGEST_SECONDS = 1.0
"""A block is made shorter than the program allows if it would take longer."""


@final
@dataclass
class Chain:
    """One chain.

    Attributes:
        index: number of the chain.
        stream: names the random numbers of the chain, see `random_numbers`.
        state: a `ChainState`.
        done: number of iterations done, warm-up included.
        statistics: the `Statistics` of the draws kept, block by block.
        pending: positions that are not translated yet; they are those of the last draws before ``done``.
        seconds: time spent in warm-up, sampling and translating.
        pace: seconds that an iteration took in the last block.
    """

    index: int
    stream: tuple[int, ...]
    state: Any
    done: int = 0
    statistics: list[Statistics] = field(default_factory=list)
    pending: list[np.ndarray] = field(default_factory=list)
    seconds: np.ndarray = field(default_factory=lambda: np.zeros(3))
    pace: float = 0.0


@final
@dataclass(frozen=True)
class Recorder:
    """Decides how a run is cut into blocks, and records each block when it is done.

    Attributes:
        compiled: the programs.
        warmup: warm-up iterations of each chain.
        stream: names the random numbers for the translation of positions.
        store: keeps the draws.
        log: the checkpoint to which positions and states are written, or None.
        progress: shows how far the run is.
    """

    compiled: Compiled
    warmup: int
    stream: tuple[int, ...]
    store: DrawStore
    log: RunLog | None
    progress: Progress

    def count(self, chain: Chain, total: int) -> int:
        """Return the length of the next block. It ends where warm-up ends, and at the end of a window.

        Draws are translated in windows of ``block`` draws, each draw at its own row of the window. So the arithmetic of
        a draw, down to rounding, does not depend on how a run was cut into blocks.
        """
        longest = self.compiled.block
        if chain.done < self.warmup:
            room = min(longest, self.warmup - chain.done)
        else:
            room = min(longest - (chain.done - self.warmup) % longest, total - chain.done)
        return max(1, min(room, int(LONGEST_SECONDS / chain.pace))) if chain.pace else room

    def stages(self, chain: Chain, count: int) -> np.ndarray:
        """Return the stages of the next block, padded to the length of the program's blocks."""
        padded = np.full(self.compiled.block, Stage.SAMPLE, np.int32)
        if chain.done < self.warmup:
            padded[:count] = stages(self.warmup, 0)[chain.done : chain.done + count]
        return padded

    def random_numbers(self, chain: Chain) -> RandomNumbers:
        """Return the random numbers of the next block."""
        return random_numbers(chain.stream, chain.done, self.compiled.block, self.compiled.form.size)

    def take(self, chain: Chain, result: tuple[Any, Any, Any], count: int, began: float) -> None:
        """Record what the program returned for the next ``count`` iterations of a chain; it was called at ``began``."""
        chain.state = result[0]
        statistics = jax.tree.map(lambda s: np.array(np.asarray(s)[:count]), result[2])
        warming = chain.done < self.warmup
        block = None if warming else Block(np.array(np.asarray(result[1])[:count]), statistics)
        elapsed = time.perf_counter() - began
        chain.seconds[0 if warming else 1] += elapsed
        chain.pace = elapsed / count
        if self.log:
            self.log.append(chain.index, chain.done - self.warmup, chain.done + count, block, arrays_of(chain.state))
        self._keep(chain, block, count)

    def replay(self, chain: Chain, total: int) -> None:
        """Record the blocks of a chain that are in the checkpoint, up to ``total`` iterations."""
        if self.log is None:
            return
        recorded = self.log.iterations(chain.index)
        if chain.done < self.warmup:
            self.progress.advance(min(recorded, self.warmup) - chain.done, 0, 0)
            chain.done = min(recorded, self.warmup)
        while chain.done < min(recorded, total):
            block = self.log.block(chain.index, chain.done - self.warmup)
            self._keep(chain, block, len(block.positions))

    def _keep(self, chain: Chain, block: Block | None, count: int) -> None:
        chain.done += count
        if block is None:
            self.progress.advance(count, 0, 0)
        else:
            chain.statistics.append(block.statistics)
            chain.pending.append(block.positions)
            if not (chain.done - self.warmup) % self.compiled.block:
                self.flush(chain)
            self.progress.advance(0, count, int(block.statistics.diverging.sum()))

    def flush(self, chain: Chain) -> None:
        """Translate and store the pending positions; they are in one window."""
        if not chain.pending:
            return
        began = time.perf_counter()
        positions = np.concatenate(chain.pending)
        chain.pending.clear()
        first = chain.done - self.warmup - len(positions)
        for start, part in _windows(first, positions, self.compiled.block):
            self.store.write(chain.index, start, self._translated(chain.index, start, part))
        chain.seconds[2] += time.perf_counter() - began

    def _translated(self, chain: int, first: int, positions: np.ndarray) -> dict[str, np.ndarray]:
        block, count = self.compiled.block, len(positions)
        offset = first % block
        padded = np.pad(positions, ((offset, block - offset - count), (0, 0)), mode="edge")
        noise = report_noise((*self.stream, chain), first // block, block, self.compiled.noise_sizes)
        values = self.compiled.report(padded, noise, self.compiled.data)
        return {name: np.asarray(value)[offset : offset + count] for name, value in values.items()}


def _windows(first: int, positions: np.ndarray, length: int) -> Iterator[tuple[int, np.ndarray]]:
    """Cut draws at the multiples of ``length``; a checkpoint may hold blocks that cross them.

    Yields:
        The number of the first draw of each part, and its positions.
    """
    done = 0
    while done < len(positions):
        count = min(length - (first + done) % length, len(positions) - done)
        yield first + done, positions[done : done + count]
        done += count
