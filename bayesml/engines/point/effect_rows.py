"""Rows of M = Z Lambda as a matrix: how linear predictors move with standardised effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesml.engines.point.joint import JointEffects, sparse_rows
from bayesml.engines.point.several.joint import SeveralJoint

if TYPE_CHECKING:
    from bayesml.linalg import AbstractBlock

__all__ = ["effects_matrix"]


def effects_matrix(joint: JointEffects | SeveralJoint, blocks: Sequence[AbstractBlock | None], count: int) -> Any:
    """Return a sparse matrix ``(count, effects)``; None where the model has no effects.

    Args:
        joint: the effects of the fit.
        blocks: the blocks at the rows requested, None where one is left out.
        count: number of rows.
    """
    from scipy import sparse

    if not joint.blocks:
        return None
    rows = sparse_rows(joint.blocks, joint.factors, blocks, count)
    entries: list[np.ndarray] = []
    places: list[np.ndarray] = []
    for place, levels, columns in zip(joint.slices, rows.levels, rows.columns, strict=True):
        width = (place.stop - place.start) // len(columns)
        for k, column in enumerate(columns):
            entries.append(np.asarray(column, dtype=float))
            places.append(place.start + k * width + levels)
    size = joint.slices[-1].stop
    row = np.tile(np.arange(count), len(entries))
    found = sparse.csr_array((np.concatenate(entries), (row, np.concatenate(places))), shape=(count, size))
    found.eliminate_zeros()
    return found
