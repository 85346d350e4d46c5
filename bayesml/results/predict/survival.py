"""Survival curves: the probability that a response is larger than each of some times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError, did_you_mean
from bayesml.families import AbstractLikelihood
from bayesml.frame import Column, column_names, read_frame
from bayesml.keys import PredictorKey
from bayesml.response_terms import needed_terms
from bayesml.results.checks.kaplan_meier import right_censoring
from bayesml.results.checks.log_lik import at_every_draw
from bayesml.results.predict.new_levels import NewLevels
from bayesml.results.predict.prepare import DrawChoice, Request, batches, choose_draws, prepare_rows
from bayesml.results.predict.rows import Rows
from bayesml.results.record.one_response import of_one
from bayesml.results.tables.statistics import summarise

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from bayesml.results.record.fit import AbstractFit, AbstractSampledFit

__all__ = ["Groups", "SurvivalCurves", "data_at", "groups_of", "survival", "survival_likelihood", "survival_terms"]

POINTS = 50


@final
@dataclass(frozen=True, repr=False)
class SurvivalCurves:
    """Survival curves: ``curves.draws``, ``curves.to_pandas()``, ``curves.plot()``.

    Attributes:
        draws: draws of S(t), with the dimension ``time`` behind that of the curves.
        names: what each curve is called.
        observed: Kaplan-Meier estimates that belong to the curves, by name.
        response: name of the response.
        estimate: ``(curves, times)`` S(t) at the estimates of a point fit; None where means of draws are shown.
    """

    draws: xr.DataArray
    names: tuple[str, ...]
    observed: Mapping[str, tuple[np.ndarray, np.ndarray]]
    response: str
    estimate: np.ndarray | None = None

    @property
    def times(self) -> np.ndarray:
        """The times."""
        return self.draws["time"].to_numpy()

    def values(self) -> np.ndarray:
        """Return the draws as ``(draws, curves, times)``."""
        return self.draws.to_numpy().reshape(-1, len(self.names), len(self.times))

    def to_pandas(self) -> pd.DataFrame:
        """Return mean, standard deviation and 95% interval of each curve at each time.

        Of a point fit the estimate is that at the estimates of the model, and the columns are named as in its tables.
        """
        import pandas as pd

        values, last = self.values(), self.draws.dims[-2]
        index = pd.MultiIndex.from_product([self.draws[last].to_numpy(), self.times], names=[last, "time"])
        table = summarise(values.reshape(len(values), -1), index)
        if self.estimate is None:
            return table
        named = {"Est.Error": "Std.Error", "Q2.5": "Lower", "Q97.5": "Upper"}
        return table.assign(Estimate=self.estimate.ravel()).rename(columns=named)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.draws.to_numpy(), dtype=dtype)

    def __repr__(self) -> str:
        count, times = len(self.names), self.times
        return (
            f"{count} survival curve{'s' if count > 1 else ''} of {self.response} at {len(times)} times from "
            f"{times[0]:g} to {times[-1]:g}. Draw with .plot(), read with .to_pandas() or .draws."
        )

    def plot(self, observed: bool = True, prob: float = 0.95, ax: Axes | None = None) -> Figure:
        """Draw the curves with their intervals.

        Args:
            observed: whether to show Kaplan-Meier estimates as steps beside those curves that have one.
            prob: probability of the intervals.
            ax: where to draw; None makes a figure.

        Raises:
            ModelError: ``prob`` is no probability.
        """
        from bayesml.results.plots.survival import Curves, draw_curves

        drawn = Curves(self.values(), self.times, self.names, self.observed, self.response, self.estimate)
        return draw_curves(drawn, observed, prob, ax)


def survival(
    fit: AbstractSampledFit, newdata: Any = None, times: Sequence[float] | None = None, *,
    by: str | None = None, resp: str | None = None,
    re_formula: Any = None, new_levels: NewLevels = "error", ndraws: int | None = None, seed: int | None = None,
) -> SurvivalCurves:  # fmt: skip
    """Return survival curves, S(t) = P(response > t | parameters), at each draw.

    The response is that before censoring and truncation.

    Args:
        fit: a fit whose family has a distribution function.
        newdata: rows with a curve each. None takes the rows of the fit, whose curves are averaged.
        times: the times, in any order; None takes 50 from 0 to the largest that was observed.
        by: a column: the curves of rows with the same value of it are averaged.
        resp: which of several responses.
        re_formula: which group-level effects, see ``linpred``.
        new_levels: what unseen levels get, see ``linpred``.
        ndraws: number of draws, see ``linpred``.
        seed: seed, see ``linpred``.

    Returns:
        ``draws`` with the dimensions (chain, draw, obs, time), ``obs`` labelling the rows or the values of ``by``;
        ``to_pandas()``, a table with the index (obs, time) and the columns Estimate, Est.Error, Q2.5 and Q97.5;
        ``plot()``, a picture with intervals and, of curves that are averages over rows of the fit or that belong to
        levels of factors, Kaplan-Meier estimates of these rows.

    Raises:
        DataError: see ``linpred``.
        FormulaError: see ``linpred``.
        ModelError: the family has no distribution function, a time is not a number, or ``by`` is no column.

    Example:
        >>> curves = fit.survival({"sex": ["female", "male"], "age": [60, 60]}, times=[30, 90, 365])
        >>> curves.to_pandas()
        >>> fit.survival(by="sex").plot()
    """
    fit = of_one(fit, resp)
    likelihood = survival_likelihood(fit)
    request = Request(newdata, re_formula, new_levels, ndraws, seed)
    rows, choice = prepare_rows(fit, request, additions=survival_terms(fit)), choose_draws(fit, request)
    at, groups = _times(fit, times), groups_of(fit, newdata, by, rows.count)
    drawn = _curves(fit, likelihood, rows, choice, request, at, groups)
    labels = rows.labels if groups is None else groups.labels
    drawn_labelled = choice.label(drawn, labels, "survival", tuple(f"{t:g}" for t in at), "time")
    names = _names(newdata, labels) if groups is None else tuple(str(label) for label in labels)
    shown = drawn_labelled.assign_coords(time=at)
    return SurvivalCurves(shown, names, _estimates(fit, newdata, by, names), fit.parsed.response.name)


def survival_likelihood(fit: AbstractFit) -> AbstractLikelihood:
    """Return the distribution of the response without bounds; a ModelError where it has no distribution function."""
    likelihood = fit.likelihood.unbounded
    if not likelihood.traits.has_cdf:
        raise ModelError(f"The family {fit.family.name} has no distribution function, and so no survival curve.")
    return likelihood


def survival_terms(fit: AbstractFit) -> tuple[str, ...]:
    """Return the names of the response terms that curves need."""
    return tuple(name for name in needed_terms(fit.parsed.response.additions) if name != "trunc")


def _names(newdata: Any, labels: pd.Index) -> tuple[str, ...]:
    """Return what each row is called: the values of the columns in which rows differ, else its label."""
    columns = {name: _shown(read_frame(newdata, (name,)).column(name)) for name in column_names(newdata)}
    moving = {name: values for name, values in columns.items() if len(set(values)) > 1}
    named = [", ".join(f"{name} = {_text(v[i])}" for name, v in moving.items()) for i in range(len(labels))]
    return tuple(named if len(set(named)) == len(labels) and moving else map(str, labels))


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@final
@dataclass(frozen=True)
class Groups:
    """Rows whose curves are averaged.

    Attributes:
        labels: of the groups.
        members: ``(rows,)`` the group of each row.
    """

    labels: pd.Index
    members: np.ndarray

    def average(self, values: np.ndarray) -> np.ndarray:
        """Return ``(draws, groups)`` averages of ``(draws, rows)``."""
        return np.stack([values[:, self.members == k].mean(axis=1) for k in range(len(self.labels))], axis=1)


def groups_of(fit: AbstractFit, newdata: Any, by: str | None, rows: int) -> Groups | None:
    """Return which curves are averaged: those of rows of the fit, or with the same value of ``by``."""
    import pandas as pd

    if by is None:
        return None if newdata is not None else Groups(pd.Index(["average"]), np.zeros(rows, dtype=int))
    column = _column(fit, newdata, by)
    codes, members = np.unique(column.values, return_inverse=True)  # codes of levels are in their order
    labels = codes.tolist() if column.levels is None else [column.levels[int(code)] for code in codes]
    return Groups(pd.Index(labels), members)


def _column(fit: AbstractFit, newdata: Any, by: str) -> Column:
    """Return a column of the rows."""
    available = tuple(fit.frame.columns) if newdata is None else column_names(newdata)
    if by not in available:
        listed = ", ".join(f"`{name}`" for name in available)
        hint = did_you_mean(str(by), available)
        raise ModelError(f"`by` is a column of the rows, {listed}{hint}; got {by!r}.")
    frame = fit.frame if newdata is None else read_frame(newdata, (by,))
    return frame.column(by)


def _shown(column: Column) -> list[Any]:
    if column.levels is not None:
        return [column.levels[int(code)] for code in column.values]
    return column.values.tolist()


def _times(fit: AbstractSampledFit, times: Any) -> np.ndarray:
    if times is None:
        y = fit.problem.design.response.arrays["y"]
        return np.linspace(min(0.0, float(y.min())), float(y.max()), POINTS)
    try:
        found = np.unique(np.atleast_1d(np.asarray(times, dtype=float)))
    except (TypeError, ValueError):
        found = np.array([np.nan])
    if found.ndim != 1 or not found.size or not np.isfinite(found).all():
        raise ModelError(f"`times` is a list of numbers, for example [30, 90, 365]; got {times!r}.")
    return found


def _curves(
    fit: AbstractSampledFit,
    likelihood: AbstractLikelihood,
    rows: Rows,
    choice: DrawChoice,
    request: Request,
    times: np.ndarray,
    groups: Groups | None,
) -> np.ndarray:
    """Return S(t), ``(draws, curves, times)``: one time after the other, so that memory is that of a prediction.

    That of counts is a step function, computed once for each step.
    """
    function = _survival_of(fit, likelihood)
    steps, place = np.unique(np.floor(times) if likelihood.traits.discrete else times, return_inverse=True)
    at = [replace(rows, data=data_at(likelihood, rows.data, rows.count, float(t))) for t in steps]
    result = np.empty((choice.count, rows.count if groups is None else len(groups.labels), len(steps)))
    for batch in batches(fit, rows, choice, request):
        for k, own in enumerate(at):
            values = at_every_draw(fit, function, batch, own)
            result[batch.where, :, k] = values if groups is None else groups.average(values)
    return result[..., place]


def data_at(
    likelihood: AbstractLikelihood, data: Mapping[str, np.ndarray], rows: int, t: float
) -> Mapping[str, np.ndarray]:
    """Return the arrays of rows whose response is t."""
    y = {"y": np.full(rows, t)}
    return {**likelihood.data_at(t, {**data, **y}), **y}


def _survival_of(fit: AbstractSampledFit, likelihood: AbstractLikelihood) -> Callable[..., Any]:
    import jax
    from jax import numpy as jnp

    from bayesml.compile import likelihood_values

    def probability(predictors: Mapping[PredictorKey, Any], values: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
        parameters = likelihood_values(likelihood, predictors, values)
        return jnp.exp(likelihood.log_survival(data["y"], parameters, data))

    return jax.jit(probability)


def _estimates(
    fit: AbstractSampledFit, newdata: Any, by: str | None, names: tuple[str, ...]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return Kaplan-Meier estimates of those curves that have one."""
    observed = right_censoring(fit)
    if observed is None or (newdata is not None and by is not None and by not in fit.frame.columns):
        return {}
    return {name: observed.curve(rows) for name, rows in _strata(fit, newdata, by, names) if rows.any()}


def _strata(
    fit: AbstractSampledFit, newdata: Any, by: str | None, names: tuple[str, ...]
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the rows of the fit that belong to each curve."""
    if by is not None:
        own = np.array([str(value) for value in _shown(fit.frame.column(by))])
        yield from ((name, own == name) for name in names)
    elif newdata is None:
        yield names[0], np.ones(fit.nobs, dtype=bool)
    else:
        columns = [name for name in column_names(newdata) if name in fit.frame.columns]
        if any(fit.frame.column(name).levels is None for name in columns):
            return
        given = {name: _shown(read_frame(newdata, (name,)).column(name)) for name in columns}
        known = {name: np.array(_shown(fit.frame.column(name))) for name in columns}
        for i, name in enumerate(names):
            yield name, np.all([known[c] == given[c][i] for c in columns] or [np.ones(fit.nobs, bool)], axis=0)
