"""The compiled program of one chain: start it, advance it by a block of iterations, translate its draws.

Data are arguments, so that one compilation serves every data set of the same shape; so are the random numbers, the
number of iterations in a block and the acceptance rate aimed at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import jax
from jax import numpy as jnp

from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.sampler.adaptation import initial_state, make_step
from bayesml.engines.nuts.sampler.chain_state import ChainState, Statistics
from bayesml.engines.nuts.sampler.noise import Noise

__all__ = ["LONGEST_BLOCK", "ChainProgram", "chain_program", "report_program"]

Array = Any
LONGEST_BLOCK = 64
"""Most iterations in one call: between calls the host shows progress, hears an interrupt, writes a checkpoint."""


@final
@dataclass(frozen=True)
class ChainProgram:
    """The functions of one chain, not yet compiled.

    Attributes:
        start: ``(position, data) -> ChainState``.
        advance: ``(state, noise, stages, count, target, data) -> (state, positions (block, d), statistics (block,))``
            for ``count`` iterations; noise and ``stages`` have the length ``block``.
    """

    start: Callable[..., ChainState]
    advance: Callable[..., tuple[ChainState, Array, Statistics]]


def chain_program(density: Callable[[Array, Any], Array], max_treedepth: int, step_size: float) -> ChainProgram:
    """Build the program for a log density of ``(position, data)``."""
    # Jitted here, the density is traced once and not at each of the places where the sampler calls it.
    density = jax.jit(density)

    def start(position: Array, data: Any) -> ChainState:
        return initial_state(position, lambda q: density(q, data), step_size)

    def advance(
        state: ChainState, noise: Noise, stages: Array, count: Array, target: Array, data: Any
    ) -> tuple[ChainState, Array, Statistics]:
        step = make_step(target, max_treedepth)

        def iterate(i: Array, loop: tuple[ChainState, Array, Statistics]) -> tuple[ChainState, Array, Statistics]:
            state, positions, statistics = loop
            here = jax.tree.map(lambda numbers: numbers[i], noise)
            state, now = step(here, state, stages[i], lambda q: density(q, data))
            positions = positions.at[i].set(state.position.position)
            statistics = jax.tree.map(lambda buffer, value: buffer.at[i].set(value), statistics, now)
            return state, positions, statistics

        block = stages.shape[0]
        empty = jnp.zeros((block, state.position.position.shape[0]), state.position.position.dtype)
        reals, counts = jnp.zeros(block, empty.dtype), jnp.zeros(block, jnp.int64)
        buffers = Statistics(reals, reals, reals, counts, counts, jnp.zeros(block, bool), reals)
        return jax.lax.fori_loop(0, count, iterate, (state, empty, buffers))

    return ChainProgram(start, advance)


def report_program(form: Form, names: frozenset[str]) -> Callable[..., dict[str, Array]]:
    """Build the translation ``(positions (block, d), noise (block, n), data) -> variables (block, ...)``.

    Only the named variables are computed.
    """

    def report(at: tuple[Array, Array], data: Any) -> dict[str, Array]:
        return {name: value for name, value in form.report(*at, data).items() if name in names}

    # One draw after the other, not vmapped: XLA:CPU spreads a batch of LAPACK calls over its thread pool, where two
    # chains that do so at once wait for each other for ever (seen with jaxlib 0.10.2 on two cores).
    def one_by_one(positions: Array, noise: Array, data: Any) -> dict[str, Array]:
        return jax.lax.map(lambda at: report(at, data), (positions, noise))

    return one_by_one
