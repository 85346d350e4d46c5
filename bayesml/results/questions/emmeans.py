"""Estimated marginal means, simple slopes, and comparisons among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from bayesml.errors import ModelError, warn_user
from bayesml.frame import Frame
from bayesml.frame.types import frozen_array
from bayesml.results.frequentist.degrees_of_freedom import Ddf, check_level
from bayesml.results.frequentist.nesting import average_weights, with_nests
from bayesml.results.predict.prepare import predicted_parameter
from bayesml.results.predict.quantity import What
from bayesml.results.questions.grid import Grid, Keys, check_predictors, grid_reference, reference_grid
from bayesml.results.questions.grid_rows import AbstractGridRows, rows_at
from bayesml.results.questions.marginal_means import MarginalMeans
from bayesml.results.questions.response_scale import ResponseScale, response_scale
from bayesml.results.record.one_response import full_key, of_one
from bayesml.results.record.without_residual_terms import without_residual_terms

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = ["emmeans", "emtrends"]

Scale = Literal["link", "response"]
STEP = 1e-4
CATEGORY = "category"
"""The column of the categories of the response."""


@final
@dataclass(frozen=True)
class _Question:
    """What is averaged, and how the averages are shown.

    Attributes:
        what: what is evaluated at each row of the grid.
        keys: the predictors that this needs; None for all.
        name: heading of the averages.
        scale: the way to the response, or None.
        ddf: degrees of freedom, of estimates.
        level: probability of the intervals.
    """

    what: What
    keys: Keys
    name: str
    scale: ResponseScale | None
    ddf: Ddf
    level: float


def emmeans(
    fit: AbstractFit,
    specs: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    type: Scale = "link",
    ddf: Ddf = "default",
    level: float = 0.95,
    nesting: Any = "auto",
    offset: float | None = None,
    dpar: str | None = None,
    resp: str | None = None,
) -> MarginalMeans:
    """Estimate marginal means: the linear predictor averaged with equal weights over the levels of all other factors.

    Of a fit with draws each draw is averaged by itself: the table shows mean, standard deviation and central interval.

    Numbers are held at their means, group effects at zero (Searle, Speed and Milliken 1980; Lenth's emmeans). A number
    that the formula makes into a factor, ``factor(k)``, counts as one. A factor nested in another, as ``A`` of
    ``region/A`` in ``region``, is averaged within each level of that one first, over the levels that occur there; asked
    for itself, it stands beside it.

    Args:
        fit: the fit.
        specs: the predictors whose combinations are the rows.
        by: more of them, within whose values ``contrasts()`` compares.
        at: values for some predictors, ``{"x": [0, 1]}``, instead of all levels or the mean.
        type: ``"link"``, or ``"response"`` for the estimates and the ends of their intervals brought to the scale of
            the response: by the inverse link, and by the inverse of a transformation that the formula gives the
            response, ``log(y)``, ``log(y + 1)``, ``sqrt(y)``, ``y^0.5``, ``1/y``. Standard errors are those of the
            delta method. For a lognormal response, as for ``log(y)``, that is the median, exp(mu); its mean is
            exp(mu + sigma^2 / 2), see ``epred``. Of a response of categories, and of a mixture, no single predictor
            leads to the response: with draws the expected response itself is averaged, for categories the probability
            of each, one row for each category.
        ddf: ``"satterthwaite"`` (the default of linear mixed models), ``"kenward-roger"``, or None for normal
            intervals. Estimates with smooths have normal intervals, from the covariance matrix of coefficients and
            curves given the smoothing parameters (that of R's emmeans for mgcv, with infinite degrees of freedom).
        level: coverage of the intervals.
        nesting: ``"auto"`` finds out from formula and data which factors are nested in others; None takes none to be;
            or say it, ``"A %in% region"``, ``{"A": "region"}``.
        offset: value of the offset; None is the mean of the offset over the rows of the fit, as in emmeans, for
            ``offset(log(e))`` the mean of log(e). A variable of the offset that ``at`` names stands at its value.
        dpar: the distributional parameter whose predictor is averaged, such as ``"sigma"``; None is ``mu``.
        resp: which of several responses.

    Raises:
        ModelError: a name is not a population-level predictor, or a value does not exist; the model has several main
            predictors, and ``dpar`` does not say which.

    Warns:
        FitWarning: the transformation of the response cannot be undone.

    Example:
        >>> import bayesml
        >>> data = bayesml.load_dataset("cbpp")
        >>> fit = bayesml.fit("incidence | trials(size) ~ period + (1 | herd)", data, "binomial", method="laplace")
        >>> means = fit.emmeans("period", type="response")
        >>> print(means)
        >>> means.contrasts("pairwise")
    """
    fit, targets, within = without_residual_terms(of_one(fit, resp)), _names(specs), _names(by)
    question = _question(fit, type, dpar, "emmean", ddf, level)
    _check_targets(fit, targets, within, question.keys)
    grid = reference_grid(fit, question.keys, at, nesting=nesting, offset=offset)
    return _averaged(rows_at(fit, grid, grid.frame, question.what, ddf), grid, targets, within, question)


def _question(fit: AbstractFit, type: str, dpar: str | None, name: str, ddf: Ddf, level: float) -> _Question:
    if type not in ("link", "response"):
        raise ModelError(f'`type` is "link" or "response"; got {type!r}.')
    check_level(level)
    if type == "response" and dpar is None and not _has_single_predictor(fit):
        return _Question(What("epred"), None, "response", None, ddf, level)
    shown = predicted_parameter(fit, dpar)
    scale = None if type == "link" else response_scale(fit, shown)
    if scale is not None and scale.left:
        warn_user(
            f"The transformation of the response `{scale.left}` cannot be undone; the estimates are those of "
            f"`{scale.left}`."
        )
    keys = (full_key(fit, shown),)
    return _Question(What("linpred", shown), keys, name if scale is None else "response", scale, ddf, level)


def _has_single_predictor(fit: AbstractFit) -> bool:
    """Whether one predictor leads to the response by its link."""
    return not fit.likelihood.event_labels and any(p.name == "mu" for p in fit.likelihood.dpars)


def emtrends(
    fit: AbstractFit,
    variable: str,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    ddf: Ddf = "default",
    level: float = 0.95,
    nesting: Any = "auto",
    type: Scale = "link",
    dpar: str | None = None,
    resp: str | None = None,
) -> MarginalMeans:
    """Estimate simple slopes: the derivative of the linear predictor in a number, for each value of other predictors.

    Averaged with equal weights over the levels of all other factors; other numbers are held at their means.

    Args:
        fit: the fit.
        variable: the number.
        by: the predictors whose combinations are the rows; a number stands at its mean and one standard deviation to
            either side, unless ``at`` says otherwise.
        at: values for some predictors.
        ddf: as in ``emmeans``.
        level: coverage of the intervals.
        nesting: as in ``emmeans``.
        type: ``"link"``; ``"response"`` for the derivative of the expected response, for which the fit needs draws. Of
            a response of categories that is the probability of each.
        dpar: as in ``emmeans``.
        resp: as in ``emmeans``.

    Raises:
        ModelError: a name is not a population-level predictor, or ``variable`` is not a number; see ``emmeans``.

    Example:
        >>> fit = bayesml.fit("post_qol ~ months * reason + base_qol + (months | clinic)", data, method="reml")
        >>> fit.emtrends("months", by="reason")
    """
    fit, targets, name = without_residual_terms(of_one(fit, resp)), _names(by), f"{variable}.trend"
    question = (
        _question(fit, "link", dpar, name, ddf, level) if type == "link" else _of_response(type, name, ddf, level)
    )
    check_predictors(fit, [variable], "variable", question.keys)
    check_predictors(fit, targets, "by", question.keys)
    known = grid_reference(fit, question.keys)
    if known.is_categorical(variable):
        raise ModelError(f"`{variable}` is categorical and has no slope; use emmeans() and its contrasts.")
    free = [n for n in targets if not known.is_categorical(n) and n not in (at or {}) and n != variable]
    grid = reference_grid(fit, question.keys, at, [*free, variable], around=free, nesting=nesting)
    step = STEP * max(float(np.ptp(fit.frame.columns[variable].values)), np.finfo(float).tiny)
    up, down = (
        rows_at(fit, grid, _moved(grid.frame, variable, by_much), question.what, ddf) for by_much in (step, -step)
    )
    return _averaged(up.slopes_from(down, 2.0 * step), grid, targets, (), question)


def _of_response(type: str, name: str, ddf: Ddf, level: float) -> _Question:
    if type != "response":
        raise ModelError(f'`type` is "link" or "response"; got {type!r}.')
    return _Question(What("epred"), None, name, None, ddf, check_level(level))


def _moved(frame: Frame, variable: str, step: float) -> Frame:
    column = frame.column(variable)
    return frame.replace_columns([replace(column, values=frozen_array(column.values + step))])


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, (str, Iterable)):
        raise ModelError(f"Predictors are a name or a list of names; got {given!r}.")
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))


def _check_targets(fit: AbstractFit, targets: tuple[str, ...], within: tuple[str, ...], keys: Keys) -> None:
    check_predictors(fit, targets, "specs", keys)
    check_predictors(fit, within, "by", keys)
    if both := set(targets) & set(within):
        raise ModelError(f"`{both.pop()}` stands in `specs` and in `by`; keep it in one of them.")


def _averaged(
    found: AbstractGridRows, grid: Grid, targets: tuple[str, ...], within: tuple[str, ...], question: _Question
) -> MarginalMeans:
    """Average the rows of the grid that share the values of the chosen predictors."""
    within = with_nests(within, grid.nesting)
    targets = with_nests(tuple(n for n in targets if n not in within), grid.nesting, within)
    chosen = (*targets, *within)
    count = grid.frame.n_rows
    rows = list(zip(*(grid.values[n] for n in chosen), strict=True)) if chosen else [()] * count
    ordered = _sorted(list(dict.fromkeys(rows)), grid, chosen, within)
    members = [np.array([i for i, r in enumerate(rows) if r == key]) for key in ordered]
    W = np.zeros((len(members), count))
    for weights, own in zip(W, members, strict=True):
        weights[own] = _equal_weights(grid, own)
    keys, note = {n: tuple(grid.values[n][m[0]] for m in members) for n in chosen}, _note(grid, chosen)
    if found.categories:
        keys = {n: tuple(v for v in values for _ in found.categories) for n, values in keys.items()}
        keys, within = {**keys, CATEGORY: found.categories * len(members)}, (CATEGORY, *within)
    return MarginalMeans(keys, within, found.averaged(W), question.name, question.scale, question.level, note)


def _equal_weights(grid: Grid, rows: np.ndarray) -> np.ndarray:
    return average_weights({n: [grid.values[n][i] for i in rows] for n in grid.factors}, grid.nesting, len(rows))


def _note(grid: Grid, chosen: Sequence[str]) -> str:
    """Return which factors are nested, and which are averaged over."""
    parts = [f"{name} is nested in {' and '.join(outer)}" for name, outer in grid.nesting.items()]
    averaged = [n for n in grid.factors if n not in chosen and len(set(grid.values[n])) > 1]
    parts += [f"averaged over {', '.join(averaged)}"] * bool(averaged and grid.nesting)
    return "; ".join(parts)


def _sorted(
    rows: list[tuple[Any, ...]], grid: Grid, chosen: tuple[str, ...], within: tuple[str, ...]
) -> list[tuple[Any, ...]]:
    """Order rows by the values of ``by``, then with the first predictor changing fastest."""
    places = [{v: i for i, v in enumerate(dict.fromkeys(grid.values[n]))} for n in chosen]
    targets = len(chosen) - len(within)

    def place(row: tuple[Any, ...]) -> list[int]:
        own = [p[v] for p, v in zip(places, row, strict=True)]
        return [*own[targets:], *reversed(own[:targets])]

    return sorted(rows, key=place)
