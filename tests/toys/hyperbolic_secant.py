"""The hyperbolic secant family: tails that are heavier than those of a normal distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import pi
from typing import Any, ClassVar, final

import numpy as np

from bayesml.families import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.response import numbers
from bayesml.families.scales import SIGMA, mu
from bayesml.namespace import array_namespace


@final
@dataclass(frozen=True)
class HyperbolicSecant(AbstractSimpleFamily):
    """p(y) = sech(a) / (2 sigma) with a = pi (y - mu) / (2 sigma); mu is the mean, sigma the standard deviation.

    Its distribution function, 2 / pi arctan(exp(a)), is what response terms such as ``cens()`` need.
    """

    name: ClassVar[str] = "hyperbolic_secant"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(("identity", "log")), SIGMA)
    traits: ClassVar[Traits] = Traits(has_cdf=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        return ResponseData({"y": numbers(response, self.name)})

    def log_prob(self, y: Any, values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        # sech(a) = 2 / (exp(a) + exp(-a))
        xp, a = array_namespace(values["mu"]), _standardised(y, values)
        return -xp.logaddexp(a, -a) - xp.log(values["sigma"])

    def log_cdf(self, y: Any, values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        return _log_tail(_standardised(y, values))

    def log_survival(self, y: Any, values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        return _log_tail(-_standardised(y, values))

    def mean(self, parameters: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        return parameters["mu"]

    def variance(self, parameters: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        return parameters["sigma"] ** 2 + 0.0 * parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Mapping[str, Any], data: Mapping[str, Any]) -> np.ndarray:
        shape = np.broadcast_shapes(np.shape(parameters["mu"]), np.shape(parameters["sigma"]))
        a = np.log(np.tan(0.5 * pi * rng.random(shape)))  # the quantile of a uniform number
        return parameters["mu"] + 2.0 / pi * parameters["sigma"] * a


def _standardised(y: Any, values: Mapping[str, Any]) -> Any:
    return 0.5 * pi * (y - values["mu"]) / values["sigma"]


def _log_tail(a: Any) -> Any:
    """Return log(2 / pi arctan(exp(a))); arctan(e) is e within 1e-26 where e < exp(-30)."""
    xp = array_namespace(a)
    return xp.log(2.0 / pi) + xp.where(a < -30.0, a, xp.log(xp.arctan(xp.exp(xp.clip(a, -30.0, 30.0)))))


def hyperbolic_secant(link: str = "identity", link_sigma: str = "log") -> HyperbolicSecant:
    """Return the hyperbolic secant family."""
    return HyperbolicSecant.with_links(link, link_sigma)
