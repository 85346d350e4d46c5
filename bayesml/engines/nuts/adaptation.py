"""One step of NUTS with Stan's warm-up folded in: the same program warms up and samples.

Stan's schedule (Stan reference manual, "HMC algorithm parameters") arrives as one stage for each iteration, so that a
single compiled step serves: FAST adapts the step size by dual averaging (Hoffman & Gelman 2014), SLOW also gathers
the variances, CLOSE ends a window with a new diagonal metric, FREEZE fixes the averaged step size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from blackjax.adaptation.mass_matrix import mass_matrix_adaptation
from blackjax.adaptation.step_size import dual_averaging_adaptation
from blackjax.mcmc import hmc, nuts
from jax import numpy as jnp

from bayesml.engines.nuts.chain_state import (
    ChainState,
    MetricAdaptation,
    Moments,
    Position,
    Statistics,
    StepSizeAdaptation,
)

__all__ = ["initial_state", "make_step"]

Array = Any


def initial_state(position: Array, density: Callable[[Array], Array], step_size: float) -> ChainState:
    """Start a chain at ``position`` with a unit metric."""
    metric_init, _, _ = mass_matrix_adaptation(True)
    step_init, _, _ = dual_averaging_adaptation(0.0)
    metric = metric_init(position.shape[0])
    return ChainState(
        Position(*hmc.init(position, density)),
        jnp.asarray(step_size, position.dtype),
        StepSizeAdaptation(*step_init(jnp.asarray(step_size, position.dtype))),
        _metric(metric),
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
        adapted = StepSizeAdaptation(*step_update(state.step_adaptation, rate))
        return state._replace(step_adaptation=adapted, step_size=jnp.exp(adapted.log_step_size))

    def slow(state: ChainState, rate: Array) -> ChainState:
        gathered = _metric(metric_update(state.metric_adaptation, state.position.position))
        return fast(state, rate)._replace(metric_adaptation=gathered)

    def close(state: ChainState, rate: Array) -> ChainState:
        gathered = slow(state, rate)
        metric = _metric(metric_final(gathered.metric_adaptation))
        adapted = StepSizeAdaptation(*step_init(step_final(gathered.step_adaptation)))
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
        moved = state._replace(position=Position(*position))
        return jax.lax.switch(stage, (sample, fast, slow, close, freeze), moved, rate), statistics

    return step


def _metric(state: Any) -> MetricAdaptation:
    return MetricAdaptation(state.inverse_mass_matrix, Moments(*state.wc_state))
