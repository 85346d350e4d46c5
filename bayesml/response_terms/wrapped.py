"""A likelihood around another one: what it does not change it asks the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from bayesml.families.base import AbstractFamily, AbstractLikelihood, Component
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.links import Link
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Values

__all__ = ["AbstractWrapped", "kept_traits"]


def kept_traits(of_base: Traits) -> Traits:
    """Return what is left of the traits of a likelihood when a response term changes its density."""
    return Traits(
        discrete=of_base.discrete,
        response_on_log_scale=of_base.response_on_log_scale,
        priors_on_log_scale=of_base.priors_on_log_scale,
        rows_repeat=of_base.rows_repeat,
        has_cdf=of_base.has_cdf,
        two_levels=of_base.two_levels,
        trials=of_base.trials,
        known_errors=of_base.known_errors,
        rate=of_base.rate,
        own_data=of_base.own_data,
        decisions=of_base.decisions,
        has_moments=of_base.has_moments,
        continuous=of_base.continuous,
        kinked=of_base.kinked,
        rows_depend=of_base.rows_depend,
        reads_past=of_base.reads_past,
    )


@dataclass(frozen=True)
class AbstractWrapped(AbstractLikelihood):
    """A likelihood with a response term.

    Attributes:
        base: the likelihood without the term.
    """

    base: AbstractLikelihood

    @property
    def family(self) -> AbstractFamily:
        """The family of ``base``."""
        return self.base.family

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """The parameters of ``base``."""
        return self.base.dpars

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The further parameters of ``base``."""
        return self.base.parameters

    @property
    def linear(self) -> frozenset[str]:
        """As in ``base``."""
        return self.base.linear

    @property
    def event_shape(self) -> tuple[int, ...]:
        """As in ``base``."""
        return self.base.event_shape

    @property
    def event_labels(self) -> tuple[str, ...]:
        """As in ``base``."""
        return self.base.event_labels

    @property
    def first_category(self) -> int:
        """As in ``base``."""
        return self.base.first_category

    def on_components(self, change: Callable[[AbstractLikelihood], AbstractLikelihood]) -> AbstractLikelihood:
        """Return the term around the changed components of ``base``; it changes itself where ``base`` is no mixture."""
        return replace(self, base=self.base.on_components(change)) if self.base.components else change(self)

    @property
    def unbounded(self) -> AbstractLikelihood:
        """The term around ``base`` without censoring and truncation."""
        return replace(self, base=self.base.unbounded)

    def chosen_link(self, dpar: str) -> Link:
        """As in ``base``."""
        return self.base.chosen_link(dpar)

    def traits_of(self, dpar: str) -> Traits:
        """As in ``base``."""
        return self.base.traits_of(dpar)

    @property
    def ordered(self) -> tuple[str, ...]:
        """As in ``base``."""
        return self.base.ordered

    @property
    def components(self) -> tuple[AbstractLikelihood, ...]:
        """As in ``base``."""
        return self.base.components

    def by_component(self, values: Values, data: DataArrays) -> Sequence[Component]:
        """As in ``base``."""
        return self.base.by_component(values, data)

    @property
    def shown_parameters(self) -> Mapping[str, tuple[str, ...]]:
        """As in ``base``."""
        return self.base.shown_parameters

    def shown_parameter(self, name: str, parameters: Values) -> Broadcast:
        """As in ``base``."""
        return self.base.shown_parameter(name, parameters)

    @property
    def has_costly_derivatives(self) -> bool:
        """As in ``base``."""
        return self.base.has_costly_derivatives

    @property
    def signed(self) -> Self:
        """The term around ``base`` with signed draws."""
        return replace(self, base=self.base.signed)

    def data_at(self, y: float, data: DataArrays) -> DataArrays:
        """As in ``base``."""
        return self.base.data_at(y, data)

    @property
    def traits(self) -> Traits:
        """What is left of the traits of ``base``: a form that takes its density apart no longer holds."""
        return kept_traits(self.base.traits)

    def link(self, dpar: str) -> Link:
        """Return the link of ``dpar``."""
        return self.base.link(dpar)

    @property
    def flat_in_brms(self) -> frozenset[str]:  # type: ignore[override]
        """As in ``base``."""
        return self.base.flat_in_brms

    def encoded_additions(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As in ``base``."""
        return self.base.encoded_additions(additions)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Check and encode the response as ``base`` does."""
        return self.base.encode(response, for_fit=for_fit)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected response of ``base``."""
        return self.base.mean(parameters, data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the response of ``base``."""
        return self.base.variance(parameters, data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw from ``base``."""
        return self.base.draw(rng, parameters, data)

    def probe(self, data: DataArrays) -> np.ndarray | None:
        """As in ``base``."""
        return self.base.probe(data)

    def root_dispersion(self, auxiliary: Mapping[str, float]) -> float:
        """As in ``base``."""
        return self.base.root_dispersion(auxiliary)
