"""The inverse Gaussian family of positive responses."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.gamma import SHAPE
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import positive_numbers
from bayesml.families.scales import mu

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "InverseGaussian", "inverse_gaussian"]

LINKS = ("1/mu^2", "inverse", "identity", "log", "softplus", "squareplus")


@final
@dataclass(frozen=True)
class InverseGaussian(AbstractSimpleFamily):
    """p(y) = sqrt(shape / (2 pi y^3)) exp(-shape (y - mu)^2 / (2 mu^2 y)), with mean mu and variance mu^3 / shape."""

    name: ClassVar[str] = "inverse_gaussian"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(LINKS, 0.0), SHAPE)
    traits: ClassVar[Traits] = Traits(continuous=(0.0, inf), has_cdf=True, lognormal_variance=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take positive numbers that are not all equal."""
        return ResponseData({"y": positive_numbers(response, self.name, for_fit=for_fit)})

    def _log_ratio(self, y: Observed, values: Values) -> Broadcast:
        """Return log(y / mu)."""
        from jax import numpy as jnp

        return jnp.log(y) - self.link("mu").log_inverse(values["mu"])

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density, in which (y - mu)^2 / mu^2 is (y / mu - 1)^2."""
        from jax import numpy as jnp

        shape, log_y = values["shape"], jnp.log(y)
        relative = jnp.expm1(self._log_ratio(y, values))
        return 0.5 * (jnp.log(shape / (2.0 * jnp.pi)) - 3.0 * log_y) - 0.5 * shape * relative**2 / y

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y).

        With a = sqrt(shape / y) (y / mu - 1), b = a + 2 sqrt(shape / y) and Mills' ratio R, P(y) = Phi(a) + phi(a) R(b)
        and its complement is phi(a) (R(a) - R(b)): the usual exp(2 shape / mu) is phi(a) / phi(b).
        """
        from jax import numpy as jnp
        from jax.scipy.special import log_ndtr

        from bayesml.families.incomplete import log1mexp
        from bayesml.families.normal_integrals import log_mills, log_mills_difference, log_normal_density
        from bayesml.families.tails import of_positive

        def tails(x: PerRow) -> tuple[PerRow, PerRow]:
            root = jnp.sqrt(values["shape"] / x)
            a = root * jnp.expm1(self._log_ratio(x, values))
            below = jnp.minimum(jnp.logaddexp(log_ndtr(a), log_normal_density(a) + log_mills(a + 2.0 * root)), 0.0)
            right = a > 0
            beyond = log_normal_density(a) + log_mills_difference(jnp.where(right, a, 0.0), 2.0 * root)
            low = jnp.where(right, log1mexp(jnp.where(right, beyond, -1.0)), below)
            return low, jnp.where(right, beyond, log1mexp(jnp.where(right, -1.0, below)))

        return of_positive(y, tails)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu^3 / shape."""
        return parameters["mu"] ** 3 / parameters["shape"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw inverse Gaussian numbers, by Michael, Schucany and Haas (1976) in NumPy."""
        least = np.finfo(float).tiny
        return rng.wald(np.maximum(parameters["mu"], least), np.maximum(parameters["shape"], least))


def inverse_gaussian(link: str = "1/mu^2", link_shape: str = "log") -> InverseGaussian:
    """Return the inverse Gaussian family, for positive responses with a long right tail.

    Args:
        link: link of the mean mu. The default 1/mu^2 allows positive predictors only; "log" has no such bound.
        link_shape: link of shape, where it has a formula.
    """
    return InverseGaussian.with_links(link, link_shape)


EXAMPLE = Example(
    inverse_gaussian(),
    y=(0.05, 0.8, 7.0),
    parameters={"mu": 1.5, "shape": 2.2},
    log_density=(-16.588889220469326, -0.4894389704956674, -5.55627348930392),
    source="SciPy 1.17.1: invgauss(1.5 / 2.2, scale=2.2).logpdf(y)",
    support=(0.0, inf),
)
