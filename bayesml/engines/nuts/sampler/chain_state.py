"""The state of a chain between two calls of its program, and the stages of a run.

The names of the fields are those of the arrays in saved fits and checkpoints.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from bayesml.engines.nuts.sampler.shapes import Count, Real, Truth, Vector

__all__ = [
    "ChainState",
    "Moments",
    "Position",
    "Stage",
    "Statistics",
    "StepSizeAdaptation",
    "state_like",
    "stages",
]


class Stage(IntEnum):
    """What the sampler adapts in one iteration.

    SAMPLE nothing; FAST the step size; SLOW the step size, while the variances of the positions are gathered; CLOSE
    ends a window of SLOW iterations with a new metric; FREEZE fixes the averaged step size.
    """

    SAMPLE = 0
    FAST = 1
    SLOW = 2
    CLOSE = 3
    FREEZE = 4


class Position(NamedTuple):
    """A point of the chain with the log density and its gradient there."""

    position: Vector
    logdensity: Real
    logdensity_grad: Vector


class StepSizeAdaptation(NamedTuple):
    """State of the dual averaging of the log step size (Hoffman & Gelman 2014, section 3.2.1).

    Attributes:
        log_step_size: of the next iteration.
        log_step_size_avg: average of those so far, the later ones with more weight.
        step: number of the next iteration, from 1.
        avg_error: average of target minus acceptance rate.
        mu: value towards which the log step size is shrunk.
    """

    log_step_size: Real
    log_step_size_avg: Real
    step: Count
    avg_error: Real
    mu: Real


class Moments(NamedTuple):
    """Running mean and sum of squared deviations of the positions of a window (Welford 1962).

    Attributes:
        mean: of the positions.
        m2: sum of squared deviations from it.
        sample_size: number of positions.
    """

    mean: Vector
    m2: Vector
    sample_size: Count


class ChainState(NamedTuple):
    """Everything that one chain needs to go on.

    Attributes:
        position: where the chain is.
        step_size: of the leapfrog steps.
        step_adaptation: adaptation of the step size.
        moments: of the positions in the present window.
        inverse_mass: diagonal of the inverse metric.
    """

    position: Position
    step_size: Real
    step_adaptation: StepSizeAdaptation
    moments: Moments
    inverse_mass: Vector


class Statistics(NamedTuple):
    """What is reported of an iteration, under ArviZ's names; of a block of iterations each is an array.

    Attributes:
        lp: log density at the new position.
        energy: the Hamiltonian there.
        acceptance_rate: mean acceptance probability of the trajectory.
        n_steps: number of leapfrog steps.
        tree_depth: number of doublings.
        diverging: whether the trajectory diverged.
        step_size: of its leapfrog steps.
    """

    lp: Real
    energy: Real
    acceptance_rate: Real
    n_steps: Count
    tree_depth: Count
    diverging: Truth
    step_size: Real


def state_like(position: np.ndarray) -> ChainState:
    """Return the state of a chain with zeros in it, for shapes and types.

    Args:
        position: zeros, ``(d,)``.
    """
    number, count = np.zeros((), position.dtype), np.zeros((), np.int64)
    return ChainState(
        position=Position(position, number, position),
        step_size=number,
        step_adaptation=StepSizeAdaptation(number, number, count, number, number),
        moments=Moments(position, position, count),
        inverse_mass=position,
    )


def stages(warmup: int, draws: int) -> np.ndarray:
    """Return the stage of every iteration of a run: Stan's schedule of warm-up, then sampling.

    Warm-up begins with 75 iterations that adapt the step size alone. Windows of 25, 50, 100, ... iterations follow,
    each of which ends with a new metric. The last 50 iterations adapt the step size to the last metric. Below 150
    warm-up iterations the three parts take 15, 75 and 10 per cent, with one window; below 20 only the step size adapts.

    Returns:
        Values of ``Stage``, ``(warmup + draws,)``.
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
    """Return the last iteration of each window; each is twice as long as the one before.

    A window after which no other of full length would fit is stretched to the end.
    """
    ends = []
    while start < end:
        stop = start + size
        if stop + 2 * size > end:
            stop = end
        ends.append(stop - 1)
        start, size = stop, 2 * size
    return ends
