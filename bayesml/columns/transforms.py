"""Transforms that depend on the data of the fit: by means, also of groups, polynomial coefficients or spline knots.

The first argument of each is its state. For the data of the fit it is an empty dict, to which the transform adds what
it computes from the data. For new data it is that dict, so that the same transform is applied. ``poly`` and the splines
are formulaic's, which is imported when one of them is first used.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesml.columns.group_means import group_mean, within_between
from bayesml.errors import DataError, FormulaError, warn_user

__all__ = ["GROUPED", "OF_SPLINES", "STATEFUL", "Basis"]

State = dict[str, Any]
MAX_COLUMNS = 1000


@dataclass(frozen=True, eq=False)
class Basis:
    """Several columns from one expression.

    Attributes:
        matrix: ``(rows, columns)``.
        names: names of the columns, ``1``, ``2``, ...
        spans_intercept: whether the columns add up to a constant, so that one is left out beside an intercept.
    """

    matrix: np.ndarray
    names: tuple[str, ...]
    spans_intercept: bool = False


@dataclass(frozen=True)
class BeyondRange(Exception):
    """A value lies outside the range in which a spline is defined.

    Attributes:
        position: row of the value.
        lower: smallest possible value.
        upper: largest possible value.
    """

    position: int
    lower: float
    upper: float


def _scale(state: State, x: np.ndarray, center: Any = True, scale: Any = True, ddof: int = 1) -> np.ndarray:
    if not state:
        is_bool = isinstance(center, bool)
        state["center"] = float(np.mean(x)) if center is True else 0.0 if is_bool else float(center)
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
        if function == "basis_spline" and options.get("extrapolation", "raise") == "raise":
            _check_range(x, state.get("lower_bound", options.get("lower_bound")),
                         state.get("upper_bound", options.get("upper_bound")))  # fmt: skip
        values = _formulaic(function)(x, df, *arguments, _state=state, **options)
        columns = {key: column for key, column in values.items() if not str(key).startswith("__")}
        if not columns:
            raise DataError("the spline has no column; ask for more degrees of freedom")
        metadata = values.__formulaic_metadata__
        matrix = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns.values()])
        return Basis(matrix, tuple(str(key) for key in columns), bool(metadata.spans_intercept))

    return transform


def _check_range(x: np.ndarray, lower: Any, upper: Any) -> None:
    lower, upper = -np.inf if lower is None else float(lower), np.inf if upper is None else float(upper)
    outside = np.flatnonzero((x < lower) | (x > upper))
    if outside.size:
        raise BeyondRange(int(outside[0]), lower, upper)


def _natural_spline(state: State, x: np.ndarray, df: Any = None, knots: Any = None, intercept: bool = False) -> Basis:
    """Natural cubic spline, R's ``ns``: cubic between the knots, straight beyond the range of the data.

    The spline is a combination of cubic B-splines with coefficients c. It is natural if its second derivative is zero
    at both ends, which are two linear conditions C c = 0. With the QR decomposition C' = Q R, all columns of Q but the
    first two are orthogonal to the rows of C. They span the solutions, and the basis is the B-splines times these
    columns. Inner knots are at quantiles of the data, and the first B-spline is left out beside an intercept, as in R.
    """
    if "knots" not in state:
        df = _whole(df, "df", smallest=1 + intercept) if df is not None else 1 + intercept
        inner = (
            np.atleast_1d(np.asarray(knots, dtype=float)) if knots is not None else _quantiles(x, df - 1 - intercept)
        )
        ends = [float(np.min(x)), float(np.max(x))]
        if ends[0] == ends[1] or not ((inner > ends[0]) & (inner < ends[1])).all():
            raise DataError("the knots of the spline must lie between the smallest and the largest value")
        state["knots"] = [ends[0]] * 4 + np.sort(inner).tolist() + [ends[1]] * 4
    grid = np.asarray(state["knots"])
    lower, upper = grid[0], grid[-1]
    start = 0 if intercept else 1
    spline = importlib.import_module("scipy.interpolate").BSpline(grid, np.eye(len(grid) - 4), 3)
    conditions = spline(np.array([lower, upper]), nu=2)[:, start:]
    solutions = np.linalg.qr(conditions.T, mode="complete")[0][:, 2:]
    inside = np.clip(x, lower, upper)
    # Beyond the range the value and the slope at its end give the straight line.
    values = spline(inside)[:, start:] + (x - inside)[:, None] * spline(inside, nu=1)[:, start:]
    matrix = values @ solutions
    return Basis(matrix, tuple(str(i + 1) for i in range(matrix.shape[1])), bool(intercept))


def _quantiles(x: np.ndarray, count: int) -> np.ndarray:
    quantiles: np.ndarray = np.quantile(x, np.linspace(0.0, 1.0, count + 2)[1:-1])
    return quantiles


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


def _within_between(state: State, x: np.ndarray, *groups: Any) -> Basis:
    return Basis(np.column_stack(within_between(state, x, *groups)), ("within", "between"))


def _tensor(state: State, *parts: Any, k: Any = None, df: Any = None, fx: bool = False) -> Basis:
    """Products of the columns of splines, patsy's ``te(cr(x, df=4), cr(z, df=4))``; ``te(x, z, k=4)`` is the same.

    The columns have coefficients of their own, without a penalty.
    """
    sizes = df if k is None else k
    made = [part for part in parts if isinstance(part, Basis)]
    if len(made) < len(parts) and sizes is None:
        raise FormulaError(
            "te(...) makes fixed columns here, and needs to know how many: te(x, z, k=4), or "
            "te(cr(x, df=4), cr(z, df=4)). The penalised surface is t2: write `t2(x, z)`, whose functions are the same"
        )
    if len(parts) < 2:
        raise FormulaError("te(...) takes two or more columns or splines, te(cr(x, df=4), cr(z, df=4))")
    each = list(sizes) if isinstance(sizes, (list, tuple)) else [sizes] * len(parts)
    if len(each) != len(parts):
        raise FormulaError(f"`k` has {len(each)} values for {len(parts)} columns")
    if len(made) < len(parts) and not fx and not state:
        warn_user(
            "`te(..., k=)` makes columns without a penalty, whose coefficients are all estimated; `t2(x, z)` is the "
            "penalised surface. Say fx=TRUE if this is meant."
        )
    margins = [
        part if isinstance(part, Basis) else STATEFUL["cr"](state.setdefault(f"margin {i}", {}), part, size)
        for i, (part, size) in enumerate(zip(parts, each, strict=True))
    ]
    matrix, names = margins[0].matrix, list(margins[0].names)
    for margin in margins[1:]:
        matrix = (matrix[:, :, None] * margin.matrix[:, None, :]).reshape(len(matrix), -1)
        names = [f"{a}_{b}" for a in names for b in margin.names]
    state["columns"] = len(names)
    if len(names) > MAX_COLUMNS:
        raise FormulaError(f"te(...) has {len(names)} columns, more than {MAX_COLUMNS}: write smaller numbers")
    return Basis(matrix, tuple(names), all(margin.spans_intercept for margin in margins))


GROUPED = ("gmean", "ave", "wb")
"""Those that take a factor behind the column."""
OF_SPLINES = ("te",)
"""Those that take several columns, or splines of them."""
STATEFUL: dict[str, Callable[..., Any]] = {
    "gmean": group_mean,
    "ave": group_mean,
    "wb": _within_between,
    "scale": _scale,
    "center": _center,
    "standardize": _standardize,
    "poly": _poly,
    "bs": _spline("basis_spline"),
    "ns": _natural_spline,
    "cr": _spline("natural_cubic_spline"),
    "cc": _spline("cyclic_cubic_spline"),
    "te": _tensor,
}
