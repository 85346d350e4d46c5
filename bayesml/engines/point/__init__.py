"""Point estimates: REML, maximum likelihood, Laplace and penalised likelihood, in NumPy and SciPy alone."""

from __future__ import annotations

from bayesml.engines.point.estimate import AbstractEstimate
from bayesml.engines.point.generalised import GeneralisedEstimate
from bayesml.engines.point.joint import JointEffects, NewRows
from bayesml.engines.point.linear import LinearEstimate
from bayesml.engines.point.normal import normal_draws
from bayesml.engines.point.options import MAP, ML, REML, Laplace

__all__ = [
    "MAP",
    "ML",
    "REML",
    "AbstractEstimate",
    "GeneralisedEstimate",
    "JointEffects",
    "Laplace",
    "LinearEstimate",
    "NewRows",
    "normal_draws",
]
