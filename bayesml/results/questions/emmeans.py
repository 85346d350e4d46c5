"""Estimated marginal means, simple slopes, and comparisons among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from bayesml.engines.point.estimability import estimable
from bayesml.errors import ModelError, warn_user
from bayesml.frame import Column
from bayesml.frame.types import frozen_array
from bayesml.results.frequentist.degrees_of_freedom import Ddf, check_level, tests_of
from bayesml.results.frequentist.nesting import average_weights, with_nests
from bayesml.results.questions.grid import (
    Grid,
    check_predictors,
    grid_of,
    grid_reference,
    reference_grid,
)
from bayesml.results.questions.marginal_means import MarginalMeans
from bayesml.results.questions.response_scale import ResponseScale, response_scale

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["emmeans", "slopes"]

Scale = Literal["link", "response"]
STEP = 1e-4


@final
@dataclass(frozen=True)
class _Shown:
    """How estimates are shown.

    Attributes:
        name: heading of the estimates.
        scale: the way to the response, or None.
        ddf: degrees of freedom.
        level: coverage of the intervals.
    """

    name: str
    scale: ResponseScale | None
    ddf: Ddf
    level: float


def emmeans(
    fit: AbstractPointFit,
    specs: str | Sequence[str],
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    type: Scale = "link",
    ddf: Ddf = "default",
    level: float = 0.95,
    nesting: Any = "auto",
    offset: float | None = None,
) -> MarginalMeans:
    """Estimate marginal means: the linear predictor averaged with equal weights over the levels of all other factors.

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
            exp(mu + sigma^2 / 2), see ``epred``.
        ddf: ``"satterthwaite"`` (the default of linear mixed models), ``"kenward-roger"``, or None for normal
            intervals.
        level: coverage of the intervals.
        nesting: ``"auto"`` finds out from formula and data which factors are nested in others; None takes none to be;
            or say it, ``"A %in% region"``, ``{"A": "region"}``.
        offset: value of the offset; None is the mean of the offset over the rows of the fit, as in emmeans, for
            ``offset(log(e))`` the mean of log(e). A variable of the offset that ``at`` names stands at its value.

    Raises:
        ModelError: a name is not a population-level predictor, or a value does not exist.

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
    targets, within = _names(specs), _names(by)
    _check_targets(fit, targets, within)
    grid = reference_grid(fit, at, nesting=nesting, offset=offset)
    scale = _response_scale(fit, type)
    shown = _Shown("emmean" if scale is None else "response", scale, ddf, level)
    return _averaged(fit, grid, grid.X, grid.offset, targets, within, shown)


def _response_scale(fit: AbstractPointFit, type: str) -> ResponseScale | None:
    if type not in ("link", "response"):
        raise ModelError(f'`type` is "link" or "response"; got {type!r}.')
    if type == "link":
        return None
    scale = response_scale(fit)
    if scale.left:
        warn_user(
            f"The transformation of the response `{scale.left}` cannot be undone; the estimates are those of "
            f"`{scale.left}`."
        )
    return scale


def slopes(
    fit: AbstractPointFit,
    variable: str,
    by: str | Sequence[str] | None = None,
    at: Mapping[str, Any] | None = None,
    ddf: Ddf = "default",
    level: float = 0.95,
    nesting: Any = "auto",
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

    Raises:
        ModelError: a name is not a population-level predictor, or ``variable`` is not a number.

    Example:
        >>> fit = bayesml.fit("post_qol ~ months * reason + base_qol + (months | clinic)", data, method="reml")
        >>> fit.slopes("months", by="reason")
    """
    targets = _names(by)
    check_predictors(fit, [variable], "variable")
    check_predictors(fit, targets, "by")
    known = grid_reference(fit)
    if known.is_categorical(variable):
        raise ModelError(f"`{variable}` is categorical and has no slope; use emmeans() and its contrasts.")
    free = [n for n in targets if not known.is_categorical(n) and n not in (at or {}) and n != variable]
    grid = reference_grid(fit, at, [*free, variable], around=free, nesting=nesting)
    step = STEP * max(float(np.ptp(fit.frame.columns[variable].values)), np.finfo(float).tiny)
    up, down = (_shifted(fit, grid, variable, sign * step) for sign in (1.0, -1.0))
    X, offset = (up.X - down.X) / (2.0 * step), (up.offset - down.offset) / (2.0 * step)
    X[np.abs(X) < 1e-9 * np.nanmax(np.abs(X), initial=0.0)] = 0.0
    return _averaged(fit, grid, X, offset, targets, (), _Shown(f"{variable}.trend", None, ddf, level))


def _shifted(fit: AbstractPointFit, grid: Grid, variable: str, step: float) -> Grid:
    column = grid.frame.column(variable)
    moved: Column = replace(column, values=frozen_array(column.values + step))
    return grid_of(fit, grid, grid.frame.replace_columns([moved]))


def _names(given: str | Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, (str, Iterable)):
        raise ModelError(f"Predictors are a name or a list of names; got {given!r}.")
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))


def _check_targets(fit: AbstractPointFit, targets: tuple[str, ...], within: tuple[str, ...]) -> None:
    check_predictors(fit, targets, "specs")
    check_predictors(fit, within, "by")
    if both := set(targets) & set(within):
        raise ModelError(f"`{both.pop()}` stands in `specs` and in `by`; keep it in one of them.")


def _averaged(
    fit: AbstractPointFit,
    grid: Grid,
    X: np.ndarray,
    offset: np.ndarray,
    targets: tuple[str, ...],
    within: tuple[str, ...],
    shown: _Shown,
) -> MarginalMeans:
    """Average the rows of the grid that share the values of the chosen predictors."""
    within = with_nests(within, grid.nesting)
    targets = with_nests(tuple(n for n in targets if n not in within), grid.nesting, within)
    chosen = (*targets, *within)
    rows = list(zip(*(grid.values[n] for n in chosen), strict=True)) if chosen else [()] * len(X)
    ordered = _sorted(list(dict.fromkeys(rows)), grid, chosen, within)
    members = [np.array([i for i, r in enumerate(rows) if r == key]) for key in ordered]
    weights = [_equal_weights(grid, m) for m in members]
    L = np.array([w @ X[m] for w, m in zip(weights, members, strict=True)])
    keys = {n: tuple(grid.values[n][m[0]] for m in members) for n in chosen}
    shift = np.array([w @ offset[m] for w, m in zip(weights, members, strict=True)])
    kept, tests = _estimable_rows(fit, L), tests_of(fit, shown.ddf)
    note = _note(grid, chosen)
    return MarginalMeans(keys, within, kept, shift, tests, shown.name, shown.scale, check_level(shown.level), note)


def _equal_weights(grid: Grid, rows: np.ndarray) -> np.ndarray:
    return average_weights({n: [grid.values[n][i] for i in rows] for n in grid.factors}, grid.nesting, len(rows))


def _estimable_rows(fit: AbstractPointFit, L: np.ndarray) -> np.ndarray:
    """Return the weights of the estimated coefficients; NaN where a row cannot be computed or estimated."""
    known = np.isfinite(L).all(axis=1)
    known[known] = estimable(fit.estimate, L[known])
    return np.where(known[:, None], L[:, fit.estimate.kept], np.nan)


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
