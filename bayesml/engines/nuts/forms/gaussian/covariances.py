"""The covariance factor of a block of effects from the values of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesml.engines.nuts.forms.gaussian.algebra import Matrix
from bayesml.terms import EffectBlock, SampledBlock

__all__ = ["covariance_factor"]

Array = Any


def covariance_factor(block: EffectBlock | SampledBlock, values: Mapping[str, Array]) -> Matrix:
    """Return the lower triangle of diag(sd) L, block-diagonal in the correlated sets of entries."""
    sds = [values[name] if place is None else values[name][place] for name, place in block.standard_deviations]
    rows: Matrix = []
    for own, name in zip(block.slices, block.cholesky, strict=True):
        for a in range(own.start, own.stop):
            before: list[Array] = [0.0] * own.start
            i = a - own.start
            lower = [sds[a] * values[name][i, b] for b in range(i + 1)] if name else [sds[a]]
            rows.append(before + lower)
    return rows
