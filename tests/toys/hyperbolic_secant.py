"""The hyperbolic secant family: tails that are heavier than those of a normal distribution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, pi
from typing import Any, ClassVar, final

import numpy as np

from bayesml.families import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.response import numbers
from bayesml.families.scales import SIGMA, mu


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
        from jax import numpy as jnp

        # sech(a) = 2 / (exp(a) + exp(-a))
        a = _standardised(y, values)
        return -jnp.logaddexp(a, -a) - jnp.log(values["sigma"])

    def log_tails(self, y: Any, values: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[Any, Any]:
        a = _standardised(y, values)
        return _log_tail(a), _log_tail(-a)

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
    from jax import numpy as jnp

    return jnp.log(2.0 / pi) + jnp.where(a < -30.0, a, jnp.log(jnp.arctan(jnp.exp(jnp.clip(a, -30.0, 30.0)))))


def hyperbolic_secant(link: str = "identity", link_sigma: str = "log") -> HyperbolicSecant:
    """Return the hyperbolic secant family."""
    return HyperbolicSecant.with_links(link, link_sigma)


EXAMPLE = Example(
    hyperbolic_secant(),
    y=(-8.0, 0.0, 2.5),
    parameters={"mu": 0.4, "sigma": 1.3},
    log_density=(-10.412125146823724, -1.0680286756973556, -2.8060368568947758),
    source="SciPy 1.17.1: hypsecant(0.4, 2 / pi * 1.3).logpdf(y)",
    support=(-inf, inf),
)
