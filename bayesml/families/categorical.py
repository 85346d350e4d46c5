"""The categorical family: one of several categories without an order, multinomial logistic regression."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar, final

import numpy as np

from bayesml.errors import DataError, ModelError
from bayesml.families.base import AbstractFamily, AbstractLikelihood, Array
from bayesml.families.categories import (
    category_codes,
    log_softmax,
    mu_names,
    numbers_of_categories,
    reference_of,
    softmax,
)
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.links import Link, get_link
from bayesml.namespace import array_namespace

__all__ = ["Categorical", "CategoricalLikelihood", "categorical", "checked_refcat"]

MU_PARAMETER = DistributionalParameter("mu", ("logit",), (-inf, inf))


@final
@dataclass(frozen=True)
class Categorical(AbstractFamily):
    """One of several categories: P(Y = k) = exp(mu_k) / sum_j exp(mu_j), with mu = 0 of the reference.

    Attributes:
        refcat: the reference; empty for the first category, ``NA`` for none.
    """

    refcat: str = ""

    name: ClassVar[str] = "categorical"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU_PARAMETER,)

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
class CategoricalLikelihood(AbstractLikelihood):
    """A categorical family with known categories.

    Attributes:
        chosen: the family.
        labels: the categories.
        reference: place of the one whose linear predictor is 0; -1 where there is none.
    """

    chosen: Categorical
    labels: tuple[str, ...]
    reference: int

    traits: ClassVar[Traits] = Traits(discrete=True, rows_repeat=True)  # type: ignore[assignment,misc]

    @property
    def family(self) -> AbstractFamily:
        """The family."""
        return self.chosen

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """A linear predictor for each category but the reference, ``muB`` of the category B."""
        names = mu_names(self.labels, "Categories")
        return tuple(replace(MU_PARAMETER, name=name, role="mu") for k, name in enumerate(names) if k != self.reference)

    def link(self, dpar: str) -> Link:
        """Return the identity: probabilities are functions of all linear predictors together."""
        return get_link("identity")

    @property
    def event_shape(self) -> tuple[int, ...]:
        """One probability for each category."""
        return (len(self.labels),)

    @property
    def event_labels(self) -> tuple[str, ...]:
        """The categories."""
        return self.labels

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take categories, or numbers that stand for categories."""
        y = numbers_of_categories(response, self.chosen.name, self.labels)
        compared = f" relative to {self.labels[self.reference]!r}" if self.reference >= 0 else ""
        note = f"models the probability of each category of {response.name}{compared}"
        return ResponseData({"y": y}, note, levels=self.labels)

    def _etas(self, values: Mapping[str, Array]) -> list[Array]:
        """Return the linear predictor of each category."""
        etas = [values[parameter.name] for parameter in self.dpars]
        if self.reference >= 0:
            etas.insert(self.reference, array_namespace(etas[0]).zeros_like(etas[0]))
        return etas

    def log_prob(self, y: Array, values: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return mu_y - log sum_k exp(mu_k)."""
        logs = log_softmax(self._etas(values))
        xp = array_namespace(y, *logs)
        return sum(xp.where(y == k + 1, each, 0.0) for k, each in enumerate(logs))

    def mean(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return the probability of each category."""
        return softmax(self._etas(parameters))

    def variance(self, parameters: Mapping[str, Array], data: Mapping[str, Array]) -> Array:
        """Return the variance of the indicator of each category, p (1 - p)."""
        p = self.mean(parameters, data)
        return p * (1 - p)

    def draw(
        self, rng: np.random.Generator, parameters: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Draw numbers of categories, from 1."""
        cumulated = np.cumsum(self.mean(parameters, data), axis=-1)
        return 1.0 + (rng.random((*cumulated.shape[:-1], 1)) > cumulated[..., :-1]).sum(axis=-1)


def checked_refcat(refcat: object) -> str:
    """Return the label of a reference category; numbers are labels as they are printed.

    Raises:
        ModelError: it is no text, number or truth value.
    """
    if refcat is None:
        return ""
    if isinstance(refcat, (str, int, np.integer)):
        return str(refcat)
    raise ModelError(f'`refcat` is the label of a category, or "NA" for no reference; got {refcat!r}.')


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
