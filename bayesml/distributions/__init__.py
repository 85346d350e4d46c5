"""The prior vocabulary as frozen values, in the parametrisation of Stan and brms.

``normal(0, 10)`` is a value: it has its support, its log density on NumPy and JAX arrays, its NumPyro form, and
how to draw. ``parse_distribution`` reads the same from text.
"""

from __future__ import annotations

from bayesml.distributions.base import Distribution, format_number, stack
from bayesml.distributions.constant_array import ConstantArray
from bayesml.distributions.degenerate import Constant, Flat
from bayesml.distributions.dirichlet import Dirichlet, dirichlet
from bayesml.distributions.from_numpyro import FromNumPyro
from bayesml.distributions.half import HalfCauchy, HalfNormal, HalfStudentT
from bayesml.distributions.interval import Beta, Uniform
from bayesml.distributions.lkj import LKJ
from bayesml.distributions.objects import distribution_of
from bayesml.distributions.parse import DISTRIBUTIONS, parse_distribution, with_values
from bayesml.distributions.positive import Exponential, Gamma, InvGamma, LogNormal, Weibull
from bayesml.distributions.real import Cauchy, DoubleExponential, Logistic, Normal, StudentT
from bayesml.distributions.truncated import Truncated, bounded
from bayesml.distributions.whole import WholeDistribution

__all__ = [
    "DISTRIBUTIONS",
    "LKJ",
    "Beta",
    "Cauchy",
    "Constant",
    "ConstantArray",
    "Dirichlet",
    "Distribution",
    "DoubleExponential",
    "Exponential",
    "Flat",
    "FromNumPyro",
    "Gamma",
    "HalfCauchy",
    "HalfNormal",
    "HalfStudentT",
    "InvGamma",
    "LogNormal",
    "Logistic",
    "Normal",
    "StudentT",
    "Truncated",
    "Uniform",
    "Weibull",
    "WholeDistribution",
    "beta",
    "bounded",
    "cauchy",
    "constant",
    "dirichlet",
    "distribution_of",
    "double_exponential",
    "exponential",
    "flat",
    "format_number",
    "gamma",
    "half_cauchy",
    "half_normal",
    "half_student_t",
    "inv_gamma",
    "laplace",
    "lkj",
    "logistic",
    "lognormal",
    "normal",
    "parse_distribution",
    "stack",
    "std_normal",
    "student_t",
    "uniform",
    "weibull",
    "with_values",
]

normal = Normal
student_t = StudentT
cauchy = Cauchy
logistic = Logistic
double_exponential = DoubleExponential
laplace = DoubleExponential
exponential = Exponential
gamma = Gamma
inv_gamma = InvGamma
lognormal = LogNormal
weibull = Weibull
beta = Beta
uniform = Uniform
half_normal = HalfNormal
half_student_t = HalfStudentT
half_cauchy = HalfCauchy
lkj = LKJ
flat = Flat
constant = Constant


def std_normal() -> Normal:
    """Return ``normal(0, 1)``."""
    return Normal(0.0, 1.0)
