"""The log-logistic family of waiting times, by its median."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, pi
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.gamma import SHAPE
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import positive_numbers
from bayesml.families.scales import POSITIVE_LINKS, mu

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "LogLogistic", "loglogistic"]


@final
@dataclass(frozen=True)
class LogLogistic(AbstractSimpleFamily):
    """log y is logistic: P(y) = 1 / (1 + (y / mu)^-shape). mu is the median; there is a mean where shape > 1."""

    name: ClassVar[str] = "loglogistic"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(POSITIVE_LINKS, 0.0), SHAPE)
    traits: ClassVar[Traits] = Traits(has_cdf=True, continuous=(0.0, inf))
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take positive numbers that are not all equal."""
        return ResponseData({"y": positive_numbers(response, self.name, for_fit=for_fit)})

    def _log_odds(self, y: Observed, values: Values) -> PerRow:
        """Return shape log(y / mu), the log odds of a response at or below y."""
        from jax import numpy as jnp

        return values["shape"] * (jnp.log(y) - self.link("mu").log_inverse(values["mu"]))

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(shape / y) + log(P(y) (1 - P(y)))."""
        from jax import numpy as jnp

        from bayesml.links.elementary import softplus

        odds = self._log_odds(y, values)
        return jnp.log(values["shape"]) - jnp.log(y) - softplus(-odds) - softplus(odds)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        from bayesml.families.tails import of_positive
        from bayesml.links.elementary import softplus

        def tails(x: PerRow) -> tuple[PerRow, PerRow]:
            odds = self._log_odds(x, values)
            return -softplus(-odds), -softplus(odds)

        return of_positive(y, tails)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu b / sin(b) with b = pi / shape, infinite for shape <= 1: there is no mean."""
        shape = np.asarray(parameters["shape"], dtype=float)
        b = pi / np.where(shape > 1.0, shape, 2.0)
        return np.where(shape > 1.0, parameters["mu"] * b / np.sin(b), np.inf)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu^2 (2 b / sin(2 b) - (b / sin(b))^2), infinite for shape <= 2."""
        shape = np.asarray(parameters["shape"], dtype=float)
        b = pi / np.where(shape > 2.0, shape, 3.0)
        ratio = 2.0 * b / np.sin(2.0 * b) - (b / np.sin(b)) ** 2
        return np.where(shape > 2.0, parameters["mu"] ** 2 * ratio, np.inf)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw exp of a logistic number."""
        size = np.broadcast_shapes(np.shape(parameters["mu"]), np.shape(parameters["shape"]))
        return np.exp(np.log(parameters["mu"]) + rng.logistic(size=size) / parameters["shape"])


def loglogistic(link: str = "log", link_shape: str = "log") -> LogLogistic:
    """Return the log-logistic family, for waiting times whose hazard may rise and fall; ``cens()`` marks censored ones.

    With the link log it is the accelerated failure time model of R's ``survreg(dist = "loglogistic")``, whose scale is
    1 / shape.

    Args:
        link: link of the median mu.
        link_shape: link of shape, where it has a formula. A shape of 1 or less has no mean: ``epred`` is infinite.
    """
    return LogLogistic.with_links(link, link_shape)


EXAMPLE = Example(
    loglogistic(),
    y=(0.6, 0.8, 3.0),
    parameters={"mu": 1.5, "shape": 4.2},
    log_density=(-1.944689742713553, -1.1197675724168492, -2.6807075405875347),
    source="SciPy 1.17.1: fisk(4.2, scale=1.5).logpdf(y)",
    support=(0.0, inf),
)
