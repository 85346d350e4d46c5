"""Intercepts that increase from one parameter to the next, which distinguishes the components of a mixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.keys import PredictorKey
from bayesml.names import intercept_variable, of_response
from bayesml.spec import JointTarget, ModelSpec, ParameterSpec
from bayesml.supports import Ordered

__all__ = ["ORDERED", "ordered_values", "with_ordered_intercepts"]

ORDERED = "ordered_Intercept"
"""The sampled vector, as in brms."""


@final
@dataclass(frozen=True)
class OrderedElement:
    """One element of an increasing vector."""

    place: int
    vector: str = ORDERED

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """The vector is among the parameters already."""
        return ()

    def value(self, target: ParameterSpec, values: Mapping[str, Any]) -> Any:
        """Return the Intercept."""
        return values[self.vector][..., self.place]

    def __str__(self) -> str:
        return "increasing Intercepts"


def with_ordered_intercepts(
    sampled: tuple[ParameterSpec, ...], joint: tuple[JointTarget, ...], dpars: Sequence[str], resp: str = ""
) -> tuple[tuple[ParameterSpec, ...], tuple[JointTarget, ...]]:
    """Put one increasing vector in the place of the Intercepts of some parameters; each keeps its prior.

    Args:
        sampled: all sampled parameters.
        joint: coefficients that are computed from others.
        dpars: the parameters in increasing order of their Intercepts; empty for none.
        resp: the response, of a model of several.

    Raises:
        ModelError: a formula has no intercept.
    """
    if not dpars:
        return sampled, joint
    names = [intercept_variable(PredictorKey(resp, dpar)) for dpar in dpars]
    found = {p.name: p for p in sampled if p.name in names}
    if len(found) < len(names):
        listed = ", ".join(f"`{dpar}`" for dpar in dpars)
        raise ModelError(
            f"The components of the mixture are ordered by the Intercepts of {listed}, and a formula has none. Write "
            'it without `0 +` and `- 1`, or mixture(..., order="none").'
        )
    each = [found[name] for name in names]
    vector = ParameterSpec(
        of_response(ORDERED, resp),
        "Intercept",
        (len(each),),
        PredictorKey(resp),
        coefs=tuple(dpars),
        support=Ordered(),
        priors=tuple(prior for p in each for prior in p.priors),
        centers=tuple(p.centers[0] for p in each),
        scales=tuple(p.scales[0] for p in each),
    )
    others = [vector if p is each[0] else p for p in sampled if p.name not in names[1:]]
    return tuple(others), (*joint, *(JointTarget(OrderedElement(k, vector.name), p) for k, p in enumerate(each)))


def ordered_values(spec: ModelSpec, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the increasing vectors from the Intercepts of centred predictors; nothing where there is none."""
    found: dict[str, list[np.ndarray]] = {}
    for each in spec.joint:
        if isinstance(each.prior, OrderedElement):
            found.setdefault(each.prior.vector, []).append(values[each.target.name])
    return {name: np.stack(elements, axis=-1) for name, elements in found.items()}
