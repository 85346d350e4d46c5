"""Minus the second derivatives of the log density of each row in its linear predictors.

A row with one linear predictor has a number. One with several has a symmetric matrix, and an entry of the numerics for
each of its linear predictors: those of the first predictor in all rows, then those of the second, and so on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.linalg import ArrowMatrix, RowBlocks

__all__ = ["AbstractInformation", "RowMatrices", "RowNumbers"]


@dataclass(frozen=True)
class AbstractInformation(ABC):
    """The block-diagonal matrix W of all rows, ``(N, N)``; N counts the linear predictors of all rows."""

    @property
    @abstractmethod
    def diagonal(self) -> np.ndarray:
        """``(N,)``."""

    @property
    @abstractmethod
    def is_finite(self) -> bool:
        """Whether all entries are finite."""

    @property
    @abstractmethod
    def is_nonnegative(self) -> bool:
        """Whether no row has a direction of negative curvature."""

    @abstractmethod
    def nonnegative(self) -> AbstractInformation:
        """Return W without the directions in which it is negative."""

    @abstractmethod
    def times(self, values: np.ndarray) -> np.ndarray:
        """Return ``W v`` for ``(..., N)`` values."""

    @abstractmethod
    def root_times(self, values: np.ndarray) -> np.ndarray:
        """Return ``R v`` for ``(..., N)`` values, where ``R R' = W`` and W is nonnegative."""

    @abstractmethod
    def form(self, blocks: RowBlocks, rows: Sequence[np.ndarray]) -> ArrowMatrix:
        """Return ``M'WM`` for the columns ``M'``, ``(q, N)`` of each block."""

    @abstractmethod
    def leverages(self, rows: Sequence[np.ndarray], solutions: Sequence[np.ndarray]) -> np.ndarray:
        """Return ``M P M'`` within each row, which has the form of W, from ``M'`` and ``P M'``."""


@final
@dataclass(frozen=True)
class RowNumbers(AbstractInformation):
    """Rows with one linear predictor.

    Attributes:
        numbers: ``(n,)``.
    """

    numbers: np.ndarray

    @property
    def diagonal(self) -> np.ndarray:
        """The numbers."""
        return self.numbers

    @property
    def is_finite(self) -> bool:
        """Whether all are finite."""
        return bool(np.isfinite(self.numbers).all())

    @property
    def is_nonnegative(self) -> bool:
        """Whether none is negative."""
        return bool(self.numbers.min(initial=0.0) >= 0)

    def nonnegative(self) -> RowNumbers:
        """Return 0 in the place of negative ones."""
        return RowNumbers(np.maximum(self.numbers, 0.0))

    def times(self, values: np.ndarray) -> np.ndarray:
        """Return the products."""
        return self.numbers * values

    def root_times(self, values: np.ndarray) -> np.ndarray:
        """Return the products with the square roots."""
        return np.sqrt(self.numbers) * values

    def form(self, blocks: RowBlocks, rows: Sequence[np.ndarray]) -> ArrowMatrix:
        """Return the weighted cross-products."""
        return blocks.form(rows, weights=self.numbers)

    def leverages(self, rows: Sequence[np.ndarray], solutions: Sequence[np.ndarray]) -> np.ndarray:
        """Return ``(n,)``."""
        pairs = zip(rows, solutions, strict=True)
        return sum((np.einsum("qn,qn->n", row, solved) for row, solved in pairs), np.zeros(len(self.numbers)))


@final
@dataclass(frozen=True)
class RowMatrices(AbstractInformation):
    """Rows with d linear predictors.

    Attributes:
        matrices: ``(d, d, n)``, symmetric.
    """

    matrices: np.ndarray

    @property
    def diagonal(self) -> np.ndarray:
        """``(d n,)``."""
        return np.einsum("aan->an", self.matrices).ravel()

    @property
    def is_finite(self) -> bool:
        """Whether all entries are finite."""
        return bool(np.isfinite(self.matrices).all())

    @property
    def is_nonnegative(self) -> bool:
        """Whether no eigenvalue is negative beyond rounding."""
        values, _ = self._spectrum
        return bool((values >= -1e-14 * np.abs(values).max(axis=0, initial=0.0)).all())

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues ``(d, n)``, and eigenvectors as the columns of ``(d, d, n)``."""
        if len(self.matrices) == 2:
            return _spectrum_of_two(self.matrices)
        values, vectors = np.linalg.eigh(self.matrices.transpose(2, 0, 1))
        return np.ascontiguousarray(values.T), np.ascontiguousarray(vectors.transpose(1, 2, 0))

    def nonnegative(self) -> RowMatrices:
        """Return the matrices with 0 in the place of negative eigenvalues."""
        values, vectors = self._spectrum
        return RowMatrices(np.einsum("akn,kn,bkn->abn", vectors, np.maximum(values, 0.0), vectors))

    def _split(self, values: np.ndarray) -> np.ndarray:
        d, _, n = self.matrices.shape
        return values.reshape(*values.shape[:-1], d, n)

    def times(self, values: np.ndarray) -> np.ndarray:
        """Return the products of each row's matrix."""
        return np.einsum("abn,...bn->...an", self.matrices, self._split(values)).reshape(values.shape)

    def root_times(self, values: np.ndarray) -> np.ndarray:
        """Return the products with ``V sqrt(values)``."""
        spectrum, vectors = self._spectrum
        root = vectors * np.sqrt(np.maximum(spectrum, 0.0))
        return np.einsum("akn,...kn->...an", root, self._split(values)).reshape(values.shape)

    def form(self, blocks: RowBlocks, rows: Sequence[np.ndarray]) -> ArrowMatrix:
        """Return the cross-products of ``V'M`` with weights w: with ``W = V diag(w) V'`` a row counts as d rows."""
        values, vectors = self._spectrum
        turned = [np.einsum("qan,akn->qkn", self._split(row), vectors).reshape(row.shape) for row in rows]
        return blocks.form(turned, weights=values.ravel())

    def leverages(self, rows: Sequence[np.ndarray], solutions: Sequence[np.ndarray]) -> np.ndarray:
        """Return ``(d, d, n)``."""
        total = np.zeros_like(self.matrices)
        for row, solved in zip(rows, solutions, strict=True):
            total += np.einsum("qan,qbn->abn", self._split(row), self._split(solved))
        return total


def _spectrum_of_two(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues and eigenvectors of ``[[a, b], [b, c]]`` by a Jacobi rotation (Golub and Van Loan, 8.5.2)."""
    (a, b), (_, c) = matrices
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        tau = (c - a) / (2.0 * b)
        tangent = np.where(tau >= 0, 1.0, -1.0) / (np.abs(tau) + np.sqrt(1.0 + tau**2))
    tangent = np.where(b == 0.0, 0.0, tangent)
    cosine = 1.0 / np.sqrt(1.0 + tangent**2)
    sine = tangent * cosine
    return np.stack([a - tangent * b, c + tangent * b]), np.stack([[cosine, sine], [-sine, cosine]])
