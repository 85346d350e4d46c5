"""Checks of a response that families share. Every message names the column, the first culprit, its row and a cure."""

from __future__ import annotations

import numpy as np

from bayesml.errors import DataError
from bayesml.families.records import RawResponse

__all__ = ["counts", "numbers", "positive_numbers", "require", "require_variation", "shares"]


def require(response: RawResponse, values: np.ndarray, good: np.ndarray, rule: str, cure: str) -> None:
    """Raise a ``DataError`` that names the first value that is not ``good``.

    Args:
        response: where the values come from.
        values: ``(rows,)`` values to name.
        good: ``(rows,)`` truth values.
        rule: what the values have to be, after the name of the response.
        cure: what to do about it.
    """
    bad = np.flatnonzero(~good)
    if bad.size:
        first = int(bad[0])
        row = int(response.rows[first]) if response.rows is not None else first
        others = f" and in {bad.size - 1} more" if bad.size > 1 else ""
        raise DataError(
            f"The response `{response.name}` {rule}; it is {values[first]:g} in row {row + 1} (counting from 1)"
            f"{others}. {cure}"
        )


def numbers(response: RawResponse, family: str) -> np.ndarray:
    """Return the response as finite floats.

    Raises:
        DataError: it has categories, is empty, or has a missing or infinite value.
    """
    if response.levels is not None:
        shown = ", ".join(f"`{level}`" for level in response.levels[:5]) + (", ..." if len(response.levels) > 5 else "")
        cure = 'use family="bernoulli"' if len(response.levels) == 2 else "turn it into numbers"
        raise DataError(
            f"The response `{response.name}` has categories ({shown}), but the family {family} needs numbers; {cure}."
        )
    values = np.asarray(response.values, dtype=float)
    if values.ndim != 1 or values.size == 0:
        raise DataError(f"The response `{response.name}` has shape {values.shape}; it must be a column with rows.")
    require(response, values, np.isfinite(values), "must be finite", "Drop or correct such rows.")
    return values


def positive_numbers(response: RawResponse, family: str, *, for_fit: bool) -> np.ndarray:
    """Return the response as positive finite floats.

    Raises:
        DataError: a value is not larger than 0, or all are equal where they are to be fitted.
    """
    values = numbers(response, family)
    cure = "Drop such rows, or model them with another family."
    require(response, values, values > 0, "must be larger than 0", cure)
    if for_fit:
        require_variation(response, values)
    return values


def shares(response: RawResponse, family: str, *, one: bool = True, for_fit: bool) -> np.ndarray:
    """Return the response as floats from 0 to 1, or where ``one`` is False to below 1.

    Raises:
        DataError: a value lies outside, or all are equal where they are to be fitted.
    """
    values = numbers(response, family)
    inside = (values >= 0) & ((values <= 1) if one else (values < 1))
    cure = "For percentages divide by 100" + ("." if one else "; exact ones need the family zero_one_inflated_beta.")
    require(response, values, inside, f"must lie between 0 and 1{'' if one else ', and below 1'}", cure)
    if for_fit:
        require_variation(response, values)
    return values


def counts(response: RawResponse, family: str) -> np.ndarray:
    """Return the response as whole numbers >= 0, in floats.

    Raises:
        DataError: a value is not a whole number or is negative.
    """
    values = numbers(response, family)
    cure = f"The family {family} is for counts; round them if they should be, or use a family for continuous data."
    require(response, values, values >= 0, "must not be negative", cure)
    require(response, values, values == np.round(values), "must be a whole number", cure)
    return values


def require_variation(response: RawResponse, values: np.ndarray) -> None:
    """Raise a ``DataError`` where all values are the same."""
    if values.size == 1:
        raise DataError(f"The response `{response.name}` has one row only; a spread cannot be learnt from it.")
    if np.all(values == values[0]):
        raise DataError(
            f"The response `{response.name}` is {values[0]:g} in every row, so that there is no variation to model. "
            "Check that it is the right column."
        )
