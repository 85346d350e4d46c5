"""How the columns of a row become columns of every vector of effects, for effects that are not one of each level.

With z_l the vector of level l and R a root of a matrix of known covariances between levels, ``R R' = A``, the effects
of level j are ``r_j = sum_l R_jl z_l``. A row that belongs to the levels j_1, j_2, ... with weights w_1, w_2, ... and
has the columns x adds

    sum_m w_m x' r_j(m) = sum_l x' z_l sum_m w_m R_j(m)l,

so that its columns of the vector l are x times ``sum_m w_m R_j(m)l``. Independent levels have R = I.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

__all__ = ["RowSpread"]


@final
@dataclass(frozen=True)
class RowSpread:
    """What the rows of a group-level term touch.

    Its arrays are ``Z`` ``(rows, entries)``, or ``(rows, members, entries)`` where each member has columns of its own;
    ``index`` ``(rows,)`` or ``(rows, members)``, where numbers beyond the levels stand for new ones; ``weight``
    ``(rows, members)`` where a row has several; and ``root`` ``(levels, vectors)`` where levels are not independent.

    Attributes:
        vectors: number of vectors.
        strata: the stratum of each vector, and the number of entries that belong to each; empty where there are none.
        entries: number of entries of a vector in each stratum.
        table: name of the matrix of covariances between levels among the arrays, where there is one.
        of_levels: whether the vectors belong to levels, with an entry for each varying column.
    """

    vectors: int
    strata: tuple[int, ...] = ()
    entries: int = 0
    of_levels: bool = True
    table: str = "root"

    def columns(self, arrays: Mapping[str, np.ndarray], entries: tuple[int, ...] | None = None) -> np.ndarray:
        """Return the columns ``(rows, entries * vectors)``, those of the first entry for all vectors first.

        Args:
            arrays: the arrays of the term.
            entries: which entries are requested; None for all.
        """
        Z = np.asarray(arrays["Z"], dtype=float)
        wanted = range(Z.shape[-1]) if entries is None else entries
        parts = [self._entry(arrays, Z[..., entry]) * self._inside(entry) for entry in wanted]
        return np.concatenate(parts, axis=1)

    def _entry(self, arrays: Mapping[str, np.ndarray], z: np.ndarray) -> np.ndarray:
        """Return the columns of one entry, ``(rows, vectors)``; z is ``(rows,)`` or ``(rows, members)``."""
        index = np.asarray(arrays["index"])
        members = index.reshape(len(index), -1)
        weights = np.asarray(arrays["weight"], dtype=float) if "weight" in arrays else np.ones(members.shape)
        total = np.zeros((len(index), self.vectors))
        root, rows = arrays.get(self.table), np.arange(len(index))
        count = self.vectors if root is None else len(root)  # of new levels the root has rows too
        for place in range(members.shape[1]):
            level = members[:, place]
            known = (level >= 0) & (level < count)
            scale = weights[:, place] * (z if z.ndim == 1 else z[:, place]) * known
            inside = np.where(known, level, 0)
            if root is None:
                np.add.at(total, (rows, inside), scale)
            else:
                total += scale[:, None] * np.asarray(root)[inside]
        return total

    def _inside(self, entry: int) -> np.ndarray:
        """Return of which vectors an entry exists: that of one stratum does where the vector lies in it."""
        if not self.strata:
            return np.ones(self.vectors)
        return (np.asarray(self.strata) == entry // self.entries).astype(float)
