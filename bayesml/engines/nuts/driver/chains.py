"""Chains and what becomes of their blocks: draws are translated and stored, written to the checkpoint, counted."""

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
"""Blocks are cut shorter than the program allows so that they take about as long as this at most."""


@final
@dataclass
class Chain:
    """One chain.

    Attributes:
        index: its number.
        stream: names its random numbers, see `random_numbers`.
        state: the sampler's state.
        done: iterations done, warm-up included.
        statistics: of the draws kept, block by block.
        pending: positions not yet translated, of the draws before ``done``.
        seconds: spent in warm-up, sampling and translating.
        pace: seconds of one iteration in the last block.
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
    """Cuts a run into blocks and takes them when they are done.

    Attributes:
        compiled: the programs.
        warmup: warm-up iterations of each chain.
        stream: names the random numbers of what is drawn when positions are translated.
        store: takes the draws.
        log: takes positions and states, or None.
        progress: is told of every block.
    """

    compiled: Compiled
    warmup: int
    stream: tuple[int, ...]
    store: DrawStore
    log: RunLog | None
    progress: Progress

    def count(self, chain: Chain, total: int) -> int:
        """Return the length of the next block: it ends with warm-up, and never crosses a multiple of ``block``.

        Draws are translated in windows that begin at multiples of ``block``, each at its own place in the window, so
        that the arithmetic of a draw does not depend on where a run was cut.
        """
        longest = self.compiled.block
        if chain.done < self.warmup:
            room = min(longest, self.warmup - chain.done)
        else:
            room = min(longest - (chain.done - self.warmup) % longest, total - chain.done)
        return max(1, min(room, int(LONGEST_SECONDS / chain.pace))) if chain.pace else room

    def stages(self, chain: Chain, count: int) -> np.ndarray:
        """Return what the iterations of the next block adapt, padded to ``block``."""
        padded = np.full(self.compiled.block, Stage.SAMPLE, np.int32)
        if chain.done < self.warmup:
            padded[:count] = stages(self.warmup, 0)[chain.done : chain.done + count]
        return padded

    def random_numbers(self, chain: Chain) -> RandomNumbers:
        """Return the random numbers of the next block."""
        return random_numbers(chain.stream, chain.done, self.compiled.block, self.compiled.form.size)

    def take(self, chain: Chain, result: tuple[Any, Any, Any], count: int, began: float) -> None:
        """Take what the program returned for the next ``count`` iterations of a chain, called at ``began``."""
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
        """Take the blocks of a chain that a checkpoint holds, up to ``total`` iterations."""
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
        """Translate the positions that are pending; they lie in one window."""
        if not chain.pending:
            return
        began = time.perf_counter()
        positions = np.concatenate(chain.pending)
        chain.pending.clear()
        first = chain.done - self.warmup - len(positions)
        for place, part in _windows(first, positions, self.compiled.block):
            self.store.write(chain.index, place, self._translated(chain.index, place, part))
        chain.seconds[2] += time.perf_counter() - began

    def _translated(self, chain: int, first: int, positions: np.ndarray) -> dict[str, np.ndarray]:
        block, count = self.compiled.block, len(positions)
        offset = first % block
        padded = np.pad(positions, ((offset, block - offset - count), (0, 0)), mode="edge")
        noise = report_noise((*self.stream, chain), first // block, block, self.compiled.noise_sizes)
        values = self.compiled.report(padded, noise, self.compiled.data)
        return {name: np.asarray(value)[offset : offset + count] for name, value in values.items()}


def _windows(first: int, positions: np.ndarray, length: int) -> Iterator[tuple[int, np.ndarray]]:
    """Cut draws at the multiples of ``length``; a checkpoint may hold blocks of another length."""
    done = 0
    while done < len(positions):
        count = min(length - (first + done) % length, len(positions) - done)
        yield first + done, positions[done : done + count]
        done += count
