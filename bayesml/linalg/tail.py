"""The block-diagonal covariance factor of the dense tail, for NumPy and JAX."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from jaxtyping import ArrayLike, Float

    from bayesml.shapes import Scalar

    Factor = Float[ArrayLike, "q q"] | list[list[Scalar]]
    Rows = Float[ArrayLike, "m *columns"]

__all__ = ["block_product"]


def block_product(widths: Sequence[int], factors: Sequence[Factor], rows: Rows) -> Rows:
    """Multiply rows ``(m,)`` or ``(m, c)`` from the left by a block-diagonal matrix with blocks ``factor (x) I``.

    Args:
        widths: rows of each block, coefficient by coefficient, levels innermost.
        factors: ``(q, q)`` of each block, q a divisor of the width; that of q = 1 may be nested lists, its entry a
            number, one for each row of the block, or the matrix of the whole block.
        rows: the rows of all blocks, one block after the other.
    """
    xp = array_namespace(rows, *factors)
    if all(len(factor) == 1 and xp.ndim(factor[0][0]) < 2 for factor in factors):
        # the matrix is diagonal: one product, so that the number of operations hardly grows with that of the blocks
        scales = [factor[0][0] for factor in factors]
        if xp is np:
            spread = np.concatenate([np.broadcast_to(s, w) for s, w in zip(scales, widths, strict=True)])
        else:
            spread = xp.concatenate([xp.broadcast_to(s, (w,)) for s, w in zip(scales, widths, strict=True)])
        return rows * (spread[:, None] if rows.ndim == 2 else spread)
    parts, first = [], 0
    for width, factor in zip(widths, factors, strict=True):
        block = rows[first : first + width]
        if len(factor) == 1:
            parts.append(_one_entry(xp, factor[0][0], block))
        else:
            parts.append((factor @ block.reshape(len(factor), -1)).reshape(block.shape))
        first += width
    return xp.concatenate(parts)


def _one_entry(xp: ModuleType, entry: Scalar, block: Rows) -> Rows:
    if xp.ndim(entry) == 2:
        return entry @ block
    return (entry[:, None] if xp.ndim(entry) and block.ndim == 2 else entry) * block
