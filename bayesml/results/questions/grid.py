"""The reference grid: every combination of the levels of the factors, numbers at their means (Lenth's emmeans)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.design import PredictorDesign
from bayesml.errors import ModelError, did_you_mean
from bayesml.frame import Column, Frame
from bayesml.frame.types import frozen_array
from bayesml.frame.values import number_labels
from bayesml.keys import MU, PredictorKey
from bayesml.results.frequentist.nesting import Nesting, existing, nesting_of
from bayesml.results.predict.re_formula import select_groups
from bayesml.results.predict.reference import Reference, reference
from bayesml.terms import AbstractTerm, known_addend

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractFit

__all__ = [
    "Grid",
    "Keys",
    "check_predictors",
    "grid_reference",
    "offsets_at",
    "predictors",
    "reference_grid",
    "shown",
]

Keys = tuple[PredictorKey, ...] | None
"""Predictors; None for all of the model."""


@final
@dataclass(frozen=True)
class Grid:
    """Rows at which the population-level predictor is evaluated.

    Attributes:
        frame: the rows.
        values: value of each predictor in each row, as it is shown.
        factors: the categorical predictors and those that take several values.
        nesting: which factors are nested in which.
        keys: the predictors that are evaluated; None for all of the model.
        named: the variables of offsets at whose values these are evaluated; over the others they are averaged.
        offset: the value of offsets; None averages them.
    """

    frame: Frame
    values: Mapping[str, tuple[Any, ...]]
    factors: tuple[str, ...]
    nesting: Nesting
    keys: Keys
    named: tuple[str, ...]
    offset: float | None


def parts(fit: AbstractFit, keys: Keys = (MU,)) -> tuple[PredictorDesign, ...]:
    """Return predictors without their group-level terms, those of nonlinear parameters behind them."""
    every = select_groups(fit, "NA")
    return (every if keys is None else every.only(keys)).predictors


def predictors(fit: AbstractFit, keys: Keys = (MU,)) -> tuple[str, ...]:
    """Return the data columns of the population-level terms."""
    return tuple(dict.fromkeys(v for p in parts(fit, keys) for t in p.terms if t.is_estimated for v in t.variables))


def check_predictors(fit: AbstractFit, names: Sequence[str], what: str, keys: Keys = (MU,)) -> None:
    """Raise a ModelError where a name is not a population-level predictor."""
    known = predictors(fit, keys)
    for name in names:
        if name not in known:
            hint = did_you_mean(str(name), known)
            listed = ", ".join(f"`{k}`" for k in known) or "none"
            raise ModelError(f"`{name}` in `{what}` is not a population-level predictor{hint}; the model has {listed}.")


def grid_reference(fit: AbstractFit, keys: Keys = (MU,)) -> Reference:
    """Return what is known of the columns of the population-level part."""
    return reference(fit.frame, fit.problem.design.schema, parts(fit, keys))


def reference_grid(
    fit: AbstractFit,
    keys: Keys,
    at: Mapping[str, Any] | None = None,
    numbers: Sequence[str] = (),
    around: Sequence[str] = (),
    nesting: Any = None,
    offset: float | None = None,
) -> Grid:
    """Return the reference grid of the population-level part.

    Args:
        fit: the fit.
        keys: the predictors that are evaluated; None for all.
        at: values of some predictors instead of all levels or the mean.
        numbers: variables of the offset that stand at their values in the grid, beside those in ``at``.
        around: numerical predictors to take at their mean and one standard deviation to either side.
        nesting: which factors are nested in which; see ``nesting_of``.
        offset: value of the offset; None is its mean.

    Raises:
        ModelError: ``at`` names what is no predictor, or a value that a factor does not have.
    """
    if at is not None and not isinstance(at, Mapping):
        raise ModelError(f"`at` is a dict of values of predictors, such as {{'x': [0, 1]}}; got {at!r}.")
    given = dict(at or {})
    of_offsets = tuple(v for t in _offset_terms(fit, keys).values() for v in t.variables)
    names = list(dict.fromkeys([*predictors(fit, keys), *of_offsets]))
    check_predictors(fit, [n for n in given if n not in names], "at", keys)
    known = grid_reference(fit, keys)
    axes = _axes(known, names, given, around)
    factors = tuple(n for n in names if known.is_categorical(n))
    nests = nesting_of(fit, [n for n in factors if n in predictors(fit, keys)], nesting)
    values = _combinations(axes)
    kept = np.flatnonzero(existing(fit, nests, values, len(next(iter(values.values()), [0]))))
    if not len(kept):
        raise ModelError("The values in `at` combine levels of nested factors that the data do not combine.")
    values = {name: [column[i] for i in kept] for name, column in values.items()}
    columns = {name: _column(fit.frame.columns[name], own) for name, own in values.items()}
    frame = Frame(columns, len(kept), frozen_array(np.arange(len(kept))))
    seen = {name: tuple(shown(fit.frame.columns[name], v) for v in column) for name, column in values.items()}
    varying = tuple(n for n in names if n in factors or len(axes[n]) > 1)
    named = tuple(n for n in dict.fromkeys(of_offsets) if n in given or n in numbers)
    return Grid(frame, seen, varying, nests, keys, named, None if offset is None else _offset_value(offset))


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


def offsets_at(fit: AbstractFit, grid: Grid, frame: Frame) -> dict[PredictorKey, np.ndarray]:
    """Return ``(rows,)`` offsets of each predictor that has one: their means over the rows of the fit.

    Variables that the grid names stand at their values in each row of ``frame``.
    """
    terms = _offset_terms(fit, grid.keys)
    if grid.offset is not None:
        keys = terms if grid.keys is None else (*terms, *grid.keys)
        return {key: np.full(frame.n_rows, grid.offset) for key in keys}
    columns = [frame.columns[n].values for n in grid.named]
    rows = list(zip(*columns, strict=True)) if columns else [()] * frame.n_rows
    means: dict[tuple[Any, ...], dict[PredictorKey, float]] = {}
    for row in rows:
        if row not in means:
            fixed = [_column(frame.columns[n], [v] * fit.frame.n_rows) for n, v in zip(grid.named, row, strict=True)]
            moved = fit.frame.replace_columns(fixed)
            means[row] = {key: _mean_offset(term, moved) for key, term in terms.items()}
    return {key: np.array([means[row][key] for row in rows]) for key in terms}


def _mean_offset(term: AbstractTerm, frame: Frame) -> float:
    offset = known_addend([term], {term.key: term.arrays(frame)})
    return 0.0 if offset is None else float(offset.mean())


def _offset_value(offset: object) -> float:
    if isinstance(offset, bool) or not isinstance(offset, (int, float, np.number)) or not np.isfinite(offset):
        raise ModelError(f"`offset` is a number, on the scale of the linear predictor; got {offset!r}.")
    return float(offset)


def _offset_terms(fit: AbstractFit, keys: Keys) -> dict[PredictorKey, AbstractTerm]:
    """Return the offset of each predictor that has one, but for those of nonlinear parameters."""
    return {p.key: t for p in parts(fit, keys) for t in p.terms if not (t.is_estimated or p.key.nlpar)}


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
    """Return a value as users write it: the level of a factor, a truth value or a number."""
    if column.levels is not None:
        return column.levels[int(value)]
    return bool(value) if column.is_boolean else float(value)
