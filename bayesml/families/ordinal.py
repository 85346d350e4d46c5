"""Ordinal responses: categories in order, with thresholds tau_1, ..., tau_{K-1} between them.

A row has the numbers z_k = disc (tau_k - eta), one for each threshold; what they say about the categories differs from
family to family. A category specific effect ``cs(x)`` has a coefficient for each threshold and makes tau_k to
tau_k - x b_k.

Source: Bürkner and Vuorre (2019), Ordinal regression models in psychology: a tutorial, Advances in Methods and
Practices in Psychological Science 2, 77-101.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from bayesml.distributions import normal
from bayesml.errors import DataError, ModelError
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.categories import MOST_CATEGORIES, draw_categories, numbers_of_categories
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

__all__ = ["DISC", "AbstractOrdinal", "AbstractOrdinalLikelihood", "location"]

ORDINAL_LINKS = ("logit", "probit", "probit_approx", "cloglog", "cauchit")
DISC = DistributionalParameter(
    "disc", SCALE_LINKS, (0.0, inf), intercept_prior=normal(0, 1), unpredicted=1.0, typical=1.0
)
SPECIFIC = "cs"
"""The predictor of category specific effects, ``(rows, thresholds)``."""


def location(*further: str) -> DistributionalParameter:
    """Return the parameter mu, whose link names a distribution function; ``further`` are links that not all have."""
    return DistributionalParameter("mu", (*ORDINAL_LINKS, *further), (-inf, inf))


@dataclass(frozen=True)
class AbstractOrdinal(AbstractFamily):
    """Ordered categories with thresholds.

    Attributes:
        threshold: ``flexible`` thresholds, ``equidistant`` ones, or ``sum_to_zero``.
    """

    threshold: str = FLEXIBLE

    increasing: ClassVar[bool] = False
    """Whether each threshold is larger than the one before it."""
    first: ClassVar[int] = 1
    """Number of the first category: 0 where there is one before those that are in order."""

    @abstractmethod
    def likelihood(self, groups: ThresholdGroups, levels: tuple[str, ...]) -> AbstractOrdinalLikelihood:
        """Return the likelihood of categories with these thresholds and labels."""

    def bind(self, response: RawResponse) -> AbstractOrdinalLikelihood:
        """Count the categories."""
        codes, levels = self.categories(response)
        inner = levels[1 - self.first :]
        groups = threshold_groups(response, codes, inner)
        if groups.are_many and self.threshold != FLEXIBLE:
            raise ModelError(
                f'Thresholds of groups, thres(gr=), are flexible; threshold="{self.threshold}" is for one set of them.'
            )
        if levels and groups.most + 1 > len(inner):
            beside = "" if self.first else " beside the first"
            raise DataError(
                f"`thres({groups.most})` says that `{response.name}` has {groups.most + 1} categories{beside}, and the "
                f"column has {len(inner)} levels. Give it a level for every category, or use whole numbers from "
                f"{self.first}."
            )
        return self.likelihood(groups, levels)

    def categories(self, response: RawResponse) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return numbers of categories from ``first``, and their labels where they have any."""
        if response.levels is not None:
            if len(response.levels) > MOST_CATEGORIES:
                raise DataError(
                    f"The response `{response.name}` has {len(response.levels)} categories; the family {self.name} is "
                    "for a few."
                )
            if not response.ordered and not _in_chosen_order(response.levels):
                listed = ", ".join(f"`{level}`" for level in response.levels)
                raise DataError(
                    f"The response `{response.name}` has categories without an order ({listed}), and the family "
                    f"{self.name} needs one: make the column an ordered categorical, pandas.Categorical(column, "
                    f"[lowest, ..., highest], ordered=True), or number the categories from {self.first}. Categories "
                    'without an order have the family "categorical".'
                )
            return np.asarray(response.values).astype(int) + self.first, tuple(response.levels)
        values = numbers(response, self.name)
        cure = f"Number the categories from {self.first}, or make the column an ordered categorical."
        require(response, values, values == np.round(values), "must be a whole number or an ordered factor", cure)
        require(response, values, values >= self.first, f"must be at least {self.first}", cure)
        require(response, values, values <= MOST_CATEGORIES, f"has more than {MOST_CATEGORIES} categories", cure)
        return values.astype(int), ()

    @classmethod
    def made(cls, threshold: str, *links: str) -> Self:
        """Return the family with the links of those names.

        Raises:
            ModelError: ``threshold`` or a link is impossible.
        """
        if threshold not in SPACINGS:
            raise ModelError(f"`threshold` is one of {', '.join(repr(s) for s in SPACINGS)}; got {threshold!r}.")
        return cls(cls.with_links(*links).links, threshold)


