"""The covariance factor of a group term from the values of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesml import names
from bayesml.engines.nuts.forms.gaussian.algebra import Matrix
from bayesml.terms import AbstractGroupTerm

__all__ = ["covariance_factor"]

Array = Any


def covariance_factor(group: AbstractGroupTerm, values: Mapping[str, Array]) -> Matrix:
    """Return the lower triangle of diag(sd) L, block-diagonal in the correlated blocks of the term."""
    sd = values[names.group_sd_variable(group.name, group.predictor)]
    rows: Matrix = []
    for i, block in enumerate(group.block_slices()):
        cholesky = values[names.cholesky_variable(group.name, group.predictor, i)] if group.blocks[i] > 1 else None
        for a in range(block.start, block.stop):
            own = (
                [sd[a]]
                if cholesky is None
                else [sd[a] * cholesky[a - block.start, b] for b in range(a - block.start + 1)]
            )
            rows.append([0.0] * block.start + own)
    return rows
