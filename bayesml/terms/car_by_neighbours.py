"""``car(W, gr=area)`` of many areas as the sampler has it, see ``area_field``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.delegation import delegated
from bayesml.frame import Frame
from bayesml.priors import Scale
from bayesml.spec import ParameterSpec
from bayesml.terms.area_field import AreaField
from bayesml.terms.base import AbstractTerm

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, Scalar, Values

__all__ = ["CarByNeighbours"]


@final
@dataclass(frozen=True)
class CarByNeighbours(AbstractTerm):
    """The same effects as those of ``base``, from other latent variables.

    Attributes:
        base: the term.
        field: the effects.
        latent: name of the latent variables.
        effects: name of the effects.
    """

    base: AbstractTerm
    field: AreaField
    latent: str
    effects: str

    key = delegated("base")
    variables = delegated("base")
    computations = delegated("base")
    gathered = delegated("base")
    prior_rows = delegated("base")
    reported = delegated("base")
    contribution = delegated("base")

    @property
    def tables(self) -> frozenset[str]:
        """What is known of the areas."""
        return frozenset(self.field.tables())

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return those of ``base`` with neighbours in the place of its basis."""
        return self.rearranged(self.base.arrays(frame))

    def rearranged(self, arrays: Any) -> dict[str, Any]:
        """Return arrays of ``base`` with neighbours in the place of its basis."""
        kept = {name: array for name, array in arrays.items() if name not in self.base.tables}
        return kept | self.field.tables()

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """Return those of ``base``, with as many latent variables as there are here."""
        return tuple(self.parameter(p) for p in self.base.parameters(scale))

    def parameter(self, parameter: ParameterSpec) -> ParameterSpec:
        """Return a parameter of ``base`` as it is here."""
        return replace(parameter, shape=(self.field.size,)) if parameter.name == self.latent else parameter

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the effects."""
        return {self.effects: self.field.effects(values, values[self.latent])}

    def log_density(self, values: Values, arrays: DataArrays) -> Scalar:
        """Return the log prior density of the latent variables over the standard normal one that they have as sites."""
        return self.field.log_ratio(values, values[self.latent], arrays)
