"""Inference for point estimates: intervals, tests, marginal means, variance explained, checks of the model."""

from __future__ import annotations

from bayesml.results.inference.anova import anova
from bayesml.results.inference.check_laplace import check_laplace
from bayesml.results.inference.check_model import check_model
from bayesml.results.inference.confint import confint
from bayesml.results.inference.contrast import contrast
from bayesml.results.inference.degrees_of_freedom import Ddf
from bayesml.results.inference.drop1 import drop1
from bayesml.results.inference.emmeans import emmeans, slopes
from bayesml.results.inference.influence import influence
from bayesml.results.inference.likelihood_ratio import anova_fits, compare_models
from bayesml.results.inference.marginal_means import MarginalMeans
from bayesml.results.inference.ranova import ranova
from bayesml.results.inference.variance_explained import icc, level_r2, r2

__all__ = [
    "Ddf",
    "MarginalMeans",
    "anova",
    "anova_fits",
    "check_laplace",
    "check_model",
    "compare_models",
    "confint",
    "contrast",
    "drop1",
    "emmeans",
    "icc",
    "influence",
    "level_r2",
    "r2",
    "ranova",
    "slopes",
]
