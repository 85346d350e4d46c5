"""Beta families with exact zeros and ones: proportions of which some are 0 or 1 for reasons of their own.

``zero_inflated_beta``: P(0) = zi, and (1 - zi) f(y) in (0, 1), with the density f of the beta family.
``zero_one_inflated_beta``: P(0 or 1) = zoi, of which a share coi is 1, and (1 - zoi) f(y) in (0, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.beta import PHI, Beta
from bayesml.families.example import Example
from bayesml.families.more_zeros import probability_of_zero
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import shares
from bayesml.families.scales import PROBABILITY_LINKS, mu
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = [
    "EXAMPLE",
    "EXAMPLE_ONE",
    "ZeroInflatedBeta",
    "ZeroOneInflatedBeta",
    "zero_inflated_beta",
    "zero_one_inflated_beta",
]

MU = mu(PROBABILITY_LINKS, 0.0, 1.0)


@final
@dataclass(frozen=True)
class ZeroInflatedBeta(AbstractSimpleFamily):
    """P(0) = zi, and (1 - zi) times a beta density in (0, 1)."""

    name: ClassVar[str] = "zero_inflated_beta"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU, PHI, probability_of_zero("zi"))
    traits: ClassVar[Traits] = Traits(has_cdf=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu", "zi"})

    @property
    def inside(self) -> Beta:
        """The family of what is not 0."""
        return Beta(self.links[:2])

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take numbers from 0 to below 1 that are not all equal."""
        return ResponseData({"y": shares(response, self.name, one=False, for_fit=for_fit)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log zi, or log(1 - zi) + log f(y)."""
        xp, (log_zi, log_rest) = array_namespace(y, *values.values()), self._log_zero(values)
        positive = y > 0
        inner = self.inside.log_prob(xp.where(positive, y, 0.5), values, data)
        return xp.where(positive, log_rest + inner, log_zi)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log(zi + (1 - zi) F(y)) and log((1 - zi) (1 - F(y))) for y of 0 and above."""
        (log_zi, log_rest), (below, above) = self._log_zero(values), self.inside.log_tails(y, values, data)
        xp = array_namespace(below)
        up_to = xp.logaddexp(log_zi, log_rest + below)
        return xp.where(y < 0, -np.inf, up_to), xp.where(y < 0, 0.0, log_rest + above)

    def _log_zero(self, values: Values) -> tuple[Broadcast, Broadcast]:
        link = self.link("zi")
        return link.log_inverse(values["zi"]), link.log_complement(values["zi"])

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - zi) mu."""
        return (1.0 - parameters["zi"]) * parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (1 - zi) (variance of the beta part + zi mu^2)."""
        zi = parameters["zi"]
        return (1.0 - zi) * (self.inside.variance(parameters, data) + zi * parameters["mu"] ** 2)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw proportions, and set a share zi to 0."""
        drawn, zi = self.inside.draw(rng, parameters, data), parameters["zi"]
        return np.where(rng.random(np.broadcast_shapes(np.shape(drawn), np.shape(zi))) < zi, 0.0, drawn)


@final
@dataclass(frozen=True)
class ZeroOneInflatedBeta(AbstractSimpleFamily):
    """P(1) = zoi coi, P(0) = zoi (1 - coi), and (1 - zoi) times a beta density in (0, 1)."""

    name: ClassVar[str] = "zero_one_inflated_beta"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (
        MU, PHI, probability_of_zero("zoi"), probability_of_zero("coi"),
    )  # fmt: skip
    linear: ClassVar[frozenset[str]] = frozenset({"mu", "zoi", "coi"})

    @property
    def inside(self) -> Beta:
        """The family of what is neither 0 nor 1."""
        return Beta(self.links[:2])

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take numbers from 0 to 1 that are not all equal."""
        return ResponseData({"y": shares(response, self.name, for_fit=for_fit)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(zoi coi), log(zoi (1 - coi)), or log(1 - zoi) + log f(y)."""
        xp, zoi, coi = array_namespace(y, *values.values()), self.link("zoi"), self.link("coi")
        middle = (y > 0) & (y < 1)
        inner = self.inside.log_prob(xp.where(middle, y, 0.5), values, data)
        at_end = xp.where(y < 0.5, coi.log_complement(values["coi"]), coi.log_inverse(values["coi"]))
        return xp.where(middle, zoi.log_complement(values["zoi"]) + inner, zoi.log_inverse(values["zoi"]) + at_end)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return zoi coi + (1 - zoi) mu."""
        zoi = parameters["zoi"]
        return zoi * parameters["coi"] + (1.0 - zoi) * parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return E(y^2) - E(y)^2 with E(y^2) = zoi coi + (1 - zoi) (beta variance + mu^2)."""
        zoi, mean = parameters["zoi"], self.mean(parameters, data)
        inner = self.inside.variance(parameters, data) + parameters["mu"] ** 2
        return zoi * parameters["coi"] + (1.0 - zoi) * inner - mean**2

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw proportions, and set a share zoi to 0 or 1."""
        drawn, zoi, coi = self.inside.draw(rng, parameters, data), parameters["zoi"], parameters["coi"]
        shape = np.broadcast_shapes(np.shape(drawn), np.shape(zoi), np.shape(coi))
        ends = np.where(rng.random(shape) < coi, 1.0, 0.0)
        return np.where(rng.random(shape) < zoi, ends, drawn)


def zero_inflated_beta(link: str = "logit", link_phi: str = "log", link_zi: str = "logit") -> ZeroInflatedBeta:
    """Return the zero-inflated beta family, for proportions of which some are exactly 0.

    Args:
        link: link of mu, the mean of the proportions that are not 0.
        link_phi: link of the precision phi of these, where it has a formula.
        link_zi: link of the probability zi of a zero, where it has a formula.

    Example:
        >>> zero_inflated_beta().link("zi").name
        'logit'
    """
    return ZeroInflatedBeta.with_links(link, link_phi, link_zi)


def zero_one_inflated_beta(
    link: str = "logit", link_phi: str = "log", link_zoi: str = "logit", link_coi: str = "logit"
) -> ZeroOneInflatedBeta:
    """Return the zero-one-inflated beta family, for proportions of which some are exactly 0 or 1.

    Args:
        link: link of mu, the mean of the proportions between 0 and 1.
        link_phi: link of the precision phi of these, where it has a formula.
        link_zoi: link of the probability zoi of a 0 or 1, where it has a formula.
        link_coi: link of the probability coi that it is a 1, where it has a formula.

    Example:
        >>> [parameter.name for parameter in zero_one_inflated_beta().dpars]
        ['mu', 'phi', 'zoi', 'coi']
    """
    return ZeroOneInflatedBeta.with_links(link, link_phi, link_zoi, link_coi)


EXAMPLE = Example(
    zero_inflated_beta(),
    y=(0.0, 0.03, 0.5, 0.99),
    parameters={"mu": 0.6, "phi": 3.4, "zi": 0.2},
    log_density=(-1.6094379124341003, -2.6896975834492434, -0.0023181083258907442, -0.7002256717853219),
    source="SciPy 1.17.1: log(0.2) and log(0.8) + beta(0.6 * 3.4, 0.4 * 3.4).logpdf(y)",
    support=(0.0, 1.0),
    atoms=(0.0,),
)

EXAMPLE_ONE = Example(
    zero_one_inflated_beta(),
    y=(0.0, 0.03, 0.5, 1.0),
    parameters={"mu": 0.6, "phi": 3.4, "zoi": 0.3, "coi": 0.25},
    log_density=(-1.491654876777717, -2.823228976073766, -0.13584950095041348, -2.5902671654458267),
    source="SciPy 1.17.1: log(0.3 * 0.75), log(0.7) + beta(0.6 * 3.4, 0.4 * 3.4).logpdf(y), log(0.3 * 0.25)",
    support=(0.0, 1.0),
    atoms=(0.0, 1.0),
)
