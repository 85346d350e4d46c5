"""Several numbers that a fit determines, and weighted sums of them.

That part of marginal means in which draws and estimates differ.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.results.frequentist.degrees_of_freedom import (
    NormalTests,
    Tests,
    quantile,
    statistic_name,
    wald_statistic,
)
from bayesml.results.questions.adjust import Adjustment, adjusted_p, check_adjustment, critical_values
from bayesml.results.questions.response_scale import ResponseScale
from bayesml.results.tables.statistics import center_and_error

__all__ = ["AbstractMeans", "DrawnMeans", "EstimatedMeans", "drawn_columns", "probability_above"]

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class AbstractMeans(ABC):
    """Numbers on the scale of a linear predictor, or of the response where no single predictor leads to it."""

    @abstractmethod
    def combined(self, W: np.ndarray) -> Self:
        """Return weighted sums ``W x``; a number that is not known (NaN) matters where its weight is not zero."""

    @abstractmethod
    def shown(self, name: str, scale: ResponseScale | None, level: float) -> Columns:
        """Return the columns of a table: the numbers under ``name``, Std.Error, lower and upper.

        Args:
            name: heading of the numbers.
            scale: the way to the response, on which they are shown; None leaves them where they are.
            level: probability of the intervals.
        """

    @abstractmethod
    def adjustment(self, method: object, adjust: Adjustment | None) -> Adjustment:
        """Return how p values are adjusted for several comparisons; None is the default of the method."""

    @abstractmethod
    def compared(self, scale: ResponseScale | None, level: float, adjust: Adjustment, means: int) -> Columns:
        """Return the columns of a table of differences: estimate, or ratio where the scale has such, and its interval.

        Args:
            scale: the way to the response.
            level: probability of the intervals.
            adjust: how p values and intervals are adjusted.
            means: of how many means these are the differences.
        """


@final
@dataclass(frozen=True)
class EstimatedMeans(AbstractMeans):
    """Linear combinations of estimated coefficients.

    Attributes:
        L: ``(numbers, coefs)`` weights of the estimated coefficients; NaN where a number cannot be estimated.
        offset: ``(numbers,)`` what is added.
        tests: coefficients, their covariance matrix and degrees of freedom.
    """

    L: np.ndarray
    offset: np.ndarray
    tests: Tests

    def combined(self, W: np.ndarray) -> EstimatedMeans:
        """Return weighted sums."""
        return replace(self, L=np.array([_combine(w, self.L) for w in W]), offset=W @ self.offset)

    def shown(self, name: str, scale: ResponseScale | None, level: float) -> Columns:
        """Return estimates with intervals by t or normal quantiles, brought to the response by the delta method."""
        estimate, error, df = self._estimates()
        reach = quantile(0.5 + level / 2.0, df) * error
        lower, upper = estimate - reach, estimate + reach
        if scale is not None:
            error = error * np.abs(scale.derivative(estimate))
            ends = scale.inverse(lower), scale.inverse(upper)
            estimate, lower, upper = scale.inverse(estimate), np.minimum(*ends), np.maximum(*ends)
        return {name: estimate, "Std.Error": error, **self._df(df), "lower": lower, "upper": upper}

    def adjustment(self, method: object, adjust: Adjustment | None) -> Adjustment:
        """Return Tukey's for pairwise comparisons, Holm's for those with a reference, else none."""
        pairwise = method in ("pairwise", "revpairwise")
        if adjust is None:
            return "tukey" if pairwise else "holm" if method == "trt.vs.ctrl" else "none"
        check_adjustment(adjust)
        if adjust == "tukey" and not pairwise:
            raise ModelError('Tukey\'s adjustment is for pairwise comparisons; use adjust="holm".')
        return adjust

    def compared(self, scale: ResponseScale | None, level: float, adjust: Adjustment, means: int) -> Columns:
        """Return differences with tests on the scale of the linear predictor."""
        estimate, error, df = self._estimates()
        statistic = wald_statistic(estimate, error)
        reach = critical_values(df, level, adjust, means) * error
        lower, upper, name = estimate - reach, estimate + reach, "estimate"
        if scale is not None and scale.ratio:
            ratio = scale.base**estimate
            estimate, error, name = ratio, np.log(scale.base) * ratio * error, scale.ratio
            lower, upper = scale.base**lower, scale.base**upper
        tested = {statistic_name(self.tests): statistic, "p": adjusted_p(statistic, df, adjust, means)}
        return {name: estimate, "Std.Error": error, **self._df(df), **tested, "lower": lower, "upper": upper}

    def _df(self, df: np.ndarray) -> Columns:
        return {} if isinstance(self.tests, NormalTests) else {"df": df}

    def _estimates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return estimates, standard errors and degrees of freedom; NaN where a number cannot be estimated."""
        known = np.isfinite(self.L).all(axis=1)
        estimate, error, df = (np.full(len(self.L), np.nan) for _ in range(3))
        estimate[known] = self.L[known] @ self.tests.beta + self.offset[known]
        error[known] = self.tests.standard_errors(self.L[known])
        moving = known & np.any(self.L != 0, axis=1)
        if moving.any():
            df[moving] = self.tests.df(self.L[moving])
        return estimate, error, df


@final
@dataclass(frozen=True)
class DrawnMeans(AbstractMeans):
    """Draws of the numbers.

    Attributes:
        values: ``(draws, numbers)``; NaN where a number cannot be computed.
    """

    values: np.ndarray

    def combined(self, W: np.ndarray) -> DrawnMeans:
        """Return draws of the weighted sums."""
        return DrawnMeans(np.stack([_combine(w, self.values.T) for w in W], axis=1))

    def shown(self, name: str, scale: ResponseScale | None, level: float) -> Columns:
        """Return mean, standard deviation and central interval of the draws, each brought to the response before."""
        return drawn_columns(name, self.values if scale is None else scale.inverse(self.values), level)

    def adjustment(self, method: object, adjust: Adjustment | None) -> Adjustment:
        """Draws have no p values to adjust."""
        if adjust not in (None, "none"):
            raise ModelError(
                f"`adjust={adjust!r}` is for p values, which draws do not have: intervals and probabilities of the "
                "joint posterior hold for all comparisons. Leave `adjust` out."
            )
        return "none"

    def compared(self, scale: ResponseScale | None, level: float, adjust: Adjustment, means: int) -> Columns:
        """Return differences with the posterior probability that each is larger than 0."""
        larger = {"Post.Prob": probability_above(self.values, 0.0)}
        if scale is not None and scale.ratio:
            return drawn_columns(scale.ratio, scale.base**self.values, level, larger)
        return drawn_columns("estimate", self.values, level, larger)


def drawn_columns(name: str, values: np.ndarray, level: float, before_ends: Mapping[str, Any] | None = None) -> Columns:
    """Return mean, standard deviation and central interval of draws ``(draws, numbers)`` as columns of a table."""
    with np.errstate(all="ignore"):
        center, error = center_and_error(values, False)
        lower, upper = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0], axis=0)
    return {name: center, "Std.Error": error, **(before_ends or {}), "lower": lower, "upper": upper}


def probability_above(values: np.ndarray, bound: np.ndarray | float) -> np.ndarray:
    """Return the share of draws above a bound; NaN where there are none."""
    return np.where(np.isnan(values).any(axis=0), np.nan, (values > bound).mean(axis=0))


def _combine(weights: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return a weighted sum of rows; a row that is not known (NaN) matters only if its weight is not 0."""
    used = weights != 0
    return weights[used] @ rows[used]
