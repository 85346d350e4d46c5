"""The multinomial family: counts of several categories out of a number of trials."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.errors import DataError
from bayesml.families.base import AbstractLikelihood
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import counts, require
from bayesml.families.softmax import (
    MU,
    AbstractReferenceFamily,
    AbstractSoftmaxLikelihood,
    checked_refcat,
    log_softmax,
    mu_names,
    reference_of,
    softmax,
)

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = [
    "EXAMPLE",
    "Multinomial",
    "MultinomialLikelihood",
    "count_columns",
    "counts_of_trials",
    "draw_counts",
    "multinomial",
]


@final
@dataclass(frozen=True)
class Multinomial(AbstractReferenceFamily):
    """Counts with the expectations n exp(mu_k) / sum_j exp(mu_j), n the number of trials."""

    name: ClassVar[str] = "multinomial"
    takes_columns: ClassVar[bool] = True
    takes_counts: ClassVar[bool] = True
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU,)

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Find the columns."""
        labels = count_columns(response, self.name)
        return MultinomialLikelihood(self, labels, reference_of(self.refcat, labels, self.name))


@final
@dataclass(frozen=True)
class MultinomialLikelihood(AbstractSoftmaxLikelihood):
    """A multinomial family with known columns; expectations are their counts."""

    traits: ClassVar[Traits] = Traits(discrete=True, trials=True)  # type: ignore[assignment,misc]

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take rows of whole numbers that sum to the number of trials."""
        return counts_of_trials(response, self.labels, self.family.name, for_fit=for_fit)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log n! - sum log y_k! + sum y_k log m_k, m_k the probability of the k-th column."""
        from bayesml.families.densities import log_arrangements

        logs = log_softmax(self.etas(values))
        return log_arrangements(y, data["trials"]) + sum(y[..., k] * log for k, log in enumerate(logs))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected counts."""
        return np.asarray(data["trials"])[..., None] * softmax(self.etas(parameters))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of each count, n m (1 - m)."""
        mean = softmax(self.etas(parameters))
        return np.asarray(data["trials"])[..., None] * mean * (1 - mean)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw counts."""
        return draw_counts(rng, data["trials"], softmax(self.etas(parameters)))


def draw_counts(rng: np.random.Generator, trials: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Draw multinomial counts ``(..., columns)``."""
    return rng.multinomial(np.asarray(trials).astype(np.int64), probabilities).astype(float)


def count_columns(response: RawResponse, family: str) -> tuple[str, ...]:
    """Return the labels of the columns of counts.

    Raises:
        DataError: there are fewer than two, or their linear predictors would have the same name.
    """
    labels = response.columns
    if len(labels) < 2:
        raise DataError(
            f"The family {family} takes counts in two or more columns, `cbind(a, b, c) | trials(n) ~ ...`; "
            f'`{response.name}` is one column. One count out of trials has the family "binomial".'
        )
    mu_names(labels, "The linear predictors of the counts")
    return labels


def counts_of_trials(response: RawResponse, labels: tuple[str, ...], family: str, *, for_fit: bool) -> ResponseData:
    """Return rows of whole numbers that sum to the number of trials.

    Raises:
        DataError: a count or a number of trials is impossible, or they do not agree.
    """
    y = np.asarray(response.values, dtype=float)
    for k, label in enumerate(labels):
        counts(replace(response, name=label, values=y[:, k], columns=()), family)
    sums = y.sum(axis=1)
    trials = np.broadcast_to(np.asarray(response.additions["trials"], dtype=float), sums.shape)
    cure = "Write `trials(n)` with the sum of the columns in each row, or leave it out."
    require(response, sums, sums == trials, "must sum to the number of trials (sum shown)", cure)
    if for_fit and not trials.any():
        raise DataError(f"The number of trials of `{response.name}` is 0 in every row: there is nothing to learn.")
    return ResponseData({"y": y, "trials": trials})


def multinomial(link: str = "logit", refcat: str | int | None = None) -> Multinomial:
    """Return the multinomial family, for counts of several categories: ``cbind(a, b, c) | trials(n) ~ x``.

    The expected counts are n m_k with the probabilities m_k = exp(mu_k) / sum_j exp(mu_j). Each column but the
    reference has a linear predictor ``mu`` with its name, ``mub``; the main formula is that of all of them. Without
    ``trials(n)`` n is the sum of the columns, which new data then need.

    Args:
        link: ``logit``, the only one.
        refcat: the column whose mu is 0; None takes the first, ``"NA"`` none, so that only the priors tell the linear
            predictors apart.

    Raises:
        ModelError: a link or ``refcat`` is impossible.

    Example:
        >>> multinomial(refcat="b").refcat
        'b'
    """
    return Multinomial(Multinomial.with_links(link).links, checked_refcat(refcat))


EXAMPLE = Example(
    multinomial(),
    y=((1.0, 2.0, 4.0), (0.0, 0.0, 7.0), (7.0, 0.0, 0.0)),
    parameters={"mub": 0.6931471805599453, "muc": 1.0986122886681098},  # probabilities 1/6, 1/3, 1/2
    log_density=(-2.107612418646532, -4.852030263919616, -12.542316284596385),
    source="SciPy 1.17.1: stats.multinomial(7, [1 / 6, 1 / 3, 1 / 2]).logpmf(y)",
    additions={"trials": (7.0, 7.0, 7.0)},
    columns=("a", "b", "c"),
)
