"""The extended-support beta family: a beta variable stretched beyond 0 and 1, and cut off there.

Source: Kosmidis and Zeileis (2025), Extended-support beta regression for [0, 1] responses, Journal of the Royal
Statistical Society C 74; the family XB of the package betareg.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml import distributions
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.beta import PHI, SMALLEST, Beta
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData
from bayesml.families.response import shares
from bayesml.families.scales import PROBABILITY_LINKS, SCALE_LINKS, mu
from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "XBeta", "xbeta"]

special = lazy_module("scipy.special")

KAPPA = DistributionalParameter(
    "kappa",
    SCALE_LINKS,
    (0.0, inf),
    distributions.gamma(0.01, 0.01),
    distributions.student_t(3, 0, 2.5),
    typical=0.1,
)


@final
@dataclass(frozen=True)
class XBeta(AbstractSimpleFamily):
    """y = min(max(z, 0), 1) with z = (1 + 2 kappa) B - kappa and B a beta variable with mean mu and precision phi."""

    name: ClassVar[str] = "xbeta"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(PROBABILITY_LINKS, 0.0, 1.0), PHI, KAPPA)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    @property
    def inside(self) -> Beta:
        """The family of B."""
        return Beta(self.links[:2])

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take numbers from 0 to 1 that are not all equal."""
        return ResponseData({"y": shares(response, self.name, for_fit=for_fit)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(B <= q) at 0, log P(B > 1 - q) at 1 with q = kappa / (1 + 2 kappa), else the density of z.

        The tail at 1 is that of 1 - B below q, so that one incomplete beta function serves both ends.
        """
        from bayesml.families import densities
        from bayesml.families.beta_fraction import log_beta_below

        xp, kappa = array_namespace(y, *values.values()), values["kappa"]
        middle, low, width = (y > 0) & (y < 1), y < 0.5, 1.0 + 2.0 * kappa
        a, b = self.inside.shapes(values)
        q, rest = kappa / width, (1.0 + kappa) / width
        at_end = log_beta_below(xp.where(low, a, b), xp.where(low, b, a), q, rest)
        safe = xp.where(middle, y, 0.5)
        inner = densities.beta((safe + kappa) / width, a, b) - xp.log(width)
        return xp.where(middle, inner, at_end)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected response."""
        return self._moments(parameters)[0]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return E(y^2) - E(y)^2."""
        first, second = self._moments(parameters)
        return second - first**2

    def _moments(self, parameters: Values) -> tuple[np.ndarray, np.ndarray]:
        """Return E(y) and E(y^2).

        With e_k the part of E(B^k) that falls between q and 1 - q, which is E(B^k) times the probability that a beta
        variable of shapes a + k and b has there, and with z = w B - kappa, w = 1 + 2 kappa,

            E(y) = P(B > 1 - q) + w e_1 - kappa e_0,
            E(y^2) = P(B > 1 - q) + w^2 e_2 - 2 w kappa e_1 + kappa^2 e_0.
        """
        m, phi, kappa = (np.asarray(parameters[name], dtype=float) for name in ("mu", "phi", "kappa"))
        a, b = np.maximum(m * phi, SMALLEST), np.maximum((1.0 - m) * phi, SMALLEST)
        w = 1.0 + 2.0 * kappa
        q = kappa / w

        def between(k: int) -> np.ndarray:
            return np.asarray(special.betainc(a + k, b, 1.0 - q) - special.betainc(a + k, b, q))

        e0, e1 = between(0), m * between(1)
        e2 = m * (a + 1.0) / (a + b + 1.0) * between(2)
        top = special.betainc(b, a, q)
        return top + w * e1 - kappa * e0, top + w**2 * e2 - 2.0 * w * kappa * e1 + kappa**2 * e0

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw proportions, some of which are exactly 0 or 1."""
        kappa = parameters["kappa"]
        return np.clip((1.0 + 2.0 * kappa) * self.inside.draw(rng, parameters, data) - kappa, 0.0, 1.0)


def xbeta(link: str = "logit", link_phi: str = "log", link_kappa: str = "log") -> XBeta:
    """Return the extended-support beta family, for proportions of which some are exactly 0 or 1.

    A beta variable is stretched to (-kappa, 1 + kappa); what falls below 0 is a 0, what falls above 1 is a 1.

    Args:
        link: link of mu, the mean of the beta variable before it is stretched.
        link_phi: link of its precision phi, where it has a formula.
        link_kappa: link of the exceedance kappa, where it has a formula.

    Example:
        >>> [parameter.name for parameter in xbeta().dpars]
        ['mu', 'phi', 'kappa']
    """
    return XBeta.with_links(link, link_phi, link_kappa)


EXAMPLE = Example(
    xbeta(),
    y=(0.0, 0.03, 0.5, 1.0),
    parameters={"mu": 0.6, "phi": 3.4, "kappa": 0.15},
    log_density=(-3.956176598554409, -1.1810347774548184, -0.041538821479172094, -2.124687645244412),
    source="SciPy 1.17.1: B = beta(0.6 * 3.4, 0.4 * 3.4); B.logcdf(q), B.logpdf((y + 0.15) / 1.3) - log(1.3), "
    "B.logsf(1 - q), q = 0.15 / 1.3",
    support=(0.0, 1.0),
    atoms=(0.0, 1.0),
)
