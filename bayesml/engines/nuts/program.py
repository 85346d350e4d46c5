"""The compiled program of one chain: start it, advance it by a block of iterations, translate its draws.

Data are arguments, so that one compilation serves every data set of the same shape; the number of iterations in a
block is an argument too. Keys are folded from (chain, iteration): a run does not depend on how it is cut in blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import jax
from jax import numpy as jnp

from bayesml.engines.nuts.adaptation import ChainState, Statistics, initial_state, make_step

__all__ = ["BLOCK", "ChainProgram", "chain_program"]

Array = Any
BLOCK = 64
"""Most iterations in one call: between calls the host shows progress, hears an interrupt, may write a checkpoint."""


@final
@dataclass(frozen=True)
class ChainProgram:
    """The functions of one chain, not yet compiled.

    Attributes:
        start: ``(position, data) -> ChainState``.
        advance: ``(state, key, first, stages, count, data) -> (state, positions (BLOCK, d), statistics (BLOCK,))``.
    """

    start: Callable[..., ChainState]
    advance: Callable[..., tuple[ChainState, Array, Statistics]]


def chain_program(
    density: Callable[[Array, Any], Array], target: float, max_treedepth: int, step_size: float
) -> ChainProgram:
    """Build the program for a log density of ``(position, data)``."""
    step = make_step(target, max_treedepth)
    # Jitted here, the density is traced once and not at each of the places where the sampler calls it.
    density = jax.jit(density)

    def start(position: Array, data: Any) -> ChainState:
        return initial_state(position, lambda q: density(q, data), target, step_size)

    def advance(
        state: ChainState, key: Array, first: Array, stages: Array, count: Array, data: Any
    ) -> tuple[ChainState, Array, Statistics]:
        def iterate(i: Array, loop: tuple[ChainState, Array, Statistics]) -> tuple[ChainState, Array, Statistics]:
            state, positions, statistics = loop
            state, now = step(jax.random.fold_in(key, first + i), state, stages[i], lambda q: density(q, data))
            positions = positions.at[i].set(state.position.position)
            statistics = jax.tree.map(lambda buffer, value: buffer.at[i].set(value), statistics, now)
            return state, positions, statistics

        empty = jnp.zeros((BLOCK, state.position.position.shape[0]), state.position.position.dtype)
        reals, counts = jnp.zeros(BLOCK, empty.dtype), jnp.zeros(BLOCK, jnp.int64)
        buffers = Statistics(reals, reals, reals, counts, counts, jnp.zeros(BLOCK, bool), reals)
        return jax.lax.fori_loop(0, count, iterate, (state, empty, buffers))

    return ChainProgram(start, advance)
