"""Sequential ordinal families: a category is reached by passing the thresholds below it, one after the other.

At threshold k the process stops in category k or goes on. With z_k = disc (tau_k - eta)

    sratio: it stops with probability F(z_k),
    cratio: it goes on with probability F(-z_k).

They are the same where F is symmetric, F(-z) = 1 - F(z).
"""

from __future__ import annotations

from abc import abstractmethod
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

__all__ = ["EXAMPLE_CRATIO", "EXAMPLE_SRATIO", "CRatio", "SRatio", "cratio", "sratio"]

SYMMETRIC = ("logit", "probit", "probit_approx", "cauchit")


@dataclass(frozen=True)
class AbstractSequentialLikelihood(AbstractOrdinalLikelihood):
    """A sequential family with a known number of categories."""

    @abstractmethod
    def log_stop(self, z: Broadcast) -> Broadcast:
        """Return the log probability of stopping at a threshold."""

    @abstractmethod
    def log_go_on(self, z: Broadcast) -> Broadcast:
        """Return the log probability of passing it."""

    def log_category(self, y: Observed, z: Broadcast, counts: Broadcast) -> PerRow:
        """Return the sum over the thresholds passed, and that of stopping behind them where there is one more."""
        xp, steps = array_namespace(y, z), np.arange(1.0, z.shape[-1] + 1)
        category = xp.asarray(y)[..., None]
        stops, met = category == steps, (steps <= category) & (steps <= xp.asarray(counts)[..., None])
        z = xp.where(met, z, 0.0)
        if self.distribution.name in SYMMETRIC:
            parts = self.log_stop(xp.where(stops, z, -z))
        else:
            parts = xp.where(stops, self.log_stop(z), self.log_go_on(z))
        return xp.where(met, parts, 0.0).sum(-1)

    def probabilities(self, z: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the products of the probabilities of passing and of stopping."""
        stop, go_on = np.where(own, self.log_stop(z), 0.0), np.where(own, self.log_go_on(z), -np.inf)
        passed = np.concatenate([np.zeros((*go_on.shape[:-1], 1)), np.cumsum(go_on, axis=-1)], axis=-1)
        last = np.concatenate([stop, np.zeros((*stop.shape[:-1], 1))], axis=-1)
        return np.exp(passed + last)


@final
@dataclass(frozen=True)
class SRatio(AbstractOrdinal):
    """The stopping ratio family: P(Y = k) = F(z_k) prod_{j < k} (1 - F(z_j)) with z_k = disc (tau_k - eta)."""

    name: ClassVar[str] = "sratio"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (location(), DISC)

    def likelihood(self, groups: ThresholdGroups, levels: tuple[str, ...]) -> AbstractOrdinalLikelihood:
        """Return the likelihood."""
        return SRatioLikelihood(self, groups, levels)


@final
@dataclass(frozen=True)
class SRatioLikelihood(AbstractSequentialLikelihood):
    """A stopping ratio family with a known number of categories."""

    def log_stop(self, z: Broadcast) -> Broadcast:
        """Return log F(z)."""
        return self.distribution.log_inverse(z)

    def log_go_on(self, z: Broadcast) -> Broadcast:
        """Return log(1 - F(z))."""
        return self.distribution.log_complement(z)


@final
@dataclass(frozen=True)
class CRatio(AbstractOrdinal):
    """The continuation ratio family: P(Y = k) = (1 - F(-z_k)) prod_{j < k} F(-z_j) with z_k = disc (tau_k - eta)."""

    name: ClassVar[str] = "cratio"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (location(), DISC)

    def likelihood(self, groups: ThresholdGroups, levels: tuple[str, ...]) -> AbstractOrdinalLikelihood:
        """Return the likelihood."""
        return CRatioLikelihood(self, groups, levels)


@final
@dataclass(frozen=True)
class CRatioLikelihood(AbstractSequentialLikelihood):
    """A continuation ratio family with a known number of categories."""

    def log_stop(self, z: Broadcast) -> Broadcast:
        """Return log(1 - F(-z))."""
        return self.distribution.log_complement(-z)

    def log_go_on(self, z: Broadcast) -> Broadcast:
        """Return log F(-z)."""
        return self.distribution.log_inverse(-z)


def sratio(link: str = "logit", link_disc: str = "log", threshold: str = FLEXIBLE) -> SRatio:
    """Return the stopping ratio family: P(Y = k | Y >= k) = F(disc (tau_k - eta)).

    For categories that are reached one after the other. The thresholds need not increase, so that category specific
    effects ``cs(x)`` can take any value.

    Args:
        link: the distribution function F: ``logit``, ``probit``, ``probit_approx``, ``cloglog`` or ``cauchit``.
        link_disc: link of the discrimination ``disc``, which is 1 unless it has a formula or a value.
        threshold: ``flexible``; ``equidistant``: tau_k = tau_1 + (k - 1) delta; or ``sum_to_zero``.

    Raises:
        ModelError: a link or ``threshold`` is none of those.

    Example:
        >>> sratio("cloglog").link("mu").name
        'cloglog'
    """
    return SRatio.made(threshold, link, link_disc)


def cratio(link: str = "logit", link_disc: str = "log", threshold: str = FLEXIBLE) -> CRatio:
    """Return the continuation ratio family: P(Y > k | Y >= k) = F(disc (eta - tau_k)).

    With a symmetric distribution function it is the same as ``sratio``.

    Args:
        link: the distribution function F: ``logit``, ``probit``, ``probit_approx``, ``cloglog`` or ``cauchit``.
        link_disc: link of the discrimination ``disc``, which is 1 unless it has a formula or a value.
        threshold: ``flexible``; ``equidistant``: tau_k = tau_1 + (k - 1) delta; or ``sum_to_zero``.

    Raises:
        ModelError: a link or ``threshold`` is none of those.

    Example:
        >>> cratio(threshold="equidistant").threshold
        'equidistant'
    """
    return CRatio.made(threshold, link, link_disc)


EXAMPLE_SRATIO = Example(
    sratio("cloglog"),
    y=(1.0, 2.0, 3.0, 4.0),
    parameters={"mu": 0.4, "disc": 1.3, "b_Intercept": (-0.8, 0.9, 0.3)},
    log_density=(-1.6632288301419178, -0.36943919740306796, -2.6628014064902557, -3.003772331135222),
    source="NumPy 2.2: log(F * cumprod([1, *1 - F])), F = 1 - exp(-exp(1.3 * (tau - 0.4))), 1 of the last category",
)
EXAMPLE_CRATIO = Example(
    cratio("cloglog"),
    y=(1.0, 2.0, 3.0, 4.0),
    parameters={"mu": 0.4, "disc": 1.3, "b_Intercept": (-0.8, 0.9, 0.3)},
    log_density=(-4.758821245137852, -0.5306584718733076, -2.0471341538822814, -1.2942535077963995),
    source="NumPy 2.2: log((1 - G) * cumprod([1, *G])), G = 1 - exp(-exp(1.3 * (0.4 - tau))), 1 of the last category",
)
