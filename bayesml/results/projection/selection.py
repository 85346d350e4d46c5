"""What a selection of terms found: the order of the terms, and how well the models of each size predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, final

import numpy as np
from scipy.special import ndtri

from bayesml.errors import ModelError, warn_user
from bayesml.results.projection.performance import Performance, check_statistics, statistic

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["VariableSelection"]

ONE_ERROR = 0.32
"""Intervals of one standard error to either side."""


@final
@dataclass(frozen=True, repr=False)
class VariableSelection:
    """Smaller models of each size, and how well they predict.

    Attributes:
        ranking: the terms in the order in which they were chosen, with all rows.
        kl: divergence from the reference model of each size, from no term on.
        foldwise: the order within each fold of the cross-validation; None where the search was not cross-validated.
        models: predictions of each size.
        reference: predictions of the reference model.
        y: ``(rows,)`` the responses, of trials the share of successes.
        trials: ``(rows,)`` numbers of trials.
        shares: ``(rows,)`` weights of the rows, whose sum is 1.
        has_accuracy: whether the response is a share of successes.
        validation: how predictions were judged.
    """

    ranking: tuple[str, ...]
    kl: tuple[float, ...]
    foldwise: tuple[tuple[str, ...], ...] | None
    models: tuple[Performance, ...]
    reference: Performance
    y: np.ndarray
    trials: np.ndarray
    shares: np.ndarray
    has_accuracy: bool
    validation: str

    def summary(
        self, stats: str | Sequence[str] = "elpd", *, deltas: bool = False, alpha: float = ONE_ERROR
    ) -> pd.DataFrame:
        """Return a row for each size: the term that was added, and how well the model predicts.

        Args:
            stats: ``"elpd"`` (sum of the log predictive densities), ``"mlpd"`` (their mean), ``"gmpd"`` (its
                exponential), ``"mse"``, ``"rmse"`` of the expected response, ``"acc"`` (share of correct
                classifications); or several.
            deltas: whether statistics are differences from the reference model.
            alpha: intervals have the probability 1 - alpha, by the normal distribution.

        Returns:
            The columns size, term, the statistic, its standard error (``elpd.se``), lower and upper limits and, where
            the search was cross-validated, ``cv_proportion``, the share of folds in which the terms up to this size
            hold the term. The last row is the reference model.

        Example:
            >>> fit.cv_varsel().summary(["elpd", "rmse"])
        """
        import pandas as pd

        rows = [{"size": str(size), "term": term} for size, term in enumerate(("(Intercept)", *self.ranking))]
        table = pd.DataFrame([*rows, {"size": "reference", "term": ""}]).set_index("size")
        reach = _reach(alpha)
        for name in check_statistics(stats, self.has_accuracy):
            found = np.array([self._of(name, own, deltas) for own in (*self.models, self.reference)])
            table[name], table[f"{name}.se"] = found[:, 0], found[:, 1]
            table[f"{name}.lower"] = found[:, 0] - reach * found[:, 1]
            table[f"{name}.upper"] = found[:, 0] + reach * found[:, 1]
        if self.foldwise is not None:
            shares = [np.nan, *(self._share(term, size) for size, term in enumerate(self.ranking, start=1)), np.nan]
            table["cv_proportion"] = shares
        return table

    def _of(self, name: str, own: Performance, deltas: bool) -> tuple[float, float]:
        other = self.reference if deltas else None
        return statistic(name, own, other, self.y, self.trials, self.shares)

    def _share(self, term: str, size: int) -> float:
        assert self.foldwise is not None
        return float(np.mean([term in path[:size] for path in self.foldwise]))

    def cv_proportions(self) -> pd.DataFrame:
        """Return in which share of the folds each term was among the first 1, 2, ... terms.

        Raises:
            ModelError: the search was not cross-validated.
        """
        import pandas as pd

        if self.foldwise is None:
            raise ModelError("The search saw all rows at once; use cv_varsel(validate_search=True).")
        sizes = range(1, len(self.ranking) + 1)
        shares = [[self._share(term, size) for term in self.ranking] for size in sizes]
        return pd.DataFrame(shares, index=pd.Index(sizes, name="size"), columns=list(self.ranking))

    def suggest_size(
        self, stat: str = "elpd", *, alpha: float = ONE_ERROR, type: Literal["upper", "lower"] = "upper"
    ) -> int | None:
        """Return the smallest number of terms whose model may predict as well as the reference model.

        The difference of the statistic from that of the reference model has an interval of the probability 1 - alpha;
        the size is the smallest whose interval reaches 0 with its better end (``"upper"``), or lies above it
        (``"lower"``). A heuristic: look at ``plot()`` first.

        Args:
            stat: see ``summary``.
            alpha: 0.32 is one standard error to either side.
            type: which end.

        Returns:
            The number of terms, or None with a warning where no size qualifies.
        """
        if type not in ("upper", "lower"):
            raise ModelError(f'`type` is "upper" or "lower"; got {type!r}.')
        [name] = check_statistics([stat], self.has_accuracy)
        sign = -1.0 if name in ("mse", "rmse") else 1.0
        reach = _reach(alpha) * (1.0 if type == "upper" else -1.0)
        for size, own in enumerate(self.models):
            difference, error = self._of(name, own, True)
            if sign * difference + reach * error >= 0.0:
                return size
        warn_user("No size was found whose predictions are as good as those of the reference model by this rule.")
        return None

    def plot(
        self,
        stats: str | Sequence[str] = "elpd",
        *,
        deltas: bool = True,
        alpha: float = ONE_ERROR,
        ax: Axes | None = None,
    ) -> Figure:
        """Draw the statistics against the number of terms, with intervals and the reference model as a line.

        Args:
            stats: see ``summary``; a panel for each.
            deltas: whether statistics are differences from the reference model.
            alpha: see ``summary``.
            ax: axes to draw one statistic in.

        Example:
            >>> fit.cv_varsel().plot(["elpd", "rmse"])
        """
        from bayesml.results.plots.selection import draw_selection

        chosen = check_statistics(stats, self.has_accuracy)
        return draw_selection(self.summary(chosen, deltas=deltas, alpha=alpha), chosen, deltas, ax)

    def __repr__(self) -> str:
        return f"Projection predictive variable selection, {self.validation}\n\n{self.summary().round(2)}"


def _reach(alpha: float) -> float:
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float)) or not 0.0 < alpha < 1.0:
        raise ModelError(f"`alpha` lies between 0 and 1; got {alpha!r}.")
    return float(ndtri(1.0 - alpha / 2.0))
