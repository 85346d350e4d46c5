"""Block linear algebra of mixed models: arrays in, frozen values out; no formula, no data frame, no JAX."""

from bayesml.linalg.blocks import GroupBlock, ThetaLayout
from bayesml.linalg.cholesky import Factorisation, factorise
from bayesml.linalg.crossproducts import CrossProducts, cross_products
from bayesml.linalg.dense import dense_cross_products
from bayesml.linalg.fixed_effects import FixedEffects, inverse_triangle, level_columns, orthogonalise
from bayesml.linalg.held import HeldTheta, hold_correlation, hold_deviation, in_front, reordered_factor
from bayesml.linalg.selected_inverse import Adjoint, adjoint, variance_scores
from bayesml.linalg.substitution import Substitution, substitute

__all__ = [
    "Adjoint",
    "CrossProducts",
    "Factorisation",
    "FixedEffects",
    "GroupBlock",
    "HeldTheta",
    "Substitution",
    "ThetaLayout",
    "adjoint",
    "cross_products",
    "dense_cross_products",
    "factorise",
    "hold_correlation",
    "hold_deviation",
    "in_front",
    "inverse_triangle",
    "level_columns",
    "orthogonalise",
    "reordered_factor",
    "substitute",
    "variance_scores",
]
