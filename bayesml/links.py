"""Link functions: from the mean scale to the scale of the linear predictor and back, on NumPy and JAX arrays alike.

A family says which links a parameter may have by name; ``get_link`` turns the name into a ``Link``. Every link comes
with its value and three derivatives as a ``Jet``, from which the closed forms of the Laplace engine are composed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, pi
from typing import Any, Self, final

import numpy as np
import scipy.special

from bayesml.errors import ModelError, did_you_mean
from bayesml.namespace import array_namespace

__all__ = ["LINKS", "Jet", "Link", "get_link", "special_functions"]

Array = Any
SATURATED = 100.0  # from eta = 7 on, the cloglog probability rounds to 1; larger eta would only overflow


def special_functions(*arrays: Any) -> Any:
    """Return ``jax.scipy.special`` if any of ``arrays`` is a JAX array, else ``scipy.special``."""
    if array_namespace(*arrays) is np:
        return scipy.special
    import jax.scipy.special

    return jax.scipy.special


@final
@dataclass(frozen=True)
class Jet:
    """A function of eta at some points: its value and its first three derivatives.

    Attributes:
        value: f(eta).
        d1: f'(eta).
        d2: f''(eta).
        d3: f'''(eta).
    """

    value: Array
    d1: Array
    d2: Array
    d3: Array

    def of(self, inner: Jet) -> Jet:
        """Return the jet of f(g(eta)), where ``self`` is f at g(eta) and ``inner`` is g (Faa di Bruno)."""
        return Jet(
            self.value,
            self.d1 * inner.d1,
            self.d2 * inner.d1**2 + self.d1 * inner.d2,
            self.d3 * inner.d1**3 + 3 * self.d2 * inner.d1 * inner.d2 + self.d1 * inner.d3,
        )

    def scaled(self, factor: Array) -> Self:
        """Return the jet of ``factor * f``; where ``factor`` is 0 the result is 0, even if f is infinite there."""
        xp = array_namespace(factor, self.value)
        return type(self)(*(xp.where(factor == 0, 0.0, factor * part) for part in self))

    def __iter__(self) -> Any:
        return iter((self.value, self.d1, self.d2, self.d3))

    def __add__(self, other: Jet) -> Jet:
        return Jet(*(a + b for a, b in zip(self, other, strict=True)))


@final
@dataclass(frozen=True)
class Link:
    """A link function eta = g(mu).

    Every method takes scalars, NumPy arrays or JAX arrays, element by element, and is stable far into the tails.

    Attributes:
        name: brms's name.
        support: open interval of mu that the link maps to eta.
    """

    name: str
    support: tuple[float, float]
    _forward: Callable[[Array], Array] = field(repr=False)
    _inverse: Callable[[Array], Array] = field(repr=False)
    _jet: Callable[[Array], Jet] = field(repr=False)
    _log_jet: Callable[[Array], Jet] | None = field(default=None, repr=False)
    _log_complement_jet: Callable[[Array], Jet] | None = field(default=None, repr=False)
    _log_inverse: Callable[[Array], Array] | None = field(default=None, repr=False)
    _log_complement: Callable[[Array], Array] | None = field(default=None, repr=False)

    def forward(self, mu: Array) -> Array:
        """Return eta = g(mu)."""
        return self._forward(_floating(mu))

    def inverse(self, eta: Array) -> Array:
        """Return mu, the inverse of ``forward``."""
        return self._inverse(_floating(eta))

    def inverse_derivative(self, eta: Array, order: int = 1) -> Array:
        """Return the ``order``-th derivative of mu in eta, ``order`` 1, 2 or 3."""
        return tuple(self.jet(eta))[order]

    def jet(self, eta: Array) -> Jet:
        """Return mu and its first three derivatives in eta."""
        return self._jet(_floating(eta))

    def log_inverse(self, eta: Array) -> Array:
        """Return log(mu) without cancellation where mu is near 0."""
        eta = _floating(eta)
        return self._log_inverse(eta) if self._log_inverse else array_namespace(eta).log(self._inverse(eta))

    def log_complement(self, eta: Array) -> Array:
        """Return log(1 - mu) without cancellation where mu is near 1."""
        eta = _floating(eta)
        return self._log_complement(eta) if self._log_complement else array_namespace(eta).log1p(-self._inverse(eta))

    def log_jet(self, eta: Array) -> Jet:
        """Return log(mu) and its first three derivatives in eta."""
        eta = _floating(eta)
        if self._log_jet is not None:
            return self._log_jet(eta)
        mu = self._jet(eta)
        return _log_at(mu.value).of(mu)

    def log_complement_jet(self, eta: Array) -> Jet:
        """Return log(1 - mu) and its first three derivatives in eta."""
        eta = _floating(eta)
        if self._log_complement_jet is not None:
            return self._log_complement_jet(eta)
        mu = self._jet(eta)
        return _log_at(1 - mu.value).of(Jet(1 - mu.value, -mu.d1, -mu.d2, -mu.d3))


def _floating(x: Array) -> Array:
    return x if array_namespace(x) is not np else np.asarray(x, dtype=float)[()]


def _log_at(x: Array) -> Jet:
    """Return the jet of log at x, in x."""
    xp = array_namespace(x)
    return Jet(xp.log(x), 1 / x, -1 / x**2, 2 / x**3)


def _softplus(x: Array) -> Array:
    return array_namespace(x).logaddexp(0.0, x)


def _expit(x: Array) -> Array:
    return special_functions(x).expit(x)


def _exp(x: Array) -> Array:
    return array_namespace(x).exp(x)


def _linear_jet(eta: Array) -> Jet:
    zero = 0.0 * eta
    return Jet(eta, zero + 1.0, zero, zero)


def _softplus_jet(eta: Array) -> Jet:
    p, q = _expit(eta), _expit(-eta)
    return Jet(_softplus(eta), p, p * q, p * q * (q - p))


def _exp_jet(eta: Array) -> Jet:
    value = _exp(eta)
    return Jet(value, value, value, value)


# logit: log mu = -softplus(-eta), log(1 - mu) = -softplus(eta)


def _logit_jet(eta: Array) -> Jet:
    p, q = _expit(eta), _expit(-eta)
    return Jet(p, p * q, p * q * (q - p), p * q * (1 - 6 * p * q))


def _logit_log_jet(eta: Array) -> Jet:
    p, q = _expit(eta), _expit(-eta)
    return Jet(-_softplus(-eta), q, -p * q, p * q * (p - q))


def _logit_log_complement_jet(eta: Array) -> Jet:
    jet = _softplus_jet(eta)
    return Jet(*(-part for part in jet))


# probit: mu = Phi(eta)


def _normal_density(x: Array) -> Array:
    return _exp(-0.5 * x**2) / (2 * pi) ** 0.5


def _ndtr(x: Array) -> Array:
    return special_functions(x).ndtr(x)


def _log_ndtr(x: Array) -> Array:
    return special_functions(x).log_ndtr(x)


def _probit_jet(eta: Array) -> Jet:
    density = _normal_density(eta)
    return Jet(_ndtr(eta), density, -eta * density, (eta**2 - 1) * density)


def _probit_log_jet(eta: Array) -> Jet:
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
    h = xp.where(far, t + e, _exp(-0.5 * near**2 - _log_ndtr(near)) / (2 * pi) ** 0.5)
    excess = xp.where(far, e, near + h)
    d2 = -h * excess
    return Jet(_log_ndtr(eta), h, d2, h * xp.where(far, e * (2 * e - s), excess**2 - 1 - d2))


def _probit_log_complement_jet(eta: Array) -> Jet:
    jet = _probit_log_jet(-eta)
    return Jet(jet.value, -jet.d1, jet.d2, -jet.d3)


# cloglog: log(1 - mu) = -exp(eta); with g = (log mu)' = e / expm1(e), e = exp(eta): g' = g (1 - e - g)


def _cloglog(mu: Array) -> Array:
    xp = array_namespace(mu)
    return xp.log(-xp.log1p(-mu))


def _cloglog_inverse(eta: Array) -> Array:
    xp = array_namespace(eta)
    return -xp.expm1(-xp.exp(xp.minimum(eta, SATURATED)))


def _cloglog_jet(eta: Array) -> Jet:
    xp = array_namespace(eta)
    eta = xp.minimum(eta, SATURATED)
    e = xp.exp(eta)
    d1 = xp.exp(eta - e)
    return Jet(-xp.expm1(-e), d1, d1 * (1 - e), d1 * (1 - 3 * e + e**2))


def _cloglog_log_inverse(eta: Array) -> Array:
    xp = array_namespace(eta)
    e = xp.exp(xp.clip(eta, -40.0, SATURATED))
    return xp.where(eta < -40.0, eta, xp.log(-xp.expm1(-e)))


def _cloglog_log_jet(eta: Array) -> Jet:
    xp = array_namespace(eta)
    e = xp.exp(xp.clip(eta, -700.0, SATURATED))
    below = xp.minimum(e, 500.0)
    g = xp.where(e > 500.0, 0.0, below / xp.expm1(below))
    # 1 - e - g = -e/2 - e^2/12 + ... for small e, where the three terms cancel
    rest = xp.where(e < 1e-3, -e / 2 - e**2 / 12, 1 - e - g)
    d2 = g * rest
    return Jet(_cloglog_log_inverse(eta), g, d2, d2 * rest - g * (e + d2))


def _cloglog_log_complement_jet(eta: Array) -> Jet:
    jet = _exp_jet(eta)
    return Jet(*(-part for part in jet))


# cauchit: mu = 1/2 + arctan(eta) / pi


def _cauchit(mu: Array) -> Array:
    xp = array_namespace(mu)
    return -1 / xp.tan(pi * mu)


def _cauchit_inverse(eta: Array) -> Array:
    xp = array_namespace(eta)
    return xp.arctan2(xp.ones_like(eta), -eta) / pi


def _cauchit_jet(eta: Array) -> Jet:
    a = 1 + eta**2
    return Jet(_cauchit_inverse(eta), 1 / (pi * a), -2 * eta / (pi * a**2), (6 * eta**2 - 2) / (pi * a**3))


def _cauchit_log_complement(eta: Array) -> Array:
    return array_namespace(eta).log(_cauchit_inverse(-eta))


def _cauchit_log_complement_jet(eta: Array) -> Jet:
    mu = _cauchit_jet(-eta)
    return _log_at(mu.value).of(Jet(mu.value, -mu.d1, mu.d2, -mu.d3))


# softplus and squareplus: two smooth maps onto the positive numbers


def _softplus_forward(mu: Array) -> Array:
    xp = array_namespace(mu)
    return mu + xp.log(-xp.expm1(-mu))


def _squareplus_inverse(eta: Array) -> Array:
    xp = array_namespace(eta)
    root = xp.sqrt(eta**2 + 4)
    larger = (abs(eta) + root) / 2
    return xp.where(eta < 0, 1 / larger, larger)


def _squareplus_jet(eta: Array) -> Jet:
    root = array_namespace(eta).sqrt(eta**2 + 4)
    value = _squareplus_inverse(eta)
    return Jet(value, value / root, 2 / root**3, -6 * eta / root**5)


def _power_jet(eta: Array, power: float) -> Jet:
    value = eta**power
    d1 = power * value / eta
    d2 = (power - 1) * d1 / eta
    return Jet(value, d1, d2, (power - 2) * d2 / eta)


def _inverse_log(eta: Array) -> Array:
    return -array_namespace(eta).log(eta)


def _inverse_log_jet(eta: Array) -> Jet:
    jet = _log_at(eta)
    return Jet(*(-part for part in jet))


def _square_jet(eta: Array) -> Jet:
    zero = 0.0 * eta
    return Jet(eta**2, 2 * eta, zero + 2.0, zero)


def _log1p_jet(eta: Array) -> Jet:
    value = _exp(eta)
    return Jet(array_namespace(eta).expm1(eta), value, value, value)


def _logm1_jet(eta: Array) -> Jet:
    value = _exp(eta)
    return Jet(1 + value, value, value, value)


def _identity(x: Array) -> Array:
    return x


UNIT, POSITIVE = (0.0, 1.0), (0.0, inf)

LINKS: dict[str, Link] = {
    link.name: link
    for link in (
        Link("identity", (-inf, inf), _identity, _identity, _linear_jet),
        Link("log", POSITIVE, lambda mu: array_namespace(mu).log(mu), _exp, _exp_jet, _linear_jet, None, _identity),
        Link(
            "logit", UNIT, lambda mu: special_functions(mu).logit(mu), _expit, _logit_jet, _logit_log_jet,
            _logit_log_complement_jet, lambda eta: -_softplus(-eta), lambda eta: -_softplus(eta),
        ),
        Link(
            "probit", UNIT, lambda mu: special_functions(mu).ndtri(mu), _ndtr, _probit_jet, _probit_log_jet,
            _probit_log_complement_jet, _log_ndtr, lambda eta: _log_ndtr(-eta),
        ),
        Link(
            "cloglog", UNIT, _cloglog, _cloglog_inverse, _cloglog_jet, _cloglog_log_jet,
            _cloglog_log_complement_jet, _cloglog_log_inverse, lambda eta: -_exp(eta),
        ),
        Link(
            "cauchit", UNIT, _cauchit, _cauchit_inverse, _cauchit_jet, None, _cauchit_log_complement_jet, None,
            _cauchit_log_complement,
        ),
        Link(
            "inverse", POSITIVE, lambda mu: 1 / mu, lambda eta: 1 / eta, lambda eta: _power_jet(eta, -1.0),
            _inverse_log_jet, None, _inverse_log,
        ),
        Link("1/mu^2", POSITIVE, lambda mu: mu**-2.0, lambda eta: eta**-0.5, lambda eta: _power_jet(eta, -0.5)),
        Link("sqrt", POSITIVE, lambda mu: array_namespace(mu).sqrt(mu), lambda eta: eta**2, _square_jet),
        Link("softplus", POSITIVE, _softplus_forward, _softplus, _softplus_jet),
        Link("squareplus", POSITIVE, lambda mu: mu - 1 / mu, _squareplus_inverse, _squareplus_jet),
        Link(
            "log1p", (-1.0, inf), lambda mu: array_namespace(mu).log1p(mu),
            lambda eta: array_namespace(eta).expm1(eta), _log1p_jet,
        ),
        Link("logm1", (1.0, inf), lambda mu: array_namespace(mu).log(mu - 1), lambda eta: 1 + _exp(eta), _logm1_jet),
    )
}


def get_link(name: str) -> Link:
    """Return the link of that name.

    Raises:
        ModelError: there is none; the message lists those there are.

    Example:
        >>> get_link("logit").inverse(0.0)
        np.float64(0.5)
    """
    if isinstance(name, Link):
        return name
    link = LINKS.get(name) if isinstance(name, str) else None
    if link is None:
        hint = did_you_mean(name, LINKS) if isinstance(name, str) else ""
        raise ModelError(f"There is no link {name!r}{hint}; there are {', '.join(LINKS)}.")
    return link
