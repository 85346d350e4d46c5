"""The shifted lognormal family of response times."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.example import Example
from bayesml.families.non_decision import NDT, AbstractShifted, AbstractShiftedFamily
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import positive_numbers
from bayesml.families.scales import SIGMA, mu
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "ShiftedLogNormal", "ShiftedLogNormalLikelihood", "shifted_lognormal"]


@final
@dataclass(frozen=True)
class ShiftedLogNormal(AbstractShiftedFamily):
    """log(y - ndt) ~ normal(mu, sigma), with a shift ndt between 0 and the smallest response."""

    name: ClassVar[str] = "shifted_lognormal"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(("identity", "inverse")), SIGMA, NDT)

    def shifted(self, smallest: float) -> AbstractShifted:
        """Return the likelihood."""
        return ShiftedLogNormalLikelihood(self, smallest)


@final
@dataclass(frozen=True)
class ShiftedLogNormalLikelihood(AbstractShifted):
    """The family with the bound of the shift; the mean is ndt + exp(mu + sigma^2 / 2)."""

    @property
    def traits(self) -> Traits:
        """Default priors look at log(y)."""
        return Traits(has_cdf=True, priors_on_log_scale=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take positive numbers that are not all equal."""
        return ResponseData({"y": positive_numbers(response, self.family.name, for_fit=for_fit)})

    def log_prob_of_time(self, time: PerRow, values: Values, data: DataArrays) -> PerRow:
        """Return log N(log t; mu, sigma^2) - log t."""
        from bayesml.families.densities import normal

        log_time = array_namespace(time).log(time)
        return normal(log_time, values["mu"], values["sigma"]) - log_time

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import normal_tails, of_positive

        time = y - values["ndt"]
        return of_positive(time, lambda t: normal_tails((array_namespace(t).log(t) - values["mu"]) / values["sigma"]))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return ndt + exp(mu + sigma^2 / 2)."""
        return parameters["ndt"] + np.exp(parameters["mu"] + 0.5 * parameters["sigma"] ** 2)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return (exp(sigma^2) - 1) exp(2 mu + sigma^2)."""
        square = parameters["sigma"] ** 2
        return np.expm1(square) * np.exp(2.0 * parameters["mu"] + square) + 0.0 * parameters["ndt"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw ndt + exp of a normal number."""
        shape = np.broadcast_shapes(*(np.shape(parameters[name]) for name in ("mu", "sigma", "ndt")))
        return parameters["ndt"] + np.exp(rng.normal(parameters["mu"], parameters["sigma"], shape))


def shifted_lognormal(link: str = "identity", link_sigma: str = "log", link_ndt: str = "log") -> ShiftedLogNormal:
    """Return the shifted lognormal family, for response times.

    Args:
        link: link of mu, the mean of log(y - ndt).
        link_sigma: link of sigma, where it has a formula.
        link_ndt: link of the shift ndt (non-decision time), where it has a formula. Without one it lies between 0 and
            the smallest response; with one, that of each row lies below its response.
    """
    return ShiftedLogNormal.with_links(link, link_sigma, link_ndt)


EXAMPLE = Example(
    shifted_lognormal(),
    y=(0.35, 0.8, 7.0),
    parameters={"mu": 0.2, "sigma": 0.6, "ndt": 0.3},
    log_density=(-11.59669280843269, -0.8228989040762082, -6.334067701692606),
    source="SciPy 1.17.1: lognorm(0.6, loc=0.3, scale=np.exp(0.2)).logpdf(y)",
    support=(0.3, inf),
)
