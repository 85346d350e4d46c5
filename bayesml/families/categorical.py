"""The categorical family: one of several categories without an order, multinomial logistic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.errors import DataError
from bayesml.families.base import AbstractLikelihood
from bayesml.families.categories import category_codes, draw_categories, numbers_of_categories
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
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
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Categorical", "CategoricalLikelihood", "categorical"]


@final
@dataclass(frozen=True)
class Categorical(AbstractReferenceFamily):
    """One of several categories: P(Y = k) = exp(mu_k) / sum_j exp(mu_j), with mu = 0 of the reference."""

    name: ClassVar[str] = "categorical"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU,)

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Find the categories."""
        labels = category_codes(response, self.name)[1]
        if len(labels) < 2:
            shown = f" (`{labels[0]}`)" if labels else ""
            raise DataError(
                f"The response `{response.name}` has one category only{shown}; a categorical model needs two or more."
            )
        mu_names(labels, f"The linear predictors of the categories of `{response.name}`")
        return CategoricalLikelihood(self, labels, reference_of(self.refcat, labels, self.name))


@final
@dataclass(frozen=True)
class CategoricalLikelihood(AbstractSoftmaxLikelihood):
    """A categorical family with known categories; expectations are their probabilities."""

    traits: ClassVar[Traits] = Traits(discrete=True, rows_repeat=True)  # type: ignore[assignment,misc]

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take categories, or numbers that stand for categories."""
        y = numbers_of_categories(response, self.family.name, self.labels)
        compared = f" relative to {self.labels[self.reference]!r}" if self.reference >= 0 else ""
        note = f"models the probability of each category of {response.name}{compared}"
        return ResponseData({"y": y}, note, levels=self.labels)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return mu_y - log sum_k exp(mu_k)."""
        logs = log_softmax(self.etas(values))
        xp = array_namespace(y, *logs)
        return sum(xp.where(y == k + 1, log, 0.0) for k, log in enumerate(logs))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the probability of each category."""
        return softmax(self.etas(parameters))

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the indicator of each category, p (1 - p)."""
        p = self.mean(parameters, data)
        return p * (1 - p)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw numbers of categories, from 1."""
        return draw_categories(rng, self.mean(parameters, data))


def categorical(link: str = "logit", refcat: str | int | None = None) -> Categorical:
    """Return the categorical family: P(Y = k) = exp(mu_k) / sum_j exp(mu_j).

    Each category but the reference has a linear predictor ``mu`` with its name, ``muB``. The main formula is that of
    all of them; ``bf("y ~ x", muB="~ x + z")`` gives one a formula of its own.

    Args:
        link: ``logit``, the only one.
        refcat: the reference category, whose linear predictor is 0; None takes the first, ``"NA"`` none, so that only
            the priors tell the linear predictors apart.

    Raises:
        ModelError: the link or ``refcat`` is impossible.

    Example:
        >>> categorical(refcat="control").refcat
        'control'
    """
    return Categorical(Categorical.with_links(link).links, checked_refcat(refcat))


EXAMPLE = Example(
    categorical(),
    y=(1.0, 2.0, 3.0),
    parameters={"mu2": 0.7, "mu3": -1.2},
    log_density=(-1.1984416112570426, -0.49844161125704267, -2.3984416112570424),
    source="SciPy 1.17.1: special.log_softmax([0, 0.7, -1.2])",
)
