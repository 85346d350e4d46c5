"""The programs of one chain, before they are compiled: start it, advance it by a block of iterations, translate draws.

The data are arguments of the programs, so that one compilation serves every data set of the same shape. So are the
random numbers, the number of iterations and the acceptance rate that the step size aims at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, final

import jax
from jax import numpy as jnp

from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.sampler.adaptation import initial_state, make_step
from bayesml.engines.nuts.sampler.chain_state import ChainState, Statistics
from bayesml.engines.nuts.sampler.random_numbers import RandomNumbers

if TYPE_CHECKING:
    from jaxtyping import Array, Float, Int

__all__ = ["LONGEST_BLOCK", "ChainProgram", "chain_program", "report_program"]

LONGEST_BLOCK = 64
"""Most iterations in one call. Between calls Python shows progress, notices an interrupt and writes the checkpoint."""


@final
@dataclass(frozen=True)
class ChainProgram:
    """The functions of one chain, not yet compiled.

    Attributes:
        start: ``(position, data) -> state``.
        advance: ``(state, random_numbers, stages, count, target, data) -> (state, positions, statistics)`` for
            ``count`` iterations. Random numbers and ``stages`` are those of ``block`` iterations. So are positions,
            ``(block, d)``, and statistics, ``(block,)``, which are zero from iteration ``count`` on.
    """

    start: Callable[..., ChainState]
    advance: Callable[..., tuple[ChainState, Float[Array, "block d"], Statistics]]


def chain_program(
    density: Callable[[Float[Array, " d"], Any], Float[Array, ""]], max_treedepth: int, step_size: float
) -> ChainProgram:
    """Build the programs of a chain.

    Args:
        density: log density of ``(position, data)``.
        max_treedepth: largest number of doublings of a trajectory.
        step_size: step size that the adaptation starts from.
    """
    # With jit here JAX traces the density once, and not again at each of the places where the sampler calls it.
    density = jax.jit(density)

    def start(position: Float[Array, " d"], data: Any) -> ChainState:
        return initial_state(position, lambda q: density(q, data), step_size)

    def advance(
        state: ChainState,
        random_numbers: RandomNumbers,
        stages: Int[Array, " block"],
        count: Int[Array, ""],
        target: Float[Array, ""],
        data: Any,
    ) -> tuple[ChainState, Float[Array, "block d"], Statistics]:
        step = make_step(target, max_treedepth)

        def iterate(i: Int[Array, ""], done: _Done) -> _Done:
            of_iteration = jax.tree.map(lambda numbers: numbers[i], random_numbers)
            state, statistics = step(of_iteration, done.state, stages[i], lambda q: density(q, data))
            return _Done(
                state=state,
                positions=done.positions.at[i].set(state.position.position),
                statistics=jax.tree.map(lambda values, value: values.at[i].set(value), done.statistics, statistics),
            )

        return tuple(jax.lax.fori_loop(0, count, iterate, _nothing_done(state, stages.shape[0])))

    return ChainProgram(start, advance)


class _Done(NamedTuple):
    """What a block of iterations has done so far; positions and statistics of later iterations are zero."""

    state: ChainState
    positions: Float[Array, "block d"]
    statistics: Statistics


def _nothing_done(state: ChainState, block: int) -> _Done:
    positions = jnp.zeros((block, *state.position.position.shape), state.position.position.dtype)
    reals, counts, truths = jnp.zeros(block, positions.dtype), jnp.zeros(block, jnp.int64), jnp.zeros(block, bool)
    statistics = Statistics(
        lp=reals,
        energy=reals,
        acceptance_rate=reals,
        n_steps=counts,
        tree_depth=counts,
        diverging=truths,
        step_size=reals,
    )
    return _Done(state, positions, statistics)


def report_program(form: Form, names: frozenset[str]) -> Callable[..., dict[str, Array]]:
    """Build the program that translates positions of the chain to the variables that are reported.

    It is ``(positions (block, d), noise (block, n), data) -> variables (block, ...)``.

    Args:
        form: says how a position is translated.
        names: the variables to compute.
    """

    def report(draw: tuple[Float[Array, " d"], Float[Array, " n"]], data: Any) -> dict[str, Array]:
        position, noise = draw
        return {name: value for name, value in form.report(position, noise, data).items() if name in names}

    # One draw after the other, without vmap: XLA:CPU spreads a batch of LAPACK calls over its thread pool, where two
    # chains that do so at once wait for each other for ever (seen with jaxlib 0.10.2 on two cores).
    def report_block(
        positions: Float[Array, "block d"], noise: Float[Array, "block n"], data: Any
    ) -> dict[str, Float[Array, "block ..."]]:
        return jax.lax.map(lambda draw: report(draw, data), (positions, noise))

    return report_block
