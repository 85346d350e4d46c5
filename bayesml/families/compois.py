"""The Conway-Maxwell-Poisson family by its mean and its dispersion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions import student_t
from bayesml.families.base import AbstractSimpleFamily
from bayesml.families.com_poisson import log_prob, tails
from bayesml.families.com_poisson_numbers import draw_com_poisson, mean_and_variance
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import counts
from bayesml.families.scales import COUNT_LINKS, PHI, mu

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "MeanComPoisson", "compois"]

SMALLEST_MEAN = 1e-200


@final
@dataclass(frozen=True)
class MeanComPoisson(AbstractSimpleFamily):
    """The family com_poisson of shape 1 / phi with the mean mu, whose other parameter is solved for (Huang 2017)."""

    name: ClassVar[str] = "compois"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (
        mu(COUNT_LINKS, 0.0),
        replace(PHI, prior=student_t(3, 0, 2.5)),
    )
    traits: ClassVar[Traits] = Traits(has_cdf=True, discrete=True, rows_repeat=True)
    linear: ClassVar[frozenset[str]] = frozenset({"mu"})

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take whole numbers >= 0."""
        return ResponseData({"y": counts(response, self.name)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of com_poisson with that mean."""
        return log_prob(y, *_location(self.link("mu").log_inverse(values["mu"]), values["phi"]))

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y), sums over counts."""
        return tails(y, *_location(self.link("mu").log_inverse(values["mu"]), values["phi"]))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return mu."""
        return parameters["mu"]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance."""
        return mean_and_variance(*_natural(parameters))[1]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw counts."""
        return draw_com_poisson(rng, *_natural(parameters))


def _location(log_mean: Broadcast, phi: Broadcast) -> tuple[Broadcast, Broadcast]:
    """Return log(mu) and the shape of com_poisson, on JAX arrays."""
    from jax import numpy as jnp

    from bayesml.families.com_poisson_sums import log_mu_of_mean

    log_mean, shape = jnp.broadcast_arrays(*(jnp.asarray(v, dtype=float) for v in (log_mean, 1.0 / phi)))
    return log_mu_of_mean(log_mean, shape), shape


def _natural(parameters: Values) -> tuple[np.ndarray, np.ndarray]:
    """Return mu and the shape of com_poisson, on NumPy arrays."""
    import jax

    with jax.enable_x64(True):
        mean = np.maximum(np.asarray(parameters["mu"], dtype=float), SMALLEST_MEAN)
        log_mu, shape = (np.asarray(v) for v in _compiled()(np.log(mean), np.asarray(parameters["phi"], dtype=float)))
    return np.exp(log_mu), shape


@cache
def _compiled() -> Any:
    import jax

    return jax.jit(_location)


def compois(link: str = "log", link_phi: str = "log") -> MeanComPoisson:
    """Return the Conway-Maxwell-Poisson family with mean mu, as ``compois`` of glmmTMB.

    The variance is nearly phi mu; phi smaller than 1 is less than Poisson counts have. brms's family is com_poisson,
    about the mode, which is faster.

    Args:
        link: link of the mean mu.
        link_phi: link of the dispersion phi, where it has a formula; 1 is the Poisson distribution.
    """
    return MeanComPoisson.with_links(link, link_phi)


EXAMPLE = Example(
    compois(),
    y=(1.0, 2.0, 4.0),
    parameters={"mu": 2.2783095925268815, "phi": 0.5882352941176471},
    log_density=(-1.4848975725109217, -1.1055535352767651, -2.2145063515442382),
    source="mpmath 1.3: com_poisson of mu = 2.5 and shape = 1.7, whose mean this is",
)
