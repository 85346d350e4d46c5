"""The hurdle cumulative family: ordered categories, and one beside them that has no place in the order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.families.cumulative import cumulative_probabilities, log_interval
from bayesml.families.example import Example
from bayesml.families.more_zeros import probability_of_zero
from bayesml.families.ordinal import DISC, AbstractOrdinal, AbstractOrdinalLikelihood, location
from bayesml.families.records import DistributionalParameter
from bayesml.families.thresholds import FLEXIBLE, ThresholdGroups
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Expected, Observed, PerRow, Values

__all__ = ["EXAMPLE", "HurdleCumulative", "hurdle_cumulative"]


@final
@dataclass(frozen=True)
class HurdleCumulative(AbstractOrdinal):
    """P(Y = 0) = hu, and P(Y <= k | Y > 0) = F(disc (tau_k - eta)) with increasing thresholds."""

    name: ClassVar[str] = "hurdle_cumulative"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (location(), probability_of_zero("hu"), DISC)
    increasing: ClassVar[bool] = True
    first: ClassVar[int] = 0

    def likelihood(self, groups: ThresholdGroups, levels: tuple[str, ...]) -> AbstractOrdinalLikelihood:
        """Return the likelihood."""
        return HurdleCumulativeLikelihood(self, groups, levels)


@final
@dataclass(frozen=True)
class HurdleCumulativeLikelihood(AbstractOrdinalLikelihood):
    """A hurdle cumulative family with a known number of categories; the one beside them is 0."""

    linear: ClassVar[frozenset[str]] = frozenset({"mu", "hu"})  # type: ignore[assignment]

    def log_category(self, y: Observed, z: Broadcast, counts: Broadcast) -> PerRow:
        """Return that of the categories in order."""
        return log_interval(self.distribution, y, z, counts)

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log hu, or log(1 - hu) + log(F(z_y) - F(z_{y - 1}))."""
        xp, link, eta = array_namespace(y, values["mu"]), self.link("hu"), values["hu"]
        inside = AbstractOrdinalLikelihood.log_prob(self, xp.maximum(y, 1.0), values, data)
        return xp.where(y < 1, link.log_inverse(eta), link.log_complement(eta) + inside)

    def probabilities(self, z: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return those of the categories in order, which sum to 1."""
        return cumulative_probabilities(self.distribution, z, own)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the probability of each category, that of 0 first."""
        inside = AbstractOrdinalLikelihood.mean(self, parameters, data)
        hu = np.broadcast_to(np.asarray(parameters["hu"]), inside.shape[:-1])[..., None]
        return np.concatenate([hu, (1.0 - hu) * inside], axis=-1)


def hurdle_cumulative(
    link: str = "logit", link_hu: str = "logit", link_disc: str = "log", threshold: str = FLEXIBLE
) -> HurdleCumulative:
    """Return the hurdle cumulative family: ordered categories, and one beside them such as "no answer".

    The response is 0 for that one and 1, 2, ... for the others, or an ordered factor whose first level it is.

    Args:
        link: the distribution function F: ``logit``, ``probit``, ``probit_approx``, ``cloglog`` or ``cauchit``.
        link_hu: link of the probability hu of the category beside the others, where it has a formula.
        link_disc: link of the discrimination ``disc``, which is 1 unless it has a formula or a value.
        threshold: ``flexible``; ``equidistant``: tau_k = tau_1 + (k - 1) delta; or ``sum_to_zero``.

    Raises:
        ModelError: a link or ``threshold`` is none of those.

    Example:
        >>> hurdle_cumulative("probit").link("mu").name
        'probit'
    """
    return HurdleCumulative.made(threshold, link, link_hu, link_disc)


EXAMPLE = Example(
    hurdle_cumulative("probit"),
    y=(0.0, 1.0, 2.0, 3.0, 4.0),
    parameters={"mu": 0.4, "disc": 1.3, "hu": 0.2, "b_Intercept": (-0.8, 0.3, 1.1)},
    log_density=(
        -1.6094379124341003,
        -3.046942361385737,
        -1.1675681737659767,
        -1.2165704038905631,
        -1.9301322499325158,
    ),
    source="SciPy 1.17.1: log(0.2), log(0.8 diff([0, *norm.cdf(1.3 * (tau - 0.4)), 1]))",
)
