"""Quadratic forms ``m' K^-1 m`` of many sparse rows m, without a solve for each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix, csr_matrix

__all__ = ["quadratic_forms"]

MOST_WORK = 1e9  # multiplications for the inverse of the blocks
MOST_ENTRIES = 2e7  # of that inverse
MOST_DENSE = 2_000  # effects beside those of the largest term
NUMBERS_AT_ONCE = 4_000_000


def quadratic_forms(K: csc_matrix, columns: csr_matrix, lead: slice) -> np.ndarray | None:
    """Return ``m' K^-1 m`` for every row m of ``columns``.

    Effects that no row of data links, directly or through others, have an inverse of small blocks; so have those of one
    term alone. With D the block of the largest term, C its coupling with the other effects and T their own block,
    S = T - C' D^-1 C,

        m' K^-1 m = m1' D^-1 m1 + r' S^-1 r,  r = m2 - C' D^-1 m1.

    Args:
        K: ``(effects, effects)`` symmetric, positive definite.
        columns: ``(rows, effects)``.
        lead: the effects of the largest term.

    Returns:
        ``(rows,)``; None where neither has small blocks, or where there are fewer rows than other effects, so that
        solving for each row is the shorter way.
    """
    whole = _block_inverse(K)
    if whole is not None:
        return _row_sums(columns @ whole, columns)
    rest = np.setdiff1d(np.arange(K.shape[0]), np.arange(K.shape[0])[lead])
    inner = None if len(rest) > min(MOST_DENSE, columns.shape[0]) else _block_inverse(K[lead, lead].tocsc())
    if inner is None:
        return None
    coupling = K[lead][:, rest].tocsc()
    solved = (inner @ coupling).tocsc()
    inverse = np.linalg.inv(K[rest][:, rest].toarray() - (coupling.T @ solved).toarray())
    own = columns[:, lead]
    forms = _row_sums(own @ inner, own)
    left = (columns[:, rest] - own @ solved).tocsr()
    step = max(NUMBERS_AT_ONCE // max(len(rest), 1), 1)
    for start in range(0, len(forms), step):
        part = left[start : start + step].toarray()
        forms[start : start + step] += np.einsum("nt,nt->n", part @ inverse, part)
    return forms


def _row_sums(left: csr_matrix, right: csr_matrix) -> np.ndarray:
    return np.asarray(left.multiply(right).sum(axis=1), dtype=float).reshape(-1)


def _block_inverse(K: csc_matrix) -> csc_matrix | None:
    """Return the inverse of a matrix of small blocks in any order of its rows; None where they are not small."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = K.shape[0]
    count, block = connected_components(K, directed=False)
    sizes = np.bincount(block, minlength=count)
    if np.sum(sizes.astype(float) ** 3) > MOST_WORK or np.sum(sizes.astype(float) ** 2) > MOST_ENTRIES:
        return None
    members = np.argsort(block, kind="stable")
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    place = np.empty(size, dtype=np.int64)
    place[members] = np.arange(size) - np.repeat(first, sizes)
    entries = K.tocoo()
    rows, places, values = [], [], []
    for width in np.unique(sizes):
        chosen = np.flatnonzero(sizes == width)
        number = np.full(count, -1)
        number[chosen] = np.arange(len(chosen))
        own = number[block[entries.row]] >= 0
        i, j = entries.row[own], entries.col[own]
        dense = np.zeros((len(chosen), width, width))
        dense[number[block[i]], place[i], place[j]] = entries.data[own]
        where = members[first[chosen][:, None] + np.arange(width)]
        rows.append(np.repeat(where, width, axis=1).ravel())
        places.append(np.tile(where, (1, width)).ravel())
        values.append(np.linalg.inv(dense).ravel())
    pairs = (np.concatenate(rows), np.concatenate(places))
    return coo_matrix((np.concatenate(values), pairs), (size, size)).tocsc()
