"""A call such as ``mo(x)`` inside a product: a number for each row that is known only with the parameters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from bayesml.columns import Computation
from bayesml.frame import Frame
from bayesml.keys import PredictorKey
from bayesml.priors import PriorRow
from bayesml.spec import ParameterSpec
from bayesml.terms.context import ModelContext
from bayesml.variables import ReportedVariable

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, PerRow, Values

__all__ = ["AbstractFactor"]


@dataclass(frozen=True)
class AbstractFactor(ABC):
    """One call as it was frozen; a coefficient multiplies the product of its calls and of ordinary columns.

    Attributes:
        spelling: the call as written, with uniform spaces.
    """

    spelling: str

    @property
    @abstractmethod
    def variables(self) -> tuple[str, ...]:
        """Data columns that it needs on new data."""

    @abstractmethod
    def computation(self) -> Computation:
        """Return the expression that it computes from them."""

    @abstractmethod
    def arrays(self, frame: Frame) -> dict[str, np.ndarray]:
        """Encode rows; each array has an entry for each row."""

    def own_arrays(self, model: ModelContext) -> dict[str, np.ndarray]:
        """Encode the rows of the fit, about which the term may hold more than their columns."""
        return self.arrays(model.frame)

    def in_model(self, model: ModelContext) -> Self:
        """Return the call beside the other responses of the model.

        Raises:
            FormulaError: the model lacks what it refers to.
        """
        return self

    @property
    def rows_commute(self) -> bool:
        """Whether the rows may stand in any order."""
        return True

    @property
    def reads(self) -> str:
        """The variable of unobserved responses that it takes; empty for none."""
        return ""

    @abstractmethod
    def site(self, label: str, predictor: PredictorKey) -> str:
        """Return the variable that holds what is unknown about it.

        Args:
            label: the coefficient and the place of the call in its product, ``mo(x)1``.
            predictor: the predictor of the coefficient.
        """

    def parameters(self, site: str, label: str, predictor: PredictorKey) -> tuple[ParameterSpec, ...]:
        """Return the parameters behind a site; none where it is a part of the model elsewhere."""
        return ()

    def prior_rows(self, label: str, predictor: PredictorKey) -> Iterable[PriorRow]:
        """Return a row for everything a prior can be set on."""
        return ()

    def reported(self, site: str, label: str, predictor: PredictorKey) -> tuple[ReportedVariable, ...]:
        """Return the variables that a posterior reports about a site."""
        return ()

    def shown(self, label: str) -> str:
        """Return the label of its site in texts."""
        return label

    @property
    @abstractmethod
    def averaged(self) -> str:
        """Name of the array ``(rows, k)`` whose average over columns is near to its value in the pilot fit."""

    @abstractmethod
    def typical(self, frame: Frame) -> np.ndarray:
        """Return about what it is in each row, by which the default prior of its coefficient is measured."""

    @abstractmethod
    def value(self, values: Values, site: str, arrays: DataArrays) -> PerRow:
        """Return its number in each row, ``(..., rows)``.

        Args:
            values: the reported variables, which may have leading axes for draws.
            site: the variable that ``site`` named.
            arrays: its arrays, by the names that ``arrays`` gives them.
        """


def numbered(arrays: Mapping[str, np.ndarray], place: int) -> dict[str, np.ndarray]:
    """Return the arrays of the call at some place among those of a term, ``steps0``."""
    return {f"{name}{place}": array for name, array in arrays.items()}


def of_place(arrays: DataArrays, place: int) -> dict[str, PerRow]:
    """Return the arrays of one call under their own names, the way back of ``numbered``."""
    found = {}
    for name, array in arrays.items():
        stem = name.rstrip("0123456789")
        if stem != name and name[len(stem) :] == str(place):
            found[stem] = array
    return found
