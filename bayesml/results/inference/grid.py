"""The reference grid: every combination of the levels of the factors, numbers at their means (Lenth's emmeans)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.columns import variables_of
from bayesml.errors import ModelError, did_you_mean
from bayesml.frame import Column, Frame
from bayesml.frame.types import frozen_array
from bayesml.frame.values import number_labels
from bayesml.terms import Offset

if TYPE_CHECKING:
    from bayesml.results.point.fit_object import PointFit

__all__ = ["Grid", "predictors", "reference_grid", "shown"]

CATEGORICAL = frozenset({"C", "factor"})


@final
@dataclass(frozen=True)
class Grid:
    """Rows at which the population-level predictor is evaluated.

    Attributes:
        frame: the rows.
        values: value of each predictor in each row, as it is shown.
        X: ``(rows, coefs)`` all columns.
        offset: ``(rows,)``.
    """

    frame: Frame
    values: Mapping[str, tuple[Any, ...]]
    X: np.ndarray
    offset: np.ndarray


def predictors(fit: PointFit) -> tuple[str, ...]:
    """Return the data columns of the population-level terms."""
    population = fit.estimate.arrays.population
    return population.encoding.variables if population else ()


def check_predictors(fit: PointFit, names: Sequence[str], what: str) -> None:
    """Raise a ModelError where a name is not a population-level predictor."""
    known = predictors(fit)
    for name in names:
        if name not in known:
            hint = did_you_mean(str(name), known)
            listed = ", ".join(f"`{k}`" for k in known) or "none"
            raise ModelError(f"`{name}` in `{what}` is not a population-level predictor{hint}; the model has {listed}.")


def is_categorical(fit: PointFit, name: str) -> bool:
    """Whether a column counts as a factor: categories, truth values, or numbers that the formula makes a factor."""
    column = fit.frame.columns[name]
    if column.is_factor or column.is_boolean:
        return True
    factors = {f for term in fit.parsed.predictors[0].population.terms for f in term}
    return any(f.split("(")[0].strip() in CATEGORICAL and name in variables_of(f) for f in factors)


def reference_grid(fit: PointFit, at: Mapping[str, Any] | None = None, numbers: Sequence[str] = ()) -> Grid:
    """Return the reference grid of the population-level part.

    Args:
        fit: the fit.
        at: values of some predictors instead of all levels or the mean.
        numbers: numerical predictors to take at their mean and one standard deviation to either side.

    Raises:
        ModelError: ``at`` names what is no predictor, or a value that a factor does not have.
    """
    given = dict(at or {})
    names = [*predictors(fit), *(v for v in _offset_variables(fit) if v not in predictors(fit))]
    check_predictors(fit, [n for n in given if n not in names], "at")
    axes = {name: _axis(fit, name, given.get(name), name in numbers) for name in names}
    rows = list(product(*axes.values())) if axes else [()]
    columns = [list(c) for c in zip(*rows, strict=True)]
    return _grid(fit, dict(zip(axes, columns, strict=True)), len(rows))


def _grid(fit: PointFit, values: Mapping[str, list[Any]], count: int) -> Grid:
    columns = {name: _column(fit.frame.columns[name], own) for name, own in values.items()}
    return grid_of(fit, Frame(columns, count, frozen_array(np.arange(count))), values)


def grid_of(fit: PointFit, frame: Frame, values: Mapping[str, Sequence[Any]]) -> Grid:
    """Evaluate the population-level part at the rows of a frame."""
    population = fit.estimate.arrays.population
    X = population.arrays(frame)["X"] if population else np.zeros((frame.n_rows, 0))
    term = _offset(fit)
    offset = term.arrays(frame)["offset"] if term else np.zeros(frame.n_rows)
    own = {name: tuple(shown(fit.frame.columns[name], v) for v in column) for name, column in values.items()}
    return Grid(frame, own, X, offset)


def _offset(fit: PointFit) -> Offset | None:
    terms = fit.problem.design.schema.predictors[0].terms
    return next((t for t in terms if isinstance(t, Offset)), None)


def _offset_variables(fit: PointFit) -> tuple[str, ...]:
    term = _offset(fit)
    return term.variables if term else ()


def _axis(fit: PointFit, name: str, given: Any, around: bool) -> list[Any]:
    """Values along one axis: codes of a factor, numbers else."""
    column = fit.frame.columns[name]
    if given is not None:
        listed = [given] if isinstance(given, str) or np.ndim(given) == 0 else list(given)
        return [_given(column, v) for v in listed]
    if column.is_factor:
        return list(range(len(column.levels or ())))
    if is_categorical(fit, name):
        return np.unique(column.values).tolist()
    mean = float(column.values.mean())
    if around:
        sd = float(column.values.std(ddof=1))
        return [mean - sd, mean, mean + sd]
    return [mean]


def _given(column: Column, value: Any) -> Any:
    if column.levels is not None:
        text = value if isinstance(value, str) else number_labels(np.array([float(value)]))[0]
        if text not in column.levels:
            listed = ", ".join(repr(level) for level in column.levels[:10])
            raise ModelError(
                f"`{column.name}` has no level {value!r}{did_you_mean(text, column.levels)}; it has {listed}."
            )
        return column.levels.index(text)
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
