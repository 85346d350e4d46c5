"""The Dirichlet family: shares of a whole in several columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractLikelihood
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import PHI
from bayesml.families.shares import draw_shares, share_columns, shares
from bayesml.families.softmax import (
    MU,
    AbstractReferenceFamily,
    AbstractSoftmaxLikelihood,
    checked_refcat,
    reference_of,
    softmax,
)
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Dirichlet", "DirichletLikelihood", "dirichlet"]


@final
@dataclass(frozen=True)
class Dirichlet(AbstractReferenceFamily):
    """Shares with expectations m_k = exp(mu_k) / sum_j exp(mu_j) and concentrations m_k phi."""

    name: ClassVar[str] = "dirichlet"
    takes_columns: ClassVar[bool] = True
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU, PHI)

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Find the columns."""
        labels = share_columns(response, self.name)
        return DirichletLikelihood(self, labels, reference_of(self.refcat, labels, self.name))


@final
@dataclass(frozen=True)
class DirichletLikelihood(AbstractSoftmaxLikelihood):
    """A Dirichlet family with known columns; expectations are their shares."""

    traits: ClassVar[Traits] = Traits()  # type: ignore[assignment,misc]

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take rows of shares strictly between 0 and 1 that sum to 1."""
        return ResponseData({"y": shares(response, self.labels)})

    def _shapes(self, values: Values) -> tuple[Broadcast, Broadcast]:
        """Return expectations ``(..., rows, k)`` and phi with an axis behind that of the rows."""
        phi = values["phi"]
        return softmax(self.etas(values)), array_namespace(phi).asarray(phi)[..., None]

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log Gamma(phi) - sum log Gamma(m_k phi) + sum (m_k phi - 1) log y_k."""
        from jax import numpy as jnp

        from bayesml.families.densities import log_gamma

        mean, phi = self._shapes(values)
        # A vanishing concentration is rounding: log Gamma and its derivative stay finite.
        smallest = 1e6 * jnp.finfo(mean.dtype).tiny
        alpha = jnp.maximum(mean * phi, smallest)
        rows = log_gamma(phi)[..., 0] + jnp.sum((alpha - 1.0) * jnp.log(y) - log_gamma(alpha), axis=-1)
        return jnp.where(phi[..., 0] > 0, rows, jnp.nan)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected shares."""
        return self._shapes(parameters)[0]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of each share, m (1 - m) / (1 + phi)."""
        mean, phi = self._shapes(parameters)
        return mean * (1 - mean) / (1 + phi)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw shares."""
        mean, phi = self._shapes(parameters)
        return draw_shares(rng, mean * phi)


def dirichlet(link: str = "logit", link_phi: str = "log", refcat: str | int | None = None) -> Dirichlet:
    """Return the Dirichlet family, for shares of a whole in several columns: ``cbind(a, b, c) ~ x``.

    The expected shares are m_k = exp(mu_k) / sum_j exp(mu_j), the concentrations m_k phi, the variances
    m_k (1 - m_k) / (1 + phi). Each column but the reference has a linear predictor ``mu`` with its name, ``mub``; the
    main formula is that of all of them.

    Args:
        link: ``logit``, the only one.
        link_phi: link of the precision phi, where it has a formula.
        refcat: the column whose mu is 0; None takes the first, ``"NA"`` none, so that only the priors tell the linear
            predictors apart.

    Raises:
        ModelError: a link or ``refcat`` is impossible.

    Example:
        >>> dirichlet(refcat="b").refcat
        'b'
    """
    return Dirichlet(Dirichlet.with_links(link, link_phi).links, checked_refcat(refcat))


EXAMPLE = Example(
    dirichlet(),
    y=((0.2, 0.3, 0.5), (0.02, 0.9, 0.08), (0.6, 0.1, 0.3)),
    parameters={"mub": 0.6931471805599453, "muc": 1.0986122886681098, "phi": 12.0},  # shares 1/6, 1/3, 1/2
    log_density=(2.2359644056521493, -5.933691140079118, -2.5153882905140232),
    source="SciPy 1.17.1: stats.dirichlet([2, 4, 6]).logpdf(y)",
    columns=("a", "b", "c"),
)
