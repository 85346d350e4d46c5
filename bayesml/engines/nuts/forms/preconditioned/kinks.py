"""The search for a mode of a density with kinks, such as that of quantile regression.

The log density of a row has a kink where the response equals its location. The second derivative of the sum over rows
is 0 between kinks and infinite at them, so that it does not measure the width of the posterior, over which the gradient
changes at many kinks. Each kink is therefore rounded while the mode is searched: its change of slope is spread over a
width of one sigma, and the curvature at the mode is the number of kinks near it (Horowitz 1998, Bootstrap methods for
median regression models, Econometrica 66, 1327-1351, smooths the same loss to obtain standard errors). What is sampled
is the exact density.

The width is a number among the data, 0 in the sampled density, so that one compiled program computes both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from bayesml.engines.base import Problem
from bayesml.engines.nuts.forms.base import ValueAndGradient
from bayesml.families.records import ROUNDING
from bayesml.names import of_response
from bayesml.response_design import ResponseDesign

__all__ = ["tuned_where_rounded", "with_rounded_kinks"]

WIDTH = 1.0
"""Width of a rounded kink in units of sigma."""

Tune = Callable[[ValueAndGradient, Any], Any]


def with_rounded_kinks(problem: Problem) -> Problem:
    """Return the problem with rounded kinks; the same where the density has none."""
    return replace(problem, design=replace(problem.design, responses=tuple(map(_rounded, problem.design.responses))))


def _rounded(response: ResponseDesign) -> ResponseDesign:
    if not response.likelihood.traits.kinked:
        return response
    arrays = {**response.data.arrays, ROUNDING: np.asarray(WIDTH)}
    return replace(response, data=replace(response.data, arrays=arrays))


def tuned_where_rounded(problem: Problem, tune: Tune) -> Tune:
    """Return the function that tunes a form with rounded kinks and returns data with sharp ones."""
    kinked = (response for response in problem.design.responses if response.likelihood.traits.kinked)
    sharp = {of_response(ROUNDING, response.name): np.asarray(0.0) for response in kinked}
    if not sharp:
        return tune

    def tuned(value_and_gradient: ValueAndGradient, data: Any) -> Any:
        found = tune(value_and_gradient, data)
        return found | {"response": found["response"] | sharp}

    return tuned
