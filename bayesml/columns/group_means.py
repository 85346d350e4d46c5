"""Means of a column within groups: ``gmean(x, g)``, R's ``ave(x, g)``, and the decomposition ``wb(x, g)``.

Means are those of the rows of the fit; new rows have the mean that their group had there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesml.columns.factors import FactorValue
from bayesml.errors import DataError, FormulaError, did_you_mean

__all__ = ["group_mean", "within_between"]

State = dict[str, Any]


def group_mean(state: State, x: np.ndarray, *groups: Any) -> np.ndarray:
    """Return the mean of each row's group, ``(rows,)``.

    Args:
        state: levels and their means, filled in by the rows of the fit.
        x: ``(rows,)``.
        groups: the factor.
    """
    if len(groups) != 1 or not isinstance(groups[0], FactorValue):
        raise FormulaError("write the column and the factor, gmean(x, g)")
    codes, levels = groups[0].codes, groups[0].levels
    if "levels" not in state:
        counts = np.bincount(codes, minlength=len(levels))
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.bincount(codes, weights=x, minlength=len(levels)) / counts
        state["levels"] = [level for level, count in zip(levels, counts.tolist(), strict=True) if count]
        state["means"] = means[counts > 0].tolist()
    known = dict(zip(state["levels"], state["means"], strict=True))
    unknown = next((levels[code] for code in codes.tolist() if levels[code] not in known), None)
    if unknown is not None:
        raise DataError(
            f"the group {unknown} has no mean in the data of the fit{did_you_mean(unknown, known)}; leave such rows out"
        )
    return np.array([known[levels[code]] for code in codes.tolist()])


def within_between(state: State, x: np.ndarray, *groups: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the deviation of each row from the mean of its group, and that mean."""
    means = group_mean(state, x, *groups)
    return x - means, means
