"""Marginal means and slopes with their table and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.results.questions.adjust import Adjustment
from bayesml.results.questions.contrast_weights import contrast_weights
from bayesml.results.questions.means import AbstractMeans
from bayesml.results.questions.response_scale import ResponseScale

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MarginalMeans"]


@final
@dataclass(frozen=True, repr=False)
class MarginalMeans:
    """Means or slopes, one for each combination of some predictors; ``print`` shows the table.

    Attributes:
        keys: the predictors that tell the rows apart, with their values; those after ``by`` included.
        by: the predictors within whose values comparisons are made.
        means: what is known of each: draws, or combinations of estimated coefficients.
        name: heading of the estimates.
        scale: the way to the response, where the response scale was requested.
        level: coverage of the intervals.
        note: which factors are nested in others, and which the estimates are averaged over.
    """

    keys: Mapping[str, tuple[Any, ...]]
    by: tuple[str, ...]
    means: AbstractMeans
    name: str
    scale: ResponseScale | None
    level: float
    note: str = ""

    def __repr__(self) -> str:
        return "\n".join([self.to_pandas().to_string(index=False), *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        return self.to_pandas().to_html(index=False) + (f"<p>{escape(self.note)}</p>" if self.note else "")

    def to_pandas(self) -> pd.DataFrame:
        """Return the table: the predictors, the estimate, Std.Error, df where finite, lower, upper.

        Of draws the estimate is their mean, Std.Error their standard deviation, and the interval central.
        """
        import pandas as pd

        return pd.DataFrame({**self.keys, **self.means.shown(self.name, self.scale, self.level)})

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
                Draws have no p values, and nothing to adjust.
            reference: row of the reference in ``"trt.vs.ctrl"``, counting from 0.

        Returns:
            One row for each comparison: contrast, the values of ``by``, estimate, Std.Error, df, t value (or z value),
            p, lower, upper; p and intervals are adjusted within each value of ``by``. Of draws ``Post.Prob``, the
            posterior probability that the difference is larger than 0, stands in the place of df, t value and p. On
            the response scale of a log or logit link, of a lognormal response or of ``log(y)`` the estimates are ratios
            (or odds ratios); where a difference is no ratio (``sqrt(y)``) it stays on the scale of the linear
            predictor. Tests are always made on that scale. Values of ``by`` within which there is one estimate only
            have no rows.

        Raises:
            ModelError: method or adjustment is unknown, or there are no two estimates to compare.
        """
        import pandas as pd

        chosen = self.means.adjustment(method, adjust)
        families = self._families()
        if not isinstance(method, Mapping):
            families = [rows for rows in families if len(rows) > 1] or families
        tables = [self._family(rows, method, chosen, reference) for rows in families]
        table = pd.concat(tables, ignore_index=True)
        table.attrs["adjust"] = chosen
        return table

    @property
    def _count(self) -> int:
        return len(next(iter(self.keys.values()), "1"))

    def _families(self) -> list[np.ndarray]:
        """Rows of each combination of the values of ``by``."""
        own = list(zip(*(self.keys[name] for name in self.by), strict=True)) if self.by else [()] * self._count
        return [np.array([i for i, o in enumerate(own) if o == key]) for key in dict.fromkeys(own)]

    def _labels(self, rows: np.ndarray) -> list[str]:
        names = [n for n in self.keys if n not in self.by]
        return [" ".join(_text(self.keys[n][i]) for n in names) for i in rows]

    def _family(self, rows: np.ndarray, method: Any, adjust: Adjustment, reference: int) -> pd.DataFrame:
        import pandas as pd

        weights = contrast_weights(self._labels(rows), method, reference)
        W = np.zeros((len(weights), self._count))
        W[:, rows] = list(weights.values())
        columns: dict[str, Any] = {"contrast": list(weights)}
        columns |= {name: [self.keys[name][rows[0]]] * len(W) for name in self.by}
        return pd.DataFrame(columns | self.means.combined(W).compared(self.scale, self.level, adjust, len(rows)))


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
