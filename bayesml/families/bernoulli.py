"""The bernoulli family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import format_number
from bayesml.errors import DataError
from bayesml.families.base import AbstractFamily, Array, DistributionalParameter, RawResponse, ResponseData
from bayesml.families.binomial import binomial_curvature
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.response import numbers
from bayesml.families.scales import PROBABILITY_LINKS, mu

if TYPE_CHECKING:
    import numpyro.distributions as dist

__all__ = ["Bernoulli", "bernoulli"]


@final
@dataclass(frozen=True)
class Bernoulli(AbstractFamily):
    """y is 1 with probability mu, else 0."""

    name: ClassVar[str] = "bernoulli"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(PROBABILITY_LINKS, 0.0, 1.0),)
    is_discrete: ClassVar[bool] = True

    def encode_response(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take 0 and 1, truth values, a factor with two levels (the second is 1) or two numbers (the larger is 1)."""
        if response.levels is not None:
            return _encode_factor(response, response.levels)
        y = numbers(response, self.name)
        if response.is_boolean:
            return ResponseData({"y": y}, f"models the probability that {response.name} is True", ("False", "True"))
        distinct = np.unique(y)
        if np.isin(distinct, (0.0, 1.0)).all():
            return ResponseData({"y": y}, levels=("0", "1"))
        if distinct.size == 2:
            low, high = (format_number(v) for v in distinct)
            note = f"models the probability that {response.name} == {high} (rather than {low})"
            return ResponseData({"y": (y == distinct[1]).astype(float)}, note, (low, high))
        shown = ", ".join(format_number(v) for v in distinct[:5]) + (", ..." if distinct.size > 5 else "")
        raise DataError(
            f"The response `{response.name}` of family bernoulli has {distinct.size} different value(s) ({shown}); it "
            "takes 0 and 1, truth values, or two categories. For successes out of several trials write "
            f'`{response.name} | trials(n) ~ ...` with family="binomial"; for counts use family="poisson".'
        )

    def distribution(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> dist.Distribution:
        """Return ``Bernoulli``."""
        import numpyro.distributions as dist

        return dist.BernoulliProbs(parameters["mu"])

    def linear_distribution(
        self, eta: Array, parameters: Mapping[str, Array], data: Mapping[str, Array]
    ) -> dist.Distribution:
        """Return the distribution from log(mu) and log(1 - mu), each exact in its tail."""
        from bayesml.families.numpyro_forms import LogBernoulli, LogitBernoulli

        link = self.link("mu")
        if link.name == "logit":
            return LogitBernoulli(eta)
        return LogBernoulli(link.log_inverse(eta), link.log_complement(eta))

    def mean(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return the probability mu."""
        return parameters["mu"]

    def draw(
        self, rng: np.random.Generator, parameters: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Draw zeros and ones."""
        return (rng.random(np.shape(parameters["mu"])) < parameters["mu"]).astype(float)

    def variance(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return mu (1 - mu)."""
        return parameters["mu"] * (1 - parameters["mu"])

    def curvature(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float], *, order: int = 3
    ) -> Curvature:
        """Return the derivatives in eta."""
        return binomial_curvature(self.link("mu"), eta, data["y"], 1.0)

    def auxiliary_derivatives(
        self, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, float]
    ) -> dict[str, AuxiliaryDerivatives]:
        """Return nothing: there is no other parameter."""
        return {}


def _encode_factor(response: RawResponse, levels: tuple[str, ...]) -> ResponseData:
    if len(levels) != 2:
        shown = ", ".join(f"`{level}`" for level in levels[:5]) + (", ..." if len(levels) > 5 else "")
        raise DataError(
            f"The response `{response.name}` of family bernoulli has {len(levels)} level(s) ({shown}); it takes two. "
            f"Write for example `({response.name} == {levels[0]!r})`, or recode the column."
        )
    note = f"models the probability that {response.name} == {levels[1]!r}"
    return ResponseData({"y": np.asarray(response.values, dtype=float)}, note, (levels[0], levels[1]))


def bernoulli(link: str = "logit") -> Bernoulli:
    """Return the bernoulli family, for a response of 0 and 1, truth values or two categories.

    Args:
        link: link of the probability mu.
    """
    return Bernoulli.with_links(link)
