"""Bayesian multilevel models with formulas: brms's language and lme4's point estimates, on NumPyro and JAX."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from bayesml.datasets import list_datasets, load_dataset
from bayesml.distributions import (
    beta,
    cauchy,
    constant,
    dirichlet,
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
from bayesml.families import FAMILIES
from bayesml.fit import default_prior, export, fit, validate_prior
from bayesml.foreign import module_attribute
from bayesml.formula import bf, set_mecor, set_rescor
from bayesml.lazy import LazyRegistry
from bayesml.priors import prior
from bayesml.results.fits.fit_object import Fit, PointFit

if TYPE_CHECKING:
    from bayesml.families import bernoulli, binomial, custom_family, gaussian, negbinomial, poisson, student
    from bayesml.priors.horseshoe import horseshoe
    from bayesml.priors.r2d2 import R2D2
    from bayesml.results.checks.averages import posterior_average, pp_average
    from bayesml.results.checks.check_laplace import check_laplace
    from bayesml.results.checks.loo_compare import loo_compare
    from bayesml.results.checks.model_weights import loo_model_weights
    from bayesml.results.fits.combining import combine
    from bayesml.results.fits.multiple import fit_multiple
    from bayesml.results.frequentist.likelihood_ratio import anova_fits as anova
    from bayesml.results.frequentist.likelihood_ratio import compare_models
    from bayesml.results.marginal.datagrid import datagrid
    from bayesml.results.questions.marginal_means import MarginalMeans
    from bayesml.results.storage.io import load
    from bayesml.results.tidy.compare_levels import compare_levels
    from bayesml.results.tidy.intervals import mean_hdi, mean_qi, median_hdi, median_qi
    from bayesml.results.tidy.side_by_side import table
    from bayesml.resuming import resume

__version__ = "0.1.0"

__all__ = [
    "MAP",
    "ML",
    "NUTS",
    "R2D2",
    "REML",
    "BayesmlError",
    "DataError",
    "Fit",
    "FitWarning",
    "FormulaError",
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
    "combine",
    "compare_levels",
    "compare_models",
    "constant",
    "custom_family",
    "datagrid",
    "default_prior",
    "dirichlet",
    "double_exponential",
    "exponential",
    "export",
    "fit",
    "fit_multiple",
    "flat",
    "gamma",
    "gaussian",
    "half_cauchy",
    "half_normal",
    "half_student_t",
    "horseshoe",
    "inv_gamma",
    "list_datasets",
    "lkj",
    "load",
    "load_dataset",
    "logistic",
    "lognormal",
    "loo_compare",
    "loo_model_weights",
    "mean_hdi",
    "mean_qi",
    "median_hdi",
    "median_qi",
    "negbinomial",
    "normal",
    "poisson",
    "posterior_average",
    "pp_average",
    "prior",
    "resume",
    "set_mecor",
    "set_rescor",
    "std_normal",
    "student",
    "student_t",
    "table",
    "uniform",
    "validate_prior",
    "weibull",
]

# Imported at the first use: a sampler that starts should not wait for what comes later.
_LATER: LazyRegistry[Any] = LazyRegistry(
    __name__,
    {
        "MarginalMeans": "results.questions.marginal_means",
        "R2D2": "priors.r2d2",
        "anova": "results.frequentist.likelihood_ratio:anova_fits",
        "check_laplace": "results.checks.check_laplace",
        "combine": "results.fits.combining",
        "compare_levels": "results.tidy.compare_levels",
        "compare_models": "results.frequentist.likelihood_ratio",
        "custom_family": "families.custom",
        "datagrid": "results.marginal.datagrid",
        "fit_multiple": "results.fits.multiple",
        "horseshoe": "priors.horseshoe",
        "load": "results.storage.io",
        "loo_compare": "results.checks.loo_compare",
        "loo_model_weights": "results.checks.model_weights",
        "mean_hdi": "results.tidy.intervals",
        "mean_qi": "results.tidy.intervals",
        "median_hdi": "results.tidy.intervals",
        "median_qi": "results.tidy.intervals",
        "posterior_average": "results.checks.averages",
        "pp_average": "results.checks.averages",
        "resume": "resuming",
        "table": "results.tidy.side_by_side",
    },
)


def __getattr__(name: str) -> object:
    if name in FAMILIES:
        return FAMILIES[name]
    if name in _LATER:
        value = globals()[name] = _LATER[name]
        return value
    found: object = sys.modules[__name__]
    for part in module_attribute(name, __all__).split("."):
        found = getattr(found, part)
    return found


def __dir__() -> list[str]:
    return sorted(
        {*globals(), *_LATER} - {"Any", "FAMILIES", "LazyRegistry", "TYPE_CHECKING", "module_attribute", "sys"}
    )
