"""``offset(expression)``: a known addend to the linear predictor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.columns import Computation, evaluate, offset_computation, variables_of
from bayesml.formula import Expression, Predictor
from bayesml.frame import Frame
from bayesml.priors import DefaultPriors, PriorRow, Scale
from bayesml.spec import ParameterSpec
from bayesml.terms.base import AbstractTerm, Functions
from bayesml.terms.row_groups import RowGroups
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, PerRow, Values

__all__ = ["Offset", "collect"]


@final
@dataclass(frozen=True)
class Offset(AbstractTerm):
    """The sum of all ``offset()`` terms of one predictor.

    Attributes:
        expressions: what stands inside each ``offset()``.
        functions: the caller's own functions.
    """

    expressions: tuple[Expression, ...]
    functions: Functions

    @property
    def key(self) -> str:
        """Offsets of one predictor are added up, so one name serves."""
        return "offset"

    @property
    def variables(self) -> tuple[str, ...]:
        """Columns inside the expressions."""
        return tuple(dict.fromkeys(v for e in self.expressions for v in variables_of(e.text)))

    def computations(self) -> tuple[Computation, ...]:
        """Return each expression."""
        return tuple(offset_computation(expression, self.functions) for expression in self.expressions)

    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Return ``offset``, ``(rows,)``."""
        return {"offset": np.sum([evaluate(e, frame, self.functions) for e in self.expressions], axis=0)}

    @property
    def is_estimated(self) -> bool:
        """An offset is known."""
        return False

    def known_addend(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the offset."""
        return arrays["offset"]

    def prior_rows(self, defaults: DefaultPriors) -> tuple[PriorRow, ...]:
        """An offset has no priors."""
        return ()

    def reported(self) -> tuple[ReportedVariable, ...]:
        """An offset reports nothing."""
        return ()

    def parameters(self, scale: Scale) -> tuple[ParameterSpec, ...]:
        """An offset has none."""
        return ()

    def derive(self, values: Values) -> dict[str, Numbers]:
        """An offset reports nothing."""
        return {}

    def contribution(self, values: Values, arrays: DataArrays) -> PerRow:
        """Return the offset itself."""
        return arrays["offset"]

    def averaged(self, values: Values, arrays: DataArrays, groups: RowGroups) -> np.ndarray | None:
        """Return the sums of the offset, the same for all draws."""
        return groups.sums(np.asarray(arrays["offset"], dtype=float)[:, None]).T


def collect(predictor: Predictor, frame: Frame, functions: Functions) -> tuple[AbstractTerm, ...]:
    """Claim the ``offset()`` terms of a predictor."""
    if not predictor.offsets:
        return ()
    return (Offset(predictor.key, predictor.offsets, functions),)
