"""Levels with known covariances: relatives in a pedigree, species of a phylogeny."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np

from bayesml.errors import DataError
from bayesml.frame import KnownMatrix

__all__ = ["KnownCovariance"]

LISTED = 5


@final
@dataclass(frozen=True, eq=False)
class KnownCovariance:
    """The covariance matrix A of the levels of a factor, in units of the variance that is estimated.

    Attributes:
        matrix: A of all that have a name in it, levels of the data or not.
        labels: the levels of the data, in the order of the term.
        text: the term as written, for messages.
        unseen: the variance of a level without a row in A; None for the mean of the diagonal.
    """

    matrix: KnownMatrix
    labels: tuple[str, ...]
    text: str
    unseen: float | None = None

    @classmethod
    def of(cls, matrix: KnownMatrix, labels: Sequence[str], text: str) -> KnownCovariance:
        """Check a matrix against the levels of a factor.

        Raises:
            DataError: it has no names, is not symmetric or positive definite, or lacks a level.
        """
        matrix.check_names(f"the levels in `{text}`")
        missing = [label for label, place in zip(labels, matrix.positions(labels), strict=True) if place < 0]
        if missing:
            listed = ", ".join(f"`{label}`" for label in missing[:LISTED])
            more = f" and {len(missing) - LISTED} more" if len(missing) > LISTED else ""
            names = ", ".join(f"`{label}`" for label in (matrix.labels or ())[:LISTED])
            raise DataError(
                f"`{matrix.name}` of `{text}` has no row for the level{'s' * (len(missing) > 1)} {listed}{more}; its "
                f"rows are called {names}, .... Every level of the data needs one."
            )
        matrix.check_symmetric(text)
        matrix.check_positive_definite(text)
        return cls(matrix, tuple(labels), text)

    @classmethod
    def of_weights(cls, weights: np.ndarray, labels: Sequence[str], text: str) -> KnownCovariance:
        """Return independent levels whose log prior density counts several times, brms's ``gr(g, pw=w)``.

        w log Normal(z | 0, 1) is log Normal(z | 0, 1 / w) but for a constant. A new level counts once.

        Args:
            weights: ``(levels,)``, larger than 0.
            labels: the levels.
            text: the term as written.
        """
        matrix = KnownMatrix("pw", len(labels), np.diag(1.0 / weights), labels=tuple(labels))
        return cls(matrix, tuple(labels), text, 1.0)

    def weighted(self, weights: np.ndarray) -> KnownCovariance:
        """Return the same where the log prior density of each level counts several times, ``gr(g, cov=A, pw=w)``.

        brms weighs the standard normal variables z of ``r = R z``, ``R R' = A``. With W = diag(w) the levels of the
        data have the covariance matrix ``R W^-1 R'``. Others keep their distribution given these, ``r_new = B r + e``.

        Args:
            weights: ``(levels,)``, larger than 0.
        """
        A, places = self.matrix.dense, self.places
        own = (self.root / weights) @ self.root.T
        others = np.setdiff1d(np.arange(len(A)), places)
        slopes = np.linalg.solve(A[np.ix_(places, places)], A[np.ix_(places, others)]).T
        changed = np.array(A, dtype=float)
        changed[np.ix_(places, places)] = own
        changed[np.ix_(others, places)] = slopes @ own
        changed[np.ix_(places, others)] = own @ slopes.T
        shift = slopes @ (own - A[np.ix_(places, places)]) @ slopes.T
        changed[np.ix_(others, others)] = A[np.ix_(others, others)] + shift
        matrix = KnownMatrix(self.matrix.name, len(A), changed, labels=self.matrix.labels)
        return KnownCovariance(matrix, self.labels, self.text, self.typical_variance)

    @cached_property
    def places(self) -> np.ndarray:
        """The row of A of each level."""
        return self.matrix.positions(self.labels)

    @cached_property
    def root(self) -> np.ndarray:
        """L ``(levels, levels)`` with ``L L' = A`` of the levels of the data, lower triangular."""
        return np.linalg.cholesky(self.matrix.selected(self.places).dense)

    @cached_property
    def typical_variance(self) -> float:
        """What stands for a level that has no row in A: by default the mean of its diagonal."""
        return self.unseen if self.unseen is not None else float(np.mean(np.diagonal(self.matrix.dense)))

    def given(self, labels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the distribution of further levels given those of the data.

        With r = L e for the levels of the data, ``E(r_new | r) = A_no A_oo^-1 r = A_no L^-T e``.

        Args:
            labels: further levels. One without a row in A is independent of all.

        Returns:
            ``A_no L^-T`` ``(new, levels)``, and a root of the covariance matrix ``A_nn - A_no A_oo^-1 A_on``.
        """
        at = self.matrix.positions(labels)
        inside = at >= 0
        A = self.matrix.dense
        means = np.zeros((len(labels), len(self.labels)))
        covariance = np.diag(np.full(len(labels), self.typical_variance))
        if inside.any():
            between = A[np.ix_(at[inside], self.places)]
            means[inside] = np.linalg.solve(self.root, between.T).T
            own = A[np.ix_(at[inside], at[inside])] - means[inside] @ means[inside].T
            covariance[np.ix_(inside, inside)] = own
        values, vectors = np.linalg.eigh(covariance)
        return means, vectors * np.sqrt(np.clip(values, 0.0, None))

    def has(self, labels: Sequence[str]) -> np.ndarray:
        """Return of each label whether it has a row in A."""
        return self.matrix.positions(labels) >= 0
