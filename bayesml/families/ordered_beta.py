"""The ordered beta family: one latent variable decides between 0, a proportion and 1, and how large the proportion is.

Source: Kubinec (2023), Ordered beta regression: a parsimonious, well-fitting model for continuous data with lower and
upper bounds, Political Analysis 31, 519-536. In glmmTMB it is ``ordbeta``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import normal, student_t
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.beta import PHI, Beta
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData
from bayesml.families.response import shares
from bayesml.families.scales import mu
from bayesml.links import get_link
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "OrderedBeta", "ordered_beta"]

LOGIT = get_link("logit")
CUT_ZERO = DistributionalParameter(
    "cutzero", ("identity",), (-inf, inf), student_t(3, 0, 2.5), student_t(3, 0, 2.5), typical=-1.0
)
CUT_ONE = DistributionalParameter("cutone", ("identity",), (-inf, inf), normal(0, 2), normal(0, 2), typical=1.0)


@final
@dataclass(frozen=True)
class OrderedBeta(AbstractSimpleFamily):
    """P(0) = 1 - F(eta - c0), P(1) = F(eta - c1), and (F(eta - c0) - F(eta - c1)) times a beta density between.

    F is the logistic distribution function, mu = F(eta) the mean of the beta density. The cutpoints are
    c0 = cutzero and c1 = cutzero + exp(cutone).
    """

    name: ClassVar[str] = "ordered_beta"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(("logit",), 0.0, 1.0), PHI, CUT_ZERO, CUT_ONE)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    @property
    def inside(self) -> Beta:
        """The family of what is neither 0 nor 1."""
        return Beta(self.links[:2])

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take numbers from 0 to 1 that are not all equal."""
        return ResponseData({"y": shares(response, self.name, for_fit=for_fit)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the logarithm of a probability at 0 and 1, of a probability times a density between.

        F(a) - F(b) = F(a) F(-b) (1 - exp(b - a)) of the logistic distribution; here a - b = exp(cutone).
        """
        xp, (above_zero, above_one) = array_namespace(y, *values.values()), _above(values["mu"], values)
        middle = (y > 0) & (y < 1)
        inner = self.inside.log_prob(xp.where(middle, y, 0.5), values, data)
        between = LOGIT.log_inverse(above_zero) + LOGIT.log_complement(above_one)
        between = between + xp.log(-xp.expm1(-xp.exp(values["cutone"])))
        at_end = xp.where(y < 0.5, LOGIT.log_complement(above_zero), LOGIT.log_inverse(above_one))
        return xp.where(middle, between + inner, at_end)

    def _shares(self, parameters: Values) -> tuple[Broadcast, Broadcast]:
        """Return the probabilities of 0 and of 1."""
        above_zero, above_one = _above(LOGIT.forward(parameters["mu"]), parameters)
        return LOGIT.complement(above_zero), LOGIT.inverse(above_one)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return P(1) + P(between) mu."""
        zero, one = self._shares(parameters)
        return one + (1.0 - zero - one) * parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return E(y^2) - E(y)^2 with E(y^2) = P(1) + P(between) (beta variance + mu^2)."""
        zero, one = self._shares(parameters)
        inner = self.inside.variance(parameters, data) + parameters["mu"] ** 2
        return one + (1.0 - zero - one) * inner - self.mean(parameters, data) ** 2

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw proportions, zeros and ones."""
        drawn, (zero, one) = self.inside.draw(rng, parameters, data), self._shares(parameters)
        u = rng.random(np.broadcast_shapes(np.shape(drawn), np.shape(zero), np.shape(one)))
        return np.where(u < zero, 0.0, np.where(u > 1.0 - one, 1.0, drawn))


def _above(eta: Broadcast, values: Values) -> tuple[Broadcast, Broadcast]:
    """Return eta less each cutpoint."""
    xp = array_namespace(eta, values["cutone"])
    return eta - values["cutzero"], eta - values["cutzero"] - xp.exp(values["cutone"])


def ordered_beta(link: str = "logit", link_phi: str = "log") -> OrderedBeta:
    """Return the ordered beta family, for proportions of which some are exactly 0 or 1.

    Unlike ``zero_one_inflated_beta`` it has one linear predictor: what makes proportions larger makes ones more likely
    and zeros less. The cutpoints on the scale of that predictor are cutzero and cutzero + exp(cutone).

    Args:
        link: link of mu, the mean of the proportions between 0 and 1; ``logit`` is the only one.
        link_phi: link of the precision phi of these, where it has a formula.

    Example:
        >>> [parameter.name for parameter in ordered_beta().dpars]
        ['mu', 'phi', 'cutzero', 'cutone']
    """
    return OrderedBeta.with_links(link, link_phi)


EXAMPLE = Example(
    ordered_beta(),
    y=(0.0, 0.03, 0.5, 1.0),
    parameters={"mu": 0.6, "phi": 3.4, "cutzero": -1.2, "cutone": 0.8},
    log_density=(-1.788449895978092, -3.194258255259167, -0.5068787801358147, -1.0504960445034546),
    source="SciPy 1.17.1: F = expit; log(1 - F(a)), log(F(a) - F(b)) + beta(2.04, 1.36).logpdf(y), log(F(b)), "
    "a = logit(0.6) + 1.2, b = a - exp(0.8)",
    support=(0.0, 1.0),
    atoms=(0.0, 1.0),
)
