"""``dec(choice)``: which of two answers was given, beside a response time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from bayesml.columns import bare_name
from bayesml.errors import DataError
from bayesml.families.records import Traits
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, value_of_rows

__all__ = ["Decisions"]

CODES = {"lower": 0.0, "upper": 1.0, "false": 0.0, "true": 1.0, "0": 0.0, "1": 1.0}


@final
@dataclass(frozen=True)
class Decisions(AbstractResponseTerm):
    """Decisions as ``upper`` and ``lower``, 1 and 0, or truth values."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("dec")
    needed: ClassVar[Literal["weights", "response", "always"]] = "response"

    def is_taken_by(self, traits: Traits) -> bool:
        """A family of response times with two answers."""
        return traits.decisions

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return 1 for the upper and 0 for the lower answer."""
        text = addition.arguments[0].text
        name = bare_name(text)
        column = frame.columns.get(name) if name else None
        if column is not None and column.levels is not None:
            shown = [column.levels[int(place)] for place in column.values]
            codes = np.array([CODES.get(level.strip().lower(), np.nan) for level in shown])
        else:
            codes = value_of_rows(addition.arguments[0], frame, functions)
            shown = [f"{value:g}" for value in codes]
        bad = np.flatnonzero((codes != 0) & (codes != 1))
        if bad.size:
            row = int(bad[0])
            raise DataError(
                f"`dec({text})` is {shown[row]!r} in row {frame.rows[row] + 1} (counting from 1); it is 'upper' (1 or "
                "True) or 'lower' (0 or False)."
            )
        return {"dec": codes.astype(float)}
