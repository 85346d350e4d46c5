"""``rate(n)``: the response is a count over an exposure n, of n times the mean that the formula is for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.base import AbstractLikelihood
from bayesml.families.records import RawResponse, ResponseData, Traits
from bayesml.families.wrapped import AbstractReparameterised
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.namespace import array_namespace
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, refuse_rows, value_of_rows

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, Values

__all__ = ["Exposed", "Rate"]


@final
@dataclass(frozen=True)
class Rate(AbstractResponseTerm):
    """Exposures, larger than 0.

    The sum of n independent negative binomial counts has n times their mean and n times their shape, so that for them
    ``rate(n)`` is not ``offset(log(n))``.
    """

    grammar: ClassVar[ResponseTerm] = ResponseTerm("rate")

    def is_taken_by(self, traits: Traits) -> bool:
        """A count with parameters that are proportional to an exposure."""
        return bool(traits.rate)

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the exposures."""
        values = value_of_rows(addition.arguments[0], frame, functions)
        what = f"rate({addition.arguments[0].text})"
        refuse_rows(frame, ~(values > 0) | ~np.isfinite(values), values, what, "an exposure is larger than 0.")
        return {"rate": values}

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Multiply what is proportional to the exposure."""
        return Exposed(likelihood)


@final
@dataclass(frozen=True)
class Exposed(AbstractReparameterised):
    """A count whose mean (and shape) are multiplied by ``data["rate"]``."""

    @property
    def traits(self) -> Traits:
        """Those of ``base``, whose table of counts holds for one shape only."""
        return replace(self.base.traits, count_table="")

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Add the exposures."""
        encoded = self.base.encode(response, for_fit=for_fit)
        return replace(encoded, arrays={**encoded.arrays, "rate": np.asarray(response.additions["rate"], dtype=float)})

    def of_base(self, values: Values, data: DataArrays, linear: frozenset[str]) -> dict[str, Numbers]:
        """Return the parameters, those in proportion to the exposure multiplied by it."""
        multiplied, rate = dict(values), data["rate"]
        for name in self.base.traits.rate:
            value, link = multiplied[name], self.link(name)
            if name not in linear:
                multiplied[name] = value * rate
            elif link.name == "log":
                multiplied[name] = value + array_namespace(value, rate).log(rate)
            else:
                multiplied[name] = link.forward(link.inverse(value) * rate)
        return multiplied
