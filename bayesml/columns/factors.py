"""Factors within expressions: made of numbers, truth values or text, with levels that can be renamed and compared."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesml.columns.contrasts import CONTRASTS, Contrast
from bayesml.errors import DataError, FormulaError
from bayesml.frame.values import TRUTH_LABELS, number_labels, recode

__all__ = [
    "FactorValue",
    "build_factor",
    "choose",
    "compare_level",
    "freeze",
    "is_level",
    "number_factor",
    "truth_factor",
]

OPTIONS: dict[str, tuple[str, ...]] = {
    "C": ("contr", "contrasts", "levels"),
    "factor": ("levels", "labels", "ordered", "contr", "contrasts"),
    "ordered": ("levels", "labels"),
    "as.factor": (),
    "as.ordered": (),
    "relevel": ("ref",),
}
"""The functions that return a factor, and the keyword arguments of each."""

_POSITIONAL = {"C": ("contr",), "factor": ("levels", "labels"), "ordered": ("levels", "labels"), "relevel": ("ref",)}


@dataclass(frozen=True, eq=False)
class FactorValue:
    """The value of an expression that is a factor.

    Attributes:
        codes: for each row the position of its level in ``levels``, ``(rows,)``.
        levels: labels of the levels.
        contrast: reduced coding of the factor.
        ordered: whether the order of the levels has a meaning.
    """

    codes: np.ndarray
    levels: tuple[str, ...]
    contrast: Contrast = Contrast()
    ordered: bool = False


def truth_factor(values: np.ndarray) -> FactorValue:
    """Return truth values as a factor with the levels False and True, as in R, even if one of them does not occur."""
    return FactorValue(np.asarray(values).astype(np.int64), TRUTH_LABELS)


def number_factor(values: np.ndarray) -> FactorValue:
    """Return numbers as a factor; the levels are in the order of the numbers."""
    distinct, codes = np.unique(values, return_inverse=True)
    return FactorValue(codes.astype(np.int64), number_labels(distinct))


def freeze(factor: FactorValue, state: MutableMapping[str, Any] | None) -> FactorValue:
    """Return a factor with the levels that occur in the data of the fit.

    For the data of the fit, whose ``state`` is empty, the levels are stored in it. Later data get the stored levels.
    A state of None leaves the levels as they are.

    Raises:
        DataError: later data have a level that the data of the fit do not have.
    """
    if state is None:
        return factor
    used = tuple(factor.levels[code] for code in np.unique(factor.codes).tolist())
    return _reordered(factor, state.setdefault("levels", used))


def build_factor(
    name: str,
    factor: FactorValue,
    arguments: Sequence[Any],
    options: Mapping[str, Any],
    state: MutableMapping[str, Any],
) -> FactorValue:
    """Return the result of ``C``, ``factor``, ``ordered``, ``relevel`` and their relatives.

    Args:
        name: the function.
        factor: its first argument.
        arguments: its further positional arguments.
        options: its keyword arguments.
        state: the levels of the data of the fit, see ``freeze``.

    Raises:
        FormulaError: an argument is unknown or of the wrong kind.
        DataError: the data have a level that is not among those listed.
    """
    given = _named(name, arguments, options)
    ordered = given.get("ordered", name in ("ordered", "as.ordered") or factor.ordered)
    if not isinstance(ordered, bool):
        raise FormulaError(f"`ordered=` is TRUE or FALSE, not {ordered!r}")
    factor = _with_levels(factor, given.get("levels"), given.get("labels"), state)
    if "ref" in given:
        factor = _relevelled(factor, given["ref"])
    if ordered != factor.ordered:
        factor = replace(factor, ordered=ordered, contrast=Contrast("poly" if ordered else "treatment"))
    contrast = given.get("contr", given.get("contrasts"))
    if contrast is not None:
        factor = replace(factor, contrast=_contrast(contrast))
    return factor


def _named(name: str, arguments: Sequence[Any], options: Mapping[str, Any]) -> dict[str, Any]:
    positional = _POSITIONAL.get(name, ())
    if name == "factor" and arguments and isinstance(arguments[0], Contrast):
        positional = ("contr",)
    unknown = [key for key in options if key not in OPTIONS[name]]
    if unknown or len(arguments) > len(positional):
        known = "".join(f", {key}=..." for key in OPTIONS[name])
        what = f"`{name}` has no argument `{unknown[0]}`" if unknown else f"`{name}` has too many arguments"
        raise FormulaError(f"{what}; write {name}(column{known})")
    return {**dict(zip(positional, arguments, strict=False)), **options}


def _labels(listed: Any, what: str) -> tuple[str, ...]:
    if isinstance(listed, (str, int, float)):
        listed = [listed]
    if not isinstance(listed, list):
        raise FormulaError(f"`{what}=` is a list such as c('a', 'b')")
    labels = tuple(map(level_label, listed))
    if len(set(labels)) < len(labels):
        raise FormulaError("a level is listed twice")
    return labels


def _with_levels(factor: FactorValue, levels: Any, labels: Any, state: MutableMapping[str, Any]) -> FactorValue:
    """Order and rename the levels; ``labels`` rename those in ``levels``, or those of the data of the fit."""
    factor = freeze(factor, state) if levels is None else _reordered(factor, _labels(levels, "levels"))
    if labels is not None:
        factor = _relabelled(factor, _labels(labels, "labels"))
    return factor if levels is None else freeze(factor, state)


def _contrast(given: Any) -> Contrast:
    named = isinstance(given, str) and given in CONTRASTS
    contrast = Contrast(CONTRASTS[given]) if named else given
    if not isinstance(contrast, Contrast):
        possible = ", ".join(f"`{name}`" for name in CONTRASTS if name.startswith("contr"))
        raise FormulaError(f"the coding is one of {possible}")
    return contrast


def _reordered(factor: FactorValue, levels: tuple[str, ...]) -> FactorValue:
    codes = recode(factor.codes, factor.levels, levels)
    if (codes < 0).any():
        unknown = [factor.levels[code] for code in np.unique(factor.codes[codes < 0]).tolist()]
        shown, known = ", ".join(map(repr, unknown[:10])), ", ".join(map(repr, levels[:10]))
        raise DataError(f"the data have the level {shown}, which is none of {known}")
    return replace(factor, codes=codes, levels=levels)


def _relevelled(factor: FactorValue, given: Any) -> FactorValue:
    reference = level_label(given)
    if reference not in factor.levels:
        listed = ", ".join(map(repr, factor.levels[:10]))
        raise DataError(f"{reference!r} is none of the levels {listed}")
    return _reordered(factor, (reference, *(level for level in factor.levels if level != reference)))


def _relabelled(factor: FactorValue, labels: tuple[str, ...]) -> FactorValue:
    if len(labels) != len(factor.levels):
        raise FormulaError(f"`labels=` gives {len(labels)} names for the {len(factor.levels)} levels")
    return replace(factor, levels=labels)


def level_label(level: Any) -> str:
    """Return the label of a level written as a number, a truth value or text."""
    if isinstance(level, (int, float)) and not isinstance(level, bool):
        return number_labels(np.array([float(level)]))[0]
    return str(level)


def compare_level(factor: FactorValue, level: Any, sign: str) -> np.ndarray:
    """Compare each row with a level: ``==`` and ``!=``, of ordered factors also ``< <= > >=``.

    Raises:
        DataError: there is no such level.
        FormulaError: the levels have no order.
    """
    label = level_label(level)
    if label not in factor.levels:
        listed = ", ".join(map(repr, factor.levels[:10]))
        raise DataError(f"compares with {label!r}, which is none of the levels {listed}")
    if sign not in ("==", "!=") and not factor.ordered:
        raise FormulaError(
            f"compares categories with `{sign}`, which have no order; write ordered(...) to give them one"
        )
    place = factor.levels.index(label)
    compare = {
        "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    }  # fmt: skip
    is_true: np.ndarray = compare[sign](factor.codes, place)
    return is_true


def is_level(factor: FactorValue, listed: Sequence[Any]) -> np.ndarray:
    """Return which rows have one of the levels listed, R's ``%in%``."""
    wanted = {level_label(level) for level in listed}
    return np.array([level in wanted for level in factor.levels])[factor.codes]


def choose(condition: np.ndarray, yes: FactorValue | str, no: FactorValue | str) -> FactorValue:
    """Return the factor with the level ``yes`` where the condition is true and ``no`` elsewhere; levels are sorted."""
    parts = [
        part if isinstance(part, FactorValue) else FactorValue(np.zeros(1, dtype=np.int64), (part,))
        for part in (yes, no)
    ]
    levels = tuple(sorted({level for part in parts for level in part.levels}))
    codes = [recode(part.codes, part.levels, levels) for part in parts]
    return FactorValue(np.where(condition, *codes), levels)
