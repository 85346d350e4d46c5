"""The links of probabilities: logit, probit, cloglog and cauchit, with log(mu) and log(1 - mu) exact in both tails."""

from __future__ import annotations

from math import pi

from bayesml.links.elementary import exp, exp_jet, expit, log, softplus, softplus_jet
from bayesml.links.jet import Array, Jet, log_at, negated, special_functions
from bayesml.namespace import array_namespace

__all__ = [
    "cauchit",
    "cauchit_complement",
    "cauchit_inverse",
    "cauchit_jet",
    "cauchit_log_complement",
    "cauchit_log_complement_jet",
    "cloglog",
    "cloglog_complement",
    "cloglog_inverse",
    "cloglog_jet",
    "cloglog_log_complement_jet",
    "cloglog_log_inverse",
    "cloglog_log_jet",
    "log_ndtr",
    "logit",
    "logit_complement",
    "logit_jet",
    "logit_log_complement",
    "logit_log_complement_jet",
    "logit_log_inverse",
    "logit_log_jet",
    "ndtr",
    "probit",
    "probit_complement",
    "probit_jet",
    "probit_log_complement",
    "probit_log_complement_jet",
    "probit_log_jet",
]

SATURATED = 100.0  # from eta = 7 on, the cloglog probability rounds to 1; larger eta would only overflow


def logit(mu: Array) -> Array:
    """Return log(mu / (1 - mu))."""
    return special_functions(mu).logit(mu)


def logit_complement(eta: Array) -> Array:
    """Return 1 - mu."""
    return expit(-eta)


def logit_log_inverse(eta: Array) -> Array:
    """Return log(mu)."""
    return -softplus(-eta)


def logit_log_complement(eta: Array) -> Array:
    """Return log(1 - mu)."""
    return -softplus(eta)


def logit_jet(eta: Array) -> Jet:
    """Return the jet of 1 / (1 + e^-eta)."""
    p, q = expit(eta), expit(-eta)
    return Jet(p, p * q, p * q * (q - p), p * q * (1 - 6 * p * q))


def logit_log_jet(eta: Array) -> Jet:
    """Return the jet of log(mu) = -softplus(-eta)."""
    p, q = expit(eta), expit(-eta)
    return Jet(-softplus(-eta), q, -p * q, p * q * (p - q))


def logit_log_complement_jet(eta: Array) -> Jet:
    """Return the jet of log(1 - mu) = -softplus(eta)."""
    return negated(softplus_jet(eta))


def _normal_density(x: Array) -> Array:
    return exp(-0.5 * x**2) / (2 * pi) ** 0.5


def ndtr(x: Array) -> Array:
    """Return Phi(x)."""
    return special_functions(x).ndtr(x)


def log_ndtr(x: Array) -> Array:
    """Return log Phi(x)."""
    return special_functions(x).log_ndtr(x)


def probit(mu: Array) -> Array:
    """Return the quantile of the standard normal distribution."""
    return special_functions(mu).ndtri(mu)


def probit_complement(eta: Array) -> Array:
    """Return 1 - Phi(eta)."""
    return ndtr(-eta)


def probit_log_complement(eta: Array) -> Array:
    """Return log(1 - Phi(eta))."""
    return log_ndtr(-eta)


def probit_jet(eta: Array) -> Jet:
    """Return the jet of Phi."""
    density = _normal_density(eta)
    return Jet(ndtr(eta), density, -eta * density, (eta**2 - 1) * density)


def probit_log_jet(eta: Array) -> Jet:
    """Return log Phi with (log Phi)' = h, second -h (eta + h), third -h ((eta + h)^2 - 1 + h (eta + h)).

    Far below 0 the sums cancel; there h = t + e with t = -eta, e = 1 / (t + s) and Laplace's continued fraction
    s = 2 / (t + 3 / (t + 4 / ...)), so that 1 - h e = e (s - e).
    """
    xp = array_namespace(eta)
    far = eta < -10.0
    near, t = xp.where(far, 0.0, eta), xp.where(far, -eta, 10.0)
    fraction = t
    for k in range(24, 2, -1):
        fraction = t + k / fraction
    s = 2 / fraction
    e = 1 / (t + s)
    h = xp.where(far, t + e, exp(-0.5 * near**2 - log_ndtr(near)) / (2 * pi) ** 0.5)
    excess = xp.where(far, e, near + h)
    d2 = -h * excess
    return Jet(log_ndtr(eta), h, d2, h * xp.where(far, e * (2 * e - s), excess**2 - 1 - d2))


