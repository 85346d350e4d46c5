"""The Kaplan-Meier estimate of a survival curve, and the observed times that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Observed", "kaplan_meier", "right_censoring"]

RIGHT = 1.0


def kaplan_meier(
    times: np.ndarray,
    observed: np.ndarray,
    entry: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct times of events and the share that survives each of them.

    S(t) is the product over events at u <= t of 1 - d(u) / n(u), with d(u) events at u among the n(u) that have
    entered before u and are there until u (Kaplan and Meier 1958, Journal of the American Statistical Association 53).

    Args:
        times: ``(rows,)`` times of events, or of censoring.
        observed: ``(rows,)`` whether the event was observed; else it comes later than ``times``.
        entry: ``(rows,)`` from when each row was observed; None from the start.
        weights: ``(rows,)`` how often each row counts; None is once.
    """
    count = np.ones(len(times)) if weights is None else np.asarray(weights, dtype=float)
    distinct, place = np.unique(times, return_inverse=True)
    events = np.bincount(place, count * observed, len(distinct))
    leaving = np.bincount(place, count, len(distinct))
    at_risk = np.cumsum(leaving[::-1])[::-1]
    if entry is not None:
        # those that have not entered before a time are not at risk there
        order = np.argsort(entry, kind="stable")
        later = np.append(np.cumsum(count[order][::-1])[::-1], 0.0)
        at_risk = at_risk - later[np.searchsorted(entry[order], distinct, side="left")]
    happens = events > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        left = 1.0 - events[happens] / at_risk[happens]
    return distinct[happens], np.cumprod(np.clip(left, 0.0, 1.0))


@final
@dataclass(frozen=True)
class Observed:
    """When events were observed, or until when none was.

    Attributes:
        times: ``(rows,)`` observed times.
        happened: ``(rows,)`` whether the event was observed.
        entry: ``(rows,)`` from when a row was observed, its lower bound of truncation; None from the start.
        weights: ``(rows,)`` weights of the rows, or None.
    """

    times: np.ndarray
    happened: np.ndarray
    entry: np.ndarray | None
    weights: np.ndarray | None

    def rows(self, chosen: np.ndarray) -> Observed:
        """Return the times of some rows."""
        entry, weights = (None if each is None else each[chosen] for each in (self.entry, self.weights))
        return Observed(self.times[chosen], self.happened[chosen], entry, weights)

    def curve(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the Kaplan-Meier estimate of some rows."""
        some = (None if each is None else each[rows] for each in (self.entry, self.weights))
        return kaplan_meier(self.times[rows], self.happened[rows], *some)


def right_censoring(fit: AbstractSampledFit) -> Observed | None:
    """Return the observed times; None where some are censored on the left or on an interval."""
    arrays, weights = fit.problem.design.response.arrays, fit.problem.design.weights
    codes = arrays.get("cens", np.zeros(fit.nobs))
    if not np.isin(codes, [0.0, RIGHT]).all():
        return None
    entry = arrays.get("lb")
    return Observed(np.asarray(arrays["y"], dtype=float), codes != RIGHT, entry, weights)
