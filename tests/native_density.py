"""The joint density of a model with NumPyro's own distributions as priors, which hold their numbers as constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpyro.infer.util import log_density

from bayesml.compile import compile_model
from bayesml.engines import Problem
from bayesml.engines.layout import layout_of


def native_density(problem: Problem) -> Callable[[Any, Any], Any]:
    """Return ``log p(y, u) + log|Jacobian|`` at u = center + scale * q, both from the data."""
    spec = problem.description.spec
    model, layout = compile_model(spec, problem.design.schema, problem.likelihood), layout_of(spec)

    def density(q: Any, data: Any) -> Any:
        sites, log_jacobian = layout.constrain(data["center"] + data["scale"] * q)
        return log_density(model, (data, data["response"]["y"]), {}, sites)[0] + log_jacobian

    return density
