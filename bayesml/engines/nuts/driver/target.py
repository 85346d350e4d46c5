"""Sampling until the draws are precise enough, by effective sample sizes and Rhat of the parameters."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np

from bayesml.convergence import convergence
from bayesml.engines.nuts.driver.session import Attempt, Session
from bayesml.variables import ReportedVariable

__all__ = ["LARGEST_RHAT", "sample_to_target"]

LARGEST_RHAT = 1.01
MOST_GROWTH, LEAST_GROWTH = 2.0, 1.25
MOST_ROUNDS = 100
"""Largest number of draws, as a multiple of those requested. Without a limit a run with a chain that does not move
would never end."""


def sample_to_target(session: Session, attempt: Attempt, target_ess: float) -> tuple[str, ...]:
    """Extend an attempt until bulk and tail effective sample sizes reach ``target_ess`` and Rhat is at most 1.01.

    The criterion is about all reported parameters except the group-level effects. Each round draws as many more as the
    smallest effective sample size is short of the target, at least a quarter more and at most twice as many.

    Returns:
        A note if the time or the number of draws ended first, else nothing.
    """
    limit = MOST_ROUNDS * session.options.draws
    while True:
        ess, rhat = _precision(attempt.store.values(attempt.kept), session.variables)
        if ess >= target_ess and rhat <= LARGEST_RHAT:
            return ()
        late = session.deadline is not None and time.monotonic() > session.deadline
        if attempt.incomplete or late or attempt.kept >= limit:
            return (_shortfall(attempt, target_ess, ess, rhat, late or attempt.incomplete),)
        growth = min(max(1.1 * target_ess / max(ess, 1.0), LEAST_GROWTH), MOST_GROWTH)
        draws = min(math.ceil(attempt.kept * growth), limit)
        session.progress.expect(session.options.chains * draws)
        session.sample(attempt, draws)


def _precision(values: Mapping[str, np.ndarray], variables: tuple[ReportedVariable, ...]) -> tuple[float, float]:
    """Return the smallest effective sample size and the largest Rhat, without parameters that are constant."""
    hyper = [(np.moveaxis(values[v.name], (0, 1), (-2, -1)), v) for v in variables if not v.is_many]
    watched = [drawn[index] for drawn, variable in hyper for index, _ in variable.texts]
    measured = convergence(np.stack(watched, axis=2))
    moving = ~np.isnan(measured.bulk_ess)
    if not moving.any():
        return math.inf if watched[0].shape[1] >= 4 else 0.0, 1.0
    ess = np.fmin(measured.bulk_ess, measured.tail_ess)[moving]
    return float(ess.min()), float(measured.rhat[moving].max())


def _shortfall(attempt: Attempt, target: float, ess: float, rhat: float, late: bool) -> str:
    why = "The time or the run ended" if late else f"{attempt.kept} draws of each chain were not enough"
    return (
        f"{why} before `target_ess={target:g}` was reached: the smallest effective sample size is {ess:.0f}, the "
        f"largest Rhat {rhat:.3f} (at most {LARGEST_RHAT}). Allow more time (`max_seconds=`), or use `fit.extend()`."
    )
