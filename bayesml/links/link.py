"""The link function as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import numpy as np

from bayesml.links.jet import Array, Jet, log_at
from bayesml.namespace import array_namespace

__all__ = ["Link"]

Map = Callable[[Array], Array]
JetMap = Callable[[Array], Jet]


@final
@dataclass(frozen=True)
class Link:
    """A link function eta = g(mu).

    Every method takes scalars, NumPy arrays or JAX arrays, element by element, and is stable far into the tails; what
    has no form of its own is derived from ``_inverse`` and ``_jet``.

    Attributes:
        name: brms's name.
        support: open interval of mu that the link maps to eta.
    """

    name: str
    support: tuple[float, float]
    _forward: Map = field(repr=False)
    _inverse: Map = field(repr=False)
    _jet: JetMap = field(repr=False)
    _complement: Map | None = field(default=None, repr=False)
    _log_inverse: Map | None = field(default=None, repr=False)
    _log_complement: Map | None = field(default=None, repr=False)
    _log_jet: JetMap | None = field(default=None, repr=False)
    _log_complement_jet: JetMap | None = field(default=None, repr=False)

    def forward(self, mu: Array) -> Array:
        """Return eta = g(mu)."""
        return self._forward(_floating(mu))

    def inverse(self, eta: Array) -> Array:
        """Return mu, the inverse of ``forward``."""
        return self._inverse(_floating(eta))

    def complement(self, eta: Array) -> Array:
        """Return 1 - mu without cancellation where mu is near 1."""
        eta = _floating(eta)
        return self._complement(eta) if self._complement else 1 - self._inverse(eta)

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
        return log_at(mu.value).of(mu)

    def log_complement_jet(self, eta: Array) -> Jet:
        """Return log(1 - mu) and its first three derivatives in eta."""
        eta = _floating(eta)
        if self._log_complement_jet is not None:
            return self._log_complement_jet(eta)
        mu = self._jet(eta)
        return log_at(1 - mu.value).of(Jet(1 - mu.value, -mu.d1, -mu.d2, -mu.d3))


def _floating(x: Array) -> Array:
    return x if array_namespace(x) is not np else np.asarray(x, dtype=float)[()]
