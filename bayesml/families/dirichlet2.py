"""The Dirichlet family by its concentrations, each with a linear predictor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.shares import draw_shares, share_columns, shares
from bayesml.families.softmax import AbstractLabelledLikelihood, mu_names
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Dirichlet2", "Dirichlet2Likelihood", "dirichlet2"]

CONCENTRATION = DistributionalParameter("mu", ("log", "softplus", "squareplus", "identity", "logm1"), (0.0, inf))


@final
@dataclass(frozen=True)
class Dirichlet2(AbstractFamily):
    """Shares with concentrations mu_k, and expectations mu_k / sum_j mu_j."""

    name: ClassVar[str] = "dirichlet2"
    takes_columns: ClassVar[bool] = True
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (CONCENTRATION,)

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Find the columns."""
        return Dirichlet2Likelihood(self, share_columns(response, self.name))


@final
@dataclass(frozen=True)
class Dirichlet2Likelihood(AbstractLabelledLikelihood):
    """A Dirichlet family with known columns; expectations are their shares."""

    traits: ClassVar[Traits] = Traits()  # type: ignore[assignment,misc]

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """A concentration for each column."""
        names = mu_names(self.labels, "Concentrations")
        return tuple(replace(CONCENTRATION, name=name, role="mu") for name in names)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take rows of shares strictly between 0 and 1 that sum to 1."""
        return ResponseData({"y": shares(response, self.labels)})

    def _concentrations(self, values: Values) -> Broadcast:
        """Return the concentrations ``(..., rows, columns)``; a vanishing one is rounding, a negative one is none."""
        every = [values[p.name] for p in self.dpars]
        xp = array_namespace(*every)
        shape = np.broadcast_shapes(*(np.shape(each) for each in every))
        alpha = xp.stack([xp.broadcast_to(each, shape) for each in every], axis=-1)
        smallest = 1e6 * np.finfo(alpha.dtype).tiny
        return xp.where(alpha < 0, np.nan, xp.maximum(alpha, smallest))

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log Gamma(sum mu_k) - sum log Gamma(mu_k) + sum (mu_k - 1) log y_k."""
        from jax import numpy as jnp

        from bayesml.families.densities import log_gamma

        alpha = self._concentrations(values)
        rows = jnp.sum((alpha - 1.0) * jnp.log(y) - log_gamma(alpha), axis=-1)
        return log_gamma(alpha.sum(axis=-1)) + rows

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected shares."""
        alpha = self._concentrations(parameters)
        return alpha / alpha.sum(axis=-1, keepdims=True)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of each share, m (1 - m) / (1 + sum of the concentrations)."""
        alpha = self._concentrations(parameters)
        total = alpha.sum(axis=-1, keepdims=True)
        return alpha / total * (1 - alpha / total) / (1 + total)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw shares."""
        return draw_shares(rng, self._concentrations(parameters))


def dirichlet2(link: str = "log") -> Dirichlet2:
    """Return the Dirichlet family by its concentrations, for shares of a whole: ``cbind(a, b, c) ~ x``.

    Each column has a linear predictor ``mu`` with its name, ``mua``, of its concentration; the expected shares are
    mu_k / sum_j mu_j. The main formula is that of all of them.

    Args:
        link: link of the concentrations.

    Raises:
        ModelError: they cannot have that link.

    Example:
        >>> dirichlet2().link("mu").name
        'log'
    """
    return Dirichlet2.with_links(link)


EXAMPLE = Example(
    dirichlet2(),
    y=((0.2, 0.3, 0.5), (0.02, 0.9, 0.08), (0.6, 0.1, 0.3)),
    parameters={"mua": 2.0, "mub": 4.0, "muc": 6.0},
    log_density=(2.2359644056521493, -5.933691140079118, -2.5153882905140232),
    source="SciPy 1.17.1: stats.dirichlet([2, 4, 6]).logpdf(y)",
    columns=("a", "b", "c"),
)
