"""The covariance factor of a block of effects from the values of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesml.engines.nuts.forms.gaussian.algebra import Matrix
from bayesml.terms import EffectBlock

__all__ = ["covariance_factor"]

Array = Any


def covariance_factor(block: EffectBlock, values: Mapping[str, Array]) -> Matrix:
    """Return the lower triangle of diag(sd) L, block-diagonal in the correlated sets of coefficients."""
    sds = values[block.sd]
    rows: Matrix = []
    for part, name in zip(block.slices, block.cholesky, strict=True):
        for a in range(part.start, part.stop):
            sd, i = sds[a] if block.index else sds, a - part.start
            lower = [sd * values[name][i, b] for b in range(i + 1)] if name else [sd]
            rows.append([0.0] * part.start + lower)
    return rows
