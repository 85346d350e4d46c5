"""``y | subset(s)``: the rows of one of several responses; it may be missing in the others, and its predictors too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from bayesml.errors import DataError
from bayesml.families.records import Traits
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, value_of_rows

__all__ = ["RowNumbers", "Subset"]


@final
@dataclass(frozen=True)
class Subset(AbstractResponseTerm):
    """Truth values: whether a row is one of the response. They are read before the response is, see ``subset_rows``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("subset")
    needed: ClassVar[Literal["weights", "response", "always", "never"]] = "never"

    def is_taken_by(self, traits: Traits) -> bool:
        """Any likelihood whose rows do not depend on each other."""
        return not traits.rows_depend

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Nothing: the rows that are left all belong to the response."""
        return {}


@final
@dataclass(frozen=True)
class RowNumbers(AbstractResponseTerm):
    """``index(id)``: a number for each row, by which ``mi(x, idx)`` finds it from the rows of another response."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("index")
    needed: ClassVar[Literal["weights", "response", "always", "never"]] = "never"
    whole: ClassVar[bool] = True

    def is_taken_by(self, traits: Traits) -> bool:
        """Any likelihood."""
        return True

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the numbers, no two alike."""
        numbers = value_of_rows(addition.arguments[0], frame, functions)
        first = np.unique(numbers, return_index=True)[1]
        if len(first) < len(numbers):
            row = int(np.setdiff1d(np.arange(len(numbers)), first)[0])
            raise DataError(
                f"`index({addition.arguments[0].text})` is {numbers[row]:g} in row {frame.rows[row] + 1} (counting "
                "from 1) and in a row before; give each row of the response a number of its own."
            )
        return {"index": numbers}
