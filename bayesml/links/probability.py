"""The links of probabilities; log(mu) and log(1 - mu) are accurate in both tails."""

from __future__ import annotations

from math import pi
from typing import TYPE_CHECKING

from bayesml.links.elementary import exp, exp_jet, expit, log, softplus, softplus_jet, softplus_link
from bayesml.links.jet import Jet, log_at, negated, special_functions
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Elements

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
    "probit_approx",
    "probit_approx_complement",
    "probit_approx_inverse",
    "probit_approx_jet",
    "probit_approx_log_complement",
    "probit_approx_log_complement_jet",
    "probit_approx_log_inverse",
    "probit_approx_log_jet",
    "probit_complement",
    "probit_jet",
    "probit_log_complement",
    "probit_log_complement_jet",
    "probit_log_jet",
    "softit",
    "softit_complement",
    "softit_inverse",
    "softit_jet",
    "softit_log_complement",
    "softit_log_inverse",
]

SATURATED = 100.0
"""Larger eta count as this, since e^eta would overflow. From eta = 7 on, 1 - mu = exp(-e^eta) underflows to 0."""


def logit(mu: Elements) -> Elements:
    """Return log(mu / (1 - mu))."""
    return special_functions(mu).logit(mu)


def logit_complement(eta: Elements) -> Elements:
    """Return 1 - mu."""
    return expit(-eta)


def logit_log_inverse(eta: Elements) -> Elements:
    """Return log(mu)."""
    return -softplus(-eta)


def logit_log_complement(eta: Elements) -> Elements:
    """Return log(1 - mu)."""
    return -softplus(eta)


def logit_jet(eta: Elements) -> Jet:
    """Return the jet of 1 / (1 + e^-eta)."""
    p, q = expit(eta), expit(-eta)
    return Jet(p, p * q, p * q * (q - p), p * q * (1 - 6 * p * q))


def logit_log_jet(eta: Elements) -> Jet:
    """Return the jet of log(mu) = -softplus(-eta)."""
    p, q = expit(eta), expit(-eta)
    return Jet(-softplus(-eta), q, -p * q, p * q * (p - q))


def logit_log_complement_jet(eta: Elements) -> Jet:
    """Return the jet of log(1 - mu) = -softplus(eta)."""
    return negated(softplus_jet(eta))


def _normal_density(x: Elements) -> Elements:
    return exp(-0.5 * x**2) / (2 * pi) ** 0.5


def ndtr(x: Elements) -> Elements:
    """Return Phi(x)."""
    return special_functions(x).ndtr(x)


def log_ndtr(x: Elements) -> Elements:
    """Return log Phi(x)."""
    return special_functions(x).log_ndtr(x)


def probit(mu: Elements) -> Elements:
    """Return the quantile of the standard normal distribution."""
    return special_functions(mu).ndtri(mu)


def probit_complement(eta: Elements) -> Elements:
    """Return 1 - Phi(eta)."""
    return ndtr(-eta)


def probit_log_complement(eta: Elements) -> Elements:
    """Return log(1 - Phi(eta))."""
    return log_ndtr(-eta)


def probit_jet(eta: Elements) -> Jet:
    """Return the jet of Phi."""
    density = _normal_density(eta)
    return Jet(ndtr(eta), density, -eta * density, (eta**2 - 1) * density)


