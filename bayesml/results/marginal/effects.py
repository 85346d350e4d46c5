"""Predictions, comparisons and slopes, row by row or averaged (Arel-Bundock, Greifer and Heiss 2024)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.results.marginal.asking import Asked, ask, averaging_of, categories_of, prediction_rows
from bayesml.results.marginal.changes import Change, changes_of, derivatives_of, sets_of
from bayesml.results.marginal.comparing import comparison_of, slope_of
from bayesml.results.marginal.evaluation import evaluate_sets
from bayesml.results.marginal.numbers import AbstractNumbers
from bayesml.results.marginal.question import Averages, Groups
from bayesml.results.marginal.table import Effects
from bayesml.results.marginal.tabulate import Part, tabulated
from bayesml.results.record.select import each_of

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit

__all__ = ["avg_comparisons", "avg_predictions", "avg_slopes", "comparisons", "predictions", "slopes"]

By = bool | str | Sequence[str] | None


def predictions(
    fit: AbstractFit, newdata: Any = None, *, variables: Any = None, by: By = None,
    groups: Groups = "conditional", type: str = "response", dpar: str | None = None, resp: str | None = None,
    hypothesis: Any = None, transform: Any = None, conf_level: float = 0.95, wts: Any = None,
    new_levels: str = "error", ndraws: int | None = None, seed: int | None = None,
) -> Effects:  # fmt: skip
    """Return the expected response, or the linear predictor, of rows or averaged over rows.

    Args:
        fit: the fit; of draws each draw is treated by itself, estimates have errors by the delta method.
        newdata: the rows: None for those of the fit, any data frame, ``datagrid(x=[0, 1])``, or ``"mean"``,
            ``"balanced"``.
        variables: columns that take other values in all rows, whose predictions stand one behind the other: a dict of
            values, ``{"x": [0, 1]}``, or names, which take all levels, or five quantiles.
        by: columns: the rows with the same values of them are averaged; True averages all.
        groups: which group-level effects: ``"population"`` none; ``"conditional"`` those of the groups of the rows;
            ``"integrate"`` averages the predictions over the estimated distribution of the effects, which gives those
            of the whole population of groups.
        type: ``"response"``, of a binomial model for one trial; or ``"link"``.
        dpar: a distributional parameter instead of the response.
        resp: which of several responses.
        hypothesis: what is tested about the estimates in the table: a number to compare with, ``"pairwise"``,
            ``"revpairwise"``, ``"reference"``, ``"sequential"``, ``"meandev"``, an equation such as ``"b1 = b2"``, in
            which b1 is the first of them, a list of equations, weights, or a function.
        transform: ``"exp"``, ``"ln"``, or a function of estimates and ends of intervals; of draws of each.
        conf_level: probability of the intervals.
        wts: weights of the rows in averages, a column or an array.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws; None takes all.
        seed: whole number; the same seed gives the same result.

    Returns:
        A table, ``to_pandas()``, with ``estimate``, ``std_error``, of estimates ``statistic`` and ``p_value``,
        ``conf_low`` and ``conf_high``; ``group`` is the category of a response of categories. ``draws`` has the draws.

    Raises:
        DataError: ``newdata`` lacks a column or has an unseen level.
        ModelError: an option is impossible; the message lists what is possible.

    Example:
        >>> fit.predictions(bayesml.datagrid(Days=[0, 9]), groups="population")
    """
    asked = ask(fit, type, dpar, resp, groups, hypothesis, transform, conf_level, wts, new_levels, ndraws, seed)
    rows = prediction_rows(asked.fit, newdata, variables)
    averaging = averaging_of(asked, rows, by)

    def of(some: pd.DataFrame, averages: Averages | None) -> list[tuple[Part, AbstractNumbers]]:
        return [(Part("", ""), evaluate_sets(asked.fit, [some], asked.question, averages)[0])]

    return tabulated(asked, rows, averaging, categories_of(asked), of)


def comparisons(
    fit: AbstractFit, variables: Any = None, newdata: Any = None, *, by: By = None,
    comparison: str | Callable[..., Any] = "difference", cross: bool = False,
    groups: Groups = "conditional", type: str = "response", dpar: str | None = None, resp: str | None = None,
    hypothesis: Any = None, transform: Any = None, conf_level: float = 0.95, wts: Any = None,
    new_levels: str = "error", ndraws: int | None = None, seed: int | None = None,
) -> Effects:  # fmt: skip
    """Compare predictions of rows with one column changed: by how much more of x does the response change?

    Args:
        fit: the fit.
        variables: the columns: a name, a list of names or None for all, or a dict of changes. A number is changed by 1
            (``{"x": 5}`` by 5, from the observed value), ``"sd"`` and ``"2sd"`` around the observed value, ``"iqr"``,
            ``"minmax"``, ``[from, to]``, or a function of the column that returns values before and after. Categories
            are compared with the first (``"reference"``), ``"sequential"``, ``"pairwise"``, ``"minmax"``, the same
            with ``rev`` before it, or ``[from, to]``.
        newdata: the rows, see ``predictions``.
        by: columns: predictions of rows with the same values are averaged, and the averages compared.
        comparison: ``"difference"``, ``"ratio"``, ``"lnratio"``, ``"lnor"`` (log odds ratio), ``"lift"``, or a function
            of the predictions after and before, element by element.
        cross: change all variables at once.
        groups: which group-level effects, see ``predictions``.
        type: ``"response"`` or ``"link"``.
        dpar: a distributional parameter instead of the response.
        resp: which of several responses.
        hypothesis: what is tested about the estimates, see ``predictions``.
        transform: a function of estimates and ends of intervals, ``"exp"`` of ``comparison="lnor"`` for odds ratios.
        conf_level: probability of the intervals.
        wts: weights of the rows in averages.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws; None takes all.
        seed: whole number; the same seed gives the same result.

    Returns:
        As ``predictions``, with ``term`` and ``contrast``.

    Raises:
        DataError: see ``predictions``.
        ModelError: see ``predictions``; or a change is impossible.

    Example:
        >>> fit.comparisons("treatment", comparison="ratio", by="sex")
        >>> fit.avg_comparisons({"age": 10})
    """
    asked = ask(fit, type, dpar, resp, groups, hypothesis, transform, conf_level, wts, new_levels, ndraws, seed)
    function, rows = comparison_of(comparison), prediction_rows(asked.fit, newdata, None)
    name = comparison if isinstance(comparison, str) else "custom"

    def of(some: pd.DataFrame, averages: Averages | None) -> list[tuple[Part, AbstractNumbers]]:
        changes = changes_of(asked.fit, some, variables, cross, name.removesuffix("avg"))
        pairs = _pairs(asked, some, changes, averages)
        return [(Part(c.term, c.contrast), hi.mapped(function, lo)) for c, (hi, lo) in zip(changes, pairs, strict=True)]

    return tabulated(asked, rows, averaging_of(asked, rows, by), categories_of(asked), of)


def _pairs(
    asked: Asked, rows: pd.DataFrame, changes: Sequence[Change], averages: Averages | None
) -> list[tuple[AbstractNumbers, AbstractNumbers]]:
    """Return the numbers after and before each change."""
    sets, places = sets_of(changes, rows)
    found = evaluate_sets(asked.fit, sets, asked.question, averages)
    return [(found[high], found[low]) for high, low in places]


def slopes(
    fit: AbstractFit, variables: Any = None, newdata: Any = None, *, by: By = None, slope: str = "dydx",
    groups: Groups = "conditional", type: str = "response", dpar: str | None = None, resp: str | None = None,
    hypothesis: Any = None, transform: Any = None, conf_level: float = 0.95, wts: Any = None,
    new_levels: str = "error", ndraws: int | None = None, seed: int | None = None,
) -> Effects:  # fmt: skip
    """Return derivatives of predictions in numbers; categories are compared with the first.

    Derivatives are central differences over 1e-5 of the range of the column.

    Args:
        fit: the fit.
        variables: the columns, a name or a list of names; None takes all.
        newdata: the rows, see ``predictions``.
        by: columns: the slopes of rows with the same values are averaged.
        slope: ``"dydx"`` the derivative; ``"eyex"`` the elasticity, dY/dX x / y; ``"dyex"`` dY/dX x; ``"eydx"``
            dY/dX / y.
        groups: which group-level effects, see ``predictions``.
        type: ``"response"`` or ``"link"``.
        dpar: a distributional parameter instead of the response.
        resp: which of several responses.
        hypothesis: what is tested about the estimates, see ``predictions``.
        transform: a function of estimates and ends of intervals.
        conf_level: probability of the intervals.
        wts: weights of the rows in averages.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws; None takes all.
        seed: whole number; the same seed gives the same result.

    Returns:
        As ``comparisons``.

    Raises:
        DataError: see ``predictions``.
        ModelError: see ``predictions``.

    Example:
        >>> fit.slopes("dose", newdata=bayesml.datagrid(dose=[1, 2, 4]))
        >>> fit.avg_slopes("dose", by="sex")
    """
    asked = ask(fit, type, dpar, resp, groups, hypothesis, transform, conf_level, wts, new_levels, ndraws, seed)
    kind, rows = slope_of(slope), prediction_rows(asked.fit, newdata, None)

    def of(some: pd.DataFrame, averages: Averages | None) -> list[tuple[Part, AbstractNumbers]]:
        changes = derivatives_of(asked.fit, some, variables)
        by_row = kind != "dydx" and any(change.step is not None for change in changes)
        pairs = _pairs(asked, some, changes, None if by_row else averages)
        found = [_slope(some, c, *pair, kind) for c, pair in zip(changes, pairs, strict=True)]
        if by_row and averages is not None:
            found = [numbers.combined(_weights(averages, numbers.count)) for numbers in found]
        return [(_part_of(c, kind), numbers) for c, numbers in zip(changes, found, strict=True)]

    return tabulated(asked, rows, averaging_of(asked, rows, by), categories_of(asked), of)


def _part_of(change: Change, kind: str) -> Part:
    names = {"dydx": "dY/dX", "eyex": "eY/eX", "dyex": "dY/eX", "eydx": "eY/dX"}
    return Part(change.term, change.contrast if change.step is None else names[kind])


def _slope(rows: pd.DataFrame, change: Change, hi: AbstractNumbers, lo: AbstractNumbers, kind: str) -> AbstractNumbers:
    if change.step is None:
        return hi.mapped(lambda high, low: high - low, lo)
    step = float(np.mean(change.step))
    if kind == "dydx":
        return hi.mapped(lambda high, low: (high - low) / step, lo)
    x = np.repeat(np.asarray(rows[change.term], dtype=float), hi.count // len(rows))

    def elasticity(high: np.ndarray, low: np.ndarray) -> np.ndarray:
        derivative, y = (high - low) / step, 0.5 * (high + low)
        return derivative * (x if kind.endswith("ex") else 1.0) / (y if kind.startswith("ey") else 1.0)

    return hi.mapped(elasticity, lo)


def _weights(averages: Averages, count: int) -> np.ndarray:
    """Return the weights of numbers of rows in averages, of each category by itself."""
    rows = len(averages.members)
    return np.kron(averages.matrix(np.arange(rows)), np.eye(count // rows))


def avg_predictions(
    fit: AbstractFit, newdata: Any = None, *, variables: Any = None, by: By = True,
    groups: Groups = "conditional", type: str = "response", dpar: str | None = None, resp: str | None = None,
    hypothesis: Any = None, transform: Any = None, conf_level: float = 0.95, wts: Any = None,
    new_levels: str = "error", ndraws: int | None = None, seed: int | None = None,
) -> Effects:  # fmt: skip
    """Return ``predictions`` averaged over rows: all of them, or those with the same values of ``by``.

    Args:
        fit: the fit.
        newdata: the rows, see ``predictions``.
        variables: columns that take other values in all rows; the predictions of each combination are averaged.
        by: columns: the rows with the same values of them are averaged; True averages all.
        groups: which group-level effects, see ``predictions``.
        type: ``"response"`` or ``"link"``.
        dpar: a distributional parameter instead of the response.
        resp: which of several responses.
        hypothesis: what is tested about the estimates, see ``predictions``.
        transform: a function of estimates and ends of intervals.
        conf_level: probability of the intervals.
        wts: weights of the rows.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws; None takes all.
        seed: whole number; the same seed gives the same result.

    Returns:
        As ``predictions``.

    Example:
        >>> fit.avg_predictions(by="treatment", hypothesis="pairwise")
    """
    if by is True and variables is not None:
        by = list(each_of(variables))
    return predictions(
        fit, newdata, variables=variables, by=by, groups=groups, type=type, dpar=dpar, resp=resp, hypothesis=hypothesis,
        transform=transform, conf_level=conf_level, wts=wts, new_levels=new_levels, ndraws=ndraws, seed=seed,
    )  # fmt: skip


def avg_comparisons(
    fit: AbstractFit, variables: Any = None, newdata: Any = None, *, by: By = True,
    comparison: str | Callable[..., Any] = "difference", cross: bool = False,
    groups: Groups = "conditional", type: str = "response", dpar: str | None = None, resp: str | None = None,
    hypothesis: Any = None, transform: Any = None, conf_level: float = 0.95, wts: Any = None,
    new_levels: str = "error", ndraws: int | None = None, seed: int | None = None,
) -> Effects:  # fmt: skip
    """Return ``comparisons`` of predictions averaged over rows: all of them, or those with the same values of ``by``.

    A ratio is that of the averages.

    Args:
        fit: the fit.
        variables: the columns and their changes, see ``comparisons``.
        newdata: the rows, see ``predictions``.
        by: columns: predictions of rows with the same values are averaged; True averages all.
        comparison: how predictions after and before are compared, see ``comparisons``.
        cross: change all variables at once.
        groups: which group-level effects, see ``predictions``.
        type: ``"response"`` or ``"link"``.
        dpar: a distributional parameter instead of the response.
        resp: which of several responses.
        hypothesis: what is tested about the estimates, see ``predictions``.
        transform: a function of estimates and ends of intervals.
        conf_level: probability of the intervals.
        wts: weights of the rows.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws; None takes all.
        seed: whole number; the same seed gives the same result.

    Returns:
        As ``comparisons``.

    Example:
        >>> fit.avg_comparisons("treatment", comparison="lnor", transform="exp", groups="integrate")
    """
    return comparisons(
        fit, variables, newdata, by=by, comparison=comparison, cross=cross, groups=groups, type=type, dpar=dpar,
        resp=resp, hypothesis=hypothesis, transform=transform, conf_level=conf_level, wts=wts, new_levels=new_levels,
        ndraws=ndraws, seed=seed,
    )  # fmt: skip


def avg_slopes(
    fit: AbstractFit, variables: Any = None, newdata: Any = None, *, by: By = True, slope: str = "dydx",
    groups: Groups = "conditional", type: str = "response", dpar: str | None = None, resp: str | None = None,
    hypothesis: Any = None, transform: Any = None, conf_level: float = 0.95, wts: Any = None,
    new_levels: str = "error", ndraws: int | None = None, seed: int | None = None,
) -> Effects:  # fmt: skip
    """Return ``slopes`` averaged over rows: all of them, or those with the same values of ``by``.

    Args:
        fit: the fit.
        variables: the columns, a name or a list of names; None takes all.
        newdata: the rows, see ``predictions``.
        by: columns: the slopes of rows with the same values are averaged; True averages all.
        slope: which slope, see ``slopes``.
        groups: which group-level effects, see ``predictions``.
        type: ``"response"`` or ``"link"``.
        dpar: a distributional parameter instead of the response.
        resp: which of several responses.
        hypothesis: what is tested about the estimates, see ``predictions``.
        transform: a function of estimates and ends of intervals.
        conf_level: probability of the intervals.
        wts: weights of the rows.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws; None takes all.
        seed: whole number; the same seed gives the same result.

    Returns:
        As ``slopes``.

    Example:
        >>> fit.avg_slopes("dose")
    """
    return slopes(
        fit, variables, newdata, by=by, slope=slope, groups=groups, type=type, dpar=dpar, resp=resp,
        hypothesis=hypothesis, transform=transform, conf_level=conf_level, wts=wts, new_levels=new_levels,
        ndraws=ndraws, seed=seed,
    )  # fmt: skip
