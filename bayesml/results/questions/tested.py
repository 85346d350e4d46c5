"""The table of tested hypotheses, with the draws behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.results.tables.of_table import AbstractTableResult
from bayesml.results.tables.statistics import center_and_error

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["HypothesisTests", "density_at", "tested"]

CUT = 32


@final
@dataclass(frozen=True, repr=False)
class HypothesisTests(AbstractTableResult):
    """Hypotheses with their evidence.

    Attributes:
        table: one row for each hypothesis: Hypothesis, Estimate, Est.Error, CI.Lower, CI.Upper, Evid.Ratio, Post.Prob,
            Star, and Group where it is about the levels of a factor.
        draws: ``(draws, hypotheses)`` draws of left minus right side.
        prior_draws: the same of draws from the prior; None for what has none.
        alpha: of the intervals.
        class_: which parameters they are about.
    """

    table: pd.DataFrame
    draws: np.ndarray
    prior_draws: tuple[np.ndarray | None, ...]
    alpha: float
    class_: str

    def __repr__(self) -> str:
        of = f" for class {self.class_}" if self.class_ else ""
        shown = self.table.assign(Hypothesis=[_cut(text) for text in self.table["Hypothesis"]])
        body = shown.to_string(float_format=lambda value: f"{value:.2f}", na_rep="NA", max_rows=60)
        one, two = (f"{100 * (1 - share * self.alpha):g}%" for share in (2, 1))
        return "\n".join(
            [
                f"Hypothesis Tests{of}:",
                body,
                "---",
                f"'CI': {one}-CI for one-sided and {two}-CI for two-sided hypotheses.",
                f"'*': For one-sided hypotheses, the posterior probability exceeds {two};",
                f"for two-sided hypotheses, the value tested against lies outside the {two}-CI.",
                "Posterior probabilities of point hypotheses assume equal prior probabilities.",
            ]
        )

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format=lambda value: f"{value:.2f}", na_rep="NA", max_rows=60))

    def plot(self) -> Figure:
        """Draw the density of each difference, and that of its prior where there are draws from it."""
        from bayesml.results.plots.hypotheses import draw_hypotheses

        return draw_hypotheses(list(self.table["Hypothesis"]), self.draws, self.prior_draws)


def _cut(text: str) -> str:
    return text if len(text) <= CUT else text[: CUT - 3] + "..."


def tested(
    labels: Sequence[str],
    signs: Sequence[str],
    differences: Sequence[np.ndarray],
    priors: Sequence[np.ndarray | None],
    alpha: float,
    robust: bool,
    class_: str,
    groups: Sequence[str] | None = None,
) -> HypothesisTests:
    """Return the table of hypotheses.

    Args:
        labels: what each is called.
        signs: ``>``, ``<`` or ``=``.
        differences: ``(draws,)`` left minus right side of each.
        priors: the same of draws from the prior.
        alpha: see ``hypothesis``.
        robust: see ``hypothesis``.
        class_: which parameters they are about.
        groups: the level that each is about.
    """
    import pandas as pd

    rows = [_row(*each, alpha, robust) for each in zip(signs, differences, priors, strict=True)]
    table = pd.DataFrame({"Hypothesis": list(labels)} | {name: [row[name] for row in rows] for name in rows[0]})
    if groups is not None:
        table.insert(0, "Group", list(groups))
    return HypothesisTests(table, np.stack(differences, axis=1), tuple(priors), alpha, class_)


def _row(
    sign: str, difference: np.ndarray, prior: np.ndarray | None, alpha: float, robust: bool
) -> dict[str, float | str]:
    with np.errstate(all="ignore"):
        center, error = center_and_error(difference[:, None], robust)
        tail = alpha / 2 if sign == "=" else alpha
        lower, upper = np.quantile(difference, [tail, 1 - tail])
        if sign == "=":
            ratio = np.nan if prior is None else density_at(difference, 0.0) / density_at(prior, 0.0)
            star = not lower <= 0.0 <= upper
        else:
            share = float((difference > 0).mean() if sign == ">" else (difference < 0).mean())
            ratio = np.inf if share == 1.0 else share / (1.0 - share)
        probability = 1.0 if np.isinf(ratio) else ratio / (1.0 + ratio)
    if sign != "=":
        star = probability > 1 - alpha
    return {
        "Estimate": float(center[0]), "Est.Error": float(error[0]), "CI.Lower": float(lower), "CI.Upper": float(upper),
        "Evid.Ratio": float(ratio), "Post.Prob": float(probability), "Star": "*" if star else "",
    }  # fmt: skip


def density_at(values: np.ndarray, point: float) -> float:
    """Return the kernel density estimate of draws at a point, with Silverman's bandwidth as in R's ``density()``."""
    finite = values[np.isfinite(values)]
    spread = float(np.subtract(*np.quantile(finite, [0.75, 0.25]))) / 1.34
    width = 0.9 * min(finite.std(ddof=1), spread or np.inf) * len(finite) ** -0.2
    if not width > 0:
        return np.inf if np.any(finite == point) else 0.0
    return float(np.exp(-0.5 * ((point - finite) / width) ** 2).mean() / (width * np.sqrt(2.0 * np.pi)))
