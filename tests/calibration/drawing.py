"""Random responses of families that draw none themselves, or only a part of what is observed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesml.families import AbstractLikelihood

__all__ = ["drawn_answers", "drawn_by_survival"]

STEP = 1e-3
"""Of the path of a process; times are exact to about that."""
HALVINGS = 50


def drawn_answers(
    rng: np.random.Generator, parameters: Mapping[str, np.ndarray], shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return response times and answers of the family wiener, from paths of its process.

    Between two points x and y of the path it reaches a boundary at the distances a and b with probability
    exp(-2 a b / step), since it is a Brownian bridge there.
    """
    drift, separation, bias, shift = (
        np.broadcast_to(np.asarray(parameters[name], dtype=float), shape).ravel()
        for name in ("mu", "bs", "bias", "ndt")
    )
    place, time, answer = bias * separation, shift.copy(), np.zeros(drift.size)
    active = np.arange(drift.size)
    while active.size:
        x, top = place[active], separation[active]
        y = x + drift[active] * STEP + np.sqrt(STEP) * rng.standard_normal(active.size)
        chance = -0.5 * STEP * np.log(rng.random((2, active.size)))
        up = (y >= top) | ((top - x) * (top - y) < chance[0])
        down = (y <= 0) | (x * y < chance[1])
        done = up | down
        time[active] += STEP * np.where(done, rng.random(active.size), 1.0)
        answer[active[up]] = 1.0
        place[active] = y
        active = active[~done]
    return time.reshape(shape), answer.reshape(shape)


def drawn_by_survival(
    rng: np.random.Generator,
    likelihood: AbstractLikelihood,
    values: Mapping[str, np.ndarray],
    arrays: Mapping[str, np.ndarray],
    shape: tuple[int, ...],
    last: np.ndarray,
) -> np.ndarray:
    """Return times t with P(T > t) uniform, by bisection between 0 and a last time; infinite beyond it.

    Args:
        rng: source of randomness.
        likelihood: the distribution.
        values: its parameters as densities take them.
        arrays: ``ResponseData.arrays``.
        shape: of the times.
        last: the last time of each row.
    """
    level = np.log(rng.random(shape))
    low, high = np.zeros(shape), np.broadcast_to(last, shape).copy()
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        later = np.asarray(likelihood.unbounded.log_survival(middle, values, arrays)) > level
        low, high = np.where(later, middle, low), np.where(later, high, middle)
    return np.where(high < last, 0.5 * (low + high), np.inf)
