"""Which earlier places a nearest-neighbour process depends on, and in which order places can be computed.

Places are ordered so that each is as far as possible from those before it (maximin order, Guinness 2018), which makes
the nearest earlier places few and well spread. Each place depends on its m nearest earlier ones. Places that do not
depend on each other are computed together: they are renumbered by levels, where a place stands one level behind the
last place that it depends on.

Source: Datta, Banerjee, Finley and Gelfand (2016), Hierarchical nearest-neighbor Gaussian process models for large
geostatistical datasets, JASA 111, 800-812; Guinness (2018), Permutation and grouping methods for sharpening Gaussian
process approximations, Technometrics 60, 415-429.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    Points = Float[np.ndarray, "places covariates"]

__all__ = ["Neighbours", "find_neighbours", "nearest"]

spatial = lazy_module("scipy.spatial")

MOST_ORDERED = 20_000
"""Most places that are put into maximin order, which takes the square of their number; others stand at random."""
FIRST = 256
"""Places whose earlier neighbours are sought among all of them."""


@final
@dataclass(frozen=True, eq=False)
class Neighbours:
    """The places in the order in which they are computed.

    Attributes:
        order: ``(n,)`` the place that stands at each position.
        before: ``(n, m)`` positions of the nearest earlier places; 0 where there are fewer.
        there: ``(n, m)`` which of them there are.
        starts: ``(steps,)`` the first position of each step.
        counts: ``(steps,)`` number of positions of each step.
    """

    order: Int[np.ndarray, " n"]
    before: Int[np.ndarray, "n m"]
    there: Bool[np.ndarray, "n m"]
    starts: Int[np.ndarray, " steps"]
    counts: Int[np.ndarray, " steps"]

    @property
    def position(self) -> np.ndarray:
        """The position of each place, ``(n,)``."""
        found = np.empty(len(self.order), np.int64)
        found[self.order] = np.arange(len(self.order))
        return found


def find_neighbours(points: Points, most: int) -> Neighbours:
    """Order places and find the nearest earlier ones of each.

    Args:
        points: ``(n, covariates)``, different ones.
        most: number of neighbours.

    Example:
        >>> import numpy as np
        >>> find_neighbours(np.array([[0.0], [1.0], [2.0], [3.0]]), 1).order.tolist()
        [1, 3, 0, 2]
    """
    n, m = len(points), min(most, len(points) - 1)
    order = _maximin(points) if n <= MOST_ORDERED else np.random.default_rng(n).permutation(n)
    before = _nearest_earlier(points[order], m)
    there = before >= 0
    level = np.zeros(n, np.int64)
    for i in range(1, n):
        level[i] = 1 + level[before[i, there[i]]].max()
    by_level = np.argsort(level, kind="stable")
    position = np.empty(n, np.int64)
    position[by_level] = np.arange(n)
    renumbered = np.where(there, position[np.maximum(before, 0)], 0)[by_level]
    starts, counts = _steps(np.bincount(level))
    return Neighbours(order[by_level], renumbered, there[by_level], starts, counts)


def _maximin(points: Points) -> np.ndarray:
    """Return an order in which each place is the farthest from those before it; the first is the most central."""
    n = len(points)
    order = np.empty(n, np.int64)
    order[0] = np.argmin(((points - points.mean(axis=0)) ** 2).sum(axis=1))
    gap = np.full(n, np.inf)
    columns = np.ascontiguousarray(points.T)
    for i in range(1, n):
        last = order[i - 1]
        square = np.zeros(n)
        for column in columns:
            square += (column - column[last]) ** 2
        np.minimum(gap, square, out=gap)
        gap[last] = -1.0
        order[i] = np.argmax(gap)
    return order


def _nearest_earlier(points: Points, m: int) -> np.ndarray:
    """Return the m nearest of the places before each, ``(n, m)``, the nearest first and -1 where there are fewer."""
    n = len(points)
    found = np.full((n, m), -1, np.int64)
    first = min(n, max(FIRST, 2 * m))
    _among_all(points, np.arange(1, first), found)
    start = first
    while start < n:
        stop = min(n, 2 * start)
        tree, wanted = spatial.cKDTree(points[:stop]), np.arange(start, stop)
        sought = 2 * m + 8
        while wanted.size:
            _, near = tree.query(points[wanted], k=min(sought, stop))
            earlier = near < wanted[:, None]
            enough = (earlier.sum(axis=1) >= m) | (sought >= stop)
            # of each row the first m that are earlier, in the order of their distances
            rank = np.argsort(~earlier, axis=1, kind="stable")[:, :m]
            found[wanted[enough]] = np.take_along_axis(near, rank, axis=1)[enough]
            wanted, sought = wanted[~enough], 2 * sought
        start = stop
    return found


def _among_all(points: Points, rows: np.ndarray, found: np.ndarray) -> None:
    for i in rows:
        square = ((points[:i] - points[i]) ** 2).sum(axis=1)
        near = np.argsort(square, kind="stable")[: found.shape[1]]
        found[i, : len(near)] = near


def _steps(sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split levels into steps of about equal numbers of places; each step costs as much as the largest."""
    width = max(1, int(np.ceil(sizes.sum() / len(sizes))))
    starts, counts, first = [], [], 0
    for size in sizes.tolist():
        for begin in range(0, size, width):
            starts.append(first + begin)
            counts.append(min(width, size - begin))
        first += size
    return np.array(starts, np.int32), np.array(counts, np.int32)


def nearest(points: Points, new: Points, most: int) -> np.ndarray:
    """Return the nearest places of each new one, ``(new, min(most, places))``."""
    count = min(most, len(points))
    _, near = spatial.cKDTree(points).query(new, k=count)
    return np.asarray(near).reshape(len(new), count)
