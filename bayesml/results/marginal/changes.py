"""What is compared: each row as it is with one or several of its columns changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.results.predict.re_formula import select_groups
from bayesml.results.predict.reference import Reference, reference

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit

__all__ = ["Change", "changes_of", "derivatives_of", "known_variables", "sets_of"]

STEP = 1e-5
JOINTS = {"ratio": " / ", "lnratio": " / ", "lnor": " / "}
FACTORS = ("reference", "revreference", "sequential", "revsequential", "pairwise", "revpairwise", "minmax")
NUMBERS = ("sd", "2sd", "iqr", "minmax")


@final
@dataclass(frozen=True)
class Change:
    """Two values of some columns.

    Attributes:
        term: the columns changed.
        contrast: which values are compared, in words.
        low: values of the columns before, for all rows together or one for each; empty where rows stay as they are.
        high: values of the columns after.
        step: of a derivative the distance between them, ``(rows,)``; None else.
    """

    term: str
    contrast: str
    low: Mapping[str, Any]
    high: Mapping[str, Any]
    step: np.ndarray | None = None


def _assigned(rows: pd.DataFrame, values: Mapping[str, Any]) -> pd.DataFrame:
    """Return rows with other values; a Categorical keeps its levels."""
    import pandas as pd

    columns = {}
    for name, value in values.items():
        column = rows.get(name)
        if column is not None and isinstance(column.dtype, pd.CategoricalDtype) and value in column.cat.categories:
            columns[name] = pd.Categorical([value] * len(rows), dtype=column.dtype)
        else:
            columns[name] = value
    return rows.assign(**columns)


def known_variables(fit: AbstractFit) -> tuple[Reference, tuple[str, ...]]:
    """Return what is known of the columns, and the predictors whose values can be changed."""
    selection = select_groups(fit, None)
    covariates = [name for p in selection.predictors for term in p.terms for name in term.covariates]
    names = tuple(name for name in fit.frame.columns if name in covariates)
    return reference(fit.frame, fit.problem.design.schema, selection.predictors), names


def _default_variables(fit: AbstractFit, names: Sequence[str]) -> tuple[str, ...]:
    """Return the predictors of the population level."""
    selection = select_groups(fit, "NA")
    used = {name for p in selection.predictors for term in p.terms for name in term.covariates}
    return tuple(name for name in names if name in used)


def _has_steps(known: Reference, name: str) -> bool:
    """Whether a column counts as categories here: one, or numbers between which the model has no values, ``mo(x)``."""
    if known.is_categorical(name):
        return True
    values = known.frame.column(name).values
    between = [float(values.min()) + STEP * max(float(np.ptp(values)), 1.0)]
    return not known.possible({name: between}, 1).all()


def changes_of(
    fit: AbstractFit, rows: pd.DataFrame, variables: Any, cross: bool, comparison: str
) -> tuple[Change, ...]:
    """Return the changes requested by ``variables`` of ``comparisons``, see there."""
    known, names = known_variables(fit)
    joint = JOINTS.get(comparison, " - ")
    each = [_changes(known, rows, name, how, joint) for name, how in _asked(fit, variables, names).items()]
    if not cross:
        return tuple(change for changes in each for change in changes)
    return tuple(_crossed(parts) for parts in product(*each))


def sets_of(changes: Sequence[Change], rows: pd.DataFrame) -> tuple[list[pd.DataFrame], list[tuple[int, int]]]:
    """Return the rows after and before the changes, each set once, and for each change the places of its two sets."""
    sets: list[pd.DataFrame] = []
    known: dict[tuple[Any, ...], int] = {}

    def place(values: Mapping[str, Any]) -> int:
        key = tuple((name, id(v) if isinstance(v, np.ndarray) else v) for name, v in values.items())
        if key not in known:
            known[key] = len(sets)
            sets.append(_assigned(rows, values))
        return known[key]

    return sets, [(place(change.high), place(change.low)) for change in changes]


def _crossed(parts: Sequence[Change]) -> Change:
    low = {name: value for part in parts for name, value in part.low.items()}
    high = {name: value for part in parts for name, value in part.high.items()}
    return Change(", ".join(p.term for p in parts), ", ".join(p.contrast for p in parts), low, high)


def derivatives_of(fit: AbstractFit, rows: pd.DataFrame, variables: Any) -> tuple[Change, ...]:
    """Return the changes requested by ``variables`` of ``slopes``: small ones of numbers, levels of categories."""
    known, names = known_variables(fit)
    asked = _asked(fit, variables, names)
    if isinstance(variables, Mapping):
        raise ModelError("`variables` of slopes() is a name or a list of names; comparisons() takes a dict of changes.")
    found: list[Change] = []
    for name in asked:
        if _has_steps(known, name):
            found += _changes(known, rows, name, None, " - ")
            continue
        x = _numbers(rows, name)
        half = 0.5 * STEP * max(float(np.ptp(known.frame.column(name).values)), np.finfo(float).tiny)
        up, down = x + half, x - half
        found.append(Change(name, "dY/dX", {name: down}, {name: up}, up - down))
    return tuple(found)


def _asked(fit: AbstractFit, variables: Any, names: Sequence[str]) -> Mapping[str, Any]:
    if variables is None:
        asked: Mapping[str, Any] = dict.fromkeys(_default_variables(fit, names))
    elif isinstance(variables, str):
        asked = {variables: None}
    elif isinstance(variables, Mapping):
        asked = variables
    elif isinstance(variables, Iterable):
        asked = dict.fromkeys(variables)
    else:
        raise ModelError(f"`variables` is a name, a list of names or a dict of changes; got {variables!r}.")
    for name in asked:
        if name not in names:
            there = ", ".join(f"`{known}`" for known in names) or "none"
            hint = did_you_mean(str(name), names)
            raise ModelError(f"`{name}` in `variables` is not a predictor of the model{hint}; it has {there}.")
    if not asked:
        raise ModelError("The model has no predictor that could be changed.")
    return asked


def _changes(known: Reference, rows: pd.DataFrame, name: str, how: Any, joint: str) -> list[Change]:
    if name not in rows and not known.is_categorical(name) and not isinstance(how, (list, tuple)):
        raise ModelError(f"The rows lack the column `{name}`, whose values are changed.")
    if isinstance(how, (list, tuple, np.ndarray)):
        return [_pair(known, name, list(how), joint)]
    is_step = known.is_categorical(name) or (_has_steps(known, name) and (how is None or how in FACTORS[:-1]))
    return _of_levels(known, name, how, joint) if is_step else [_of_number(known, rows, name, how)]


def _numbers(rows: pd.DataFrame, name: str) -> np.ndarray:
    """Return a column of the rows that holds numbers."""
    if name not in rows:
        there = ", ".join(f"`{each}`" for each in rows)
        raise DataError(f"The rows lack the column `{name}`, whose values are changed; they have {there or 'none'}.")
    try:
        return np.asarray(rows[name], dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"The column `{name}` of the new data holds what is no number, as it was in the fit.") from None


def _pair(known: Reference, name: str, how: Sequence[Any], joint: str) -> Change:
    if len(how) != 2:
        raise ModelError(f"`{name}` in `variables` takes two values, from the first to the second; got {how!r}.")
    low, high = how
    if known.is_categorical(name):
        levels = known.categories(name)
        low, high = (_level(levels, name, value) for value in how)
    return Change(name, f"{_text(high)}{joint}{_text(low)}", {name: low}, {name: high})


def _level(levels: Sequence[Any], name: str, value: Any) -> Any:
    found = [level for level in levels if level == value or str(level) == str(value)]
    if not found:
        listed = ", ".join(f"`{level}`" for level in levels)
        raise ModelError(
            f"`{name}` has no level {value!r}{did_you_mean(str(value), map(str, levels))}; it has {listed}."
        )
    return found[0]


def _of_levels(known: Reference, name: str, how: Any, joint: str) -> list[Change]:
    levels = known.categories(name)
    kind = "reference" if how is None else how
    if kind not in FACTORS:
        listed = ", ".join(f'"{k}"' for k in FACTORS)
        raise ModelError(f"`{name}` in `variables` is compared by one of {listed}, or [from, to]; got {how!r}.")
    plain = kind.removeprefix("rev")
    if plain == "sequential":
        pairs = list(zip(levels, levels[1:], strict=False))
    elif plain == "minmax":
        pairs = [(levels[0], levels[-1])]
    else:
        pairs = [(levels[0], level) for level in levels[1:]] if plain == "reference" else list(combinations(levels, 2))
    if kind.startswith("rev"):
        pairs = [(high, low) for low, high in pairs]
    return [_pair(known, name, pair, joint) for pair in pairs]


def _of_number(known: Reference, rows: pd.DataFrame, name: str, how: Any) -> Change:
    x, observed = _numbers(rows, name), np.asarray(known.frame.column(name).values, dtype=float)
    if how is None or (isinstance(how, (int, float, np.number)) and not isinstance(how, bool)):
        step = 1.0 if how is None else float(how)
        return Change(name, f"{step:+g}", {}, {name: x + step})
    if callable(how):
        return _by_function(name, x, how)
    if how in ("sd", "2sd"):
        half = observed.std(ddof=1) * (0.5 if how == "sd" else 1.0)
        contrast = "(x + sd/2) - (x - sd/2)" if how == "sd" else "(x + sd) - (x - sd)"
        return Change(name, contrast, {name: x - half}, {name: x + half})
    if how in ("iqr", "minmax"):
        low, high = np.quantile(observed, [0.25, 0.75] if how == "iqr" else [0.0, 1.0])
        return Change(name, "Q3 - Q1" if how == "iqr" else "Max - Min", {name: float(low)}, {name: float(high)})
    listed = ", ".join(f'"{k}"' for k in NUMBERS)
    raise ModelError(
        f"`{name}` in `variables` is changed by a number, [from, to], one of {listed}, or a function of the column "
        f"that returns values before and after; got {how!r}."
    )


def _by_function(name: str, x: np.ndarray, how: Callable[[np.ndarray], Any]) -> Change:
    try:
        low, high = (np.broadcast_to(np.asarray(part, dtype=float), x.shape) for part in how(x))
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"The function for `{name}` in `variables` takes the column and returns two arrays, its values before and "
            f"after: {error}."
        ) from None
    return Change(name, "custom", {name: low}, {name: high})


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)
