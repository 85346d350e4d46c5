"""The logistic normal family: shares whose log ratios to one of them are multivariate normal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions import lkj
from bayesml.distributions.lkj import cholesky_factor
from bayesml.errors import ModelError
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.example import Example
from bayesml.families.normal_points import normal_points
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.scales import SIGMA, mu
from bayesml.families.shares import share_columns, shares
from bayesml.families.softmax import AbstractLabelledLikelihood, checked_refcat, mu_names, reference_of, softmax
from bayesml.spec import ParameterSpec
from bayesml.supports import CorrCholesky

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Numbers, Observed, PerRow, Values

__all__ = ["EXAMPLE", "LogisticNormal", "LogisticNormalLikelihood", "logistic_normal"]

FACTOR, CORRELATIONS = "Llncor", "lncor"
"""The Cholesky factor of the correlations of the log ratios, which is sampled, and the correlations, which are
reported."""
MU = mu(("identity",))


@final
@dataclass(frozen=True)
class LogisticNormal(AbstractFamily):
    """Shares y whose log ratios log(y_k / y_r) are normal with means mu_k, standard deviations sigma_k, correlations R.

    Attributes:
        refcat: the column r of the denominator; empty for the first.
    """

    refcat: str = ""

    name: ClassVar[str] = "logistic_normal"
    takes_columns: ClassVar[bool] = True
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU, SIGMA)

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Find the columns."""
        labels = share_columns(response, self.name)
        reference = reference_of(self.refcat, labels, self.name)
        if reference < 0:
            raise ModelError("The family logistic_normal has a reference, the column of the denominator; name one.")
        return LogisticNormalLikelihood(self, labels, reference)


@final
@dataclass(frozen=True)
class LogisticNormalLikelihood(AbstractLabelledLikelihood):
    """A logistic normal family with known columns.

    Attributes:
        reference: place of the column of the denominator.
    """

    reference: int

    traits: ClassVar[Traits] = Traits()  # type: ignore[assignment,misc]

    @property
    def _others(self) -> tuple[int, ...]:
        return tuple(k for k in range(len(self.labels)) if k != self.reference)

    @property
    def _endings(self) -> tuple[str, ...]:
        """What follows ``mu`` and ``sigma``: letters and digits of each label but that of the reference."""
        names = mu_names(self.labels, "Linear predictors")
        return tuple(names[k].removeprefix("mu") for k in self._others)

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """Mean and standard deviation of each log ratio."""
        means = tuple(replace(MU, name=f"mu{ending}", role="mu") for ending in self._endings)
        return means + tuple(replace(SIGMA, name=f"sigma{ending}", role="sigma") for ending in self._endings)

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The factor of the correlations, where there are several log ratios."""
        size = len(self._others)
        if size < 2:
            return ()
        correlated = self._endings
        return (
            ParameterSpec(
                FACTOR,
                CORRELATIONS,
                (size, size),
                support=CorrCholesky(),
                priors=(lkj(1),),
                correlated=correlated,
            ),
        )

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take rows of shares strictly between 0 and 1 that sum to 1."""
        return ResponseData({"y": shares(response, self.labels)})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log N(log ratios; mu, diag(sigma) R diag(sigma)) - sum log y_k, the last for the change of variables.

        With e = (log ratio - mu) / sigma and R = L L', u solves L u = e, so that e' R^-1 e = u' u, and the determinant
        of the covariance matrix is the square of the product of all sigma_i L_ii.
        """
        from jax import numpy as jnp

        logs = jnp.log(y)
        u: list[PerRow] = []
        total = -jnp.sum(logs, axis=-1) - 0.5 * len(self._others) * log(2 * pi)
        for i, (k, (mean, sigma)) in enumerate(zip(self._others, self._pairs(values), strict=True)):
            rest = (logs[..., k] - logs[..., self.reference] - mean) / sigma
            diagonal = values[FACTOR][..., i, i] if self.parameters else 1.0
            for j, earlier in enumerate(u):
                rest = rest - values[FACTOR][..., i, j] * earlier
            u.append(rest / diagonal)
            total = total - jnp.log(sigma * diagonal)
        return total - 0.5 * sum(each**2 for each in u)

    def _pairs(self, values: Values) -> list[tuple[Broadcast, Broadcast]]:
        return [(values[f"mu{ending}"], values[f"sigma{ending}"]) for ending in self._endings]

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the correlations, row by row of the upper triangle."""
        if not self.parameters:
            return {}
        factor = values[FACTOR]
        return {CORRELATIONS: (factor @ factor.T)[np.triu_indices(len(self._others), 1)]}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the factor of the correlations."""
        if not self.parameters:
            return {}
        pairs, size = np.asarray(values[CORRELATIONS]), len(self._others)
        matrix = np.zeros((*pairs.shape[:-1], size, size)) + np.eye(size)
        rows, columns = np.triu_indices(size, 1)
        matrix[..., rows, columns] = matrix[..., columns, rows] = pairs
        return {FACTOR: cholesky_factor(matrix)}

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected shares, an average over normal numbers."""
        return self._moments(parameters)[0]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of each share, likewise."""
        return self._moments(parameters)[1]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw log ratios."""
        pairs = self._pairs(parameters)
        shape = np.broadcast_shapes(*(np.shape(each) for pair in pairs for each in pair))
        return self._shares(parameters, list(np.moveaxis(rng.standard_normal((*shape, len(pairs))), -1, 0)))

    def _moments(self, parameters: Values) -> tuple[Expected, Expected]:
        """Return mean and variance of each share: averages over points for the standard normal numbers."""
        widest = max(float(np.max(sigma)) for _, sigma in self._pairs(parameters))
        mean, square = 0.0, 0.0
        for z, weight in zip(*normal_points(len(self._others), widest), strict=True):
            share = self._shares(parameters, z)
            mean, square = mean + weight * share, square + weight * share**2
        return mean, square - mean**2

    def _shares(self, parameters: Values, z: Sequence[Numbers]) -> np.ndarray:
        """Return the shares with the log ratios mu + sigma L z."""
        etas: list[np.ndarray] = []
        for i, (mean, sigma) in enumerate(self._pairs(parameters)):
            if self.parameters:
                factor = np.asarray(parameters[FACTOR])
                turned = sum(factor[..., i, j] * z[j] for j in range(i + 1))
            else:
                turned = z[i]
            etas.append(np.asarray(mean + sigma * turned))
        etas.insert(self.reference, np.zeros(()))
        return softmax(etas)


