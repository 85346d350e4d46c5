"""A family for each of several responses, as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

from bayesml.errors import ModelError
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.records import DistributionalParameter, RawResponse
from bayesml.names import of_response
from bayesml.spec import ParameterSpec

__all__ = ["PriorOfResponse", "Several", "of_response_alone", "renamed", "several"]


@final
@dataclass(frozen=True)
class Several(AbstractFamily):
    """A family for each of several responses.

    Attributes:
        families: the families, in the order of the responses.
    """

    families: tuple[AbstractFamily, ...] = ()

    dpars: ClassVar[tuple[DistributionalParameter, ...]] = ()

    @property
    def name(self) -> str:  # type: ignore[override]
        """The families as brms prints them: ``MV(gaussian, poisson)``."""
        return f"MV({', '.join(family.name for family in self.families)})"

    @property
    def user_functions(self) -> Mapping[str, str]:
        """Those of the families."""
        return {role: name for family in self.families for role, name in family.user_functions.items()}

    def of_responses(self, count: int) -> tuple[AbstractFamily, ...]:
        """Return the family of each response.

        Raises:
            ModelError: there are more or fewer responses than families, which are not all the same.
        """
        if len(self.families) == count:
            return self.families
        if len(set(self.families)) == 1:
            return self.families[:1] * count
        raise ModelError(
            f"There are {len(self.families)} families, {', '.join(f.name for f in self.families)}, and {count} "
            f"response{'s' if count > 1 else ''}. Give one family for all, or one for each response in their order."
        )

    def bind(self, response: RawResponse) -> AbstractLikelihood:
        """Refuse: each family is bound to a response of its own."""
        raise ModelError(f"{self.name} is for several responses, and `{response.name}` is one.")


def several(families: Sequence[AbstractFamily]) -> AbstractFamily:
    """Return the families of several responses as one value.

    Args:
        families: one for each response.

    Raises:
        ModelError: there is none.
    """
    if not families:
        raise ModelError('`family` is an empty list; give one family for each response, ["gaussian", "poisson"].')
    return Several((), tuple(families))


def of_response_alone(resp: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of one response under its own names, from those whose names end in that of the response."""
    suffix = f"_{resp}"
    return {name.removesuffix(suffix): value for name, value in values.items() if name.endswith(suffix)}


def renamed(parameter: ParameterSpec, resp: str) -> ParameterSpec:
    """Return the parameter of a response under the name that it has among several."""
    return replace(parameter, name=of_response(parameter.name, resp), predictor=replace(parameter.predictor, resp=resp))


@final
@dataclass(frozen=True)
class PriorOfResponse:
    """How a parameter of one response is computed from the values of all responses, whose names end in theirs."""

    prior: Any
    resp: str

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """No further ones: `JointLikelihood.parameters` has those of every response."""
        return ()

    def value(self, target: ParameterSpec, values: Mapping[str, Any]) -> Any:
        """Return the parameter."""
        return self.prior.value(target, of_response_alone(self.resp, values))

    def __str__(self) -> str:
        return str(self.prior)
