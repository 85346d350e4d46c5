"""Ordinal responses: categories in order, separated by thresholds on the scale of the linear predictor.

P(Y <= k) = F(disc (tau_k - eta)) of the cumulative family, with thresholds tau_1 < ... < tau_{K-1}. A category
specific effect ``cs(x)`` has a coefficient for each threshold and makes tau_k to tau_k - x b_k.

Source: Bürkner and Vuorre (2019), Ordinal regression models in psychology: a tutorial, Advances in Methods and
Practices in Psychological Science 2, 77-101.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions import normal
from bayesml.errors import DataError, ModelError
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.categories import MOST_CATEGORIES, draw_categories, numbers_of_categories
from bayesml.families.example import Example
from bayesml.families.records import DistributionalParameter, RawResponse, ResponseData, Traits
from bayesml.families.response import numbers, require
from bayesml.families.scales import SCALE_LINKS
from bayesml.families.thresholds import (
    EQUIDISTANT,
    FLEXIBLE,
    GROUPS,
    SPACINGS,
    SUM_TO_ZERO,
    EquidistantThresholds,
    MergedThresholds,
    ThresholdGroups,
    ThresholdsSumToZero,
    threshold_groups,
    threshold_parameters,
)
from bayesml.keys import MU
from bayesml.links import Link, get_link
from bayesml.names import intercept_variable, thresholds_variable
from bayesml.namespace import array_namespace
from bayesml.spec import JointTarget, ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, DataArrays, Drawn, Expected, Numbers, Observed, PerRow, Values

__all__ = ["EXAMPLE", "Cumulative", "CumulativeLikelihood", "cumulative"]

ORDINAL_LINKS = ("logit", "probit", "cloglog", "cauchit")
MU_PARAMETER = DistributionalParameter("mu", ORDINAL_LINKS, (-inf, inf))
DISC = DistributionalParameter(
    "disc", SCALE_LINKS, (0.0, inf), intercept_prior=normal(0, 1), unpredicted=1.0, typical=1.0
)
SPECIFIC = "cs"
"""The predictor of category specific effects, ``(rows, thresholds)``."""


@final
@dataclass(frozen=True)
class Cumulative(AbstractFamily):
    """Ordered categories by a latent variable between thresholds: P(Y <= k) = F(disc (tau_k - eta)).

    Attributes:
        threshold: ``flexible`` thresholds, ``equidistant`` ones, or ``sum_to_zero``.
    """

    threshold: str = FLEXIBLE

    name: ClassVar[str] = "cumulative"
    dpars: ClassVar[tuple[DistributionalParameter, ...]] = (MU_PARAMETER, DISC)

    def bind(self, response: RawResponse) -> CumulativeLikelihood:
        """Count the categories."""
        codes, levels = _categories(response, self.name)
        groups = threshold_groups(response, codes, levels)
        if groups.are_many and self.threshold != FLEXIBLE:
            raise ModelError(
                f'Thresholds of groups, thres(gr=), are flexible; threshold="{self.threshold}" is for one set of them.'
            )
        if levels and groups.most + 1 > len(levels):
            raise DataError(
                f"`thres({groups.most})` says that `{response.name}` has {groups.most + 1} categories, and the column "
                f"has {len(levels)} levels. Give it a level for every category, or use whole numbers from 1."
            )
        return CumulativeLikelihood(self, groups, levels)


@final
@dataclass(frozen=True)
class CumulativeLikelihood(AbstractLikelihood):
    """A cumulative family with a known number of categories.

    Attributes:
        chosen_family: the family as the user chose it.
        groups: the thresholds, one set for all rows or one for each group of rows.
        levels: labels of the categories; empty for whole numbers.
    """

    chosen_family: Cumulative
    groups: ThresholdGroups
    levels: tuple[str, ...]

    linear: ClassVar[frozenset[str]] = frozenset({"mu"})
    flat_in_brms: ClassVar[frozenset[str]] = frozenset({"delta"})

    @property
    def family(self) -> AbstractFamily:
        """The family."""
        return self.chosen_family

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """The location mu and the discrimination."""
        return (MU_PARAMETER, DISC)

    def link(self, dpar: str) -> Link:
        """Return the identity for mu, whose distribution function is no transformation of mu; else the link chosen."""
        return get_link("identity") if dpar == "mu" else self.chosen_family.link(dpar)

    @property
    def traits(self) -> Traits:
        """A few values, which repeat."""
        return Traits(discrete=True, rows_repeat=True, thresholds=True)

    @property
    def thresholds(self) -> int:
        """Number of thresholds."""
        return self.groups.total

    @property
    def threshold_labels(self) -> tuple[str, ...]:
        """Label of each threshold, ``item,1`` of that of a group."""
        return self.groups.threshold_labels

    @property
    def centres_predictors(self) -> bool:
        """One free level of the thresholds belongs to centred predictors, as in brms."""
        return not self.groups.are_many and self.chosen_family.threshold != SUM_TO_ZERO

    @property
    def count(self) -> int:
        """Largest number of thresholds of a row, one less than categories."""
        return self.groups.most

    @property
    def event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One probability for each category."""
        return (self.count + 1,)

    @property
    def event_labels(self) -> tuple[str, ...]:  # type: ignore[override]
        """The categories."""
        return self.levels[: self.count + 1] or tuple(str(k) for k in range(1, self.count + 2))

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:  # type: ignore[override]
        """Return the thresholds of centred predictors, or what they are computed from."""
        return threshold_parameters(self.chosen_family.threshold, self.groups)

    @property
    def computed(self) -> tuple[JointTarget, ...]:
        """Return the thresholds where they are not sampled themselves."""
        target = ParameterSpec(intercept_variable(MU), "Intercept", (self.groups.total,))
        if self.groups.are_many:
            return (JointTarget(MergedThresholds(tuple(p.name for p in self.parameters)), target),)
        if self.chosen_family.threshold == EQUIDISTANT:
            return (JointTarget(EquidistantThresholds(self.groups.total), target),)
        return (JointTarget(ThresholdsSumToZero(), target),) if self.chosen_family.threshold == SUM_TO_ZERO else ()

    @property
    def further(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The densities take the thresholds of predictors that are not centred."""
        return ((thresholds_variable(MU), (self.groups.total,)),)

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take categories, or whole numbers from 1."""
        name = self.family.name
        if self.levels:
            y = numbers_of_categories(response, name, self.levels)
        else:
            y = _categories(response, name)[0].astype(float)
        starts, counts = self._of_rows(response.additions, len(y))
        cure = "Use thres(n) for more categories than occur."
        if not self.groups.are_many:
            require(response, y, y <= self.count + 1, f"has categories up to {self.count + 1}", cure)
        require(response, y, y <= counts + 1, "has a category beyond the thresholds of its group", cure)
        places = np.arange(float(self.groups.total))
        own = {GROUPS: self.groups.codes(response.additions[GROUPS]), "top": counts} if self.groups.are_many else {}
        upper, lower = (starts + y - 1)[:, None], (starts + y - 2)[:, None]
        return ResponseData(
            {
                "y": y,
                "upper": ((upper == places) & (y <= counts)[:, None]).astype(float),
                "lower": ((lower == places) & (y > 1)[:, None]).astype(float),
                **own,
            },
            levels=self.levels or None,
        )

    def _of_rows(self, data: DataArrays, rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the place of the first threshold of each row, and its number of thresholds."""
        if not self.groups.are_many:
            return np.zeros(rows), np.full(rows, float(self.count))
        codes = self.groups.codes(data[GROUPS])
        return self.groups.starts[codes].astype(float), np.asarray(self.groups.counts, dtype=float)[codes]

    @property
    def also_taken(self) -> tuple[str, ...]:
        """Category specific effects."""
        return (SPECIFIC,)

    def values(self, predictors: Values, single: Values) -> dict[str, Numbers]:
        """Return mu, disc, the thresholds, and category specific effects where there are any."""
        parameters = AbstractLikelihood.values(self, predictors, single)
        return {**parameters, SPECIFIC: predictors[SPECIFIC]} if SPECIFIC in predictors else parameters

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return log(F(upper) - F(lower)), exact in both tails."""
        tau = self._tau(values)
        upper = values["disc"] * ((tau * data["upper"]).sum(-1) - values["mu"])
        lower = values["disc"] * ((tau * data["lower"]).sum(-1) - values["mu"])
        return self._log_between(lower, upper, y <= 1, y > data.get("top", self.count))

    def _tau(self, values: Values) -> Broadcast:
        tau = values[thresholds_variable(MU)]
        return tau - values[SPECIFIC] if SPECIFIC in values else tau

    def _log_between(self, lower: Broadcast, upper: Broadcast, lowest: Broadcast, highest: Broadcast) -> Broadcast:
        """Return log(F(upper) - F(lower)); no lower limit where ``lowest`` and no upper limit where ``highest``."""
        xp = array_namespace(upper)
        link, middle = self.chosen_family.link("mu"), ~(lowest | highest)
        # Both limits are moved where one is missing, so that no branch that is not taken has an infinite gradient.
        safe_lower = xp.where(middle, lower, -1.0)
        safe_upper = xp.where(middle, upper, 1.0)
        gap = safe_upper - safe_lower
        rising = gap > 0
        if link.name == "logit":
            # F(u) - F(l) = F(u) F(-l) (1 - exp(l - u)) of the logistic distribution
            between = link.log_inverse(safe_upper) + link.log_complement(safe_lower)
            between = between + xp.log(-xp.expm1(-xp.where(rising, gap, 1.0)))
        else:
            between = _log_difference(link, safe_lower, safe_upper, rising, xp)
        between = xp.where(rising, between, -inf)
        return xp.where(lowest, link.log_inverse(upper), xp.where(highest, link.log_complement(lower), between))

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the probability of each category, ``(..., rows, categories)``."""
        tau, eta, disc = self._tau(parameters), np.asarray(parameters["mu"]), np.asarray(parameters["disc"])
        if self.groups.are_many:
            tau = self._of_groups(tau, data)
        with np.errstate(invalid="ignore"):
            below = self.chosen_family.link("mu").inverse(disc[..., None] * (tau - eta[..., None]))
        edges = (np.zeros((*below.shape[:-1], 1)), below, np.ones((*below.shape[:-1], 1)))
        return np.maximum(np.diff(np.concatenate(edges, axis=-1), axis=-1), 0.0)

    def _of_groups(self, tau: Numbers, data: DataArrays) -> np.ndarray:
        """Return the thresholds of the group of each row, ``(..., rows, count)``; infinite beyond its last."""
        codes = self.groups.codes(data[GROUPS])
        starts, counts = self.groups.starts[codes], np.asarray(self.groups.counts)[codes]
        steps = np.arange(self.count)
        places = np.minimum(starts[:, None] + steps, self.groups.total - 1)
        every = np.broadcast_to(np.asarray(tau), (*np.shape(tau)[:-2], len(codes), self.groups.total))
        own = np.take_along_axis(every, np.broadcast_to(places, (*every.shape[:-1], self.count)), axis=-1)
        return np.where(steps < counts[:, None], own, inf)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the indicator of each category, p (1 - p)."""
        p = self.mean(parameters, data)
        return p * (1 - p)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw numbers of categories, from 1."""
        return draw_categories(rng, self.mean(parameters, data))


def _log_difference(link: Any, lower: Broadcast, upper: Broadcast, rising: Broadcast, xp: Any) -> Broadcast:
    """Return log(F(upper) - F(lower)) in the tail in which both are small."""
    left = upper + lower < 0
    larger = xp.where(left, link.log_inverse(upper), link.log_complement(lower))
    smaller = xp.where(left, link.log_inverse(lower), link.log_complement(upper))
    ratio = xp.where(rising, xp.minimum(smaller - larger, -1e-300), -1.0)
    return larger + xp.log(-xp.expm1(ratio))


def _categories(response: RawResponse, family: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return numbers of categories from 1, and their labels where they have any."""
    if response.levels is not None:
        if len(response.levels) > MOST_CATEGORIES:
            raise DataError(
                f"The response `{response.name}` has {len(response.levels)} categories; the family {family} is for "
                "a few."
            )
        return np.asarray(response.values).astype(int) + 1, tuple(response.levels)
    values = numbers(response, family)
    cure = "Number the categories from 1, or make the column an ordered categorical."
    require(response, values, values == np.round(values), "must be a whole number or an ordered factor", cure)
    require(response, values, values >= 1, "must be at least 1", cure)
    require(response, values, values <= MOST_CATEGORIES, f"has more than {MOST_CATEGORIES} categories", cure)
    return values.astype(int), ()


def cumulative(link: str = "logit", link_disc: str = "log", threshold: str = FLEXIBLE) -> Cumulative:
    """Return the cumulative family, for ordered categories: P(Y <= k) = F(disc (tau_k - eta)).

    Args:
        link: the distribution function F: ``logit``, ``probit``, ``cloglog`` or ``cauchit``.
        link_disc: link of the discrimination ``disc``, which is 1 unless it has a formula.
        threshold: ``flexible``; ``equidistant``: tau_k = tau_1 + (k - 1) delta; or ``sum_to_zero``: their mean is 0, so
            that predictors are not centred and an intercept can be the effect of a group.

    Raises:
        ModelError: a link or ``threshold`` is none of those.

    Example:
        >>> cumulative("probit").link("mu").name
        'probit'
    """
    if threshold not in SPACINGS:
        raise ModelError(f"`threshold` is one of {', '.join(repr(s) for s in SPACINGS)}; got {threshold!r}.")
    made = Cumulative.with_links(link, link_disc)
    return Cumulative(made.links, threshold)


EXAMPLE = Example(
    cumulative("probit"),
    y=(1.0, 2.0, 3.0, 4.0),
    parameters={"mu": 0.4, "disc": 1.3, "b_Intercept": (-0.8, 0.3, 1.1)},
    log_density=(-2.823798810071527, -0.944424622451767, -0.9934268525763535, -1.706988698618306),
    source="SciPy 1.17.1: log(diff([0, *norm.cdf(1.3 * (tau - 0.4)), 1]))",
)
