"""A run with divergent transitions is sampled again with smaller steps, and the better of the two runs is kept."""

from __future__ import annotations

from bayesml.engines.nuts.defaults import SMALLER_STEPS, USUAL_TARGET
from bayesml.engines.nuts.driver.session import Attempt, Session

__all__ = ["sample_with_retry"]


def sample_with_retry(session: Session) -> tuple[Attempt, str]:
    """Sample, and sample again if transitions diverge and the user has not set ``target_accept``.

    Returns:
        The run with fewer divergent transitions, or the one with smaller steps if both have as many; and a line for the
        plan that says what happened, empty if nothing did.
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
