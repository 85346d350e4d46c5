"""The reference grid: every combination of the levels of the factors, numbers at their means (Lenth's emmeans)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import BayesmlError, ModelError, did_you_mean
from bayesml.frame import Column, Frame
from bayesml.frame.types import frozen_array
from bayesml.frame.values import number_labels
from bayesml.results.frequentist.nesting import Nesting, existing, nesting_of
from bayesml.results.predict.reference import Reference, reference
from bayesml.terms import AbstractTerm, known_addend

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["Grid", "check_predictors", "grid_of", "grid_reference", "predictors", "reference_grid", "shown"]


@final
@dataclass(frozen=True)
class Grid:
    """Rows at which the population-level predictor is evaluated.

    Attributes:
        frame: the rows.
        values: value of each predictor in each row, as it is shown.
        factors: the categorical predictors and those that take several values.
        nesting: which factors are nested in which.
        named: the variables of the offset at whose values it is evaluated; over the others it is averaged.
        X: ``(rows, coefs)`` all columns; NaN where they cannot be computed.
        offset: ``(rows,)``.
    """

    frame: Frame
    values: Mapping[str, tuple[Any, ...]]
    factors: tuple[str, ...]
    nesting: Nesting
    named: tuple[str, ...]
    X: np.ndarray
    offset: np.ndarray


def predictors(fit: AbstractPointFit) -> tuple[str, ...]:
    """Return the data columns of the population-level terms."""
    population = fit.estimate.arrays.population
    return population.encoding.variables if population else ()


def check_predictors(fit: AbstractPointFit, names: Sequence[str], what: str) -> None:
    """Raise a ModelError where a name is not a population-level predictor."""
    known = predictors(fit)
    for name in names:
        if name not in known:
            hint = did_you_mean(str(name), known)
            listed = ", ".join(f"`{k}`" for k in known) or "none"
            raise ModelError(f"`{name}` in `{what}` is not a population-level predictor{hint}; the model has {listed}.")


def grid_reference(fit: AbstractPointFit) -> Reference:
    """Return what is known of the columns of the population-level part."""
    schema = fit.problem.design.schema
    return reference(fit.frame, schema, (schema.predictors[0].without_groups(),))


def reference_grid(
    fit: AbstractPointFit,
    at: Mapping[str, Any] | None = None,
    numbers: Sequence[str] = (),
    around: Sequence[str] = (),
    nesting: Any = None,
    offset: float | None = None,
) -> Grid:
    """Return the reference grid of the population-level part.

    Args:
        fit: the fit.
        at: values of some predictors instead of all levels or the mean.
        numbers: variables of the offset that stand at their values in the grid, beside those in ``at``.
        around: numerical predictors to take at their mean and one standard deviation to either side.
        nesting: which factors are nested in which; see ``nesting_of``.
        offset: value of the offset; None is its mean.

    Raises:
        ModelError: ``at`` names what is no predictor, or a value that a factor does not have; the model has smooths.
    """
    if fit.estimate.arrays.smooths or fit.estimate.arrays.further.size:
        raise ModelError(
            "Marginal means and slopes do not average over smooths. Write fit.conditional_effects(...), or "
            "fit.predict(rows, se=True) at rows of your choice."
        )
    given = dict(at or {})
    names = [*predictors(fit), *(v for v in _offset_variables(fit) if v not in predictors(fit))]
    check_predictors(fit, [n for n in given if n not in names], "at")
    known = grid_reference(fit)
    axes = _axes(known, names, given, around)
    factors = tuple(n for n in names if known.is_categorical(n))
    nests = nesting_of(fit, [n for n in factors if n in predictors(fit)], nesting)
    values = _combinations(axes)
    kept = np.flatnonzero(existing(fit, nests, values, len(next(iter(values.values()), [0]))))
    if not len(kept):
        raise ModelError("The values in `at` combine levels of nested factors that the data do not combine.")
    values = {name: [column[i] for i in kept] for name, column in values.items()}
    columns = {name: _column(fit.frame.columns[name], own) for name, own in values.items()}
    frame = Frame(columns, len(kept), frozen_array(np.arange(len(kept))))
    seen = {name: tuple(shown(fit.frame.columns[name], v) for v in column) for name, column in values.items()}
    varying = tuple(n for n in names if n in factors or len(axes[n]) > 1)
    named = tuple(n for n in _offset_variables(fit) if n in given or n in numbers)
    empty = np.zeros((0, 0))
    grid = grid_of(fit, Grid(frame, seen, varying, nests, named, empty, empty), frame)
    return grid if offset is None else replace(grid, offset=np.full(len(kept), _offset_value(offset)))


def _axes(
    known: Reference, names: Sequence[str], given: Mapping[str, Any], around: Sequence[str]
) -> dict[str, list[Any]]:
    """Return the values along each axis, numbers at their mean or, where that cannot be, at observed values."""
    held = known.held(names)
    axes = {name: _axis(known, name, given.get(name), held, name in around) for name in names}
    values = {n: [shown(known.frame.columns[n], v) for v in column] for n, column in _combinations(axes).items()}
    count = len(next(iter(values.values()), [0]))
    other = known.observed_for(held, values, count, {*given, *around})
    if other == held:
        return axes
    return {name: _axis(known, name, given.get(name), other, name in around) for name in names}


def _combinations(axes: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    rows = list(product(*axes.values()))
    return dict(zip(axes, [list(column) for column in zip(*rows, strict=True)], strict=True))


def grid_of(fit: AbstractPointFit, grid: Grid, frame: Frame) -> Grid:
    """Return a grid with the population-level part evaluated at the rows of a frame."""
    return replace(grid, frame=frame, X=_design(fit, frame), offset=_offsets(fit, frame, grid.named))


def _design(fit: AbstractPointFit, frame: Frame) -> np.ndarray:
    population = fit.estimate.arrays.population
    if population is None:
        return np.zeros((frame.n_rows, 0))
    try:
        return np.array(population.arrays(frame)["X"])
    except BayesmlError:
        possible = np.ones(frame.n_rows, dtype=bool)
        for part in grid_reference(fit).computations:
            possible &= part.possible(frame)
        if not possible.any():
            raise
    X = np.full((frame.n_rows, len(population.coefs)), np.nan)
    X[possible] = population.arrays(frame.select(possible))["X"]
    return X


def _offsets(fit: AbstractPointFit, frame: Frame, named: Sequence[str]) -> np.ndarray:
    """Return the mean of the offset over the rows of the fit, its variables ``named`` at their values in each row."""
    term = _offset(fit)
    if term is None:
        return np.zeros(frame.n_rows)
    rows = list(zip(*(frame.columns[n].values for n in named), strict=True)) if named else [()] * frame.n_rows
    means: dict[tuple[Any, ...], float] = {}
    for row in rows:
        if row not in means:
            fixed = [_column(frame.columns[n], [v] * fit.frame.n_rows) for n, v in zip(named, row, strict=True)]
            means[row] = _mean_offset(term, fit.frame.replace_columns(fixed))
    return np.array([means[row] for row in rows])


def _mean_offset(term: AbstractTerm, frame: Frame) -> float:
    offset = known_addend([term], {term.key: term.arrays(frame)})
    return 0.0 if offset is None else float(offset.mean())


def _offset_value(offset: object) -> float:
    if isinstance(offset, bool) or not isinstance(offset, (int, float, np.number)) or not np.isfinite(offset):
        raise ModelError(f"`offset` is a number, on the scale of the linear predictor; got {offset!r}.")
    return float(offset)


def _offset(fit: AbstractPointFit) -> AbstractTerm | None:
    terms = fit.problem.design.schema.predictors[0].terms
    return next((t for t in terms if not t.is_estimated), None)


def _offset_variables(fit: AbstractPointFit) -> tuple[str, ...]:
    term = _offset(fit)
    return term.variables if term else ()


def _axis(known: Reference, name: str, given: Any, held: Mapping[str, Any], around: bool) -> list[Any]:
    """Values along one axis: codes of a factor, numbers else."""
    column = known.frame.columns[name]
    if given is not None:
        listed = [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)
        if not listed:
            raise ModelError(f"`at` gives no value for `{name}`.")
        return [_given(column, v) for v in listed]
    if column.is_factor:
        return list(range(len(column.levels or ())))
    if known.is_categorical(name):
        return np.unique(column.values).tolist()
    return known.around(name, held) if around else [held[name]]


def _given(column: Column, value: Any) -> Any:
    if column.levels is not None:
        text = value if isinstance(value, str) else number_labels(np.array([float(value)]))[0]
        if text not in column.levels:
            listed = ", ".join(repr(level) for level in column.levels[:10])
            raise ModelError(
                f"`{column.name}` has no level {value!r}{did_you_mean(text, column.levels)}; it has {listed}."
            )
        return column.levels.index(text)
    if column.is_boolean and isinstance(value, str) and value.lower() in ("true", "false"):
        return float(value.lower() == "true")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ModelError(f"`{column.name}` holds numbers; `at` gives {value!r}.") from None
    if not np.isfinite(number):
        raise ModelError(f"`{column.name}` cannot be {value!r}.")
    return number


def _column(like: Column, values: Sequence[Any]) -> Column:
    dtype = np.int64 if like.is_factor else np.float64
    return Column(like.name, frozen_array(np.array(values, dtype=dtype)), like.levels, like.ordered, like.is_boolean)


def shown(column: Column, value: Any) -> Any:
    """Return a value as the user knows it: the level of a factor, a truth value or a number."""
    if column.levels is not None:
        return column.levels[int(value)]
    return bool(value) if column.is_boolean else float(value)
