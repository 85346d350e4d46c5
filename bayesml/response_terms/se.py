"""``se(s, sigma=FALSE)``: known standard errors of the responses, as in a meta-analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayesml.errors import DataError
from bayesml.families import Traits
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Functions, value_of_rows
from bayesml.response_terms.sigma import estimates_sigma

__all__ = ["StandardErrors"]


@final
@dataclass(frozen=True)
class StandardErrors(AbstractResponseTerm):
    """Standard errors, which the likelihood reads as ``se``; they stand in the place of sigma, or beside it."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("se", keywords=("sigma",), truths=frozenset({"sigma"}))

    def is_taken_by(self, traits: Traits) -> bool:
        """A distribution with a scale that known errors can be part of."""
        return traits.known_errors

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> dict[str, np.ndarray]:
        """Return the standard errors."""
        text = addition.arguments[0].text
        values = value_of_rows(addition.arguments[0], frame, functions)
        negative, zero = np.flatnonzero(values < 0), np.flatnonzero(values == 0)
        if negative.size:
            row = int(negative[0])
            raise DataError(
                f"`se({text})` is negative ({values[row]:g}) in row {frame.rows[row] + 1} (counting "
                "from 1); standard errors are 0 or larger."
            )
        if zero.size and not estimates_sigma(addition):
            raise DataError(
                f"`se({text})` is 0 in row {frame.rows[zero[0]] + 1} (counting from 1), where the response would be "
                f"known exactly; leave such rows out, or write `se({text}, sigma=TRUE)` to estimate a residual "
                "standard deviation beside it."
            )
        return {"se": values}
