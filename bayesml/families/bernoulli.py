"""The bernoulli family."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import format_number
from bayesml.errors import DataError
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.binomial import binomial_curvature
from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.divergences import binomial_divergence
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers
from bayesml.families.scales import PROBABILITY_LINKS, mu
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Bernoulli", "bernoulli"]


@final
@dataclass(frozen=True)
class Bernoulli(AbstractSimpleFamily):
    """y is 1 with probability mu, else 0."""

    name: ClassVar[str] = "bernoulli"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(PROBABILITY_LINKS, 0.0, 1.0),)
    traits: ClassVar[Traits] = Traits(
        discrete=True, rows_repeat=True, two_levels=True, latent_threshold=True, divergence=binomial_divergence
    )
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
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

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log P(y) from log(mu) and log(1 - mu), each exact in its tail."""
        from bayesml.families.densities import logit_binomial, possible

        link = self.link("mu")
        if link.name == "logit":
            return logit_binomial(y, values["mu"], 1.0)
        success, failure = link.log_inverse(values["mu"]), link.log_complement(values["mu"])
        return possible(success, failure, array_namespace(success).where(y > 0, success, failure))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the probability mu."""
        return parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw zeros and ones."""
        return (rng.random(np.shape(parameters["mu"])) < parameters["mu"]).astype(float)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
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


EXAMPLE = Example(
    bernoulli(),
    y=(0.0, 1.0, 1.0),
    parameters={"mu": 0.55},
    log_density=(-0.7985076962177717, -0.5978370007556204, -0.5978370007556204),
    source="SciPy 1.17.1: bernoulli(0.55).logpmf(y)",
)
