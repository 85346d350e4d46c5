"""``fit.extend()``: go on with the chains of a fit."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TypeVar

from bayesml.engines import dispatch
from bayesml.errors import ModelError
from bayesml.posterior import Timing
from bayesml.results.checks.diagnostics import warn_about
from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["extend"]

F = TypeVar("F", bound=AbstractSampledFit)


def extend(fit: F, draws: int = 1000) -> F:
    """Go on with the chains of a fit, finished or interrupted, where they stand; the step size stays what it is.

    See ``Fit.extend``.
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
    longer = replace(fit, outcome=outcome, recipe=replace(fit.recipe, engine=outcome.engine or fit.engine))
    warn_about(longer)
    return longer
