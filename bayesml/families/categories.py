"""Responses that are one of several categories without an order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesml.distributions import format_number
from bayesml.errors import DataError, ModelError, did_you_mean
from bayesml.families.base import Array
from bayesml.families.records import RawResponse
from bayesml.families.response import numbers
from bayesml.namespace import array_namespace

__all__ = ["category_codes", "log_softmax", "mu_names", "numbers_of_categories", "reference_of", "softmax"]

MOST_CATEGORIES = 200


def category_codes(response: RawResponse, family: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the category of each row, counted from 1, and the labels of the categories.

    Levels of a factor keep their order, numbers are sorted.

    Raises:
        DataError: there are more categories than a model can have.
    """
    if response.levels is not None:
        codes, labels = np.asarray(response.values).astype(int) + 1, tuple(response.levels)
    else:
        values = numbers(response, family)
        distinct, places = np.unique(values, return_inverse=True)
        labels = tuple(format_number(value) for value in distinct.tolist())
        codes = places + 1
        if response.is_boolean:
            labels = tuple("True" if value else "False" for value in distinct.tolist())
    if len(labels) > MOST_CATEGORIES:
        raise DataError(
            f"The response `{response.name}` has {len(labels)} different values, which are too many categories for the "
            f"family {family}. Check that it is the right column."
        )
    return codes, labels


def numbers_of_categories(response: RawResponse, family: str, known: tuple[str, ...]) -> np.ndarray:
    """Return the category of each row as a number from 1 into ``known``, as floats.

    Raises:
        DataError: a category is none of those.
    """
    codes, labels = category_codes(response, family)
    unknown = [label for label in labels if label not in known]
    if unknown:
        raise DataError(
            f"The response `{response.name}` has the category `{unknown[0]}`{did_you_mean(unknown[0], known)}; the fit "
            f"has {', '.join(f'`{label}`' for label in known)}."
        )
    return np.array([known.index(label) + 1.0 for label in labels])[codes - 1]


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


def log_softmax(etas: Sequence[Array]) -> list[Array]:
    """Return log(exp(eta_k) / sum_j exp(eta_j)) for each k; the largest is taken out, so that nothing overflows."""
    xp = array_namespace(*etas)
    top = etas[0]
    for eta in etas[1:]:
        top = xp.maximum(top, eta)
    log_sum = top + xp.log(sum(xp.exp(eta - top) for eta in etas))
    return [eta - log_sum for eta in etas]


def softmax(etas: Sequence[Array]) -> Array:
    """Return exp(eta_k) / sum_j exp(eta_j) along a new last axis."""
    xp = array_namespace(*etas)
    logs = log_softmax(etas)
    shape = np.broadcast_shapes(*(np.shape(each) for each in logs))
    return xp.exp(xp.stack([xp.broadcast_to(each, shape) for each in logs], axis=-1))
