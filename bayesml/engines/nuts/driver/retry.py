"""A run with divergent transitions is sampled once more with smaller steps; the better of the two is kept."""

from __future__ import annotations

from bayesml.engines.nuts.defaults import SMALLER_STEPS, USUAL_TARGET
from bayesml.engines.nuts.driver.session import Attempt, Session

__all__ = ["sample_with_retry"]


def sample_with_retry(session: Session) -> tuple[Attempt, str]:
    """Sample; after divergences once more, where the user has not chosen ``target_accept`` himself.

    Returns:
        The run with fewer divergent transitions, the one with smaller steps where there are equally many, and a line
        for the plan that says what happened.
    """
    options = session.options
    target = USUAL_TARGET if options.target_accept is None else options.target_accept
    first = session.sample(session.begin(0, target), options.draws)
    before = first.divergences()
    if not before or first.incomplete or options.target_accept is not None:
        return first, ""
    try:
        second = session.sample(session.begin(1, SMALLER_STEPS), options.draws)
    except KeyboardInterrupt:
        first.incomplete = True
        return first, ""
    after = second.divergences()
    second.seconds += first.seconds
    told = f"sampled again with target_accept={SMALLER_STEPS}: {before} divergent transitions became {after}"
    if second.incomplete or after > before:
        first.seconds = second.seconds
        return first, f"{told}; the first run was kept"
    return second, told
