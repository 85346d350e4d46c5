"""The asymmetric Laplace family, whose mu is a quantile of the response, and the same with exact zeros."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.example import Example
from bayesml.families.gaussian import encode_real
from bayesml.families.more_zeros import AbstractZeroInflated
from bayesml.families.records import ROUNDING, DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import QUANTILE, SIGMA, UNBOUNDED_LINKS, mu

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = [
    "EXAMPLE",
    "EXAMPLE_WITH_ZEROS",
    "AsymmetricLaplace",
    "ZeroInflatedContinuous",
    "asym_laplace",
    "zero_inflated_asym_laplace",
]


@final
@dataclass(frozen=True)
class AsymmetricLaplace(AbstractSimpleFamily):
    """p(y) = q (1 - q) / sigma exp(-c(y - mu) / sigma), c(e) = q e above 0 and (q - 1) e below; P(y <= mu) = q.

    With a fixed quantile q the mode of mu minimises the sum of c, as quantile regression does (Yu and Moyeed 2001,
    Bayesian quantile regression, Statistics and Probability Letters 54, 437-447).
    """

    name: ClassVar[str] = "asym_laplace"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (mu(UNBOUNDED_LINKS), SIGMA, QUANTILE)
    traits: ClassVar[Traits] = Traits(continuous=(-inf, inf), has_cdf=True, kinked=True)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take finite numbers that are not all equal."""
        return encode_real(response, self.name, for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(q (1 - q)) - log sigma - c(y - mu) / sigma."""
        from jax import numpy as jnp

        q, (_, fall) = values["quantile"], _falls(y, values, data.get(ROUNDING, 0.0))
        return jnp.log(q) + jnp.log1p(-q) - jnp.log(values["sigma"]) - fall

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y): q exp(-fall) below mu, (1 - q) exp(-fall) above."""
        from jax import numpy as jnp

        from bayesml.families.incomplete import log1mexp

        left, fall = _falls(y, values)
        smaller = jnp.where(left, jnp.log(values["quantile"]), jnp.log1p(-values["quantile"])) - fall
        larger = log1mexp(smaller)
        return jnp.where(left, smaller, larger), jnp.where(left, larger, smaller)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu + sigma (1 - 2 q) / (q (1 - q)); mu itself is the quantile q."""
        q = parameters["quantile"]
        return parameters["mu"] + parameters["sigma"] * (1.0 - 2.0 * q) / (q * (1.0 - q))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return sigma^2 (1 - 2 q + 2 q^2) / (q (1 - q))^2."""
        q = parameters["quantile"]
        ratio = (1.0 - 2.0 * q + 2.0 * q**2) / (q * (1.0 - q)) ** 2
        return parameters["sigma"] ** 2 * ratio + 0.0 * parameters["mu"]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw mu + sigma (e / q - f / (1 - q)) with standard exponential e and f."""
        mean, sigma, q = (parameters[name] for name in ("mu", "sigma", "quantile"))
        shape = np.broadcast_shapes(np.shape(mean), np.shape(sigma), np.shape(q))
        e, f = rng.standard_exponential(shape), rng.standard_exponential(shape)
        return mean + sigma * (e / q - f / (1.0 - q))


def _falls(y: Observed, values: Values, width: Broadcast = 0.0) -> tuple[Broadcast, Broadcast]:
    """Return where y lies below mu, and c(y - mu) / sigma, its kink rounded over a width in units of sigma."""
    from bayesml.families.check_loss import check_loss

    z = (y - values["mu"]) / values["sigma"]
    return z < 0, check_loss(z, values["quantile"], width)


@final
@dataclass(frozen=True)
class ZeroInflatedContinuous(AbstractZeroInflated):
    """0 with probability zi, else the density (1 - zi) f(y) of another family on the real line.

    The density gives 0 no probability, so that zi alone is that of a zero.
    """

    @property
    def traits(self) -> Traits:  # type: ignore[override]
        """Distribution functions where the other family has them."""
        return Traits(has_cdf=self.base.traits.has_cdf, kinked=self.base.traits.kinked)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log zi, or log(1 - zi) + log f(y)."""
        from jax import numpy as jnp

        log_zi, log_rest = self.log_zero(values)
        return jnp.where(y == 0, log_zi, log_rest + self.other.log_prob(y, values, data))

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return both tails: that of the other family times 1 - zi, plus zi on the side where 0 lies."""
        from jax import numpy as jnp

        (log_zi, log_rest), (below, above) = self.log_zero(values), self.other.log_tails(y, values, data)
        low, high = log_rest + below, log_rest + above
        return jnp.where(y < 0, low, jnp.logaddexp(log_zi, low)), jnp.where(y < 0, jnp.logaddexp(log_zi, high), high)


def asym_laplace(link: str = "identity", link_sigma: str = "log", link_quantile: str = "logit") -> AsymmetricLaplace:
    """Return the asymmetric Laplace family, for quantile regression: ``bf("y ~ x", quantile=0.9)``.

    Args:
        link: link of mu, the quantile of the response that ``quantile`` says.
        link_sigma: link of the scale sigma, where it has a formula.
        link_quantile: link of quantile, where it has a formula; a number in ``bf()`` fixes it, which is usual.
    """
    return AsymmetricLaplace.with_links(link, link_sigma, link_quantile)


def zero_inflated_asym_laplace(
    link: str = "identity", link_sigma: str = "log", link_quantile: str = "logit", link_zi: str = "logit"
) -> ZeroInflatedContinuous:
    """Return the asymmetric Laplace family with exact zeros beside it.

    Args:
        link: link of mu, the quantile of the responses that are not zeros.
        link_sigma: link of the scale sigma, where it has a formula.
        link_quantile: link of quantile, where it has a formula.
        link_zi: link of the probability zi of a zero, where it has a formula.
    """
    return ZeroInflatedContinuous.over(AsymmetricLaplace, link, link_sigma, link_quantile, link_zi)


EXAMPLE = Example(
    asym_laplace(),
    y=(-2.0, 0.1, 6.5),
    parameters={"mu": 0.55, "sigma": 0.9, "quantile": 0.3},
    log_density=(-3.4386205659401745, -1.805287232606842, -3.4386205659401754),
    source="SciPy 1.17.1: laplace_asymmetric(k, 0.55, 0.9 / sqrt(q (1 - q))).logpdf(y), k = sqrt(q / (1 - q)), q = 0.3",
    support=(-inf, inf),
)


EXAMPLE_WITH_ZEROS = Example(
    zero_inflated_asym_laplace(),
    y=(-2.0, 0.0, 6.5),
    parameters={"mu": 0.55, "sigma": 0.9, "quantile": 0.3, "zi": 0.2},
    log_density=(-3.661764117254384, -1.6094379124341003, -3.661764117254385),
    source="SciPy 1.17.1: log(0.2) and log(0.8 f(y)), f(y) of the same laplace_asymmetric",
    support=(-inf, inf),
    atoms=(0.0,),
)
