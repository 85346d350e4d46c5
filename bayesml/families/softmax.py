"""Likelihoods whose expectations are a softmax of one linear predictor for each category or column.

The expectation of the k-th is exp(mu_k) / sum_j exp(mu_j). Adding a number to all mu changes nothing, so that one of
them, the reference, is held at 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.families.base import AbstractFamily, AbstractLikelihood
from bayesml.families.records import DistributionalParameter
from bayesml.links import Link, get_link
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Values

__all__ = [
    "MU",
    "AbstractLabelledLikelihood",
    "AbstractReferenceFamily",
    "AbstractSoftmaxLikelihood",
    "checked_refcat",
    "log_softmax",
    "mu_names",
    "reference_of",
    "softmax",
]

MU = DistributionalParameter("mu", ("logit",), (-inf, inf))


@dataclass(frozen=True)
class AbstractReferenceFamily(AbstractFamily):
    """A family of categories or columns that are compared with one of them.

    Attributes:
        refcat: the category or column whose linear predictor is 0; empty for the first, ``NA`` for none.
    """

    refcat: str = ""


@dataclass(frozen=True)
class AbstractLabelledLikelihood(AbstractLikelihood):
    """A likelihood with known categories or columns, and an expectation for each of them.

    Attributes:
        chosen_family: the family as the user chose it.
        labels: the categories or columns.
    """

    chosen_family: AbstractFamily
    labels: tuple[str, ...]

    @property
    def family(self) -> AbstractFamily:
        """The family as the user chose it."""
        return self.chosen_family

    @property
    def event_shape(self) -> tuple[int, ...]:
        """One expectation for each label."""
        return (len(self.labels),)

    @property
    def event_labels(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    @property
    def response_labels(self) -> tuple[str, ...]:
        """The labels of columns; none of categories, which stand in one column."""
        return self.labels if self.chosen_family.takes_columns else ()


@dataclass(frozen=True)
class AbstractSoftmaxLikelihood(AbstractLabelledLikelihood):
    """A likelihood with a linear predictor for each category or column.

    Attributes:
        reference: place of the one whose linear predictor is 0; -1 where there is none.
    """

    reference: int

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """The linear predictors, and the other parameters of the family."""
        return (*self.mus, *(p for p in self.chosen_family.dpars if p.name != "mu"))

    @property
    def mus(self) -> tuple[DistributionalParameter, ...]:
        """A linear predictor for each label but the reference, ``muB`` of the label B."""
        names = mu_names(self.labels, "Linear predictors")
        return tuple(replace(MU, name=name, role="mu") for k, name in enumerate(names) if k != self.reference)

    def link(self, dpar: str) -> Link:
        """Return the identity for each mu: expectations are functions of all of them together."""
        others = [p.name for p in self.chosen_family.dpars if p.name != "mu"]
        return self.chosen_family.link(dpar) if dpar in others else get_link("identity")

    def etas(self, values: Values) -> list[Broadcast]:
        """Return the linear predictor of each label, 0 of the reference."""
        etas = [values[mu.name] for mu in self.mus]
        if self.reference >= 0:
            etas.insert(self.reference, array_namespace(etas[0]).zeros_like(etas[0]))
        return etas


def mu_names(labels: Sequence[str], what: str) -> tuple[str, ...]:
    """Return the names of the linear predictors: as in brms, ``mu`` and the letters and digits of each label.

    Args:
        labels: the categories or columns.
        what: what they are, for messages.

    Raises:
        DataError: two would have the same name, or one has neither letters nor digits.
    """
    names = tuple("mu" + "".join(letter for letter in label if letter.isalnum()) for label in labels)
    for name, label in zip(names, labels, strict=True):
        same = [f"`{other}`" for other, taken in zip(labels, names, strict=True) if taken == name]
        if name == "mu" or len(same) > 1:
            raise DataError(
                f"{what} are called by their letters and digits, `mu{labels[-1]}`; {' and '.join(same)} would be "
                f"`{name}`. Rename `{label}`."
            )
    return names


def reference_of(refcat: str, labels: tuple[str, ...], family: str) -> int:
    """Return the place of the reference, whose linear predictor is 0; -1 where every one has a linear predictor.

    Args:
        refcat: a label, empty for the first, ``NA`` for none.
        labels: the categories or columns.
        family: name of the family, for messages.

    Raises:
        ModelError: it is no label.
    """
    if not refcat:
        return 0
    if refcat in labels:
        return labels.index(refcat)
    if refcat == "NA":
        return -1
    raise ModelError(
        f"`refcat` of the family {family} is one of {', '.join(f'`{label}`' for label in labels)}; got {refcat!r}"
        f"{did_you_mean(refcat, labels)}."
    )


def checked_refcat(refcat: object) -> str:
    """Return the label of a reference category; numbers are labels as they are printed.

    Raises:
        ModelError: it is no text, number or truth value.
    """
    if refcat is None:
        return ""
    if isinstance(refcat, (str, int, np.integer)):
        return str(refcat)
    raise ModelError(f'`refcat` is the label of a category, or "NA" for no reference; got {refcat!r}.')


def log_softmax(etas: Sequence[Broadcast]) -> list[Broadcast]:
    """Return log(exp(eta_k) / sum_j exp(eta_j)) for each k; the largest is taken out, so that nothing overflows."""
    xp = array_namespace(*etas)
    top = etas[0]
    for eta in etas[1:]:
        top = xp.maximum(top, eta)
    log_sum = top + xp.log(sum(xp.exp(eta - top) for eta in etas))
    return [eta - log_sum for eta in etas]


def softmax(etas: Sequence[Broadcast]) -> Broadcast:
    """Return exp(eta_k) / sum_j exp(eta_j) along a new last axis."""
    xp = array_namespace(*etas)
    logs = log_softmax(etas)
    shape = np.broadcast_shapes(*(np.shape(log) for log in logs))
    return xp.exp(xp.stack([xp.broadcast_to(log, shape) for log in logs], axis=-1))
