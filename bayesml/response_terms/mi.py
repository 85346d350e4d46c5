"""``x | mi()``: missing responses are parameters; ``x | mi(sdx)``: all are, known by measurements with error.

With ``cens()`` beside it a censored response is a parameter within its bounds, so that it can be a predictor elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING, ClassVar, Literal, final

import numpy as np

from bayesml.errors import DataError
from bayesml.families.base import AbstractLikelihood
from bayesml.families.records import RawResponse, ResponseData, Traits, UnobservedRows
from bayesml.families.wrapped import AbstractWrapped
from bayesml.formula import Addition, Expression
from bayesml.formula.language import ResponseTerm
from bayesml.frame import Frame
from bayesml.names import UNOBSERVED
from bayesml.namespace import array_namespace
from bayesml.response_terms.base import AbstractResponseTerm, Arrays, Functions
from bayesml.response_terms.cens import INTERVAL, LEFT, NONE, RIGHT, Censored, numbers_with_gaps

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Observed, PerRow, Values

__all__ = ["MissingResponses", "PartlyUnobserved"]

LEAST_SHARE = 0.05
"""Smallest share of the variance of the measured responses that a start takes for that of the true ones."""


@final
@dataclass(frozen=True)
class MissingResponses(AbstractResponseTerm):
    """Responses that are parameters where they are missing; standard deviations of measurement errors, ``sdy``."""

    grammar: ClassVar[ResponseTerm] = ResponseTerm("mi", least=0, most=0, keywords=("sdy",))
    needed: ClassVar[Literal["weights", "response", "always"]] = "response"
    sparse: ClassVar[frozenset[str]] = frozenset({"sdy"})

    def is_taken_by(self, traits: Traits) -> bool:
        """A likelihood of continuous responses."""
        return traits.continuous is not None

    def arrays(self, addition: Addition, frame: Frame, functions: Functions) -> Arrays:
        """Return the standard deviations, where there are any."""
        given = dict(addition.options).get("sdy")
        if given is None:
            return {}
        if not isinstance(given, Expression) and (isinstance(given, bool) or not isinstance(given, (int, float))):
            raise DataError(f"`mi(sdy={given!r})`: standard deviations are a column or a number.")
        return {"sdy": numbers_with_gaps(given, frame, functions, np.ones(frame.n_rows, dtype=bool))}

    def wrapped(self, likelihood: AbstractLikelihood, addition: Addition, arrays: Arrays) -> AbstractLikelihood:
        """Put parameters in the place of what was not observed."""
        if isinstance(likelihood, Censored):
            return PartlyUnobserved(likelihood.base, censored=True, has_errors="sdy" in arrays)
        return PartlyUnobserved(likelihood, has_errors="sdy" in arrays)


@final
@dataclass(frozen=True)
class PartlyUnobserved(AbstractWrapped):
    """The density of a response at its value, or at the parameter that stands for it.

    A measured response with an error of standard deviation s contributes log normal(y; Y, s) too.

    Attributes:
        censored: whether ``cens()`` says which responses are known by bounds alone.
        has_errors: whether responses are measured with error, so that all are parameters.
        count: number of parameters; 0 before the response is known.
    """

    censored: bool = False
    has_errors: bool = False
    count: int = 0

    @property
    def traits(self) -> Traits:
        """Those of a term, with residuals that may still be correlated."""
        of_term = AbstractWrapped.traits.fget(self)  # type: ignore[attr-defined]
        return replace(of_term, has_cdf=False, rows_repeat=False, residuals=self.base.traits.residuals)

    @property
    def further(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The parameters, beside what ``base`` takes."""
        return (*self.base.further, (UNOBSERVED, (self.count,)))

    def with_unobserved(self, count: int) -> PartlyUnobserved:
        """Return the likelihood with so many parameters."""
        return replace(self, count=count)

    @property
    def is_observed(self) -> bool:
        """Some responses are parameters."""
        return False

    @property
    def is_normal(self) -> bool:
        """Whether true values are normal given their predictors, and measurements normal given these."""
        traits = self.base.traits
        plain = traits.normal and not traits.response_on_log_scale and self.base is self.base.family
        return self.has_errors and not self.censored and plain and self.base.link("mu").name == "identity"

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Encode observed responses as ``base`` does; ``y`` is NaN where it is a parameter and was not measured.

        ``place`` says which parameter a row has, -1 for none.
        """
        raw = np.asarray(response.values, dtype=float)
        missing, codes = np.isnan(raw), self._codes(response)
        exact = ~missing & (codes == NONE)
        if not exact.any() and for_fit:
            raise DataError(f"The response `{response.name}` has no observed value, so that nothing is known of it.")
        filled = np.where(exact, raw, raw[exact][0] if exact.any() else 0.0)
        if "lb" in response.additions:
            filled = np.where(exact, raw, np.clip(filled, response.additions["lb"], response.additions["ub"]))
        encoded = self.base.encode(replace(response, values=filled), for_fit=for_fit)
        y = np.where(exact, encoded.arrays["y"], np.nan)
        parameter = np.ones(len(raw), dtype=bool) if self.has_errors else ~exact
        place = np.where(parameter, np.cumsum(parameter) - 1, -1)
        arrays = {**encoded.arrays, "y": y, "place": place}
        if self.has_errors:
            arrays["sdy"] = self._errors(response, exact)
        unobserved = self._rows(raw, codes, response, exact, parameter, arrays.get("sdy")) if for_fit else None
        return replace(encoded, arrays=arrays, unobserved=unobserved)

    def _codes(self, response: RawResponse) -> np.ndarray:
        if self.censored and "cens" in response.additions:
            return np.asarray(response.additions["cens"], dtype=float)
        return np.full(len(response.values), NONE)

    def _errors(self, response: RawResponse, exact: np.ndarray) -> np.ndarray:
        sdy = np.asarray(response.additions["sdy"], dtype=float)
        wrong = np.flatnonzero(exact & ~((sdy > 0) & np.isfinite(sdy)))
        if wrong.size:
            first = int(wrong[0])
            row = first if response.rows is None else int(response.rows[first])
            what = "missing" if np.isnan(sdy[first]) else f"{sdy[first]:g}"
            raise DataError(
                f"The standard deviation of the measurement error of `{response.name}`, in `mi(sdy)`, is {what} in row "
                f"{row + 1} (counting from 1); it is larger than 0 wherever the response is measured."
            )
        return np.where(exact, sdy, 1.0)

    def _rows(
        self,
        raw: np.ndarray,
        codes: np.ndarray,
        response: RawResponse,
        exact: np.ndarray,
        parameter: np.ndarray,
        sdy: np.ndarray | None,
    ) -> UnobservedRows:
        """Return bounds, and about where the parameters lie on the scale on which they are free."""
        interval = self.base.traits.continuous
        assert interval is not None
        lower, upper = np.full(len(raw), interval[0]), np.full(len(raw), interval[1])
        if "lb" in response.additions:
            lower = np.maximum(lower, response.additions["lb"])
            upper = np.minimum(upper, response.additions["ub"])
        known = ~np.isnan(raw)
        lower = np.where(known & np.isin(codes, (RIGHT, INTERVAL)), np.maximum(raw, lower), lower)
        upper = np.where(known & (codes == LEFT), np.minimum(raw, upper), upper)
        if "y2" in response.additions:
            y2 = np.asarray(response.additions["y2"], dtype=float)
            upper = np.where(known & (codes == INTERVAL), np.minimum(y2, upper), upper)
        self._refuse_empty(lower, upper, response)
        observed = _free(raw[exact], *interval)
        middle, spread = float(np.mean(observed)), float(np.std(observed)) or 1.0
        center, scale = np.full(len(raw), middle), np.full(len(raw), spread)
        if sdy is not None:
            center, scale = _measured(raw, sdy, exact, interval, middle, spread)
        bounded = (lower != interval[0]) | (upper != interval[1])
        width = float(np.std(raw[exact])) or 1.0
        one = np.isfinite(lower) ^ np.isfinite(upper)
        center = np.where(bounded, np.where(one, np.log(width), 0.0), center)
        scale = np.where(bounded, 1.0, scale)
        rows = np.flatnonzero(parameter)
        known_rows = UnobservedRows(rows, lower[rows], upper[rows], center[rows], scale[rows])
        if sdy is None:
            return known_rows
        return replace(known_rows, measured=np.where(exact, raw, 0.0), precision=np.where(exact, sdy**-2.0, 0.0))

    def _refuse_empty(self, lower: np.ndarray, upper: np.ndarray, response: RawResponse) -> None:
        wrong = np.flatnonzero(~(lower < upper))
        if wrong.size:
            first = int(wrong[0])
            row = first if response.rows is None else int(response.rows[first])
            raise DataError(
                f"`{response.name}` is censored in row {row + 1} (counting from 1) so that it would lie between "
                f"{lower[first]:g} and {upper[first]:g}, where there is nothing."
            )

    def completed(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the responses with the parameters in their places."""
        if not self.count:
            return y
        unobserved, place = values[UNOBSERVED][..., 0, :], data["place"]
        xp = array_namespace(unobserved, place)
        return xp.where(place < 0, xp.nan_to_num(y), unobserved[..., xp.maximum(place, 0)])

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log f at each response, and the density of its measurement."""
        complete = self.completed(y, values, data)
        return self.base.log_prob(complete, values, data) + self.log_measured(y, complete, data)

    def log_measured(self, y: Observed, complete: PerRow, data: DataArrays) -> PerRow:
        """Return log normal(y; Y, s) of responses that are measured with error, 0 of others."""
        if "sdy" not in data:
            return 0.0
        xp = array_namespace(complete)
        z = (xp.nan_to_num(y) - complete) / data["sdy"]
        return xp.where(xp.isnan(y), 0.0, -0.5 * z**2 - xp.log(data["sdy"]) - 0.5 * log(2 * pi))

    def log_predictive(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of what was observed: measurements given the true values, and exact responses."""
        xp = array_namespace(y)
        complete = self.completed(y, values, data)
        if "sdy" in data:
            return self.log_measured(y, complete, data)
        return xp.where(data["place"] < 0, self.base.log_prob(complete, values, data), 0.0)


