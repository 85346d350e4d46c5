"""Marginal means and slopes with their table and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, final

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
from bayesml.results.questions.contrast_weights import contrast_weights
from bayesml.results.questions.response_scale import ResponseScale

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MarginalMeans"]


@final
@dataclass(frozen=True, repr=False)
class MarginalMeans:
    """Estimates on the linear predictor, one for each combination of some predictors; ``print`` shows the table.

    Attributes:
        keys: the predictors that tell the rows apart, with their values; those after ``by`` included.
        by: the predictors within whose values comparisons are made.
        L: ``(rows, coefs)`` weights of the estimated coefficients; NaN where a row cannot be estimated.
        offset: ``(rows,)`` what is added.
        tests: coefficients, their covariance matrix and degrees of freedom.
        name: heading of the estimates.
        scale: the way to the response, where the response scale was asked for.
        level: coverage of the intervals.
        note: which factors are nested in others, and which the estimates are averaged over.
    """

    keys: Mapping[str, tuple[Any, ...]]
    by: tuple[str, ...]
    L: np.ndarray
    offset: np.ndarray
    tests: Tests
    name: str
    scale: ResponseScale | None
    level: float
    note: str = ""

    def __repr__(self) -> str:
        return "\n".join([self.to_pandas().to_string(index=False), *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        return self.to_pandas().to_html(index=False) + (f"<p>{escape(self.note)}</p>" if self.note else "")

    def to_pandas(self) -> pd.DataFrame:
        """Return the table: the predictors, the estimate, Std.Error, df where finite, lower, upper."""
        import pandas as pd

        estimate, error, df = _estimates(self.L, self.offset, self.tests)
        reach = quantile(0.5 + self.level / 2.0, df) * error
        columns: dict[str, Any] = {name: list(values) for name, values in self.keys.items()}
        lower, upper = estimate - reach, estimate + reach
        if self.scale is not None:
            error = error * np.abs(self.scale.derivative(estimate))
            ends = self.scale.inverse(lower), self.scale.inverse(upper)
            estimate, lower, upper = self.scale.inverse(estimate), np.minimum(*ends), np.maximum(*ends)
        columns |= {self.name: estimate, "Std.Error": error}
        columns |= {} if isinstance(self.tests, NormalTests) else {"df": df}
        return pd.DataFrame(columns | {"lower": lower, "upper": upper})

    def contrasts(
        self,
        method: str | Mapping[str, Sequence[float]] = "pairwise",
        adjust: Adjustment | None = None,
        reference: int = 0,
    ) -> pd.DataFrame:
        """Compare the estimates with each other, within each value of ``by``.

        Args:
            method: ``"pairwise"`` all differences; ``"revpairwise"`` the other way round; ``"trt.vs.ctrl"`` each minus
                the reference; ``"eff"`` each minus the mean of all; ``"consec"`` each minus the one before;
                ``"poly"`` linear, quadratic, ... trend of equally spaced levels; or weights by name.
            adjust: ``"none"``, ``"tukey"`` (pairwise only), ``"holm"``, ``"bonferroni"``, ``"sidak"`` or ``"fdr"``.
                None is Tukey's for pairwise comparisons of three or more, Holm's for ``"trt.vs.ctrl"``, else none.
            reference: row of the reference in ``"trt.vs.ctrl"``, counting from 0.

        Returns:
            One row for each comparison: contrast, the values of ``by``, estimate, Std.Error, df, t value (or z value),
            p, lower, upper; p and intervals are adjusted within each value of ``by``. On the response scale of a log or
            logit link, of a lognormal response or of ``log(y)`` the estimates are ratios (or odds ratios); where a
            difference is no ratio (``sqrt(y)``) it stays on the scale of the linear predictor. Tests are always made on
            that scale. Values of ``by`` within which there is one estimate only have no rows.

        Raises:
            ModelError: method or adjustment is unknown, or there are no two estimates to compare.
        """
        import pandas as pd

        chosen = _default_adjustment(method) if adjust is None else adjust
        check_adjustment(chosen)
        if chosen == "tukey" and method not in ("pairwise", "revpairwise"):
            raise ModelError('Tukey\'s adjustment is for pairwise comparisons; use adjust="holm".')
        families = self._families()
        if not isinstance(method, Mapping):
            families = [rows for rows in families if len(rows) > 1] or families
        tables = [self._family(rows, method, chosen, reference) for rows in families]
        table = pd.concat(tables, ignore_index=True)
        table.attrs["adjust"] = chosen
        return table

    def _families(self) -> list[np.ndarray]:
        """Rows of each combination of the values of ``by``."""
        own = list(zip(*(self.keys[name] for name in self.by), strict=True)) if self.by else [()] * len(self.L)
        return [np.array([i for i, o in enumerate(own) if o == key]) for key in dict.fromkeys(own)]

    def _labels(self, rows: np.ndarray) -> list[str]:
        names = [n for n in self.keys if n not in self.by]
        return [" ".join(_text(self.keys[n][i]) for n in names) for i in rows]

    def _family(self, rows: np.ndarray, method: Any, adjust: Adjustment, reference: int) -> pd.DataFrame:
        import pandas as pd

        weights = contrast_weights(self._labels(rows), method, reference)
        W = np.array(list(weights.values()))
        L = np.array([_combine(w, self.L[rows]) for w in W])
        estimate, error, df = _estimates(L, W @ self.offset[rows], self.tests)
        statistic = wald_statistic(estimate, error)
        p = adjusted_p(statistic, df, adjust, len(rows))
        reach = critical_values(df, self.level, adjust, len(rows)) * error
        columns: dict[str, Any] = {"contrast": list(weights)}
        columns |= {name: [self.keys[name][rows[0]]] * len(W) for name in self.by}
        columns |= _scaled(self.scale, estimate, error, reach, df, isinstance(self.tests, NormalTests))
        table = pd.DataFrame(columns | {statistic_name(self.tests): statistic, "p": p})
        last = ["lower", "upper"]
        return table[[c for c in table.columns if c not in last] + last]


def _scaled(
    scale: ResponseScale | None,
    estimate: np.ndarray,
    error: np.ndarray,
    reach: np.ndarray,
    df: np.ndarray,
    normal: bool,
) -> dict[str, np.ndarray]:
    """Columns of a comparison, as ratios where the response scale has them."""
    df_column = {} if normal else {"df": df}
    if scale is None or not scale.ratio:
        ends = {"lower": estimate - reach, "upper": estimate + reach}
        return {"estimate": estimate, "Std.Error": error, **df_column, **ends}
    value = scale.base**estimate
    ends = {"lower": scale.base ** (estimate - reach), "upper": scale.base ** (estimate + reach)}
    return {scale.ratio: value, "Std.Error": np.log(scale.base) * value * error, **df_column, **ends}


def _combine(weights: np.ndarray, L: np.ndarray) -> np.ndarray:
    """Return a weighted sum of rows; a row that cannot be estimated (NaN) matters only if its weight is not 0."""
    used = weights != 0
    return weights[used] @ L[used]


def _estimates(L: np.ndarray, offset: np.ndarray, tests: Tests) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return estimates, standard errors and degrees of freedom; NaN where a row cannot be estimated."""
    known = np.isfinite(L).all(axis=1)
    estimate, error, df = (np.full(len(L), np.nan) for _ in range(3))
    estimate[known] = L[known] @ tests.beta + offset[known]
    error[known] = tests.standard_errors(L[known])
    moving = known & np.any(L != 0, axis=1)
    if moving.any():
        df[moving] = tests.df(L[moving])
    return estimate, error, df


def _default_adjustment(method: object) -> Adjustment:
    if method in ("pairwise", "revpairwise"):
        return "tukey"
    return "holm" if method == "trt.vs.ctrl" else "none"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
