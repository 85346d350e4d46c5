"""Functions that several links share, and the links of positive parameters, with their derivatives as jets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.links.jet import Jet, log_at, negated, special_functions
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Elements

__all__ = [
    "exp",
    "exp_jet",
    "expit",
    "expm1",
    "expm1_jet",
    "identity",
    "identity_jet",
    "inverse_root",
    "inverse_root_jet",
    "inverse_square",
    "log",
    "log1p",
    "log_of_excess",
    "negative_exp",
    "negative_log",
    "negative_log_jet",
    "one_plus_exp",
    "one_plus_exp_jet",
    "power_jet",
    "reciprocal",
    "reciprocal_jet",
    "softplus",
    "softplus_jet",
    "softplus_link",
    "square",
    "square_jet",
    "square_root",
    "squareplus",
    "squareplus_jet",
    "squareplus_link",
    "tan_half",
    "tan_half_jet",
    "tan_half_link",
]


def identity(x: Elements) -> Elements:
    """Return x."""
    return x


def identity_jet(eta: Elements) -> Jet:
    """Return the jet of eta."""
    zero = 0.0 * eta
    return Jet(eta, zero + 1.0, zero, zero)


def exp(x: Elements) -> Elements:
    """Return e^x."""
    return array_namespace(x).exp(x)


def log(x: Elements) -> Elements:
    """Return the natural logarithm of x."""
    return array_namespace(x).log(x)


def log1p(x: Elements) -> Elements:
    """Return log(1 + x)."""
    return array_namespace(x).log1p(x)


def expm1(x: Elements) -> Elements:
    """Return e^x - 1."""
    return array_namespace(x).expm1(x)


def one_plus_exp(eta: Elements) -> Elements:
    """Return 1 + e^eta."""
    return 1 + exp(eta)


def log_of_excess(mu: Elements) -> Elements:
    """Return log(mu - 1), the inverse of ``one_plus_exp``."""
    return log(mu - 1)


def exp_jet(eta: Elements) -> Jet:
    """Return the jet of e^eta."""
    value = exp(eta)
    return Jet(value, value, value, value)


def expm1_jet(eta: Elements) -> Jet:
    """Return the jet of e^eta - 1."""
    value = exp(eta)
    return Jet(expm1(eta), value, value, value)


def one_plus_exp_jet(eta: Elements) -> Jet:
    """Return the jet of 1 + e^eta."""
    value = exp(eta)
    return Jet(1 + value, value, value, value)


def expit(x: Elements) -> Elements:
    """Return 1 / (1 + e^-x).

    NumPy's exponential takes several numbers at a time and SciPy's function one: a fifth of the time.
    """
    if not (isinstance(x, np.ndarray) and x.ndim and x.dtype == np.float64):
        return special_functions(x).expit(x)
    out = np.negative(x)
    with np.errstate(over="ignore"):  # e^-x = inf gives 0
        np.exp(out, out=out)
    out += 1.0
    return np.reciprocal(out, out=out)


def negative_exp(x: Elements) -> Elements:
    """Return -e^x."""
    return -exp(x)


def softplus(x: Elements) -> Elements:
    """Return log(1 + e^x).

    For x < 0 it is log1p(e^x), else x + log1p(e^-x). Both parts treat 0 as not negative, so that automatic
    differentiation gives the derivative 1 - 1/2 = 1/2 there. With JAX's ``abs(x)`` and ``maximum(x, 0)``, whose
    derivatives at 0 are 1 and 1/2, it would not.
    """
    xp = array_namespace(x)
    negative = x < 0
    return xp.where(negative, 0.0, x) + xp.log1p(xp.exp(xp.where(negative, x, -x)))


def softplus_link(mu: Elements) -> Elements:
    """Return log(e^mu - 1), the inverse of ``softplus``."""
    xp = array_namespace(mu)
    return mu + xp.log(-xp.expm1(-mu))


def softplus_jet(eta: Elements) -> Jet:
    """Return the jet of log(1 + e^eta)."""
    p, q = expit(eta), expit(-eta)
    return Jet(softplus(eta), p, p * q, p * q * (q - p))


def squareplus(eta: Elements) -> Elements:
    """Return (eta + sqrt(eta^2 + 4)) / 2.

    For eta < 0 the two terms would cancel; there the equal 2 / (sqrt(eta^2 + 4) - eta) is computed.
    """
    xp = array_namespace(eta)
    negative = eta < 0
    below, above = xp.where(negative, eta, 0.0), xp.where(negative, 0.0, eta)
    return xp.where(negative, 2 / (xp.sqrt(below**2 + 4) - below), (above + xp.sqrt(above**2 + 4)) / 2)


def squareplus_link(mu: Elements) -> Elements:
    """Return mu - 1 / mu, the inverse of ``squareplus``."""
    return mu - 1 / mu


def squareplus_jet(eta: Elements) -> Jet:
    """Return the jet of ``squareplus``; with r = sqrt(eta^2 + 4) its derivatives are f/r, 2/r^3 and -6 eta/r^5."""
    root = array_namespace(eta).sqrt(eta**2 + 4)
    value = squareplus(eta)
    return Jet(value, value / root, 2 / root**3, -6 * eta / root**5)


def power_jet(eta: Elements, power: float) -> Jet:
    """Return the jet of eta^power for positive eta."""
    value = eta**power
    d1 = power * value / eta
    d2 = (power - 1) * d1 / eta
    return Jet(value, d1, d2, (power - 2) * d2 / eta)


def reciprocal(x: Elements) -> Elements:
    """Return 1 / x, which is its own inverse."""
    return 1 / x


def reciprocal_jet(eta: Elements) -> Jet:
    """Return the jet of 1 / eta."""
    return power_jet(eta, -1.0)


def inverse_square(mu: Elements) -> Elements:
    """Return 1 / mu^2."""
    return mu**-2.0


def inverse_root(eta: Elements) -> Elements:
    """Return 1 / sqrt(eta), the inverse of ``inverse_square``."""
    return eta**-0.5


def inverse_root_jet(eta: Elements) -> Jet:
    """Return the jet of 1 / sqrt(eta)."""
    return power_jet(eta, -0.5)


def square_root(mu: Elements) -> Elements:
    """Return sqrt(mu)."""
    return mu**0.5


def square(eta: Elements) -> Elements:
    """Return eta^2."""
    return eta**2


def square_jet(eta: Elements) -> Jet:
    """Return the jet of eta^2."""
    zero = 0.0 * eta
    return Jet(eta**2, 2 * eta, zero + 2.0, zero)


def negative_log(eta: Elements) -> Elements:
    """Return log(1 / eta)."""
    return -log(eta)


def negative_log_jet(eta: Elements) -> Jet:
    """Return the jet of log(1 / eta)."""
    return negated(log_at(eta))


def tan_half_link(mu: Elements) -> Elements:
    """Return tan(mu / 2), the inverse of ``tan_half``."""
    return array_namespace(mu).tan(0.5 * mu)


def tan_half(eta: Elements) -> Elements:
    """Return 2 arctan(eta)."""
    return 2 * array_namespace(eta).arctan(eta)


def tan_half_jet(eta: Elements) -> Jet:
    """Return the jet of 2 arctan(eta); with s = 1 + eta^2 its derivatives are 2/s, -4 eta/s^2, (12 eta^2 - 4)/s^3."""
    s = 1 + eta**2
    return Jet(tan_half(eta), 2 / s, -4 * eta / s**2, (12 * eta**2 - 4) / s**3)
