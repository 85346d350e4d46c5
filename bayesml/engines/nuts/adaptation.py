"""One step of NUTS with Stan's warm-up folded in: the same program warms up and samples.

Stan's schedule (Stan reference manual, "HMC algorithm parameters") arrives as one stage for each iteration, so that a
single compiled step serves: FAST adapts the step size by dual averaging (Hoffman & Gelman 2014), SLOW also gathers
the variances, CLOSE ends a window with a new diagonal metric, FREEZE fixes the averaged step size.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, NamedTuple

import jax
import numpy as np
from blackjax.adaptation.mass_matrix import mass_matrix_adaptation
from blackjax.adaptation.step_size import dual_averaging_adaptation
from blackjax.mcmc import hmc, nuts
from jax import numpy as jnp

__all__ = ["ChainState", "Stage", "Statistics", "initial_state", "make_step", "stages"]

Array = Any


class Stage(IntEnum):
    """What one iteration adapts."""

    SAMPLE = 0
    FAST = 1
    SLOW = 2
    CLOSE = 3
    FREEZE = 4


class ChainState(NamedTuple):
    """Everything one chain needs to go on: where it is and what it has learnt."""

    position: Any
    step_size: Any
    step_adaptation: Any
    metric_adaptation: Any
    inverse_mass: Any


class Statistics(NamedTuple):
    """What one iteration reports, under ArviZ's names."""

    lp: Any
    energy: Any
    acceptance_rate: Any
    n_steps: Any
    tree_depth: Any
    diverging: Any
    step_size: Any


def stages(warmup: int, draws: int) -> np.ndarray:
    """Return the stage of every iteration of a run: Stan's windows 75 | 25 doubling | 50, then sampling.

    Below 150 warm-up iterations the three parts take 15, 75 and 10 per cent; below 20 only the step size adapts.
    """
    schedule = np.full(warmup + draws, Stage.SAMPLE, dtype=np.int32)
    schedule[:warmup] = Stage.FAST
    if warmup >= 20:
        first, window, last = (75, 25, 50) if warmup >= 150 else (int(0.15 * warmup), 0, int(0.1 * warmup))
        end = warmup - last
        schedule[first:end] = Stage.SLOW
        schedule[_window_ends(first, window or end - first, end)] = Stage.CLOSE
    if warmup:
        schedule[warmup - 1] = Stage.FREEZE
    return schedule


def _window_ends(start: int, size: int, end: int) -> list[int]:
    """Return the last iteration of each doubling window; one that no full one could follow takes the rest."""
    ends = []
    while start < end:
        stop = start + size
        if stop + 2 * size > end:
            stop = end
        ends.append(stop - 1)
        start, size = stop, 2 * size
    return ends


def initial_state(position: Array, density: Callable[[Array], Array], step_size: float) -> ChainState:
    """Start a chain at ``position`` with a unit metric."""
    metric_init, _, _ = mass_matrix_adaptation(True)
    step_init, _, _ = dual_averaging_adaptation(0.0)
    metric = metric_init(position.shape[0])
    return ChainState(
        hmc.init(position, density),
        jnp.asarray(step_size, position.dtype),
        step_init(jnp.asarray(step_size, position.dtype)),
        metric,
        metric.inverse_mass_matrix,
    )


def make_step(target: Array, max_treedepth: int) -> Callable[..., tuple[ChainState, Statistics]]:
    """Return ``step(key, state, stage, density) -> (state, statistics)``; ``target`` may be a traced number."""
    kernel = nuts.build_kernel()
    _, metric_update, metric_final = mass_matrix_adaptation(True)
    step_init, step_update, step_final = dual_averaging_adaptation(target)

    def sample(state: ChainState, rate: Array) -> ChainState:
        return state

    def fast(state: ChainState, rate: Array) -> ChainState:
        adapted = step_update(state.step_adaptation, rate)
        return state._replace(step_adaptation=adapted, step_size=jnp.exp(adapted.log_step_size))

    def slow(state: ChainState, rate: Array) -> ChainState:
        gathered = metric_update(state.metric_adaptation, state.position.position)
        return fast(state, rate)._replace(metric_adaptation=gathered)

    def close(state: ChainState, rate: Array) -> ChainState:
        gathered = slow(state, rate)
        metric = metric_final(gathered.metric_adaptation)
        adapted = step_init(step_final(gathered.step_adaptation))
        return gathered._replace(
            metric_adaptation=metric,
            inverse_mass=metric.inverse_mass_matrix,
            step_adaptation=adapted,
            step_size=jnp.exp(adapted.log_step_size),
        )

    def freeze(state: ChainState, rate: Array) -> ChainState:
        adapted = fast(state, rate)
        return adapted._replace(step_size=step_final(adapted.step_adaptation))

    def step(
        key: Array, state: ChainState, stage: Array, density: Callable[[Array], Array]
    ) -> tuple[ChainState, Statistics]:
        position, info = kernel(key, state.position, density, state.step_size, state.inverse_mass, max_treedepth)
        rate = jnp.where(jnp.isfinite(info.acceptance_rate), info.acceptance_rate, 0.0)
        statistics = Statistics(
            position.logdensity,
            info.energy,
            rate,
            info.num_integration_steps,
            info.num_trajectory_expansions,
            info.is_divergent,
            state.step_size,
        )
        moved = state._replace(position=position)
        return jax.lax.switch(stage, (sample, fast, slow, close, freeze), moved, rate), statistics

    return step
