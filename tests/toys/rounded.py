"""``y | rounded(w)``: the response was rounded to a multiple of w, so that it was within w / 2 of what is written.

A row contributes log P(y - w/2 < Y <= y + w/2). Predictions are of the response before it was rounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, final

import numpy as np

from bayesml.families import AbstractLikelihood, RawResponse, ResponseData, Traits
from bayesml.families.wrapped import AbstractWrapped
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, refuse_rows, value_of_rows


@final
@dataclass(frozen=True)
class Rounding(AbstractResponseTerm):
    """Widths, larger than 0."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("rounded")
    needed: ClassVar[Literal["weights", "response", "always"]] = "response"

    def is_taken_by(self, traits: Traits) -> bool:
        return traits.has_cdf and not traits.discrete

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        values = value_of_rows(addition.arguments[0], frame, functions)
        what = f"rounded({addition.arguments[0].text})"
        refuse_rows(frame, ~(values > 0), values, what, "a width is larger than 0.")
        return {"rounded": values}

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        return Rounded(likelihood)


@final
@dataclass(frozen=True)
class Rounded(AbstractWrapped):
    """A likelihood of rounded responses; what it does not change, it asks ``base``."""

    @property
    def traits(self) -> Traits:
        return Traits(rows_repeat=self.base.traits.rows_repeat, known_errors=self.base.traits.known_errors)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        found = self.base.encode(response, for_fit=for_fit)
        return replace(found, arrays={**found.arrays, "rounded": np.asarray(response.additions["rounded"])})

    def log_prob(self, y: Any, values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        from bayesml.families.between import log_between

        half = 0.5 * data["rounded"]
        return log_between(self.base, y - half, y + half, values, data)
