"""What a chain is between two calls of its program, and what each of its iterations adapts."""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

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
    """What one iteration adapts."""

    SAMPLE = 0
    FAST = 1
    SLOW = 2
    CLOSE = 3
    FREEZE = 4


class Position(NamedTuple):
    """Where a chain is."""

    position: Any
    logdensity: Any
    logdensity_grad: Any


class StepSizeAdaptation(NamedTuple):
    """Dual averaging of the log step size (Hoffman & Gelman 2014, section 3.2.1)."""

    log_step_size: Any
    log_step_size_avg: Any
    step: Any
    avg_error: Any
    mu: Any


class Moments(NamedTuple):
    """Running mean and sum of squares of the positions of a window (Welford 1962), of which its metric is made."""

    mean: Any
    m2: Any
    sample_size: Any


class ChainState(NamedTuple):
    """Everything one chain needs to go on: where it is and what it has learnt."""

    position: Position
    step_size: Any
    step_adaptation: StepSizeAdaptation
    moments: Moments
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


def state_like(position: np.ndarray) -> ChainState:
    """Return arrays of the shapes and types that the state of a chain in as many dimensions has."""
    number, count = np.zeros((), position.dtype), np.zeros((), np.int64)
    return ChainState(
        Position(position, number, position),
        number,
        StepSizeAdaptation(number, number, count, number, number),
        Moments(position, position, count),
        position,
    )


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
