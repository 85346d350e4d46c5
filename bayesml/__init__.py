"""Bayesian multilevel models with formulas: brms's language and lme4's point estimates, on NumPyro and JAX."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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
from bayesml.families import FAMILIES, custom_family
from bayesml.fit import default_prior, export, fit, validate_prior
from bayesml.foreign import module_attribute
from bayesml.formula import bf, set_mecor, set_rescor
from bayesml.priors import R2D2, horseshoe, prior
from bayesml.results.fits.fit_object import Fit, PointFit

if TYPE_CHECKING:
    from bayesml.families import bernoulli, binomial, gaussian, negbinomial, poisson, student
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
_LATER = {
    "MarginalMeans": ("bayesml.results.questions.marginal_means", "MarginalMeans"),
    "anova": ("bayesml.results.frequentist.likelihood_ratio", "anova_fits"),
    "check_laplace": ("bayesml.results.checks.check_laplace", "check_laplace"),
    "combine": ("bayesml.results.fits.combining", "combine"),
    "compare_levels": ("bayesml.results.tidy.compare_levels", "compare_levels"),
    "compare_models": ("bayesml.results.frequentist.likelihood_ratio", "compare_models"),
    "datagrid": ("bayesml.results.marginal.datagrid", "datagrid"),
    "fit_multiple": ("bayesml.results.fits.multiple", "fit_multiple"),
    "load": ("bayesml.results.storage.io", "load"),
    "loo_compare": ("bayesml.results.checks.loo_compare", "loo_compare"),
    "loo_model_weights": ("bayesml.results.checks.model_weights", "loo_model_weights"),
    "mean_hdi": ("bayesml.results.tidy.intervals", "mean_hdi"),
    "mean_qi": ("bayesml.results.tidy.intervals", "mean_qi"),
    "median_hdi": ("bayesml.results.tidy.intervals", "median_hdi"),
    "median_qi": ("bayesml.results.tidy.intervals", "median_qi"),
    "posterior_average": ("bayesml.results.checks.averages", "posterior_average"),
    "pp_average": ("bayesml.results.checks.averages", "pp_average"),
    "resume": ("bayesml.resuming", "resume"),
    "table": ("bayesml.results.tidy.side_by_side", "table"),
}


def __getattr__(name: str) -> object:
    if name in FAMILIES:
        return FAMILIES[name]
    if name not in _LATER:
        found: object = import_module(__name__)
        for part in module_attribute(name, __all__).split("."):
            found = getattr(found, part)
        return found
    module, attribute = _LATER[name]
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER} - {"FAMILIES", "TYPE_CHECKING", "import_module", "module_attribute"})
