"""Which observations are left out together in cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bayesml.errors import ModelError, did_you_mean

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["FoldKind", "fold_of_rows", "group_of_rows"]

FoldKind = Literal["random", "stratified", "grouped", "loo"]


def group_of_rows(fit: AbstractSampledFit, group: str | Sequence[Any]) -> np.ndarray:
    """Return the number of the level of each row.

    Args:
        fit: the fit.
        group: a column of the fit, or a value for each of its rows.

    Raises:
        ModelError: there is no such column; another number of values; or a value is missing.
    """
    import pandas as pd

    columns = fit.frame.columns
    if not isinstance(group, str):
        values = np.asarray(group)
        if values.shape != (fit.nobs,):
            raise ModelError(
                f"`group` has a value for each of the {fit.nobs} rows of the fit, or is the name of a column; got an "
                f"array of shape {values.shape}."
            )
    elif group in columns:
        values = np.asarray(columns[group].values)
        values = np.where(values < 0, np.nan, values) if columns[group].is_factor else values
    else:
        raise ModelError(
            f"The fit has no column `{group}`{did_you_mean(group, list(columns))}. It keeps the columns of its formula "
            f"({', '.join(columns)}); of another column hand in the values, group=data[{group!r}]."
        )
    codes, _ = pd.factorize(values, sort=True)
    if (codes < 0).any():
        raise ModelError(f"`group` has missing values in {int((codes < 0).sum())} of {fit.nobs} rows.")
    return np.asarray(codes)


def fold_of_rows(
    n_rows: int, K: int | None, folds: FoldKind | Sequence[int] | None, levels: np.ndarray | None, seed: int
) -> np.ndarray:
    """Return the fold of each row, 0 to K - 1.

    Args:
        n_rows: number of rows.
        K: number of folds; None for one fold for each level.
        folds: how rows are divided, or the fold of each row as the user numbers them.
        levels: the number of the level of each row.
        seed: seed of the random division.

    Raises:
        ModelError: the arguments do not fit each other or the rows.
    """
    if folds is not None and not isinstance(folds, str):
        return _given(n_rows, folds)
    kind = folds if folds is not None else "random" if levels is None else "grouped"
    if kind not in get_args(FoldKind):
        listed = ", ".join(f'"{name}"' for name in get_args(FoldKind))
        raise ModelError(f"`folds` is one of {listed}, or the number of the fold of each row; got {kind!r}.")
    if kind == "loo":
        return np.arange(n_rows)
    if kind in ("stratified", "grouped") and levels is None:
        raise ModelError(f'folds="{kind}" needs `group=`, the name of a column or a value for each row.')
    if K is None:
        if kind != "grouped" or levels is None:
            raise ModelError("K=None leaves out one group after the other and needs `group=`, and no other `folds`.")
        _check_count(int(levels.max()) + 1, int(levels.max()) + 1, "levels of `group`")
        return levels
    rng = np.random.default_rng(seed)
    if kind == "grouped" and levels is not None:
        count = int(levels.max()) + 1
        _check_count(K, count, "levels of `group`")
        return _balanced(rng, count, K)[levels]
    _check_count(K, n_rows, "rows")
    if kind == "stratified" and levels is not None:
        # rows in a random order within each level, dealt out to the folds one after the other
        order = np.lexsort((rng.random(n_rows), levels))
        result = np.empty(n_rows, dtype=int)
        result[order] = np.arange(n_rows) % K
        return result
    return _balanced(rng, n_rows, K)


def _balanced(rng: np.random.Generator, count: int, K: int) -> np.ndarray:
    return rng.permutation(np.arange(count) % K)


def _check_count(K: int, count: int, what: str) -> None:
    if isinstance(K, bool) or not isinstance(K, (int, np.integer)) or not 2 <= K <= count:
        hint = " K=None leaves out one level after the other." if "levels" in what and count > 1 else ""
        raise ModelError(f"`K` is a whole number from 2 to the number of {what}, which is {count}; got {K!r}.{hint}")


def _given(n_rows: int, folds: Sequence[int]) -> np.ndarray:
    values = np.asarray(folds)
    if values.shape != (n_rows,) or values.dtype.kind not in "iu":
        raise ModelError(
            f"`folds` has a whole number for each of the {n_rows} rows of the fit; got an array of shape "
            f"{values.shape} and type {values.dtype}."
        )
    known, result = np.unique(values, return_inverse=True)
    if len(known) < 2:
        raise ModelError("`folds` has one fold alone: without its rows there is nothing to fit the model to.")
    return np.asarray(result)
