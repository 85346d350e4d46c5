"""A matrix beside the table: known covariances of levels, which areas are neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.errors import DataError
from bayesml.frame.values import frozen_array
from bayesml.frozen import fields_alone

__all__ = ["KnownMatrix"]

SYMMETRIC = 1e-8
"""How far two entries may be apart that should be equal, as a share of the largest entry."""

DEFINITE = 1e-7
"""Smallest entry on the diagonal of a Cholesky factor, as a share of the largest."""

SMALL = 3000
"""Up to how many rows the smallest eigenvalue is computed for a message."""


@final
@dataclass(frozen=True, eq=False)
class KnownMatrix:
    """A square matrix of finite numbers, dense or by its entries that are not 0.

    Attributes:
        name: its name in ``data2``.
        size: number of rows, and of columns.
        values: ``(size, size)``; of a sparse matrix ``(entries,)``.
        rows: ``(entries,)`` the row of each entry, sorted; None for a dense matrix.
        columns: ``(entries,)`` its column, sorted within a row.
        labels: what the rows, and the columns, are called; None where they have no names.
    """

    name: str
    size: int
    values: np.ndarray
    rows: np.ndarray | None = None
    columns: np.ndarray | None = None
    labels: tuple[str, ...] | None = None
    __getstate__ = fields_alone

    @property
    def is_sparse(self) -> bool:
        """Whether the entries alone are held."""
        return self.rows is not None

    @cached_property
    def dense(self) -> np.ndarray:
        """All entries, ``(size, size)``."""
        if self.rows is None or self.columns is None:
            return self.values
        full = np.zeros((self.size, self.size))
        full[self.rows, self.columns] = self.values
        return frozen_array(full)

    @cached_property
    def entries(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, columns and values of the entries that are not 0, row by row."""
        if self.rows is None or self.columns is None:
            rows, columns = np.nonzero(self.values)
            return rows, columns, self.values[rows, columns]
        return self.rows, self.columns, self.values

    def positions(self, labels: Sequence[str]) -> np.ndarray:
        """Return the row that has each of these names, -1 where none has; the matrix has names."""
        known = {label: i for i, label in enumerate(self.labels or ())}
        return np.array([known.get(label, -1) for label in labels], dtype=np.int64)

    def selected(self, places: np.ndarray) -> KnownMatrix:
        """Return some rows and the same columns in this order, dense."""
        labels = None if self.labels is None else tuple(self.labels[place] for place in places)
        if self.rows is None:
            return KnownMatrix(self.name, len(places), frozen_array(self.values[np.ix_(places, places)]), labels=labels)
        target = np.full(self.size, -1, dtype=np.int64)
        target[places] = np.arange(len(places))
        rows, columns, values = self.entries
        kept = (target[rows] >= 0) & (target[columns] >= 0)
        full = np.zeros((len(places), len(places)))
        full[target[rows[kept]], target[columns[kept]]] = values[kept]
        return KnownMatrix(self.name, len(places), frozen_array(full), labels=labels)

    def check_names(self, what: str) -> None:
        """Refuse a matrix without names of its rows.

        Args:
            what: what is written, ``gr(g, cov=A)``, and what the rows stand for.
        """
        if self.labels is None:
            raise DataError(
                f"The rows of `{self.name}` have no names, so that they cannot be matched to {what}. Give a DataFrame, "
                f"pandas.DataFrame({self.name}, index=names, columns=names), or the pair ({self.name}, names)."
            )

    def check_symmetric(self, what: str) -> None:
        """Refuse a matrix that is not its own transpose.

        Args:
            what: what is written, ``car(W)``.
        """
        rows, columns, values = self.entries
        if not len(values):
            return
        others = self._transposed(rows, columns)
        far = np.abs(values - others) > SYMMETRIC * np.abs(values).max()
        if far.any():
            i = int(np.argmax(far))
            first, second = self.place(int(rows[i]), int(columns[i])), self.place(int(columns[i]), int(rows[i]))
            raise DataError(
                f"`{what}` needs a symmetric matrix, but `{self.name}` has {values[i]:g} at {first} and {others[i]:g} "
                f"at {second}. Where the two should be the same, take ({self.name} + {self.name}.T) / 2."
            )

    def _transposed(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the entries at ``(columns, rows)``."""
        if self.rows is None:
            return np.asarray(self.values[columns, rows])
        keys = rows * self.size + columns  # ascending
        wanted = columns * self.size + rows
        at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[at] == wanted, self.values[at], 0.0)

    def check_positive_definite(self, what: str) -> None:
        """Refuse a symmetric matrix that is no covariance matrix of full rank.

        Args:
            what: what is written, ``gr(g, cov=A)``.
        """
        with np.errstate(all="ignore"):
            try:
                diagonal = np.diag(np.linalg.cholesky(self.dense))
                is_definite = bool(diagonal.min() > DEFINITE * diagonal.max())
            except np.linalg.LinAlgError:
                is_definite = False
        if is_definite:
            return
        least = float(np.linalg.eigvalsh(self.dense)[0]) if self.size <= SMALL else float("nan")
        found = f": its smallest eigenvalue is {least:.2g}" if np.isfinite(least) else ""
        raise DataError(
            f"`{what}` needs a positive definite matrix, and `{self.name}` is not one{found}. Rows that say the same "
            "(identical twins, a species twice) are one level; a matrix that was rounded is mended by a small number "
            "added to its diagonal."
        )

    def place(self, row: int, column: int) -> str:
        """Return how an entry is named, counting from 1 where rows have no names."""
        if self.labels is None:
            return f"row {row + 1}, column {column + 1} (counting from 1)"
        return f"[{self.labels[row]}, {self.labels[column]}]"
