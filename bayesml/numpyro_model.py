"""The model of a fit as NumPyro's own tools take it: callable without arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesml.compile import Data, compile_model
from bayesml.engines.base import Problem
from bayesml.engines.density import data_of

__all__ = ["bound_model"]


def bound_model(problem: Problem) -> Callable[..., None]:
    """Return ``model(data=..., y=...)`` whose defaults are the data of the problem.

    Example:
        >>> from numpyro.infer import MCMC, NUTS, Predictive
        >>> prior_predictive = Predictive(fit.model, num_samples=100)(key, y=None)
        >>> MCMC(NUTS(fit.model), num_warmup=500, num_samples=500).run(key)
    """
    own = data_of(problem)
    model = compile_model(problem.description.spec, problem.design.schema, problem.likelihood)

    def with_data(data: Data = own, y: Any = own["response"]["y"]) -> None:
        model(data, y)

    return with_data
