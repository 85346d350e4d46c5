"""What is checked before a basis is built: arguments of ``s()`` and the values of its covariates."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral

import numpy as np

from bayesml.errors import DataError, FormulaError
from bayesml.formula import Expression
from bayesml.smooths.base import Request

__all__ = ["LARGEST_K", "check_count", "covariate_matrix", "distinct_rows", "listed", "one_covariate", "whole"]

LARGEST_K = 1000
LARGEST_SPREAD = 1e30  # its powers, up to the tenth or so, are finite


def listed(names: tuple[str, ...]) -> str:
    """Return names for a sentence: ``x``, or ``x and z``.

    Example:
        >>> listed(("x", "z"))
        '`x` and `z`'
    """
    quoted = [f"`{name}`" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def whole(value: object, argument: str, label: str, smallest: int, largest: int = LARGEST_K) -> int:
    """Return a whole number within bounds.

    Raises:
        FormulaError: it is not one, or lies outside of the bounds.
    """
    is_number = isinstance(value, (Integral, float, np.floating)) and not isinstance(value, bool)
    if not is_number or value != np.floor(value) or not np.isfinite(value):  # type: ignore[operator, call-overload]
        shown = f"`{value.text}`" if isinstance(value, Expression) else repr(value)
        raise FormulaError(f"In `{label}`, `{argument}` is a whole number, not {shown}.")
    number = int(value)  # type: ignore[call-overload]
    if not smallest <= number <= largest:
        raise FormulaError(f"In `{label}`, `{argument}` lies between {smallest} and {largest}, not {number}.")
    return number


def covariate_matrix(covariates: Mapping[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    """Return the covariates as columns, ``(rows, covariates)``.

    Raises:
        DataError: a covariate is missing, is not numeric, holds a NaN or an infinity, or has powers that overflow.
    """
    return np.column_stack([_column(covariates, name) for name in names])


def _column(covariates: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    if name not in covariates:
        raise DataError(f"A smooth of `{name}` needs a column `{name}`, which is not there.")
    column = np.asarray(covariates[name])
    if column.ndim != 1 or column.dtype.kind not in "iuf":
        raise DataError(
            f"A smooth is a function of numbers; `{name}` is not a numeric column. For a curve for each level of a "
            f"factor write s(x, by={name}); for an effect of each level (1 | {name})."
        )
    column = column.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(column))
    if wrong.size:
        raise DataError(f"`{name}` is {column[wrong[0]]} in row {wrong[0]}; a smooth needs finite numbers.")
    spread = np.ptp(column) if len(column) else 0.0
    if spread > LARGEST_SPREAD or 0.0 < spread < 1.0 / LARGEST_SPREAD:
        raise DataError(
            f"The values of `{name}` span {spread:.3g}, and a smooth takes powers of them. Measure `{name}` in another "
            "unit."
        )
    return column


def one_covariate(request: Request) -> None:
    """Refuse a second covariate.

    Raises:
        FormulaError: the kind of spline has one covariate and several were given.
    """
    if len(request.names) > 1:
        raise FormulaError(
            f'`{request.label}` has {len(request.names)} covariates, and bs="{request.kind}" is for one; for a surface '
            'write bs="tp".'
        )


def distinct_rows(values: np.ndarray) -> np.ndarray:
    """Return the different rows of ``(rows, covariates)`` in order, without those that repeat."""
    return np.unique(values[:, 0])[:, None] if values.shape[1] == 1 else np.unique(values, axis=0)


def check_count(request: Request, k: int, smallest: int, distinct: int) -> None:
    """Hold ``k`` against what the kind of spline needs and what the data can tell apart.

    Raises:
        FormulaError: ``k`` is too small for this kind of spline.
        DataError: the covariates have fewer different values than basis functions are requested.
    """
    if k < smallest:
        raise FormulaError(
            f'`{request.label}` has k={k}, and a smooth with bs="{request.kind}" of {listed(request.names)} at least '
            f"{smallest} basis functions. Write k={smallest} or more; for a straight line write "
            f"{' + '.join(request.names)} without s()."
        )
    if distinct < k:
        raise DataError(f"{_too_few(request, k, distinct)} {_instead(request, smallest, distinct)}")


def _too_few(request: Request, k: int, distinct: int) -> str:
    one = len(request.names) == 1
    values = f"{distinct} different {'value' if one else 'combination'}{'' if distinct == 1 else 's'}"
    default = " (the default)" if request.k is None else ""
    return (
        f"`{request.label}` has k={k} basis functions{default}, but {listed(request.names)} {'has' if one else 'have'} "
        f"{values}{'' if one else ' of values'}."
    )


def _instead(request: Request, smallest: int, distinct: int) -> str:
    if distinct >= smallest:
        return f"Write k={distinct} or less, at least {smallest}."
    if distinct == 1:
        return "A constant column has no effect that could be told from the intercept; leave it out."
    names = " + ".join(request.names)
    return f"That is too few for a smooth; write {names} for a straight line, or C({request.names[0]}) for categories."
