"""``fit.extend()``: go on with the chains of a fit."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

from bayesml.engines import dispatch
from bayesml.errors import ModelError
from bayesml.posterior import Timing
from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["extend"]

F = TypeVar("F", bound=AbstractSampledFit)


def extend(fit: F, draws: int = 1000) -> F:
    """Go on with the chains of a fit, finished or interrupted, where they stand; the step size stays what it is.

    The draws are those of a longer run with the same seed, bit for bit on the same machine, unless divergent
    transitions made that run start again.

    Args:
        fit: the fit.
        draws: further draws of each chain.

    Returns:
        A fit with all draws, old and new.

    Raises:
        ModelError: ``draws`` is no whole number of at least 1; the fit has no chains, or was saved without their
            state; or this machine builds other coordinates for the sampler.

    Example:
        >>> longer = fit.extend(draws=2000)
    """
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise ModelError(f"`draws` is a whole number of at least 1; got {draws!r}.")
    continuation = fit.outcome.continuation
    if continuation is None or not dispatch.can_extend(fit.engine):
        raise ModelError(
            "This fit has no chains to extend: it was not sampled by NUTS, or saved without their state. Fit the model "
            "again with more `draws`."
        )
    outcome = dispatch.extend(fit.engine, fit.problem, fit.draws_record, continuation, draws)
    both = {part.name: getattr(fit.timing, part.name) + getattr(outcome.timing, part.name) for part in fields(Timing)}
    outcome = replace(outcome, timing=Timing(**both), plan=fit.plan or outcome.plan)
    return replace(fit, outcome=outcome, recipe=replace(fit.recipe, engine=outcome.engine or fit.engine))
