"""One iteration of NUTS and what is adapted in it: the same program serves warm-up and sampling.

The adaptation is Stan's (Stan reference manual, "HMC algorithm parameters"): dual averaging of the step size (Hoffman &
Gelman 2014, section 3.2) and a diagonal metric from the variances of the positions. The schedule comes as one stage
for each iteration, see `Stage`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

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
from bayesml.engines.nuts.sampler.random_numbers import RandomNumbers
from bayesml.engines.nuts.sampler.transition import select, transition

if TYPE_CHECKING:
    from bayesml.engines.nuts.sampler.shapes import Count, Real, Vector

__all__ = ["initial_state", "make_step"]

GAMMA, T0, KAPPA = 0.05, 10, 0.75
"""Constants of dual averaging, with Stan's values: GAMMA for the shrinkage towards ``mu``, T0 for how little the first
iterations count, KAPPA for how fast old step sizes lose weight in the average."""
PSEUDO_COUNT, PSEUDO_VARIANCE = 5, 1e-3
"""The variances of a window are shrunk as if there were 5 more observations of variance 0.001 (Stan's values)."""


def initial_state(position: Vector, density: Callable[[Vector], Real], step_size: float) -> ChainState:
    """Return the state of a chain that starts at ``position``, with a unit metric."""
    value, gradient = jax.value_and_grad(density)(position)
    step = jnp.asarray(step_size, position.dtype)
    return ChainState(
        position=Position(position, value, gradient),
        step_size=step,
        step_adaptation=_restarted(jnp.log(step)),
        moments=_no_moments(position),
        inverse_mass=jnp.ones_like(position),
    )


def make_step(target: Real, max_treedepth: int) -> Callable[..., tuple[ChainState, Statistics]]:
    """Return ``step(random, state, stage, density) -> (state, statistics)``, one iteration of a chain.

    ``random`` are the random numbers of one iteration: a momentum ``(d,)`` and one seed.

    Args:
        target: acceptance rate that the step size aims at; a number or a traced one.
        max_treedepth: largest number of doublings of a trajectory.
    """

    def step(
        random: RandomNumbers, state: ChainState, stage: Count, density: Callable[[Vector], Real]
    ) -> tuple[ChainState, Statistics]:
        position, trajectory = transition(
            random.momenta, random.seeds, state.position, density, state.step_size, state.inverse_mass, max_treedepth
        )
        statistics = Statistics(
            lp=position.logdensity,
            energy=trajectory.energy,
            acceptance_rate=trajectory.acceptance_rate,
            n_steps=trajectory.leaves,
            tree_depth=trajectory.doublings,
            diverging=trajectory.diverging,
            step_size=state.step_size,
        )
        moved = state._replace(position=position)
        return _adapted(moved, stage, target - trajectory.acceptance_rate), statistics

    return step


def _adapted(state: ChainState, stage: Count, error: Real) -> ChainState:
    """Adapt what the stage of an iteration says; ``error`` is target minus acceptance rate.

    All results are computed and then selected, since compiling the branches of ``lax.switch``, which copy the whole
    state, takes longer.
    """
    adapts = stage != Stage.SAMPLE
    gathers = (stage == Stage.SLOW) | (stage == Stage.CLOSE)
    closes, fixes = stage == Stage.CLOSE, (stage == Stage.CLOSE) | (stage == Stage.FREEZE)
    averaged = _averaged(state.step_adaptation, error)
    log_step_size = jnp.where(fixes, averaged.log_step_size_avg, averaged.log_step_size)
    gathered = _gathered(state.moments, state.position.position)
    return state._replace(
        step_size=jnp.where(adapts, jnp.exp(log_step_size), state.step_size),
        step_adaptation=select(adapts, select(closes, _restarted(log_step_size), averaged), state.step_adaptation),
        moments=select(closes, _no_moments(gathered.mean), select(gathers, gathered, state.moments)),
        inverse_mass=jnp.where(closes, _shrunk_variances(gathered), state.inverse_mass),
    )


def _restarted(log_step_size: Real) -> StepSizeAdaptation:
    """Begin dual averaging at a step size; it is shrunk towards ten times that size (Hoffman & Gelman's ``mu``)."""
    zero = jnp.zeros_like(log_step_size)
    return StepSizeAdaptation(
        log_step_size=log_step_size,
        log_step_size_avg=zero,
        step=jnp.ones((), jnp.int64),
        avg_error=zero,
        mu=jnp.log(10.0) + log_step_size,
    )


def _averaged(state: StepSizeAdaptation, error: Real) -> StepSizeAdaptation:
    """Take in the error of one iteration, target minus acceptance rate (Hoffman & Gelman 2014, algorithm 5)."""
    count = state.step.astype(error.dtype)
    avg_error = state.avg_error + (error - state.avg_error) / (count + T0)
    weight = count**-KAPPA
    return StepSizeAdaptation(
        log_step_size=state.mu - jnp.sqrt(count) / GAMMA * avg_error,
        # Of the step size that this iteration used, which belongs to the error.
        log_step_size_avg=weight * state.log_step_size + (1.0 - weight) * state.log_step_size_avg,
        step=state.step + 1,
        avg_error=avg_error,
        mu=state.mu,
    )


def _no_moments(position: Vector) -> Moments:
    zeros = jnp.zeros_like(position)
    return Moments(mean=zeros, m2=zeros, sample_size=jnp.zeros((), jnp.int64))


def _gathered(moments: Moments, position: Vector) -> Moments:
    """Add a position to the moments, as Welford (1962)."""
    count = moments.sample_size + 1
    deviation = position - moments.mean
    mean = moments.mean + deviation / count
    return Moments(mean=mean, m2=moments.m2 + deviation * (position - mean), sample_size=count)


def _shrunk_variances(moments: Moments) -> Vector:
    count = moments.sample_size
    variances = moments.m2 / (count - 1)
    return (count * variances + PSEUDO_COUNT * PSEUDO_VARIANCE) / (count + PSEUDO_COUNT)
