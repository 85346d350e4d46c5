"""One iteration of NUTS with Stan's warm-up folded in: the same program warms up and samples.

Stan's schedule (Stan reference manual, "HMC algorithm parameters") arrives as one stage for each iteration, so that a
single compiled step serves: FAST adapts the step size by dual averaging (Hoffman & Gelman 2014, section 3.2), SLOW also
gathers the variances, CLOSE ends a window with a new diagonal metric, FREEZE fixes the averaged step size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp

from bayesml.engines.nuts.sampler.chain_state import (
    ChainState,
    Moments,
    Position,
    Stage,
    Statistics,
    StepSizeAdaptation,
)
from bayesml.engines.nuts.sampler.noise import Noise
from bayesml.engines.nuts.sampler.transition import choose, transition

__all__ = ["initial_state", "make_step"]

Array = Any
GAMMA, T0, KAPPA = 0.05, 10, 0.75
"""Dual averaging: shrinkage towards ``mu``, iterations that count little, decay of the average (Stan's values)."""
PSEUDO_COUNT, PSEUDO_VARIANCE = 5, 1e-3
"""Variances of a window are shrunk by so many observations of so small a variance (Stan's values)."""


def initial_state(position: Array, density: Callable[[Array], Array], step_size: float) -> ChainState:
    """Start a chain at ``position`` with a unit metric."""
    value, gradient = jax.value_and_grad(density)(position)
    step = jnp.asarray(step_size, position.dtype)
    ones = jnp.ones_like(position)
    return ChainState(
        Position(position, value, gradient),
        step,
        _restarted(jnp.log(step)),
        _no_moments(position),
        ones,
    )


def make_step(target: Array, max_treedepth: int) -> Callable[..., tuple[ChainState, Statistics]]:
    """Return ``step(noise, state, stage, density) -> (state, statistics)``; ``target`` may be a traced number.

    The noise is that of one iteration: momenta ``(d,)`` and one seed.
    """

    def step(
        noise: Noise, state: ChainState, stage: Array, density: Callable[[Array], Array]
    ) -> tuple[ChainState, Statistics]:
        position, trajectory = transition(
            noise.momenta, noise.seeds, state.position, density, state.step_size, state.inverse_mass, max_treedepth
        )
        statistics = Statistics(
            position.logdensity,
            trajectory.energy,
            trajectory.acceptance_rate,
            trajectory.leaves,
            trajectory.doublings,
            trajectory.diverging,
            state.step_size,
        )
        moved = state._replace(position=position)
        return _adapted(moved, stage, target - trajectory.acceptance_rate), statistics

    return step


def _adapted(state: ChainState, stage: Array, error: Array) -> ChainState:
    """Learn from an iteration as its stage says.

    Without branches: those of ``lax.switch`` would copy the whole state, which takes longer to compile than these few
    numbers to select.
    """
    adapts = stage != Stage.SAMPLE
    gathers = (stage == Stage.SLOW) | (stage == Stage.CLOSE)
    closes, ends = stage == Stage.CLOSE, (stage == Stage.CLOSE) | (stage == Stage.FREEZE)
    averaged = _averaged(state.step_adaptation, error)
    log_step_size = jnp.where(ends, averaged.log_step_size_avg, averaged.log_step_size)
    gathered = _gathered(state.moments, state.position.position)
    return state._replace(
        step_size=jnp.where(adapts, jnp.exp(log_step_size), state.step_size),
        step_adaptation=choose(adapts, choose(closes, _restarted(log_step_size), averaged), state.step_adaptation),
        moments=choose(closes, _no_moments(gathered.mean), choose(gathers, gathered, state.moments)),
        inverse_mass=jnp.where(closes, _shrunk_variances(gathered), state.inverse_mass),
    )


def _restarted(log_step_size: Array) -> StepSizeAdaptation:
    zero = jnp.zeros_like(log_step_size)
    return StepSizeAdaptation(log_step_size, zero, jnp.ones((), jnp.int64), zero, jnp.log(10.0) + log_step_size)


def _averaged(state: StepSizeAdaptation, error: Array) -> StepSizeAdaptation:
    """Take the error of one iteration, target less acceptance rate (Hoffman & Gelman 2014, equation 6)."""
    count = state.step.astype(error.dtype)
    avg_error = state.avg_error + (error - state.avg_error) / (count + T0)
    weight = count**-KAPPA
    return StepSizeAdaptation(
        state.mu - jnp.sqrt(count) / GAMMA * avg_error,
        weight * state.log_step_size + (1.0 - weight) * state.log_step_size_avg,
        state.step + 1,
        avg_error,
        state.mu,
    )


def _no_moments(position: Array) -> Moments:
    zeros = jnp.zeros_like(position)
    return Moments(zeros, zeros, jnp.zeros((), jnp.int64))


def _gathered(moments: Moments, position: Array) -> Moments:
    count = moments.sample_size + 1
    from_old = position - moments.mean
    mean = moments.mean + from_old / count
    return Moments(mean, moments.m2 + from_old * (position - mean), count)


def _shrunk_variances(moments: Moments) -> Array:
    count = moments.sample_size
    variances = moments.m2 / (count - 1)
    return (count * variances + PSEUDO_COUNT * PSEUDO_VARIANCE) / (count + PSEUDO_COUNT)
