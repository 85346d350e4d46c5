"""The Dirichlet-multinomial family: counts of several categories that vary more than multinomial ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractLikelihood
from bayesml.families.example import Example
from bayesml.families.multinomial import count_columns, counts_of_trials, draw_counts
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import PHI
from bayesml.families.shares import draw_shares
from bayesml.families.softmax import (
    MU,
    AbstractReferenceFamily,
    AbstractSoftmaxLikelihood,
    checked_refcat,
    log_softmax,
    reference_of,
    softmax,
)

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "DirichletMultinomial", "DirichletMultinomialLikelihood", "dirichlet_multinomial"]


@final
@dataclass(frozen=True)
class DirichletMultinomial(AbstractReferenceFamily):
    """Multinomial counts whose probabilities have a Dirichlet distribution of concentrations m_k phi."""

    name: ClassVar[str] = "dirichlet_multinomial"
    takes_columns: ClassVar[bool] = True
    takes_counts: ClassVar[bool] = True
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU, PHI)

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Find the columns."""
        labels = count_columns(response, self.name)
        return DirichletMultinomialLikelihood(self, labels, reference_of(self.refcat, labels, self.name))


@final
@dataclass(frozen=True)
class DirichletMultinomialLikelihood(AbstractSoftmaxLikelihood):
    """A Dirichlet-multinomial family with known columns; expectations are their counts."""

    traits: ClassVar[Traits] = Traits(discrete=True, trials=True)  # type: ignore[assignment,misc]

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take rows of whole numbers that sum to the number of trials."""
        return counts_of_trials(response, self.labels, self.family.name, for_fit=for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density.

        With alpha_k = m_k phi it is log n! - sum log y_k! + sum log(alpha_k (alpha_k + 1) ... (alpha_k + y_k - 1)) -
        log(phi (phi + 1) ... (phi + n - 1)).
        """
        from jax import numpy as jnp

        from bayesml.families.densities import log_arrangements, log_pochhammer

        n, log_phi = data["trials"], jnp.log(values["phi"])
        rows = log_arrangements(y, n) - log_pochhammer(values["phi"], log_phi, n)
        for k, log_mean in enumerate(log_softmax(self.etas(values))):
            log_alpha = log_mean + log_phi
            rows = rows + log_pochhammer(jnp.exp(log_alpha), log_alpha, y[..., k])
        return rows

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected counts."""
        return np.asarray(data["trials"])[..., None] * softmax(self.etas(parameters))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of each count, n m (1 - m) (n + phi) / (1 + phi)."""
        mean, n = softmax(self.etas(parameters)), np.asarray(data["trials"])[..., None]
        phi = np.asarray(parameters["phi"])[..., None]
        return n * mean * (1 - mean) * (n + phi) / (1 + phi)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw probabilities, and counts with these."""
        alpha = softmax(self.etas(parameters)) * np.asarray(parameters["phi"])[..., None]
        return draw_counts(rng, data["trials"], draw_shares(rng, alpha))


def dirichlet_multinomial(
    link: str = "logit", link_phi: str = "log", refcat: str | int | None = None
) -> DirichletMultinomial:
    """Return the Dirichlet-multinomial family, for counts of several categories that are overdispersed.

    ``cbind(a, b, c) | trials(n) ~ x`` has the expected counts n m_k of the family multinomial; the variances
    n m_k (1 - m_k) are multiplied by (n + phi) / (1 + phi).

    Args:
        link: ``logit``, the only one.
        link_phi: link of the precision phi, where it has a formula; the larger it is, the nearer to multinomial.
        refcat: the column whose mu is 0; None takes the first, ``"NA"`` none.

    Raises:
        ModelError: a link or ``refcat`` is impossible.

    Example:
        >>> dirichlet_multinomial(refcat="b").refcat
        'b'
    """
    return DirichletMultinomial(DirichletMultinomial.with_links(link, link_phi).links, checked_refcat(refcat))


EXAMPLE = Example(
    dirichlet_multinomial(),
    y=((1.0, 2.0, 4.0), (0.0, 0.0, 7.0), (7.0, 0.0, 0.0)),
    parameters={"mub": 0.6931471805599453, "muc": 1.0986122886681098, "phi": 6.0},  # concentrations 1, 2, 3
    log_density=(-2.8678989020441055, -3.091042453358316, -6.674561391814425),
    source="SciPy 1.17.1: stats.dirichlet_multinomial([1, 2, 3], 7).logpmf(y)",
    additions={"trials": (7.0, 7.0, 7.0)},
    columns=("a", "b", "c"),
)
