"""Parameters that a formula fixes: ``quantile=0.9`` at a number, ``sigma2="sigma1"`` at the value of another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.errors import FormulaError, did_you_mean
from bayesml.families.base import AbstractFamily, AbstractLikelihood, Component
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.keys import PredictorKey
from bayesml.links import Link
from bayesml.spec import JointTarget, ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Numbers, Observed, PerRow, Values

__all__ = ["Fixed", "with_fixed"]


def with_fixed(likelihood: AbstractLikelihood, fixed: Mapping[str, float | str]) -> AbstractLikelihood:
    """Return the likelihood with parameters held at numbers or at the values of others.

    Args:
        likelihood: the likelihood of the family.
        fixed: parameters and what holds them, without those that the family itself fixes.

    Raises:
        FormulaError: there is no such parameter, it is that of the main formula, the number lies outside its bounds,
            or the other parameter is one of another kind or has no value of its own.
    """
    if not fixed:
        return likelihood
    by_name = {parameter.name: parameter for parameter in likelihood.dpars}
    numbers, equal = [], []
    for name, value in fixed.items():
        parameter = _fixable(likelihood, by_name, name)
        if isinstance(value, str):
            equal.append((name, _other(likelihood, by_name, parameter, value, fixed)))
        else:
            numbers.append((name, _inside(likelihood, parameter, float(value))))
    return Fixed(likelihood, tuple(numbers), tuple(equal))


def _fixable(
    likelihood: AbstractLikelihood, by_name: Mapping[str, DistributionalParameter], name: str
) -> DistributionalParameter:
    possible = [each.name for each in by_name.values() if each.kind not in ("mu", "theta")]
    if name in possible:
        return by_name[name]
    listed = f"it has {', '.join(f'`{each}`' for each in possible)}" if possible else "it has none"
    known = "has the main formula" if name in by_name else "is no parameter"
    raise FormulaError(
        f"`{name}` cannot be fixed: it {known} of the family {likelihood.family.name}{did_you_mean(name, possible)}; "
        f"of those that can be fixed {listed}."
    )


def _inside(likelihood: AbstractLikelihood, parameter: DistributionalParameter, value: float) -> float:
    lower, upper = parameter.bounds
    if lower < value < upper:
        return value
    rule = f"lies between {lower:g} and {upper:g}"
    if np.isinf(upper):
        rule = f"is larger than {lower:g}"
    raise FormulaError(
        f"`{parameter.name}={value:g}` is impossible: {parameter.name} of the family {likelihood.family.name} {rule}."
    )


def _other(
    likelihood: AbstractLikelihood,
    by_name: Mapping[str, DistributionalParameter],
    parameter: DistributionalParameter,
    other: str,
    fixed: Mapping[str, float | str],
) -> str:
    alike = [e.name for e in by_name.values() if e.kind == parameter.kind and e.name != parameter.name]
    if other not in alike:
        listed = ", ".join(f"`{name}`" for name in alike) or "none"
        raise FormulaError(
            f"`{parameter.name}` cannot equal `{other}`: of the family {likelihood.family.name} the parameters of its "
            f"kind are {listed}."
        )
    if other in fixed:
        raise FormulaError(f"`{parameter.name}` equals `{other}`, which is fixed itself; give both the same number.")
    if likelihood.link(parameter.name) != likelihood.link(other):
        raise FormulaError(f"`{parameter.name}` cannot equal `{other}`: they have different links.")
    return other


@final
@dataclass(frozen=True)
class Fixed(AbstractLikelihood):
    """A likelihood of which some parameters are not estimated.

    Attributes:
        base: the likelihood in which they are.
        numbers: parameters with their values; they stay parameters, with a value where they have no formula.
        equal: parameters with the one whose value they have; they are parameters of ``base`` alone.
    """

    base: AbstractLikelihood
    numbers: tuple[tuple[str, float], ...] = ()
    equal: tuple[tuple[str, str], ...] = ()

    @property
    def family(self) -> AbstractFamily:
        """The family of ``base``."""
        return self.base.family

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """Those of ``base``, with the values of some, without those that equal others."""
        held, without = dict(self.numbers), dict(self.equal)
        return tuple(
            replace(p, unpredicted=held[p.name]) if p.name in held else p
            for p in self.base.dpars
            if p.name not in without
        )

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """As in ``base``."""
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
    def response_labels(self) -> tuple[str, ...]:
        """As in ``base``."""
        return self.base.response_labels

    @property
    def further(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """As in ``base``."""
        return self.base.further

    @property
    def computed(self) -> tuple[JointTarget, ...]:
        """As in ``base``."""
        return self.base.computed

    @property
    def thresholds(self) -> int:
        """As in ``base``."""
        return self.base.thresholds

    @property
    def threshold_labels(self) -> tuple[str, ...]:
        """As in ``base``."""
        return self.base.threshold_labels

    @property
    def centres_predictors(self) -> bool:
        """As in ``base``."""
        return self.base.centres_predictors

    @property
    def ordered(self) -> tuple[str, ...]:
        """As in ``base``."""
        return self.base.ordered

    @property
    def first_category(self) -> int:
        """As in ``base``."""
        return self.base.first_category

    @property
    def has_costly_derivatives(self) -> bool:
        """As in ``base``."""
        return self.base.has_costly_derivatives

    @property
    def signed(self) -> Fixed:
        """With signed draws of ``base``."""
        return replace(self, base=self.base.signed)

    @property
    def unbounded(self) -> Fixed:
        """With the same parameters of ``base`` as it is without bounds."""
        return replace(self, base=self.base.unbounded)

    def data_at(self, y: float, data: DataArrays) -> DataArrays:
        """As in ``base``."""
        return self.base.data_at(y, data)

    def traits_of(self, dpar: str) -> Traits:
        """As in ``base``."""
        return self.base.traits_of(dpar)

    def encoded_additions(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As in ``base``."""
        return self.base.encoded_additions(additions)

    @property
    def flat_in_brms(self) -> frozenset[str]:  # type: ignore[override]
        """As in ``base``."""
        return self.base.flat_in_brms

    @property
    def also_taken(self) -> tuple[str, ...]:
        """As in ``base``."""
        return self.base.also_taken

    @property
    def components(self) -> tuple[AbstractLikelihood, ...]:
        """As in ``base``."""
        return self.base.components

    @property
    def traits(self) -> Traits:
        """Those of ``base`` without the forms that estimate all parameters.

        Residuals may be correlated with those of other responses, unless ``nu``, which all have in common, is fixed.
        """
        residuals = "" if "nu" in dict(self.numbers) else self.base.traits.residuals
        return replace(self.base.traits, normal=False, count_table="", residuals=residuals)

    def link(self, dpar: str) -> Link:
        """Return the link in ``base``."""
        return self.base.link(dpar)

    def chosen_link(self, dpar: str) -> Link:
        """Return the chosen link in ``base``."""
        return self.base.chosen_link(dpar)

    def name_of(self, key: PredictorKey) -> str:
        """As in ``base``."""
        return self.base.name_of(key)

    def key_of(self, dpar: str) -> PredictorKey:
        """As in ``base``."""
        return self.base.key_of(dpar)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """As in ``base``."""
        return self.base.derive(values)

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As in ``base``."""
        return self.base.sampled(values)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """As in ``base``."""
        return self.base.encode(response, for_fit=for_fit)

    def _all(self, values: Values) -> Values:
        """Return the parameters of ``base``."""
        return {**values, **{name: values[other] for name, other in self.equal}}

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of ``base``."""
        return self.base.log_prob(y, self._all(values), data)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return the tails of ``base``."""
        return self.base.log_tails(y, self._all(values), data)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected response of ``base``."""
        return self.base.mean(self._all(parameters), data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the response of ``base``."""
        return self.base.variance(self._all(parameters), data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw from ``base``."""
        return self.base.draw(rng, self._all(parameters), data)

    def by_component(self, values: Values, data: DataArrays) -> Sequence[Component]:
        """As in ``base``."""
        return self.base.by_component(self._all(values), data)

    @property
    def shown_parameters(self) -> Mapping[str, tuple[str, ...]]:
        """Those of ``base``; one that equals another depends on its predictor."""
        equal = dict(self.equal)
        return {name: tuple(equal.get(each, each) for each in of) for name, of in self.base.shown_parameters.items()}

    def shown_parameter(self, name: str, parameters: Values) -> Broadcast:
        """As in ``base``."""
        return self.base.shown_parameter(name, self._all(parameters))

    def probe(self, data: DataArrays) -> np.ndarray | None:
        """As in ``base``."""
        return self.base.probe(data)

    def root_dispersion(self, auxiliary: Mapping[str, float]) -> float:
        """As in ``base``, where the parameters that are fixed have their values."""
        return self.base.root_dispersion({**dict(self.numbers), **auxiliary})
