"""A likelihood around another one; what it does not change is that of the other one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from bayesml.delegation import delegated
from bayesml.families.base import AbstractLikelihood, Component
from bayesml.families.records import Traits

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["AbstractReparameterised", "AbstractWrapped", "kept_traits"]


def kept_traits(of_base: Traits) -> Traits:
    """Return what is left of the traits of a likelihood when a response term changes its density."""
    return replace(
        of_base,
        normal=False,
        count_table="",
        latent_threshold=False,
        lognormal_variance=False,
        residuals="",
        thresholds=False,
        baseline_hazard=False,
        several_modes=False,
        divergence=None,
    )


@dataclass(frozen=True)
class AbstractWrapped(AbstractLikelihood):
    """A likelihood around another one: with a response term, or with parameters that are not estimated.

    Attributes:
        base: the other one.
    """

    base: AbstractLikelihood

    family = delegated("base")
    dpars = delegated("base")
    parameters = delegated("base")
    linear = delegated("base")
    event_shape = delegated("base")
    event_labels = delegated("base")
    response_labels = delegated("base")
    computed = delegated("base")
    thresholds = delegated("base")
    threshold_labels = delegated("base")
    centres_predictors = delegated("base")
    also_taken = delegated("base")
    derive = delegated("base")
    sampled = delegated("base")
    first_category = delegated("base")
    chosen_link = delegated("base")
    traits_of = delegated("base")
    ordered = delegated("base")
    components = delegated("base")
    by_component = delegated("base")
    shown_parameters = delegated("base")
    shown_parameter = delegated("base")
    has_costly_derivatives = delegated("base")
    data_at = delegated("base")
    link = delegated("base")
    flat_in_brms = delegated("base")
    encoded_additions = delegated("base")
    encode = delegated("base")
    mean = delegated("base")
    variance = delegated("base")
    draw = delegated("base")
    probe = delegated("base")
    root_dispersion = delegated("base")

    def on_components(self, change: Callable[[AbstractLikelihood], AbstractLikelihood]) -> AbstractLikelihood:
        """Return the same around changed components of ``base``; without components it is changed itself."""
        return replace(self, base=self.base.on_components(change)) if self.base.components else change(self)

    @property
    def unbounded(self) -> AbstractLikelihood:
        """The same around ``base`` without censoring and truncation."""
        return replace(self, base=self.base.unbounded)

    @property
    def signed(self) -> Self:
        """The same around ``base`` with signed draws."""
        return replace(self, base=self.base.signed)

    @property
    def traits(self) -> Traits:
        """What is left of the traits of ``base``: a form that takes its density apart no longer holds."""
        return kept_traits(self.base.traits)


@dataclass(frozen=True)
class AbstractReparameterised(AbstractWrapped):
    """A likelihood that is ``base`` at parameters which are computed from its own."""

    @abstractmethod
    def of_base(self, values: Values, data: DataArrays, linear: frozenset[str]) -> Values:
        """Return the parameters of ``base``.

        Args:
            values: the parameters.
            data: ``ResponseData.arrays``.
            linear: those that are linear predictors; all others are on their natural scale.
        """

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density."""
        return self.base.log_prob(y, self.of_base(values, data, self.linear), data)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return log P(response <= y) and log P(response > y)."""
        return self.base.log_tails(y, self.of_base(values, data, self.linear), data)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected response."""
        return self.base.mean(self.of_base(parameters, data, frozenset()), data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the response."""
        return self.base.variance(self.of_base(parameters, data, frozenset()), data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw responses."""
        return self.base.draw(rng, self.of_base(parameters, data, frozenset()), data)

    def by_component(self, values: Values, data: DataArrays) -> Sequence[Component]:
        """Return the components of ``base``."""
        return self.base.by_component(self.of_base(values, data, self.linear), data)
