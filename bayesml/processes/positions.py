"""The places where a Gaussian process is known: the different rows of its covariates, in units of their extent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.errors import DataError
from bayesml.lazy import lazy_module

__all__ = ["Positions", "distances", "fit_positions"]

spatial = lazy_module("scipy.spatial")

MOST_PAIRED = 2000  # places of which every two are compared
BLOCK = 4_000_000  # elements of a matrix of distances held at a time


@final
@dataclass(frozen=True, eq=False)
class Positions:
    """Different places, as found on the rows of the fit.

    Attributes:
        unit: what covariates are divided by: the largest distance between two places, or 1 for ``scale=FALSE``.
        points: the different places in this unit, in the order of their first rows, ``(points, covariates)``.
        extent: the largest distance between two of them in this unit.
    """

    unit: float
    points: np.ndarray
    extent: float

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Return ``values``, ``(rows, covariates)``, in the unit."""
        return values / self.unit

    def placed(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the place of each row, and the places that were not there in the fit.

        Returns:
            Numbers ``(rows,)`` of places, the new ones counted after those of the fit, and ``(new, covariates)``.
        """
        rows = self.scaled(values)
        together = np.concatenate([self.points, rows])
        first, place = _different(together)
        fresh = first[first >= len(self.points)]
        return place[len(self.points) :], together[fresh]


def fit_positions(values: np.ndarray, *, grouped: bool, scaled: bool, label: str) -> Positions:
    """Find the places of the rows of the fit.

    Args:
        values: the covariates, ``(rows, covariates)``.
        grouped: whether rows with equal covariates share a place, ``gr=TRUE``.
        scaled: whether distances are divided by the largest, ``scale=TRUE``.
        label: the call, for messages.

    Raises:
        DataError: all rows have the same covariates.
    """
    points = values[_different(values)[0]] if grouped else values
    extent = largest_distance(points)
    if not extent > 0.0:
        raise DataError(
            f"`{label}`: the covariates have the same values in all of its rows, so that there is no distance over "
            "which the process could change. Leave the term out."
        )
    unit = extent if scaled else 1.0
    return Positions(unit, points / unit, extent / unit)


def _different(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first row of each different one, in the order of the rows, and for each row the number of its like."""
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return first[order], rank[np.reshape(inverse, -1)]


def distances(first: np.ndarray, second: np.ndarray, isotropic: bool) -> np.ndarray:
    """Return the distances between places, ``(1, n, m)``, or along each covariate, ``(covariates, n, m)``."""
    apart = np.abs(first.T[:, :, None] - second.T[:, None, :])
    if not isotropic or len(apart) == 1:
        return apart
    return np.sqrt(np.sum(apart**2, axis=0))[None]


def largest_distance(points: np.ndarray) -> float:
    """Return the largest distance between two places."""
    if points.shape[1] == 1:
        return float(np.ptp(points))
    radius = np.sqrt(np.sum((points - points.mean(axis=0)) ** 2, axis=1))
    far = points[np.argmax(radius)]
    known = float(np.sqrt(np.sum((points - far) ** 2, axis=1)).max())
    # two places at least so far apart have radii that add up to it
    outer = points[radius >= known - radius.max()]
    return max(_extreme(outer, np.max), known)


def smallest_distance(points: np.ndarray, least: float) -> float:
    """Return the smallest distance above 0 between two places, or ``least`` where that is larger.

    Args:
        points: ``(points, covariates)``.
        least: places closer than this are the same.
    """
    if points.shape[1] == 1:
        steps = np.diff(np.unique(points[:, 0]))
        return max(float(steps.min(initial=np.inf)), least)
    different = np.unique(points, axis=0)
    if len(different) > MOST_PAIRED:
        return max(float(spatial.cKDTree(different).query(different, k=2)[0][:, 1].min()), least)
    return max(_extreme(different, _smallest), least)


def _smallest(numbers: np.ndarray) -> float:
    return float(numbers.min(where=numbers > 0.0, initial=np.inf))


def _extreme(points: np.ndarray, which: object) -> float:
    step = max(1, BLOCK // len(points))
    parts = [
        which(distances(points[start : start + step], points, isotropic=True))  # type: ignore[operator]
        for start in range(0, len(points), step)
    ]
    return float(which(np.array(parts)))  # type: ignore[operator]