def _free(values: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Map values between bounds to the real line: logarithms of the distance from one, logits between two."""
    with np.errstate(divide="ignore"):
        if np.isfinite(lower) and np.isfinite(upper):
            return np.log(values - lower) - np.log(upper - values)
        if np.isfinite(lower):
            return np.log(values - lower)
        return np.log(upper - values) if np.isfinite(upper) else values


def _measured(
    raw: np.ndarray,
    sdy: np.ndarray,
    exact: np.ndarray,
    interval: tuple[float, float],
    middle: float,
    spread: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each true value given its measurement, were the true ones normal.

    On the free scale a measurement has about the error s times the derivative of the map there.
    """
    free, error = np.full(len(raw), middle), np.full(len(raw), np.inf)
    free[exact] = _free(raw[exact], *interval)
    y, (lower, upper) = raw[exact], interval
    slope = np.ones(len(y))
    slope = slope / (y - lower) if np.isfinite(lower) else slope
    slope = slope + 1.0 / (upper - y) if np.isfinite(upper) else slope
    error[exact] = sdy[exact] * slope
    variance = max(spread**2 - float(np.mean(error[exact] ** 2)), LEAST_SHARE * spread**2)
    gain = variance / (variance + error**2)
    return middle + gain * (free - middle), np.sqrt(variance * (1.0 - gain))
