"""Parameters that a formula fixes: ``quantile=0.9`` at a number, ``sigma2="sigma1"`` at the value of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.delegation import delegated
from bayesml.errors import FormulaError, did_you_mean
from bayesml.families.base import AbstractLikelihood
from bayesml.families.records import DistributionalParameter, Traits
from bayesml.families.wrapped import AbstractReparameterised

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Values

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
class Fixed(AbstractReparameterised):
    """A likelihood of which some parameters are not estimated.

    Attributes:
        numbers: parameters with their values; they stay parameters, with a value where they have no formula.
        equal: parameters with the one whose value they have; they are parameters of ``base`` alone.
    """

    numbers: tuple[tuple[str, float], ...] = ()
    equal: tuple[tuple[str, str], ...] = ()

    further = delegated("base")
    name_of = delegated("base")
    key_of = delegated("base")

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
    def traits(self) -> Traits:
        """Those of ``base`` without the forms that estimate all parameters.

        Residuals may be correlated with those of other responses, unless ``nu``, which all have in common, is fixed.
        """
        residuals = "" if "nu" in dict(self.numbers) else self.base.traits.residuals
        return replace(self.base.traits, normal=False, count_table="", residuals=residuals)

    def of_base(self, values: Values, data: DataArrays, linear: frozenset[str]) -> Values:
        """Return the parameters of ``base``."""
        return {**values, **{name: values[other] for name, other in self.equal}}

    @property
    def shown_parameters(self) -> Mapping[str, tuple[str, ...]]:
        """Those of ``base``; one that equals another depends on its predictor."""
        equal = dict(self.equal)
        return {name: tuple(equal.get(each, each) for each in of) for name, of in self.base.shown_parameters.items()}

    def shown_parameter(self, name: str, parameters: Values) -> Broadcast:
        """As in ``base``."""
        return self.base.shown_parameter(name, self.of_base(parameters, {}, frozenset()))

    def root_dispersion(self, auxiliary: Mapping[str, float]) -> float:
        """As in ``base``, where the parameters that are fixed have their values."""
        return self.base.root_dispersion({**dict(self.numbers), **auxiliary})
