"""``vint(a, b)`` and ``vreal(a, b)``: columns that the functions of a user's family read as ``vint1``, ``vint2``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayesml.families import Traits
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, refuse_rows, value_of_rows

__all__ = ["RealData", "WholeData"]


@final
@dataclass(frozen=True)
class WholeData(AbstractResponseTerm):
    """Whole numbers, given to the functions as integers, so that they may also select elements of a table."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("vint", most=None)
    whole: ClassVar[bool] = True

    def is_taken_by(self, traits: Traits) -> bool:
        """A family of the user."""
        return traits.own_data

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return ``vint1``, ``vint2``, ..."""
        columns = {}
        for number, argument in enumerate(addition.arguments, 1):
            values = value_of_rows(argument, frame, functions)
            bad = ~np.isfinite(values) | (values != np.round(values))
            rule = "it takes whole numbers. Write vreal() for others."
            refuse_rows(frame, bad, values, f"vint({argument.text})", rule)
            columns[f"vint{number}"] = values.astype(np.int64)
        return columns


@final
@dataclass(frozen=True)
class RealData(AbstractResponseTerm):
    """Numbers."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("vreal", most=None)

    def is_taken_by(self, traits: Traits) -> bool:
        """A family of the user."""
        return traits.own_data

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return ``vreal1``, ``vreal2``, ..."""
        columns = {}
        for number, argument in enumerate(addition.arguments, 1):
            values = value_of_rows(argument, frame, functions)
            refuse_rows(frame, ~np.isfinite(values), values, f"vreal({argument.text})", "it takes finite numbers.")
            columns[f"vreal{number}"] = values
        return columns
