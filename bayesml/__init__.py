"""Bayesian multilevel models with formulas: brms's language and lme4's point estimates, on NumPyro and JAX."""

from __future__ import annotations

from bayesml.datasets import list_datasets, load_dataset
from bayesml.distributions import (
    beta,
    cauchy,
    constant,
    double_exponential,
    exponential,
    flat,
    gamma,
    half_cauchy,
    half_normal,
    half_student_t,
    inv_gamma,
    lkj,
    logistic,
    lognormal,
    normal,
    std_normal,
    student_t,
    uniform,
    weibull,
)
from bayesml.engines import MAP, ML, NUTS, REML, Laplace
from bayesml.errors import BayesmlError, DataError, FitWarning, FormulaError, ModelError, PriorError
from bayesml.families import bernoulli, binomial, gaussian, negbinomial, poisson, student
from bayesml.families import beta as Beta
from bayesml.families import gamma as Gamma
from bayesml.fit import default_prior, fit
from bayesml.formula import bf
from bayesml.priors import prior
from bayesml.results.fit_object import Fit
from bayesml.results.inference import MarginalMeans, check_laplace, compare_models
from bayesml.results.inference import anova_fits as anova
from bayesml.results.io import load
from bayesml.results.loo import loo_compare
from bayesml.results.point import PointFit
from bayesml.resume import resume

__version__ = "0.1.0"

__all__ = [
    "MAP",
    "ML",
    "NUTS",
    "REML",
    "BayesmlError",
    "Beta",
    "DataError",
    "Fit",
    "FitWarning",
    "FormulaError",
    "Gamma",
    "Laplace",
    "MarginalMeans",
    "ModelError",
    "PointFit",
    "PriorError",
    "__version__",
    "anova",
    "bernoulli",
    "beta",
    "bf",
    "binomial",
    "cauchy",
    "check_laplace",
    "compare_models",
    "constant",
    "default_prior",
    "double_exponential",
    "exponential",
    "fit",
    "flat",
    "gamma",
    "gaussian",
    "half_cauchy",
    "half_normal",
    "half_student_t",
    "inv_gamma",
    "list_datasets",
    "lkj",
    "load",
    "load_dataset",
    "logistic",
    "lognormal",
    "loo_compare",
    "negbinomial",
    "normal",
    "poisson",
    "prior",
    "resume",
    "std_normal",
    "student",
    "student_t",
    "uniform",
    "weibull",
]
