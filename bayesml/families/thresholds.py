"""The thresholds of ordinal responses: how they are spaced, and those of several groups of rows in one vector.

Those of a cumulative family are in order, those of the others need not be. The thresholds of all groups of rows,
``thres(gr=item)``, stand one after the other; a row finds its own by the place of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from bayesml.distributions import student_t
from bayesml.errors import DataError
from bayesml.families.records import RawResponse
from bayesml.keys import MU
from bayesml.names import intercept_variable
from bayesml.namespace import array_namespace
from bayesml.spec import ParameterSpec
from bayesml.supports import POSITIVE, UNBOUNDED, Ordered

__all__ = [
    "EQUIDISTANT",
    "FLEXIBLE",
    "GROUPS",
    "NUMBER",
    "SPACINGS",
    "SUM_TO_ZERO",
    "EquidistantThresholds",
    "MergedThresholds",
    "ThresholdGroups",
    "ThresholdsSumToZero",
    "threshold_groups",
    "threshold_parameters",
]

FLEXIBLE, EQUIDISTANT, SUM_TO_ZERO = SPACINGS = ("flexible", "equidistant", "sum_to_zero")
NUMBER, GROUPS = "thres", "thres_gr"
"""What the response term ``thres(n, gr=g)`` gives for each row: the number of thresholds, the label of the group."""
RAW = "raw_Intercept"
"""Thresholds before their mean is subtracted."""
PRIOR = student_t(3, 0, 2.5)


@final
@dataclass(frozen=True)
class ThresholdGroups:
    """Groups of rows with thresholds of their own.

    Attributes:
        labels: the groups; a single empty one where all rows have the same thresholds.
        counts: number of thresholds of each.
    """

    labels: tuple[str, ...]
    counts: tuple[int, ...]

    @property
    def are_many(self) -> bool:
        """Whether there are groups at all."""
        return self.labels != ("",)

    @property
    def total(self) -> int:
        """Number of thresholds of all groups."""
        return sum(self.counts)

    @property
    def most(self) -> int:
        """Largest number of thresholds of a group."""
        return max(self.counts)

    @property
    def starts(self) -> np.ndarray:
        """Place of the first threshold of each group."""
        return np.cumsum([0, *self.counts[:-1]])

    @property
    def threshold_labels(self) -> tuple[str, ...]:
        """Label of each threshold: ``1``, or ``item,1`` of a group."""
        return tuple(
            f"{label},{k}" if label else str(k)
            for label, count in zip(self.labels, self.counts, strict=True)
            for k in range(1, count + 1)
        )

    def codes(self, values: Any) -> np.ndarray:
        """Return the number of the group of each row, from labels or from what this returned before.

        Raises:
            DataError: a group is new.
        """
        found = np.asarray(values)
        if found.dtype.kind in "iuf":
            return found.astype(np.int64)
        places = {label: place for place, label in enumerate(self.labels)}
        unknown = next((str(label) for label in found if str(label) not in places), None)
        if unknown is not None:
            raise DataError(
                f"`thres(gr=)` has the group `{unknown}`, which the fit has not seen; it has "
                f"{', '.join(f'`{label}`' for label in self.labels)}."
            )
        return np.array([places[str(label)] for label in found], dtype=np.int64)


def threshold_groups(response: RawResponse, categories: np.ndarray, levels: tuple[str, ...]) -> ThresholdGroups:
    """Return the groups of thresholds of a response.

    Args:
        response: the response with what ``thres()`` says.
        categories: ``(rows,)`` the category of each row, from 1.
        levels: labels of the categories; empty for whole numbers.

    Raises:
        DataError: the number of thresholds is none, differs within a group, or is less than the data need.
    """
    given = response.additions.get(NUMBER)
    groups = np.asarray(response.additions.get(GROUPS, np.full(len(categories), "")))
    labels = tuple(dict.fromkeys(groups[np.argsort(_order(groups), kind="stable")].tolist()))
    counts = []
    for label in labels:
        inside = groups == label
        where = f" in the group `{label}`" if label else ""
        highest = int(categories[inside].max())
        if given is not None:
            numbers = np.unique(np.asarray(given, dtype=float)[inside])
            if len(numbers) > 1:
                shown = ", ".join(f"{number:g}" for number in numbers[:5])
                raise DataError(f"`thres()` has one number of thresholds{where or ' for all rows'}; got {shown}.")
            highest = int(numbers[0]) + 1
        elif levels and not label:
            highest = len(levels)
        if highest < 2:
            raise DataError(
                f"The response `{response.name}` has one category only{where}; an ordinal model needs two or more. "
                "Say thres(n) where more categories are possible."
            )
        counts.append(highest - 1)
    return ThresholdGroups(labels, tuple(counts))


def _order(groups: np.ndarray) -> np.ndarray:
    """Return a key that sorts labels of numbers as numbers, and others as text."""
    try:
        return groups.astype(float)
    except ValueError:
        return np.unique(groups, return_inverse=True)[1]


def threshold_parameters(spacing: str, groups: ThresholdGroups, increasing: bool) -> tuple[ParameterSpec, ...]:
    """Return the thresholds of centred predictors, or what they are computed from.

    Args:
        spacing: one of ``SPACINGS``.
        groups: how many there are.
        increasing: whether each is larger than the one before it.
    """
    if spacing == EQUIDISTANT:
        first = ParameterSpec(
            "first_Intercept", "Intercept", priors=(PRIOR,), centers=_starts(groups.total)[:1], scales=(2.5,)
        )
        support = POSITIVE if increasing else UNBOUNDED
        step = ParameterSpec("delta", "delta", support=support, priors=(PRIOR,), centers=(1.0,))
        return (first, step)
    if groups.are_many:
        named = enumerate(zip(groups.labels, groups.counts, strict=True), 1)
        numbered = ((f"{intercept_variable(MU)}_{number}", count, label) for number, (label, count) in named)
        return tuple(_vector(name, count, increasing, label) for name, count, label in numbered)
    return (_vector(RAW if spacing == SUM_TO_ZERO else intercept_variable(MU), groups.total, increasing),)


def _vector(name: str, count: int, increasing: bool, group: str = "") -> ParameterSpec:
    return ParameterSpec(
        name,
        "Intercept",
        (count,),
        group=group,
        coefs=tuple(str(k) for k in range(1, count + 1)),
        support=Ordered() if increasing else UNBOUNDED,
        priors=(PRIOR,) * count,
        centers=_starts(count),
        scales=(2.5,) * count,
    )


def _starts(count: int) -> tuple[float, ...]:
    return tuple(float(v) for v in 3.0 * (np.arange(1, count + 1) / (count + 1) - 0.5))


@final
@dataclass(frozen=True)
class EquidistantThresholds:
    """tau_k = tau_1 + (k - 1) delta."""

    count: int

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """The likelihood has them already."""
        return ()

    def value(self, target: ParameterSpec, values: Mapping[str, Any]) -> Any:
        """Return the thresholds of centred predictors."""
        return values["first_Intercept"] + values["delta"] * np.arange(float(self.count))

    def sampled(self, thresholds: np.ndarray) -> dict[str, np.ndarray]:
        """Return what the thresholds ``(..., count)`` of centred predictors are computed from."""
        step = {"delta": thresholds[..., 1] - thresholds[..., 0]} if self.count > 1 else {}
        return {"first_Intercept": thresholds[..., 0], **step}

    def __str__(self) -> str:
        return "equidistant thresholds"


@final
@dataclass(frozen=True)
class ThresholdsSumToZero:
    """tau - mean(tau) of thresholds that have the prior before their mean is subtracted, as in brms."""

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """The likelihood has them already."""
        return ()

    def value(self, target: ParameterSpec, values: Mapping[str, Any]) -> Any:
        """Return the thresholds."""
        return values[RAW] - values[RAW].mean(-1, keepdims=True)

    def __str__(self) -> str:
        return "thresholds whose sum is zero"


@final
@dataclass(frozen=True)
class MergedThresholds:
    """The thresholds of all groups in one vector."""

    names: tuple[str, ...]

    def parameters(self, target: ParameterSpec) -> tuple[ParameterSpec, ...]:
        """The likelihood has them already."""
        return ()

    def value(self, target: ParameterSpec, values: Mapping[str, Any]) -> Any:
        """Return the thresholds."""
        parts = [values[name] for name in self.names]
        return array_namespace(*parts).concatenate(parts, axis=-1)

    def sampled(self, thresholds: np.ndarray, counts: Sequence[int]) -> dict[str, np.ndarray]:
        """Return the thresholds of each group, ``counts`` of them, from those of all ``(..., total)``."""
        parts = np.split(thresholds, np.cumsum(counts)[:-1], axis=-1)
        return dict(zip(self.names, parts, strict=True))

    def __str__(self) -> str:
        return "thresholds of groups"
