"""The cumulative family: one latent variable, cut into categories by thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.example import Example
from bayesml.families.ordinal import DISC, AbstractOrdinal, AbstractOrdinalLikelihood, location
from bayesml.families.records import DistributionalParameter
from bayesml.families.thresholds import FLEXIBLE, ThresholdGroups
from bayesml.links import Link
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Observed, PerRow

__all__ = [
    "EXAMPLE",
    "Cumulative",
    "CumulativeLikelihood",
    "cumulative",
    "cumulative_probabilities",
    "log_interval",
]


@final
@dataclass(frozen=True)
class Cumulative(AbstractOrdinal):
    """Ordered categories by a latent variable between increasing thresholds: P(Y <= k) = F(disc (tau_k - eta))."""

    name: ClassVar[str] = "cumulative"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (location("softit"), DISC)
    increasing: ClassVar[bool] = True

    def likelihood(self, groups: ThresholdGroups, levels: tuple[str, ...]) -> AbstractOrdinalLikelihood:
        """Return the likelihood."""
        return CumulativeLikelihood(self, groups, levels)


@final
@dataclass(frozen=True)
class CumulativeLikelihood(AbstractOrdinalLikelihood):
    """A cumulative family with a known number of categories."""

    def log_category(self, y: Observed, z: Broadcast, counts: Broadcast) -> PerRow:
        """Return log(F(z_y) - F(z_{y - 1})), exact in both tails."""
        return log_interval(self.distribution, y, z, counts)

    def probabilities(self, z: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the differences of F."""
        return cumulative_probabilities(self.distribution, z, own)


def log_interval(link: Link, y: Observed, z: Broadcast, counts: Broadcast) -> PerRow:
    """Return log(F(z_y) - F(z_{y - 1})), where F is 0 below the first threshold and 1 above the last.

    Args:
        link: the link whose inverse is F.
        y: ``(rows,)`` categories, from 1.
        z: ``(..., rows, thresholds)``.
        counts: number of thresholds of each row.
    """
    xp, steps = array_namespace(y, z), np.arange(1.0, z.shape[-1] + 1)
    category = xp.asarray(y)[..., None]
    upper = xp.where(category == steps, z, 0.0).sum(-1)
    lower = xp.where(category == steps + 1, z, 0.0).sum(-1)
    return _log_between(link, lower, upper, y <= 1, y > counts)


def cumulative_probabilities(link: Link, z: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the probability of every category, ``(..., rows, thresholds + 1)``."""
    below = np.where(own, link.inverse(z), 1.0)
    edges = (np.zeros((*below.shape[:-1], 1)), below, np.ones((*below.shape[:-1], 1)))
    return np.maximum(np.diff(np.concatenate(edges, axis=-1), axis=-1), 0.0)


def _log_between(link: Link, lower: Broadcast, upper: Broadcast, lowest: Broadcast, highest: Broadcast) -> PerRow:
    """Return log(F(upper) - F(lower)); no lower limit where ``lowest`` and no upper limit where ``highest``."""
    xp, middle = array_namespace(upper), ~(lowest | highest)
    rising = upper > lower
    if link.name == "logit":
        # F(u) - F(l) = F(u) F(-l) (1 - exp(l - u)) of the logistic distribution; a limit that is missing has no factor
        limits = xp.where(highest, 0.0, link.log_inverse(upper)) + xp.where(lowest, 0.0, link.log_complement(lower))
        gap = xp.where(middle & rising, upper - lower, 1.0)
        return limits + xp.where(middle, xp.where(rising, xp.log(-xp.expm1(-gap)), -inf), 0.0)
    # Both limits are moved where one is missing, so that no branch that is not taken has an infinite gradient.
    safe_lower, safe_upper = xp.where(middle, lower, -1.0), xp.where(middle, upper, 1.0)
    between = xp.where(rising | ~middle, _log_difference(link, safe_lower, safe_upper, rising | ~middle), -inf)
    return xp.where(lowest, link.log_inverse(upper), xp.where(highest, link.log_complement(lower), between))


def _log_difference(link: Link, lower: Broadcast, upper: Broadcast, rising: Broadcast) -> PerRow:
    """Return log(F(upper) - F(lower)) in the tail in which both are small."""
    xp, left = array_namespace(upper), upper + lower < 0
    larger = xp.where(left, link.log_inverse(upper), link.log_complement(lower))
    smaller = xp.where(left, link.log_inverse(lower), link.log_complement(upper))
    ratio = xp.where(rising, xp.minimum(smaller - larger, -1e-300), -1.0)
    return larger + xp.log(-xp.expm1(ratio))


def cumulative(link: str = "logit", link_disc: str = "log", threshold: str = FLEXIBLE) -> Cumulative:
    """Return the cumulative family, for ordered categories: P(Y <= k) = F(disc (tau_k - eta)).

    Args:
        link: the distribution function F: ``logit``, ``probit``, ``probit_approx``, ``cloglog``, ``cauchit`` or
            ``softit``.
        link_disc: link of the discrimination ``disc``, which is 1 unless it has a formula or a value.
        threshold: ``flexible``; ``equidistant``: tau_k = tau_1 + (k - 1) delta; or ``sum_to_zero``: their mean is 0, so
            that predictors are not centred and an intercept can be the effect of a group.

    Raises:
        ModelError: a link or ``threshold`` is none of those.

    Example:
        >>> cumulative("probit").link("mu").name
        'probit'
    """
    return Cumulative.made(threshold, link, link_disc)


EXAMPLE = Example(
    cumulative("probit"),
    y=(1.0, 2.0, 3.0, 4.0),
    parameters={"mu": 0.4, "disc": 1.3, "b_Intercept": (-0.8, 0.3, 1.1)},
    log_density=(-2.823798810071527, -0.944424622451767, -0.9934268525763535, -1.706988698618306),
    source="SciPy 1.17.1: log(diff([0, *norm.cdf(1.3 * (tau - 0.4)), 1]))",
)
