"""Transforms that remember the data of the fit: means, polynomial coefficients, spline knots.

Each takes its state first: an empty dict on the data of the fit, which it fills, and that same dict on new data.
``poly`` and the splines are formulaic's, imported when first used.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesml.errors import DataError, FormulaError

__all__ = ["STATEFUL", "Basis"]

State = dict[str, Any]
MAX_COLUMNS = 1000


@dataclass(frozen=True, eq=False)
class Basis:
    """Several columns from one expression.

    Attributes:
        matrix: ``(rows, columns)``.
        names: what tells the columns apart, ``1``, ``2``, ...
        spans_intercept: whether the columns add up to a constant, so that the first goes where there is an intercept.
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    spans_intercept: bool = False


def _scale(state: State, x: np.ndarray, center: Any = True, scale: Any = True, ddof: int = 1) -> np.ndarray:
    if not state:
        is_choice = isinstance(center, bool)
        state["center"] = float(np.mean(x)) if center is True else 0.0 if is_choice else float(center)
        moved = x - state["center"]
        spread = np.sqrt(np.sum(moved**2) / max(len(x) - ddof, 1))
        state["scale"] = float(spread) if scale is True else 1.0 if isinstance(scale, bool) else float(scale)
        if state["scale"] == 0.0 or (scale is True and np.ptp(x) == 0.0):
            raise DataError("a constant column has no spread to scale by; use `center` or leave it out")
    return (x - state["center"]) / state["scale"]


def _center(state: State, x: np.ndarray) -> np.ndarray:
    return _scale(state, x, scale=False)


def _standardize(state: State, x: np.ndarray, center: Any = True, rescale: Any = True, ddof: int = 0) -> np.ndarray:
    return _scale(state, x, center, rescale, ddof)


def _poly(state: State, x: np.ndarray, degree: int = 1, raw: bool = False) -> Basis:
    degree = _whole(degree, "degree")
    if "degree" not in state:
        if degree >= len(np.unique(x)):
            raise DataError(f"a polynomial of degree {degree} needs more than {degree} different values")
        state["degree"] = degree
    names = tuple(str(i) for i in range(1, degree + 1))
    if raw:
        return Basis(np.column_stack([x**k for k in range(1, degree + 1)]), names)
    coefficients = state.setdefault("coefficients", {})
    values = _formulaic("poly")(x, degree, _state=coefficients)
    return Basis(np.asarray(values, dtype=np.float64), names)


def _spline(function: str) -> Callable[..., Basis]:
    def transform(state: State, x: np.ndarray, df: Any = None, *arguments: Any, **options: Any) -> Basis:
        if df is not None:
            df = _whole(df, "df")
        if "degree" in options:
            options["degree"] = _whole(options["degree"], "degree", smallest=0)
        if function == "basis_spline" and df is not None:
            smallest = options.get("degree", 3) + bool(options.get("include_intercept", False))
            df = _whole(df, "df", smallest=smallest)
        if isinstance(options.get("knots"), (int, float)):
            options["knots"] = [options["knots"]]
        values = _formulaic(function)(x, df, *arguments, _state=state, **options)
        columns = {key: column for key, column in values.items() if not str(key).startswith("__")}
        if not columns:
            raise DataError("the spline has no column; ask for more degrees of freedom")
        metadata = values.__formulaic_metadata__
        matrix = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
        return Basis(matrix, tuple(str(key) for key in columns), bool(metadata.spans_intercept))

    return transform


def _formulaic(name: str) -> Callable[..., Any]:
    transform = getattr(importlib.import_module("formulaic.transforms"), name)

    def quiet(*arguments: Any, **options: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return transform(*arguments, **options)

    return quiet


def _whole(value: Any, name: str, smallest: int = 1) -> int:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != int(value):
        raise FormulaError(f"`{name}` is a whole number, not {value!r}")
    if not smallest <= value <= MAX_COLUMNS:
        raise FormulaError(f"`{name}` lies between {smallest} and {MAX_COLUMNS}, not {value!r}")
    return int(value)


STATEFUL: dict[str, Callable[..., Any]] = {
    "scale": _scale,
    "center": _center,
    "standardize": _standardize,
    "poly": _poly,
    "bs": _spline("basis_spline"),
    "cr": _spline("natural_cubic_spline"),
    "cc": _spline("cyclic_cubic_spline"),
}
