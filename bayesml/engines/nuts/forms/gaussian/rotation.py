"""Coefficients that every row may touch, in coordinates in which the rows tell nothing of two of them together.

With one standard deviation s the coefficients of a block are ``s z``, z standard normal and so is ``v = U'z`` for any
orthogonal U. With U the eigenvectors of ``Z'WZ = U diag(m) U'`` the columns of ``sqrt(W) Z U`` are orthogonal, and
their lengths are the roots of m. A rotation of the rows, which the likelihood does not see, then leaves one row for
each coefficient, ``sqrt(m_l) s v_l``, and the rest of the rows without any: those of a grouping factor with a level for
each coefficient. It is eliminated in a time that grows with their number, where a dense matrix takes its cube.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bayesml.engines.nuts.forms.gaussian.rows import GaussianRows
from bayesml.linalg import AbstractBlock, DenseBlock, GroupBlock, SpreadBlock

__all__ = ["rotated", "rotated_block"]

NEGLIGIBLE = 1e-13
"""Of the largest eigenvalue: what is smaller is the rounding error of 0."""


def rotated_block(blocks: Sequence[AbstractBlock], alike: Sequence[bool]) -> int | None:
    """Return the block that can be rotated: the only one of its kind in a model without grouping factors.

    Args:
        blocks: the blocks.
        alike: whether the coefficients of each have one standard deviation.
    """
    found = [i for i, block in enumerate(blocks) if isinstance(block, SpreadBlock) and block.q == 1 and alike[i]]
    return found[0] if len(found) == 1 and not any(block.is_factor for block in blocks) else None


def rotated(rows: GaussianRows, place: int) -> tuple[GaussianRows, np.ndarray]:
    """Return the rows in which a block is one of levels, and U.

    Args:
        rows: the model.
        place: the block.
    """
    root, block = np.sqrt(rows.weights), rows.blocks[place]
    Z = block.Z * root[:, None]
    m, basis = np.linalg.eigh(Z.T @ Z)
    lengths = np.sqrt(np.where(m > NEGLIGIBLE * max(m[-1], 1e-300), m, 0.0))
    inverse = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    others = [i for i in range(len(rows.blocks)) if i != place]
    parts = [rows.kept, rows.design, rows.y[:, None], *(rows.blocks[i].Z for i in others)]
    columns = np.concatenate(parts, axis=1) * root[:, None]
    unit = (Z @ basis) * inverse
    along = unit.T @ columns
    rest = np.linalg.qr(columns - unit @ along, mode="r")
    turned = np.concatenate([along, rest])
    ends = np.cumsum([part.shape[1] for part in parts])
    kept, design, y, *dense = np.split(turned, ends[:-1], axis=1)
    codes = np.concatenate([np.arange(len(m)), np.zeros(len(rest), np.intp)]).astype(np.intp)
    columns_of_levels = np.concatenate([lengths, np.zeros(len(rest))])[:, None]
    blocks = list(rows.blocks)
    blocks[place] = GroupBlock(block.name, codes, len(m), columns_of_levels, (1,), block.columns)
    for i, Z_turned in zip(others, dense, strict=True):
        blocks[i] = _with_rows(rows.blocks[i], Z_turned)
    return replace(rows, y=y[:, 0], weights=np.ones(len(turned)), kept=kept, design=design, blocks=tuple(blocks)), basis


def _with_rows(block: AbstractBlock, Z: np.ndarray) -> AbstractBlock:
    """Return a block that every row touches with other rows."""
    assert isinstance(block, (DenseBlock, SpreadBlock))
    return replace(block, Z=Z, codes=np.zeros(len(Z), dtype=np.intp))
