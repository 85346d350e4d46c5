"""Block linear algebra of mixed models: arrays in, frozen values out; no formula, no data frame, no JAX."""

from bayesml.linalg.adjoint import Adjoint, adjoint, mixed_model_inverse, variance_scores
from bayesml.linalg.arrow import ArrowMatrix, NotPositiveDefinite
from bayesml.linalg.arrow_factor import ArrowFactor, factorise_identity_plus
from bayesml.linalg.blocks import AbstractBlock, DenseBlock, GroupBlock, SpreadBlock, ThetaLayout
from bayesml.linalg.cholesky import Factorisation, factorise
from bayesml.linalg.crossproducts import CrossProducts, cross_products
from bayesml.linalg.dense import dense_cross_products
from bayesml.linalg.fixed_effects import FixedEffects, inverse_triangle, level_columns, orthogonalise
from bayesml.linalg.held import HeldTheta, hold_correlation, hold_deviation, in_front, reordered_factor
from bayesml.linalg.row_blocks import RowBlocks, arranged
from bayesml.linalg.selected_inverse import SelectedInverse
from bayesml.linalg.substitution import Substitution, substitute

__all__ = [
    "AbstractBlock",
    "Adjoint",
    "ArrowFactor",
    "ArrowMatrix",
    "CrossProducts",
    "Factorisation",
    "DenseBlock",
    "FixedEffects",
    "GroupBlock",
    "HeldTheta",
    "NotPositiveDefinite",
    "RowBlocks",
    "SelectedInverse",
    "Substitution",
    "SpreadBlock",
    "ThetaLayout",
    "adjoint",
    "arranged",
    "cross_products",
    "dense_cross_products",
    "factorise",
    "factorise_identity_plus",
    "hold_correlation",
    "hold_deviation",
    "in_front",
    "inverse_triangle",
    "level_columns",
    "mixed_model_inverse",
    "orthogonalise",
    "reordered_factor",
    "substitute",
    "variance_scores",
]