def probit_log_jet(eta: Elements) -> Jet:
    """Return the jet of log Phi(eta).

    With phi the normal density and h = phi / Phi, phi' = -eta phi gives h' = -h (eta + h). So with x = eta + h ::

        first derivative   h
        second derivative  -h x
        third derivative   -h' x - h (1 + h') = h (x^2 - 1 + h x)

    Far below 0, eta and h nearly cancel in x. There h is known from Laplace's continued fraction for the tail of the
    normal distribution: with t = -eta, 1 / h = Phi / phi = 1 / (t + 1 / (t + 2 / (t + 3 / ...))). So h = t + e, where
    e = 1 / (t + s) and s = 2 / (t + 3 / (t + 4 / ...)). Then x = e. In the third derivative
    1 - h e = 1 - (t + e) / (t + s) = (s - e) e, so that x^2 - 1 + h x = e^2 - e (s - e) = e (2 e - s).
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


def probit_log_complement_jet(eta: Elements) -> Jet:
    """Return the jet of log(1 - Phi(eta)) = log Phi(-eta)."""
    jet = probit_log_jet(-eta)
    return Jet(jet.value, -jet.d1, jet.d2, -jet.d3)


def cloglog(mu: Elements) -> Elements:
    """Return log(-log(1 - mu))."""
    xp = array_namespace(mu)
    return xp.log(-xp.log1p(-mu))


def cloglog_inverse(eta: Elements) -> Elements:
    """Return 1 - exp(-e^eta)."""
    xp = array_namespace(eta)
    return -xp.expm1(-xp.exp(xp.minimum(eta, SATURATED)))


def cloglog_complement(eta: Elements) -> Elements:
    """Return exp(-e^eta)."""
    return exp(-exp(array_namespace(eta).minimum(eta, SATURATED)))


def cloglog_jet(eta: Elements) -> Jet:
    """Return the jet of 1 - exp(-e^eta)."""
    xp = array_namespace(eta)
    eta = xp.minimum(eta, SATURATED)
    e = xp.exp(eta)
    d1 = xp.exp(eta - e)
    return Jet(-xp.expm1(-e), d1, d1 * (1 - e), d1 * (1 - 3 * e + e**2))


def cloglog_log_inverse(eta: Elements) -> Elements:
    """Return log(1 - exp(-e^eta)); far below 0 it equals eta in double precision."""
    xp = array_namespace(eta)
    e = xp.exp(xp.clip(eta, -40.0, SATURATED))
    return xp.where(eta < -40.0, eta, xp.log(-xp.expm1(-e)))


def cloglog_log_jet(eta: Elements) -> Jet:
    """Return the jet of log(mu) = log(1 - exp(-e)) with e = e^eta.

    Its derivative is g = e exp(-e) / (1 - exp(-e)) = e / expm1(e). With the factor r = 1 - e - g, g' = g r. Since
    e' = e, r' = -e - g r, and g'' = g' r + g r' = g r^2 - g (e + g r).
    """
    xp = array_namespace(eta)
    e = xp.exp(xp.clip(eta, -700.0, SATURATED))
    limited = xp.minimum(e, 500.0)  # expm1 would overflow
    g = xp.where(e > 500.0, 0.0, limited / xp.expm1(limited))
    # For small e the terms of r cancel; g = 1 - e/2 + e^2/12 - ... gives its series.
    r = xp.where(e < 1e-3, -e / 2 - e**2 / 12, 1 - e - g)
    d2 = g * r
    return Jet(cloglog_log_inverse(eta), g, d2, d2 * r - g * (e + d2))


def cloglog_log_complement_jet(eta: Elements) -> Jet:
    """Return the jet of log(1 - mu) = -e^eta."""
    return negated(exp_jet(eta))


def cauchit(mu: Elements) -> Elements:
    """Return tan(pi (mu - 1/2))."""
    xp = array_namespace(mu)
    return -1 / xp.tan(pi * mu)


def cauchit_inverse(eta: Elements) -> Elements:
    """Return 1/2 + arctan(eta) / pi."""
    xp = array_namespace(eta)
    return xp.arctan2(xp.ones_like(eta), -eta) / pi


def cauchit_complement(eta: Elements) -> Elements:
    """Return 1 - mu."""
    return cauchit_inverse(-eta)


def cauchit_log_complement(eta: Elements) -> Elements:
    """Return log(1 - mu)."""
    return log(cauchit_inverse(-eta))


def cauchit_jet(eta: Elements) -> Jet:
    """Return the jet of 1/2 + arctan(eta) / pi."""
    a = 1 + eta**2
    return Jet(cauchit_inverse(eta), 1 / (pi * a), -2 * eta / (pi * a**2), (6 * eta**2 - 2) / (pi * a**3))


def cauchit_log_complement_jet(eta: Elements) -> Jet:
    """Return the jet of log(1 - mu)."""
    mu = cauchit_jet(-eta)
    return log_at(mu.value).of(Jet(mu.value, -mu.d1, mu.d2, -mu.d3))


CUBIC, LINEAR = 0.07056, 1.5976
"""Phi(x) is 1 / (1 + exp(-(CUBIC x^3 + LINEAR x))) up to 1.4e-4 (Bowling and others 2009)."""


def _approximate_logit(x: Elements) -> Jet:
    """Return the jet of CUBIC x^3 + LINEAR x, near to the logit of Phi(x)."""
    square = x**2
    return Jet((CUBIC * square + LINEAR) * x, 3 * CUBIC * square + LINEAR, 6 * CUBIC * x, 6 * CUBIC + 0.0 * x)


def probit_approx(mu: Elements) -> Elements:
    """Return the x with CUBIC x^3 + LINEAR x = logit(mu).

    A cubic x^3 + p x = q with p > 0 has one real root, 2 sqrt(p / 3) sinh(asinh(1.5 q / p sqrt(3 / p)) / 3).
    """
    xp = array_namespace(mu)
    p, q = LINEAR / CUBIC, logit(mu) / CUBIC
    return 2 * (p / 3) ** 0.5 * xp.sinh(xp.arcsinh(1.5 * q / p * (3 / p) ** 0.5) / 3)


def probit_approx_inverse(eta: Elements) -> Elements:
    """Return the approximation of Phi(eta)."""
    return expit(_approximate_logit(eta).value)


def probit_approx_complement(eta: Elements) -> Elements:
    """Return 1 - mu."""
    return expit(-_approximate_logit(eta).value)


def probit_approx_log_inverse(eta: Elements) -> Elements:
    """Return log(mu)."""
    return logit_log_inverse(_approximate_logit(eta).value)


def probit_approx_log_complement(eta: Elements) -> Elements:
    """Return log(1 - mu)."""
    return logit_log_complement(_approximate_logit(eta).value)


def probit_approx_jet(eta: Elements) -> Jet:
    """Return the jet of mu."""
    inner = _approximate_logit(eta)
    return logit_jet(inner.value).of(inner)


def probit_approx_log_jet(eta: Elements) -> Jet:
    """Return the jet of log(mu)."""
    inner = _approximate_logit(eta)
    return logit_log_jet(inner.value).of(inner)


def probit_approx_log_complement_jet(eta: Elements) -> Jet:
    """Return the jet of log(1 - mu)."""
    inner = _approximate_logit(eta)
    return logit_log_complement_jet(inner.value).of(inner)


def softit(mu: Elements) -> Elements:
    """Return log(exp(mu / (1 - mu)) - 1)."""
    return softplus_link(mu / (1 - mu))


def softit_inverse(eta: Elements) -> Elements:
    """Return s / (1 + s) with s = log(1 + e^eta)."""
    s = softplus(eta)
    return s / (1 + s)


def softit_complement(eta: Elements) -> Elements:
    """Return 1 / (1 + s)."""
    return 1 / (1 + softplus(eta))


def softit_log_inverse(eta: Elements) -> Elements:
    """Return log(s) - log(1 + s); far below 0 log(s) equals eta in double precision."""
    xp = array_namespace(eta)
    s = softplus(xp.maximum(eta, -40.0))
    return xp.where(eta < -40.0, eta, xp.log(s)) - xp.log1p(s)


def softit_log_complement(eta: Elements) -> Elements:
    """Return -log(1 + s)."""
    return -array_namespace(eta).log1p(softplus(eta))


def softit_jet(eta: Elements) -> Jet:
    """Return the jet of s / (1 + s)."""
    inner = softplus_jet(eta)
    rest = 1 / (1 + inner.value)
    return Jet(inner.value * rest, rest**2, -2 * rest**3, 6 * rest**4).of(inner)