@dataclass(frozen=True)
class AbstractOrdinalLikelihood(AbstractLikelihood):
    """An ordinal family with a known number of categories.

    Attributes:
        chosen_family: the family as the user chose it.
        groups: the thresholds, one set for all rows or one for each group of rows.
        levels: labels of the categories; empty for whole numbers.
    """

    chosen_family: AbstractOrdinal
    groups: ThresholdGroups
    levels: tuple[str, ...]

    linear: ClassVar[frozenset[str]] = frozenset({"mu"})  # type: ignore[assignment]
    flat_in_brms: ClassVar[frozenset[str]] = frozenset({"delta"})

    @abstractmethod
    def log_category(self, y: Observed, z: Broadcast, counts: Broadcast) -> PerRow:
        """Return the log probability of each category.

        Args:
            y: ``(rows,)`` categories, from 1.
            z: ``(..., rows, thresholds)`` disc (tau - eta).
            counts: number of thresholds of each row.
        """

    @abstractmethod
    def probabilities(self, z: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Return the probability of every category, ``(..., rows, thresholds + 1)``, on NumPy arrays.

        Args:
            z: as in ``log_category``.
            own: ``(..., thresholds)`` which of the thresholds a row has.
        """

    @property
    def family(self) -> AbstractFamily:
        """The family."""
        return self.chosen_family

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """The location mu, the discrimination, and where there is one the probability of the hurdle."""
        return self.chosen_family.dpars

    @property
    def distribution(self) -> Link:
        """The link whose inverse is the distribution function F."""
        return self.chosen_family.link("mu")

    def link(self, dpar: str) -> Link:
        """Return the identity for mu, whose distribution function is no transformation of mu; else the link chosen."""
        return get_link("identity") if dpar == "mu" else self.chosen_family.link(dpar)

    @property
    def traits(self) -> Traits:
        """A few values, which repeat."""
        return Traits(discrete=True, rows_repeat=True, thresholds=True)

    @property
    def first_category(self) -> int:
        """Number of the first category: 0 where there is one before those that are in order."""
        return self.chosen_family.first

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
        """Largest number of thresholds of a row, one less than categories in order."""
        return self.groups.most

    @property
    def event_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """One probability for each category."""
        return (self.count + 2 - self.chosen_family.first,)

    @property
    def event_labels(self) -> tuple[str, ...]:  # type: ignore[override]
        """The categories."""
        first, last = self.chosen_family.first, self.count + 1
        return self.levels[: last - first + 1] or tuple(str(k) for k in range(first, last + 1))

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:  # type: ignore[override]
        """Return the thresholds of centred predictors, or what they are computed from."""
        return threshold_parameters(self.chosen_family.threshold, self.groups, self.chosen_family.increasing)

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

    def sampled(self, values: Values) -> dict[str, np.ndarray]:
        """Return what the thresholds of centred predictors are computed from, where ``values`` has these."""
        if intercept_variable(MU) not in values:
            return {}
        thresholds = np.asarray(values[intercept_variable(MU)])
        found: dict[str, np.ndarray] = {}
        for each in self.computed:
            if isinstance(each.prior, MergedThresholds):
                found |= each.prior.sampled(thresholds, self.groups.counts)
            elif isinstance(each.prior, EquidistantThresholds):
                found |= each.prior.sampled(thresholds)
        return found

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Take categories, or whole numbers from that of the first category."""
        name, first = self.family.name, self.chosen_family.first
        if self.levels:
            y = numbers_of_categories(response, name, self.levels) - 1 + first
        else:
            y = self.chosen_family.categories(response)[0].astype(float)
        cure = "Use thres(n) for more categories than occur."
        if not self.groups.are_many:
            require(response, y, y <= self.count + 1, f"has categories up to {self.count + 1}", cure)
            return ResponseData({"y": y}, levels=self.levels or None)
        codes = self.groups.codes(response.additions[GROUPS])
        counts = np.asarray(self.groups.counts, dtype=float)[codes]
        require(response, y, y <= counts + 1, "has a category beyond the thresholds of its group", cure)
        return ResponseData({"y": y, GROUPS: codes, "top": counts}, levels=self.levels or None)

    @property
    def also_taken(self) -> tuple[str, ...]:
        """Category specific effects."""
        return (SPECIFIC,)

    def values(self, predictors: Values, single: Values) -> dict[str, Numbers]:
        """Return the parameters, the thresholds, and category specific effects where there are any."""
        parameters = AbstractLikelihood.values(self, predictors, single)
        return {**parameters, SPECIFIC: predictors[SPECIFIC]} if SPECIFIC in predictors else parameters

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log probability of each category."""
        return self.log_category(y, self._standardised(values, data.get(GROUPS)), data.get("top", self.count))

    def _standardised(self, values: Values, codes: Broadcast | None) -> Broadcast:
        """Return z = disc (tau - eta), ``(..., rows, thresholds)``, with the thresholds of the group of each row."""
        tau = values[thresholds_variable(MU)]
        xp = array_namespace(tau, values["mu"], codes)
        if self.groups.are_many:
            assert codes is not None
            # A product with zeros and ones: the derivative of an indexed table would scatter.
            inside = (xp.asarray(codes)[..., None] == np.arange(len(self.groups.counts))) * 1.0
            tau = inside @ self._table(tau[..., 0, :])
        if SPECIFIC in values:
            tau = tau - values[SPECIFIC]
        disc, eta = (xp.asarray(values[name])[..., None] for name in ("disc", "mu"))
        return disc * (tau - eta)

    def _table(self, tau: Broadcast) -> Broadcast:
        """Return the thresholds of each group, ``(..., groups, thresholds)``; 0 beyond its last."""
        xp = array_namespace(tau)
        rows = []
        for start, count in zip(self.groups.starts.tolist(), self.groups.counts, strict=True):
            none = xp.zeros((*tau.shape[:-1], self.count - count))
            rows.append(xp.concatenate([tau[..., start : start + count], none], axis=-1))
        return xp.stack(rows, axis=-2)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the probability of each category, ``(..., rows, categories)``."""
        codes = self.groups.codes(data[GROUPS]) if self.groups.are_many else None
        known = {name: np.asarray(value) for name, value in parameters.items()}
        counts = np.array([self.count]) if codes is None else np.asarray(self.groups.counts)[codes]
        with np.errstate(all="ignore"):
            return self.probabilities(self._standardised(known, codes), np.arange(self.count) < counts[:, None])

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of the indicator of each category, p (1 - p)."""
        p = self.mean(parameters, data)
        return p * (1 - p)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw numbers of categories."""
        return draw_categories(rng, self.mean(parameters, data)) - 1.0 + self.chosen_family.first


def _in_chosen_order(levels: tuple[str, ...]) -> bool:
    """Whether levels of an unordered column stand in an order that somebody chose, or are numbers: text is sorted."""
    return list(levels) != sorted(levels) or all(level.strip().lstrip("-").isdigit() for level in levels)
