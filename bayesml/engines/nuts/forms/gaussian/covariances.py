"""The covariance factor of a block of effects from the values of its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesml.terms import EffectBlock, SampledBlock

if TYPE_CHECKING:
    from bayesml.engines.nuts.forms.gaussian.shapes import Matrix, Rows
    from bayesml.shapes import Values

__all__ = ["covariance_factor"]


def covariance_factor(block: EffectBlock | SampledBlock, values: Values) -> Matrix:
    """Return the lower triangle of diag(sd) L, block-diagonal in the correlated sets of entries.

    Of a block whose coefficients are not alike the one entry is the vector of their standard deviations, or the
    Cholesky factor of their covariance matrix.
    """
    if block.shape is not None:
        ((name, _),) = block.standard_deviations
        return [[block.shape.factor(values[name], values)]]
    sds = [values[name] if place is None else values[name][place] for name, place in block.standard_deviations]
    rows: Matrix = []
    for correlated, name in zip(block.slices, block.cholesky, strict=True):
        for a in range(correlated.start, correlated.stop):
            before: Rows = [0.0] * correlated.start
            i = a - correlated.start
            lower = [sds[a] * values[name][i, b] for b in range(i + 1)] if name else [sds[a]]
            rows.append(before + lower)
    return rows
