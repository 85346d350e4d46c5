"""``trunc(lb, ub)``: responses outside of bounds were never recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.errors import DataError, FormulaError
from bayesml.families.base import AbstractLikelihood
from bayesml.families.records import RawResponse, ResponseData, Traits
from bayesml.families.wrapped import AbstractWrapped
from bayesml.formula import Addition
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions, value_of_rows

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["Truncated", "Truncation"]


@final
@dataclass(frozen=True)
class Truncation(AbstractResponseTerm):
    """Lower and upper bounds, numbers or columns, which belong to the range; either may be left out."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("trunc", least=0, most=0, keywords=("lb", "ub"))

    def is_taken_by(self, traits: Traits) -> bool:
        """A likelihood with distribution functions."""
        return traits.has_cdf

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the bounds, infinite where there is none."""
        bounds = {key: value for key, value in addition.options if value is not None}
        if not bounds:
            raise FormulaError("`trunc()` takes a bound: `trunc(lb = 0)`, `trunc(ub = 10)`, or both.")
        lower = value_of_rows(bounds.get("lb", -np.inf), frame, functions)
        upper = value_of_rows(bounds.get("ub", np.inf), frame, functions)
        wrong = np.flatnonzero(~(lower < upper))
        if wrong.size:
            row = int(wrong[0])
            raise DataError(
                f"The lower bound of `trunc()` must be smaller than the upper one; in row {frame.rows[row] + 1} "
                f"(counting from 1) they are {lower[row]:g} and {upper[row]:g}."
            )
        return {"lb": lower, "ub": upper}

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Divide by the probability of the range; in a mixture each component by its own, as brms does.

        The mixing proportions are then shares of the responses within the bounds.
        """
        has_lower, has_upper = (bool(np.isfinite(arrays[name]).any()) for name in ("lb", "ub"))
        if not (has_lower or has_upper):
            return likelihood
        bounded: AbstractLikelihood = likelihood.on_components(lambda each: Truncated(each, has_lower, has_upper))
        return bounded


@final
@dataclass(frozen=True)
class Truncated(AbstractWrapped):
    """The density of ``base`` on [lb, ub], divided by the probability of that range.

    Attributes:
        has_lower: whether some row has a lower bound.
        has_upper: whether some row has an upper bound.
    """

    has_lower: bool = True
    has_upper: bool = True

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Refuse responses outside of the bounds, and add the bounds."""
        encoded = self.base.encode(response, for_fit=for_fit)
        y = encoded.arrays["y"]
        lower, upper = (np.asarray(response.additions[name], dtype=float) for name in ("lb", "ub"))
        outside = np.flatnonzero((y < lower) | (y > upper))
        if outside.size:
            first = int(outside[0])
            row = first if response.rows is None else int(response.rows[first])
            raise DataError(
                f"The response `{response.name}` lies outside of its bounds in `trunc()`: it is {y[first]:g} in row "
                f"{row + 1} (counting from 1), and the bounds are {lower[first]:g} and {upper[first]:g}."
            )
        return replace(encoded, arrays={**encoded.arrays, "lb": lower, "ub": upper})

    @property
    def has_costly_derivatives(self) -> bool:
        """The distribution functions of most families are found by loops."""
        return True

    @property
    def unbounded(self) -> AbstractLikelihood:
        """``base``, without truncation."""
        return self.base.unbounded

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log f(y) - log P(lb <= Y <= ub)."""
        return self.base.log_prob(y, values, data) - self.log_mass(values, data)

    def log_tails(self, y: Observed, values: Values, data: DataArrays) -> tuple[PerRow, PerRow]:
        """Return the logarithms of P(lb <= Y <= y) and P(y < Y <= ub), both divided by P(lb <= Y <= ub)."""
        log_mass = self.log_mass(values, data)
        below = self._between(self._lower(data), y, values, data)
        return below - log_mass, self._between(y, self._upper(data), values, data) - log_mass

    def log_mass(self, values: Values, data: DataArrays) -> PerRow:
        """Return log P(lb <= Y <= ub)."""
        return self._between(self._lower(data), self._upper(data), values, data)

    def _lower(self, data: DataArrays) -> PerRow | None:
        """Return what Y is larger than: the lower bound, of counts the number before it."""
        return data["lb"] - (1.0 if self.traits.discrete else 0.0) if self.has_lower else None

    def _upper(self, data: DataArrays) -> PerRow | None:
        return data["ub"] if self.has_upper else None

    def _between(self, lower: PerRow | None, upper: PerRow | None, values: Values, data: DataArrays) -> PerRow:
        from bayesml.families.between import log_between

        return log_between(self.base, lower, upper, values, data)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the expected response within the bounds, by numerical integration; see ``moments.py``."""
        from bayesml.response_terms.moments import truncated_moments

        return truncated_moments(self, parameters, data)[0]

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the response within the bounds, by numerical integration."""
        from bayesml.response_terms.moments import truncated_moments

        return truncated_moments(self, parameters, data)[1]

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw until a response lies within the bounds; where that takes long, by inversion."""
        from bayesml.response_terms.moments import truncated_draw

        return truncated_draw(self, rng, parameters, data)