def logistic_normal(link: str = "identity", link_sigma: str = "log", refcat: str | int | None = None) -> LogisticNormal:
    """Return the logistic normal family, for shares of a whole in several columns: ``cbind(a, b, c) ~ x``.

    The log ratios log(y_k / y_r) to the reference r are multivariate normal. Each other column has a mean and a
    standard deviation of its log ratio with its name, ``mub`` and ``sigmab``; the main formula is that of all means.
    The correlations ``lncor__b__c`` have an LKJ prior. Expected shares have no closed form: they are averages over a
    grid of normal numbers, with four and more columns over 500 random ones, the same each time (error about 0.002).

    Args:
        link: ``identity``, the only one.
        link_sigma: link of the standard deviations, where they have a formula.
        refcat: the column in the denominator; None takes the first.

    Raises:
        ModelError: a link or ``refcat`` is impossible.

    Example:
        >>> logistic_normal(refcat="b").refcat
        'b'
    """
    return LogisticNormal(LogisticNormal.with_links(link, link_sigma).links, checked_refcat(refcat))


EXAMPLE = Example(
    logistic_normal(),
    y=((0.2, 0.3, 0.5), (0.02, 0.9, 0.08), (0.6, 0.1, 0.3)),
    parameters={
        "mub": 0.4,
        "muc": 0.8,
        "sigmab": 0.7,
        "sigmac": 0.5,
        "Llncor": ((1.0, 0.0), (0.6, 0.8)),
    },
    log_density=(2.9010401848404106, -8.249487456117379, -2.407869584436411),
    source="SciPy 1.17.1: stats.multivariate_normal([0.4, 0.8], [[0.49, 0.21], [0.21, 0.25]]).logpdf of "
    "log(y[1:] / y[0]), minus sum(log(y))",
    columns=("a", "b", "c"),
)
