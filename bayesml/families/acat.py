"""The adjacent category family: thresholds between each category and the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.example import Example
from bayesml.families.ordinal import DISC, AbstractOrdinal, AbstractOrdinalLikelihood, location
from bayesml.families.records import DistributionalParameter
from bayesml.families.thresholds import FLEXIBLE, ThresholdGroups
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Observed, PerRow

__all__ = ["EXAMPLE", "ACat", "acat"]


@final
@dataclass(frozen=True)
class ACat(AbstractOrdinal):
    """Ordered categories: P(Y = k + 1 | Y is k or k + 1) = F(disc (eta - tau_k))."""

    name: ClassVar[str] = "acat"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (location("softit"), DISC)

    def likelihood(self, groups: ThresholdGroups, levels: tuple[str, ...]) -> AbstractOrdinalLikelihood:
        """Return the likelihood."""
        return ACatLikelihood(self, groups, levels)


@final
@dataclass(frozen=True)
class ACatLikelihood(AbstractOrdinalLikelihood):
    """An adjacent category family with a known number of categories.

    P(Y = k) is proportional to prod_{j < k} F(w_j) prod_{j >= k} (1 - F(w_j)) with w = disc (eta - tau). Divided by the
    product of all 1 - F, that is the product of the odds of the thresholds below k, or a softmax of the sums of their
    logarithms.
    """

    def log_category(self, y: Observed, z: Broadcast, counts: Broadcast) -> PerRow:
        """Return the log odds of the thresholds below y, less the logarithm of the sum over all categories."""
        xp, steps = array_namespace(y, z), np.arange(1.0, z.shape[-1] + 1)
        own = steps <= xp.asarray(counts)[..., None]
        log_odds = xp.where(own, self._log_odds(xp.where(own, z, 0.0)), 0.0)
        sums = xp.cumsum(log_odds, axis=-1)
        top = xp.maximum(sums.max(-1), 0.0)
        total = xp.exp(-top) + xp.where(own, xp.exp(sums - top[..., None]), 0.0).sum(-1)
        return xp.where(steps < xp.asarray(y)[..., None], log_odds, 0.0).sum(-1) - top - xp.log(total)

    def _log_odds(self, z: Broadcast) -> Broadcast:
        """Return the logit of F(-z)."""
        link = self.distribution
        return -z if link.name == "logit" else link.log_inverse(-z) - link.log_complement(-z)

    def probabilities(self, z: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the softmax of the sums of log odds."""
        sums = np.cumsum(np.where(own, self._log_odds(z), -np.inf), axis=-1)
        sums = np.concatenate([np.zeros((*sums.shape[:-1], 1)), sums], axis=-1)
        weights = np.exp(sums - sums.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)


def acat(link: str = "logit", link_disc: str = "log", threshold: str = FLEXIBLE) -> ACat:
    """Return the adjacent category family: P(Y = k + 1 | Y is k or k + 1) = F(disc (eta - tau_k)).

    With the logit link it is the multinomial model in which each category adds the same effect to the one before it.
    The thresholds need not increase, so that category specific effects ``cs(x)`` can take any value.

    Args:
        link: the distribution function F: ``logit``, ``probit``, ``probit_approx``, ``cloglog``, ``cauchit`` or
            ``softit``.
        link_disc: link of the discrimination ``disc``, which is 1 unless it has a formula or a value.
        threshold: ``flexible``; ``equidistant``: tau_k = tau_1 + (k - 1) delta; or ``sum_to_zero``.

    Raises:
        ModelError: a link or ``threshold`` is none of those.

    Example:
        >>> acat().threshold
        'flexible'
    """
    return ACat.made(threshold, link, link_disc)


EXAMPLE = Example(
    acat("probit"),
    y=(1.0, 2.0, 3.0, 4.0),
    parameters={"mu": 0.4, "disc": 1.3, "b_Intercept": (-0.8, 0.9, 0.3)},
    log_density=(-3.3713428409909687, -0.6087600144377132, -1.665953696718837, -1.4583440550848699),
    source="SciPy 1.17.1: log(w / sum(w)), w = cumprod([1, *F / (1 - F)]), F = norm.cdf(1.3 * (0.4 - tau))",
)
