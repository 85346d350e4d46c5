"""Whether arrays, or columns of two data sets, hold the same values row by row."""

from __future__ import annotations

import numpy as np

from bayesml.frame import Column, recode

__all__ = ["same_column", "same_numbers"]

TOLERANCE = 1e-10


def same_numbers(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Whether two arrays, or None, are equal to ten digits."""
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=TOLERANCE, atol=0.0))


def same_column(ours: Column, theirs: Column) -> bool:
    """Whether two columns agree; numbers and categories cannot be compared and count as equal."""
    if ours.is_factor != theirs.is_factor:
        return True
    if not ours.is_factor:
        return same_numbers(ours.values, theirs.values)
    return np.array_equal(recode(ours.values, ours.level_values, theirs.level_values), theirs.values)
