"""Rows to predict, encoded as the rows of the fit were: those of the fit, or new data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.design import Arrays
from bayesml.results.predict.new_data import read_new_data, response_arrays
from bayesml.results.predict.new_levels import NewLevels, UnseenLevels, index_unseen
from bayesml.results.predict.re_formula import Selection

if TYPE_CHECKING:
    import pandas as pd

    from bayesml.results.record.fit import AbstractFit

__all__ = ["Rows", "encoded_rows", "own_rows"]


@final
@dataclass(frozen=True)
class Rows:
    """Rows to predict.

    Attributes:
        selection: predictors with the group-level terms requested.
        arrays: arrays of their terms.
        data: ``trials``, ``se``, ``y`` as the family takes them.
        weights: likelihood weights, or None.
        labels: a label for each row: the index of pandas data, else its position in the data given.
        unseen: levels that the fit has not seen.
    """

    selection: Selection
    arrays: Arrays
    data: Mapping[str, np.ndarray]
    weights: np.ndarray | None
    labels: pd.Index
    unseen: UnseenLevels

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.labels)


def own_rows(fit: AbstractFit, selection: Selection) -> Rows:
    """Return the rows of the fit."""
    design = fit.problem.design
    arrays = selection.mask(design.arrays)
    return Rows(selection, arrays, design.response.arrays, design.weights, fit.frame.labels(), UnseenLevels({}))


def encoded_rows(
    fit: AbstractFit,
    newdata: Any,
    selection: Selection,
    additions: Sequence[str],
    policy: NewLevels,
    may_lack_groups: bool,
    *,
    response: bool = False,
) -> Rows:
    """Encode new data with the frozen encodings of the fit.

    Args:
        fit: the fit.
        newdata: any supported data frame.
        selection: the predictors with the group-level terms requested.
        additions: names of the response terms needed (``trials``, ``se``, ``weights``).
        policy: what a level gets that the fit has not seen; ``"error"`` refuses it.
        may_lack_groups: whether an absent grouping column stands for an unseen level.
        response: whether the observed response is needed.

    Raises:
        DataError: the new data lack something, or have an unseen level that is refused.
    """
    frame = read_new_data(fit, newdata, selection, additions, response, may_lack_groups)
    arrays = {p.key: {term.key: term.arrays(frame) for term in p.terms} for p in selection.predictors}
    indexed, unseen = index_unseen(selection.groups(), arrays, frame, policy)
    data = response_arrays(fit, frame, response, additions)
    return Rows(selection, selection.mask(indexed), data, data.pop("weights", None), frame.labels(), unseen)
