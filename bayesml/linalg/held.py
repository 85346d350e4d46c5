"""Covariance factors in which one standard deviation or correlation has a given value.

With the coefficients in question moved to the front of their block, and T of ``Z = Q T`` found in that order, T Lambda
is lower triangular and its first rows hold them alone: row 0 is ``T_00 (a, 0)`` and row 1 ``T_10 (a, 0) + T_11 s (r,
sqrt(1 - r^2))`` where the standard deviations are |a| and |s| and the correlation is r. Holding the standard deviation
fixes one entry; holding the correlation leaves the entries that a and s span. Both are linear, and the columns of Q are
orthogonal, so that nothing depends on where a covariate has its zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesml.linalg.blocks import AbstractBlock, ThetaLayout

__all__ = ["HeldTheta", "hold_correlation", "hold_deviation", "in_front", "reordered_factor"]


def in_front(group: AbstractBlock, first: Sequence[int]) -> tuple[AbstractBlock, np.ndarray]:
    """Return a factor with some coefficients of one correlated block moved to its front, and ``(q,)`` the new order."""
    ends = np.cumsum(group.blocks)
    end = int(ends[np.searchsorted(ends, first[0], side="right")])
    start = end - group.blocks[int(np.searchsorted(ends, first[0], side="right"))]
    order = np.arange(group.q)
    order[start:end] = [*first, *(i for i in range(start, end) if i not in first)]
    if not group.is_factor:
        return group, order
    labels = tuple(group.labels()[i] for i in order)
    return replace(group, Z=np.ascontiguousarray(group.Z[:, order]), columns=labels), order


def reordered_factor(factor: np.ndarray, order: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Return ``T Lambda`` in lower-triangular form for reordered rows of a covariance factor."""
    turned = T @ factor[order]
    triangle = np.linalg.qr(turned.T)[1].T
    return np.tril(triangle * np.where(np.diagonal(triangle) < 0, -1.0, 1.0))


@dataclass(frozen=True)
class HeldTheta:
    """A map from free coordinates to entries of theta, internal coordinates.

    Attributes:
        constant: ``(k,)`` entries that are held, 0 elsewhere.
        free: entries that are coordinates themselves.
        pair: entries that two further coordinates span; none where a standard deviation is held.
        span: ``(entries, 2)`` what a and s contribute to them.
        triangle: ``(2, 2)`` R of ``span = Q R``; the coordinates are those of Q.
    """

    constant: np.ndarray
    free: np.ndarray
    pair: np.ndarray
    span: np.ndarray
    triangle: np.ndarray

    @property
    def size(self) -> int:
        """Number of coordinates."""
        return len(self.free) + self.span.shape[1]

    def theta(self, z: np.ndarray) -> np.ndarray:
        """Return the entries at coordinates ``(size,)``."""
        out = self.constant.copy()
        count = len(self.free)
        out[self.free] = z[:count]
        if len(self.pair):
            out[self.pair] = self._basis(z[count:]) @ z[count:]
        return out

    def jacobian(self, z: np.ndarray) -> np.ndarray:
        """Return ``(k, size)`` derivatives of the entries."""
        out = np.zeros((len(self.constant), self.size))
        count = len(self.free)
        out[self.free, np.arange(count)] = 1.0
        if len(self.pair):
            out[self.pair, count:] = self._basis(z[count:])
        return out

    def coordinates(self, theta: np.ndarray) -> np.ndarray:
        """Return the coordinates whose entries are closest to a theta."""
        own = theta[self.free]
        if not len(self.pair):
            return own
        z = np.linalg.qr(self.span)[0].T @ theta[self.pair]
        return np.append(own, z)

    def _basis(self, z: np.ndarray) -> np.ndarray:
        """The entries by the two coordinates; s takes the sign of a, since a correlation is that of both or neither."""
        inverse = np.linalg.inv(self.triangle)
        a, s = inverse @ z
        return self.span * np.array([1.0, -1.0 if a * s < 0 else 1.0]) @ inverse


def hold_deviation(layout: ThetaLayout, group: int, start: int, T: np.ndarray, value: float) -> HeldTheta:
    """Hold the standard deviation of the first coefficient of a block, whose place is ``start``."""
    entry = _entry(layout, group, start, start)
    constant = np.zeros(layout.size)
    constant[entry] = value * T[start, start]
    free = np.delete(np.arange(layout.size), entry)
    return HeldTheta(constant, free, np.zeros(0, dtype=np.intp), np.zeros((0, 0)), np.zeros((0, 0)))


def hold_correlation(layout: ThetaLayout, group: int, start: int, T: np.ndarray, value: float) -> HeldTheta:
    """Hold the correlation of the first two coefficients of a block."""
    second = start + 1
    pair = np.array([_entry(layout, group, r, c) for r, c in ((start, start), (second, start), (second, second))])
    span = np.array([[T[start, start], 0.0], [T[second, start], T[second, second] * value], [0.0, 0.0]])
    span[2, 1] = T[second, second] * np.sqrt(max(1.0 - value**2, 0.0))
    free = np.delete(np.arange(layout.size), pair)
    return HeldTheta(np.zeros(layout.size), free, pair, span, np.linalg.qr(span)[1])


def _entry(layout: ThetaLayout, group: int, row: int, column: int) -> int:
    found = (layout.group == group) & (layout.row == row) & (layout.column == column)
    return int(np.flatnonzero(found)[0])
