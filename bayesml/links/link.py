"""The link function as a value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.links.jet import Jet, log_at
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Elements

    Map = Callable[[Elements], Elements]
    JetMap = Callable[[Elements], Jet]

__all__ = ["Link"]


@final
@dataclass(frozen=True)
class Link:
    """A link function eta = g(mu).

    Every method takes a number, a NumPy array or a JAX array, works element by element, and is accurate far into the
    tails. Functions that a link does not define are computed from ``_inverse`` and ``_jet``.

    Attributes:
        name: the name, as in brms.
        support: the open interval of possible values of mu.
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

    def forward(self, mu: Elements) -> Elements:
        """Return eta = g(mu)."""
        return self._forward(_floating(mu))

    def inverse(self, eta: Elements) -> Elements:
        """Return mu, the inverse of ``forward``."""
        return self._inverse(_floating(eta))

    def complement(self, eta: Elements) -> Elements:
        """Return 1 - mu without cancellation where mu is near 1."""
        eta = _floating(eta)
        return self._complement(eta) if self._complement else 1 - self._inverse(eta)

    def inverse_derivative(self, eta: Elements, order: int = 1) -> Elements:
        """Return the ``order``-th derivative of mu in eta, ``order`` 1, 2 or 3."""
        return tuple(self.jet(eta))[order]

    def jet(self, eta: Elements) -> Jet:
        """Return mu and its first three derivatives in eta."""
        return self._jet(_floating(eta))

    def log_inverse(self, eta: Elements) -> Elements:
        """Return log(mu) without cancellation where mu is near 0."""
        eta = _floating(eta)
        return self._log_inverse(eta) if self._log_inverse else array_namespace(eta).log(self._inverse(eta))

    def log_complement(self, eta: Elements) -> Elements:
        """Return log(1 - mu) without cancellation where mu is near 1."""
        eta = _floating(eta)
        return self._log_complement(eta) if self._log_complement else array_namespace(eta).log1p(-self._inverse(eta))

    def log_jet(self, eta: Elements) -> Jet:
        """Return log(mu) and its first three derivatives in eta."""
        eta = _floating(eta)
        if self._log_jet is not None:
            return self._log_jet(eta)
        mu = self._jet(eta)
        return log_at(mu.value).of(mu)

    def log_complement_jet(self, eta: Elements) -> Jet:
        """Return log(1 - mu) and its first three derivatives in eta."""
        eta = _floating(eta)
        if self._log_complement_jet is not None:
            return self._log_complement_jet(eta)
        mu = self._jet(eta)
        return log_at(1 - mu.value).of(Jet(1 - mu.value, -mu.d1, -mu.d2, -mu.d3))


def _floating(x: Elements) -> Elements:
    return x if array_namespace(x) is not np else np.asarray(x, dtype=float)[()]
