"""``trials(n)``: the response is a number of successes out of n."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayesml.families import Traits
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Functions, value_of_rows

__all__ = ["Trials"]


@final
@dataclass(frozen=True)
class Trials(AbstractResponseTerm):
    """Numbers of trials, which the likelihood reads as ``trials``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("trials")

    def is_taken_by(self, traits: Traits) -> bool:
        """A count out of trials."""
        return traits.trials

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> dict[str, np.ndarray]:
        """Return the numbers of trials; the family checks them with its response."""
        return {"trials": value_of_rows(addition.arguments[0], frame, functions)}
