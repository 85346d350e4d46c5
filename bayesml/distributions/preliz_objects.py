"""Distributions of PreliZ as priors, by the names of their classes and arguments; PreliZ itself is never imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bayesml.distributions.base import Distribution
from bayesml.distributions.half import HalfCauchy, HalfNormal, HalfStudentT
from bayesml.distributions.interval import Beta, Uniform
from bayesml.distributions.positive import Exponential, Gamma, InvGamma, LogNormal, Weibull
from bayesml.distributions.real import Cauchy, DoubleExponential, Logistic, Normal, StudentT
from bayesml.distributions.truncated import bounded
from bayesml.errors import PriorError

__all__ = ["from_preliz"]

Build = Callable[..., Distribution]


def _of_numpyro(name: str) -> Build:
    """Return a function of the arguments of NumPyro's distribution of that name."""

    def build(*arguments: float) -> Distribution:
        from bayesml.distributions.numpyro_objects import named_distribution

        return named_distribution(name, arguments, {})

    return build


KNOWN: Mapping[str, tuple[tuple[str, ...], Build]] = {
    "Normal": (("mu", "sigma"), Normal),
    "StudentT": (("nu", "mu", "sigma"), StudentT),
    "Cauchy": (("alpha", "beta"), Cauchy),
    "Logistic": (("mu", "s"), Logistic),
    "Laplace": (("mu", "b"), DoubleExponential),
    "Exponential": (("lam",), Exponential),
    "Gamma": (("alpha", "beta"), Gamma),
    "ChiSquared": (("nu",), lambda nu: Gamma(0.5 * nu, 0.5)),
    "InverseGamma": (("alpha", "beta"), InvGamma),
    "ScaledInverseChiSquared": (("nu", "tau2"), lambda nu, tau2: InvGamma(0.5 * nu, 0.5 * nu * tau2)),
    "LogNormal": (("mu", "sigma"), LogNormal),
    "Weibull": (("alpha", "beta"), Weibull),
    "Beta": (("alpha", "beta"), Beta),
    "Uniform": (("lower", "upper"), Uniform),
    "HalfNormal": (("sigma",), HalfNormal),
    "HalfCauchy": (("beta",), HalfCauchy),
    "HalfStudentT": (("nu", "sigma"), HalfStudentT),
    "TruncatedNormal": (("mu", "sigma", "lower", "upper"), lambda mu, sigma, a, b: bounded(Normal(mu, sigma), a, b)),
    "Gumbel": (("mu", "beta"), _of_numpyro("Gumbel")),
    "Kumaraswamy": (("a", "b"), _of_numpyro("Kumaraswamy")),
    "Pareto": (("m", "alpha"), _of_numpyro("Pareto")),
    "AsymmetricLaplace": (("mu", "b", "kappa"), lambda mu, b, k: _of_numpyro("AsymmetricLaplace")(mu, 1.0 / b, k)),
}
"""Classes of PreliZ with the names of their arguments in the order in which a function takes them."""


def from_preliz(value: Any) -> Distribution:
    """Return the prior that a distribution of PreliZ is.

    Raises:
        PriorError: its arguments are not set, or there is nothing like it here.
    """
    name = type(value).__name__
    if name == "Truncated":
        lower, upper = float(value.lower), float(value.upper)
        return bounded(from_preliz(value.dist), lower, upper)
    if name not in KNOWN:
        raise PriorError(
            f"The distribution {name} of PreliZ is none of those that can be priors: {', '.join(KNOWN)}, and Truncated "
            "ones of these. NumPyro's distributions can all be: give dist.... of numpyro.distributions."
        )
    names, build = KNOWN[name]
    arguments = [getattr(value, each, None) for each in names]
    missing = [each for each, argument in zip(names, arguments, strict=True) if argument is None]
    if missing:
        raise PriorError(f"The distribution {name} of PreliZ has no value of {', '.join(missing)}; set its arguments.")
    numbers = [float(argument) for argument in arguments]  # type: ignore[arg-type]
    return build(*numbers)