def probit_log_complement_jet(eta: Array) -> Jet:
    """Return the jet of log(1 - Phi(eta)) = log Phi(-eta)."""
    jet = probit_log_jet(-eta)
    return Jet(jet.value, -jet.d1, jet.d2, -jet.d3)


def cloglog(mu: Array) -> Array:
    """Return log(-log(1 - mu))."""
    xp = array_namespace(mu)
    return xp.log(-xp.log1p(-mu))


def cloglog_inverse(eta: Array) -> Array:
    """Return 1 - exp(-e^eta)."""
    xp = array_namespace(eta)
    return -xp.expm1(-xp.exp(xp.minimum(eta, SATURATED)))


def cloglog_complement(eta: Array) -> Array:
    """Return exp(-e^eta)."""
    return exp(-exp(array_namespace(eta).minimum(eta, SATURATED)))


def cloglog_jet(eta: Array) -> Jet:
    """Return the jet of 1 - exp(-e^eta)."""
    xp = array_namespace(eta)
    eta = xp.minimum(eta, SATURATED)
    e = xp.exp(eta)
    d1 = xp.exp(eta - e)
    return Jet(-xp.expm1(-e), d1, d1 * (1 - e), d1 * (1 - 3 * e + e**2))


def cloglog_log_inverse(eta: Array) -> Array:
    """Return log(1 - exp(-e^eta)), which is eta far below 0."""
    xp = array_namespace(eta)
    e = xp.exp(xp.clip(eta, -40.0, SATURATED))
    return xp.where(eta < -40.0, eta, xp.log(-xp.expm1(-e)))


def cloglog_log_jet(eta: Array) -> Jet:
    """Return the jet of log(mu); with e = e^eta and g = e / expm1(e) the slope, g' = g (1 - e - g)."""
    xp = array_namespace(eta)
    e = xp.exp(xp.clip(eta, -700.0, SATURATED))
    below = xp.minimum(e, 500.0)
    g = xp.where(e > 500.0, 0.0, below / xp.expm1(below))
    # 1 - e - g = -e/2 - e^2/12 + ... for small e, where the three terms cancel
    rest = xp.where(e < 1e-3, -e / 2 - e**2 / 12, 1 - e - g)
    d2 = g * rest
    return Jet(cloglog_log_inverse(eta), g, d2, d2 * rest - g * (e + d2))


def cloglog_log_complement_jet(eta: Array) -> Jet:
    """Return the jet of log(1 - mu) = -e^eta."""
    return negated(exp_jet(eta))


def cauchit(mu: Array) -> Array:
    """Return tan(pi (mu - 1/2))."""
    xp = array_namespace(mu)
    return -1 / xp.tan(pi * mu)


def cauchit_inverse(eta: Array) -> Array:
    """Return 1/2 + arctan(eta) / pi."""
    xp = array_namespace(eta)
    return xp.arctan2(xp.ones_like(eta), -eta) / pi


def cauchit_complement(eta: Array) -> Array:
    """Return 1 - mu."""
    return cauchit_inverse(-eta)


def cauchit_log_complement(eta: Array) -> Array:
    """Return log(1 - mu)."""
    return log(cauchit_inverse(-eta))


def cauchit_jet(eta: Array) -> Jet:
    """Return the jet of 1/2 + arctan(eta) / pi."""
    a = 1 + eta**2
    return Jet(cauchit_inverse(eta), 1 / (pi * a), -2 * eta / (pi * a**2), (6 * eta**2 - 2) / (pi * a**3))


def cauchit_log_complement_jet(eta: Array) -> Jet:
    """Return the jet of log(1 - mu)."""
    mu = cauchit_jet(-eta)
    return log_at(mu.value).of(Jet(mu.value, -mu.d1, mu.d2, -mu.d3))
