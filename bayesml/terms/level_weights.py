"""The weights of levels, ``gr(g, pw=w)``: how often the prior density of the effects of each counts."""

from __future__ import annotations

import numpy as np

from bayesml.errors import DataError
from bayesml.formula import GroupCall
from bayesml.frame import Frame
from bayesml.terms.group import Group

__all__ = ["level_weights"]


def level_weights(part: GroupCall, group: Group, frame: Frame) -> np.ndarray:
    """Return the weight of each level, ``(levels,)``.

    Raises:
        DataError: weights are no numbers larger than 0, or differ within a level.
    """
    column = frame.column(part.prior_weights)
    if column.levels is not None:
        raise DataError(f"`{part.text}`: weights are numbers; `{part.prior_weights}` holds categories.")
    wrong = np.flatnonzero(~(column.values > 0.0))
    if wrong.size:
        raise DataError(
            f"`{part.text}`: `{part.prior_weights}` is {column.values[wrong[0]]:g} in row {frame.rows[wrong[0]] + 1} "
            "(counting from 1); the weight of a level is larger than 0."
        )
    codes, _ = frame.interaction(group.factors)
    weights = np.zeros(len(group.levels))
    weights[codes[::-1]] = column.values[::-1]
    unlike = np.flatnonzero(weights[codes] != column.values)
    if unlike.size:
        row = int(unlike[0])
        level = group.levels.labels[codes[row]]
        raise DataError(
            f"`{part.text}`: `{part.prior_weights}` is {column.values[row]:g} in row {frame.rows[row] + 1} (counting "
            f"from 1) and {weights[codes[row]]:g} in another row of the level `{level}`; a level has one weight."
        )
    return weights
