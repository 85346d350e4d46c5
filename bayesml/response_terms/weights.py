"""``weights(w)``: the log-likelihood of a row counts w times; with ``scale=TRUE``, w over the mean of the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import numpy as np

from bayesml.errors import DataError
from bayesml.families import Traits
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Functions, value_of_rows

__all__ = ["Weights"]


@final
@dataclass(frozen=True)
class Weights(AbstractResponseTerm):
    """Weights of rows, 0 or larger; ``compile`` multiplies the log density of each row.

    With ``scale=TRUE`` the weights of the rows that are given, of the fit or new ones, have the mean 1, as in brms.
    """

    grammar: ClassVar[ResponseTerm] = ResponseTerm("weights", keywords=("scale",), truths=frozenset({"scale"}))
    needed: ClassVar[Literal["weights", "response", "always"]] = "weights"

    def is_taken_by(self, traits: Traits) -> bool:
        """Every likelihood."""
        return True

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> dict[str, np.ndarray]:
        """Return the weights."""
        text = addition.arguments[0].text
        values = value_of_rows(addition.arguments[0], frame, functions)
        negative = np.flatnonzero(values < 0)
        if negative.size:
            row = int(negative[0])
            raise DataError(
                f"`weights({text})` is negative ({values[row]:g}) in row {frame.rows[row] + 1} (counting "
                "from 1); weights are 0 or larger."
            )
        if not np.any(values > 0):
            raise DataError(f"All weights `{text}` are zero, so that there is nothing to learn from.")
        is_scaled = dict(addition.options).get("scale") is True
        return {"weights": values / values.mean() if is_scaled else values}
