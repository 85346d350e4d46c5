"""A number of each row, as a fit determines it: draws of it, or an estimate with its error.

What tables and effects need of either is its ``summary``; what only one has (draws by chain, prediction intervals) it
has beside that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import numpy as np

from bayesml.results.predict.prepare import DrawChoice
from bayesml.results.tables.statistics import center_and_error, summarise

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["AbstractQuantity", "DrawnQuantity", "EstimatedQuantity", "Kind", "Summary", "What"]


Kind = Literal["linpred", "epred", "predict"]


@final
@dataclass(frozen=True)
class What:
    """What is to be evaluated.

    Attributes:
        kind: ``"linpred"`` the linear predictor, ``"epred"`` the expected response, ``"predict"`` the response itself.
        dpar: a distributional parameter instead of the response; None is ``mu``, or the response.
        transform: whether to apply the inverse link to a linear predictor.
        one_trial: whether each row has one trial, whatever the data say: an expected count is then a probability.
    """

    kind: Kind
    dpar: str | None = None
    transform: bool = False
    one_trial: bool = False

    @property
    def name(self) -> str:
        """What the labelled array is called."""
        return self.dpar if self.dpar and self.kind == "epred" else self.kind


@final
@dataclass(frozen=True)
class Summary:
    """What is known of each row.

    Attributes:
        center: ``(rows,)`` estimates.
        error: ``(rows,)`` their errors.
        lower: ``(rows,)`` lower ends of the intervals.
        upper: ``(rows,)`` upper ends.
    """

    center: np.ndarray
    error: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class AbstractQuantity(ABC):
    """A number of each row.

    Attributes:
        labels: a label for each row.
    """

    labels: pd.Index

    @abstractmethod
    def summary(self, prob: float = 0.95, robust: bool = False) -> Summary:
        """Return estimate, error and interval of each row.

        Args:
            prob: probability of the intervals.
            robust: median and scaled mad of draws in the place of mean and standard deviation.
        """


@final
@dataclass(frozen=True)
class DrawnQuantity(AbstractQuantity):
    """Draws of a number of each row.

    Attributes:
        values: ``(draws, rows)``, or ``(draws, rows, categories)``.
        choice: which draws these are.
        name: of the labelled array.
        categories: of a response of categories, whose probabilities the values are; each row has a number for each.
        last: name of the dimension of categories.
        levels: of random responses that are codes of categories, the labels of these.
        first: code of the first of them.
    """

    values: np.ndarray
    choice: DrawChoice
    name: str
    categories: tuple[str, ...] = ()
    last: str = "category"
    levels: tuple[str, ...] = ()
    first: int = 1

    @property
    def shares(self) -> np.ndarray:
        """``(rows, levels)`` shares of the draws in each category."""
        codes = np.arange(self.first, self.first + len(self.levels))
        drawn = np.stack([(self.values == code).mean(axis=0) for code in codes], axis=-1)
        return np.where(np.isnan(self.values).any(axis=0)[:, None], np.nan, drawn)

    def summary(self, prob: float = 0.95, robust: bool = False) -> Summary:
        """Return mean and standard deviation, or their robust counterparts, and the central interval.

        Categories follow each other within each row. Of random categories the center is the probability of each, a
        single number that has neither error nor interval.
        """
        if self.levels:
            center = self.shares.ravel()
            return Summary(center, *np.full((3, center.size), np.nan))
        flat = self.values.reshape(len(self.values), -1)
        with np.errstate(all="ignore"):
            center, error = center_and_error(flat, robust)
            lower, upper = np.quantile(flat, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        return Summary(center, error, lower, upper)

    def shown(self, summary: bool) -> xr.DataArray | pd.DataFrame:
        """Return the draws with their labels, or a table of mean, standard deviation and 95% interval.

        Of random categories the table has their probabilities, ``P(Y = a)``, as in brms.
        """
        import pandas as pd

        if not summary:
            drawn = self.choice.label(self.values, self.labels, self.name, self.categories, self.last)
            return drawn.assign_attrs(categories=list(self.levels), first=self.first) if self.levels else drawn
        if self.levels:
            return pd.DataFrame(self.shares, self.labels, [f"P(Y = {level})" for level in self.levels])
        if not self.categories:
            return summarise(self.values, self.labels)
        index = pd.MultiIndex.from_product([self.labels, self.categories], names=["obs", self.last])
        return summarise(self.values.reshape(len(self.values), -1), index)


Ends = Callable[[float], tuple[np.ndarray, np.ndarray]]
"""From the probability of an interval to its lower and upper ends."""


@final
@dataclass(frozen=True)
class EstimatedQuantity(AbstractQuantity):
    """An estimate of a number of each row.

    Attributes:
        estimate: ``(rows,)``; NaN where the data do not determine it.
        errors: computes ``(rows,)`` standard errors by the delta method.
        ends: computes the ends of the intervals.
        data: ``trials`` and ``se`` of the rows, where they were needed.
        categories: of a response of categories, whose probabilities the numbers are, ``(rows, categories)``.
    """

    estimate: np.ndarray
    errors: Callable[[], np.ndarray]
    ends: Ends
    data: Mapping[str, np.ndarray]
    categories: tuple[str, ...] = ()

    def summary(self, prob: float = 0.95, robust: bool = False) -> Summary:
        """Return estimate, standard error and interval; there is nothing to be robust about.

        Categories follow each other within each row.
        """
        return Summary(*(np.ravel(part) for part in (self.estimate, self.errors(), *self.ends(prob))))

    def shown(self, se: bool, prob: float | None) -> pd.Series | pd.DataFrame:
        """Return the estimates, with ``se`` their standard errors, and with a probability intervals too.

        Of categories the estimates alone have a column for each, and with their errors a row for each.
        """
        import pandas as pd

        if not se and prob is None:
            if self.categories:
                return pd.DataFrame(self.estimate, index=self.labels, columns=list(self.categories))
            return pd.Series(self.estimate, index=self.labels)
        columns = {"Estimate": self.estimate, "Std.Error": self.errors()}
        if prob is not None:
            columns |= dict(zip(["Lower", "Upper"], self.ends(prob), strict=True))
        index = self.labels
        if self.categories:
            index = pd.MultiIndex.from_product([self.labels, self.categories], names=["obs", "category"])
        return pd.DataFrame({name: np.ravel(values) for name, values in columns.items()}, index=index)
