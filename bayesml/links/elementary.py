"""Maps of the linear predictor that several links share, and those onto the positive numbers, with their jets."""

from __future__ import annotations

from bayesml.links.jet import Array, Jet, log_at, negated, special_functions
from bayesml.namespace import array_namespace

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
]


def identity(x: Array) -> Array:
    """Return x."""
    return x


def identity_jet(eta: Array) -> Jet:
    """Return the jet of eta."""
    zero = 0.0 * eta
    return Jet(eta, zero + 1.0, zero, zero)


def exp(x: Array) -> Array:
    """Return e^x."""
    return array_namespace(x).exp(x)


def log(x: Array) -> Array:
    """Return the natural logarithm of x."""
    return array_namespace(x).log(x)


def log1p(x: Array) -> Array:
    """Return log(1 + x)."""
    return array_namespace(x).log1p(x)


def expm1(x: Array) -> Array:
    """Return e^x - 1."""
    return array_namespace(x).expm1(x)


def one_plus_exp(eta: Array) -> Array:
    """Return 1 + e^eta."""
    return 1 + exp(eta)


def log_of_excess(mu: Array) -> Array:
    """Return log(mu - 1), the inverse of ``one_plus_exp``."""
    return log(mu - 1)


def exp_jet(eta: Array) -> Jet:
    """Return the jet of e^eta."""
    value = exp(eta)
    return Jet(value, value, value, value)


def expm1_jet(eta: Array) -> Jet:
    """Return the jet of e^eta - 1."""
    value = exp(eta)
    return Jet(expm1(eta), value, value, value)


def one_plus_exp_jet(eta: Array) -> Jet:
    """Return the jet of 1 + e^eta."""
    value = exp(eta)
    return Jet(1 + value, value, value, value)


def expit(x: Array) -> Array:
    """Return 1 / (1 + e^-x)."""
    return special_functions(x).expit(x)


def negative_exp(x: Array) -> Array:
    """Return -e^x."""
    return -exp(x)


def softplus(x: Array) -> Array:
    """Return log(1 + e^x).

    Both branches break the tie at 0 alike, so that automatic differentiation gives 1/2 there; ``abs`` and ``maximum``
    of JAX have slopes 1 and 1/2 at 0, which add up to a wrong one.
    """
    xp = array_namespace(x)
    negative = x < 0
    return xp.where(negative, 0.0, x) + xp.log1p(xp.exp(xp.where(negative, x, -x)))


def softplus_link(mu: Array) -> Array:
    """Return log(e^mu - 1), the inverse of ``softplus``."""
    xp = array_namespace(mu)
    return mu + xp.log(-xp.expm1(-mu))


def softplus_jet(eta: Array) -> Jet:
    """Return the jet of log(1 + e^eta)."""
    p, q = expit(eta), expit(-eta)
    return Jet(softplus(eta), p, p * q, p * q * (q - p))


def squareplus(eta: Array) -> Array:
    """Return (eta + sqrt(eta^2 + 4)) / 2, in the form without cancellation on either side of 0."""
    xp = array_namespace(eta)
    negative = eta < 0
    below, above = xp.where(negative, eta, 0.0), xp.where(negative, 0.0, eta)
    return xp.where(negative, 2 / (xp.sqrt(below**2 + 4) - below), (above + xp.sqrt(above**2 + 4)) / 2)


def squareplus_link(mu: Array) -> Array:
    """Return mu - 1 / mu, the inverse of ``squareplus``."""
    return mu - 1 / mu


def squareplus_jet(eta: Array) -> Jet:
    """Return the jet of ``squareplus``."""
    root = array_namespace(eta).sqrt(eta**2 + 4)
    value = squareplus(eta)
    return Jet(value, value / root, 2 / root**3, -6 * eta / root**5)


def power_jet(eta: Array, power: float) -> Jet:
    """Return the jet of eta^power for positive eta."""
    value = eta**power
    d1 = power * value / eta
    d2 = (power - 1) * d1 / eta
    return Jet(value, d1, d2, (power - 2) * d2 / eta)


def reciprocal(x: Array) -> Array:
    """Return 1 / x, which is its own inverse."""
    return 1 / x


def reciprocal_jet(eta: Array) -> Jet:
    """Return the jet of 1 / eta."""
    return power_jet(eta, -1.0)


def inverse_square(mu: Array) -> Array:
    """Return 1 / mu^2."""
    return mu**-2.0


def inverse_root(eta: Array) -> Array:
    """Return 1 / sqrt(eta), the inverse of ``inverse_square``."""
    return eta**-0.5


def inverse_root_jet(eta: Array) -> Jet:
    """Return the jet of 1 / sqrt(eta)."""
    return power_jet(eta, -0.5)


def square_root(mu: Array) -> Array:
    """Return sqrt(mu)."""
    return mu**0.5


def square(eta: Array) -> Array:
    """Return eta^2."""
    return eta**2


def square_jet(eta: Array) -> Jet:
    """Return the jet of eta^2."""
    zero = 0.0 * eta
    return Jet(eta**2, 2 * eta, zero + 2.0, zero)


def negative_log(eta: Array) -> Array:
    """Return log(1 / eta)."""
    return -log(eta)


def negative_log_jet(eta: Array) -> Jet:
    """Return the jet of log(1 / eta)."""
    return negated(log_at(eta))
