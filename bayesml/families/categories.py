"""Responses that are one of several categories."""

from __future__ import annotations

import numpy as np

from bayesml.distributions import format_number
from bayesml.errors import DataError, did_you_mean
from bayesml.families.records import RawResponse
from bayesml.families.response import numbers, require

__all__ = ["MOST_CATEGORIES", "category_codes", "draw_categories", "numbers_of_categories"]

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
        cure = "Turn numbers that are labels into text; a number that is measured has another family."
        require(response, values, values == np.round(values), "must be a category or a whole number", cure)
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


def draw_categories(rng: np.random.Generator, probabilities: np.ndarray) -> np.ndarray:
    """Draw one category, counted from 1, for each vector of probabilities along the last axis.

    By inversion: the category is one more than the number of cumulated probabilities below a uniform number. The last
    of them is 1 but for rounding and is left out.
    """
    cumulated = np.cumsum(probabilities, axis=-1)[..., :-1]
    return 1.0 + (rng.random((*cumulated.shape[:-1], 1)) > cumulated).sum(axis=-1)
