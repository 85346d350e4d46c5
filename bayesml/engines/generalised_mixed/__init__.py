"""Generalised linear mixed models by Laplace's approximation or adaptive quadrature: arrays in, a frozen result out.

No formula, no data frame, no JAX.
"""

from bayesml.engines.generalised_mixed.family_response import FamilyResponse
from bayesml.engines.generalised_mixed.fit import fit_generalised_mixed
from bayesml.engines.generalised_mixed.held import HeldFit, HeldParameter, hold
from bayesml.engines.generalised_mixed.problem import Penalty, PenaltyValue
from bayesml.engines.generalised_mixed.response import AuxiliarySlopes, ResponseModel, RowDerivatives
from bayesml.engines.generalised_mixed.result import Convergence, GeneralisedMixedFit, GroupEstimate
from bayesml.engines.generalised_mixed.support import Point, Support

__all__ = [
    "AuxiliarySlopes",
    "Convergence",
    "FamilyResponse",
    "GeneralisedMixedFit",
    "GroupEstimate",
    "HeldFit",
    "HeldParameter",
    "Penalty",
    "PenaltyValue",
    "Point",
    "ResponseModel",
    "RowDerivatives",
    "Support",
    "fit_generalised_mixed",
    "hold",
]
