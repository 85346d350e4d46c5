"""Parameters that the pilot does not estimate, held at their start.

The whitening at the mode that follows the pilot moves them like all others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jax import numpy as jnp

from bayesml.engines.base import Problem
from bayesml.engines.layout import layout_of
from bayesml.engines.log_prior import parameter_values
from bayesml.engines.nuts.forms.preconditioned.linked import linear_parameters

__all__ = ["held_values"]


def held_values(problem: Problem, singles: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the start of every parameter that the pilot does not estimate, by site and by parameter.

    Args:
        problem: the model.
        singles: the parameters of the family, which the pilot estimates.
    """
    spec = problem.description.spec
    estimated = {*singles, *linear_parameters(problem)}
    others = tuple(p for p in spec.parameters if p.name not in estimated)
    layout = layout_of(replace(spec, parameters=others))
    sites, _ = layout.constrain(jnp.asarray(layout.center))
    values = sites | parameter_values([p for p in others if p.prior_class], sites)
    values |= spec.computed(values)
    return {name: np.asarray(value, dtype=float) for name, value in values.items()}
