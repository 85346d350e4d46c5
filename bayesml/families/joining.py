"""The joint distribution of the responses of a formula: whether their residuals are correlated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesml.errors import FormulaError
from bayesml.families.base import AbstractLikelihood
from bayesml.families.joint import SHARED, JointLikelihood

__all__ = ["joint_likelihood"]


def joint_likelihood(
    parts: Sequence[tuple[str, AbstractLikelihood]],
    predicted: Sequence[frozenset[str]],
    weights: Sequence[np.ndarray | None],
    rescor: bool | None,
    rows: Sequence[np.ndarray | None] = (),
) -> JointLikelihood:
    """Return the distribution of several responses.

    Args:
        parts: name and likelihood of each response.
        predicted: the parameters of each that have a formula.
        weights: the weights of the rows of each.
        rescor: whether residuals are correlated; None says that they are where they can be, as in brms, but not beside
            ``mi()`` and ``subset()``.
        rows: the rows that each has, ``subset()``; None for all.

    Raises:
        FormulaError: residuals shall be correlated, and these responses have no such distribution.
    """
    kinds = {part.traits.residuals for _, part in parts}
    obstacle = _obstacle(parts, predicted, weights) if rescor is not False else ""
    if rescor and obstacle:
        raise FormulaError(f"Residuals cannot be correlated, `rescor=True`: {obstacle} Write set_rescor(False).")
    given = [each for each in rows if each is not None]
    can_be = not obstacle and not given and all(part.is_observed for _, part in parts)
    correlated = bool(rescor) or (rescor is None and can_be)
    if not correlated:
        return JointLikelihood(tuple(parts))
    patterns = _patterns(rows, len(given[0])) if given else ()
    return JointLikelihood(tuple(parts), kinds.pop(), patterns)


def _patterns(rows: Sequence[np.ndarray | None], count: int) -> tuple[tuple[bool, ...], ...]:
    """Return which responses rows have together."""
    table = np.stack([np.ones(count, dtype=bool) if each is None else each for each in rows], axis=1)
    return tuple(tuple(bool(b) for b in row) for row in np.unique(table, axis=0) if row.any())


def _obstacle(
    parts: Sequence[tuple[str, AbstractLikelihood]],
    predicted: Sequence[frozenset[str]],
    weights: Sequence[np.ndarray | None],
) -> str:
    """Return why residuals cannot be correlated, a sentence; empty where they can."""
    kinds = {part.traits.residuals for _, part in parts}
    if len(kinds) > 1 or "" in kinds:
        listed = ", ".join(f"`{resp}` is {_described(part)}" for resp, part in parts)
        return f"responses must be all gaussian or all student, without cens() and trunc(); {listed}."
    (kind,) = kinds
    for (resp, _), names in zip(parts, predicted, strict=True):
        for name in SHARED[kind]:
            if name in names:
                return f"`{name}` is one number for all responses, and `{resp}` gives it a formula."
    given = [np.ones(1) if of_one is None else of_one for of_one in weights]
    if not all(np.array_equal(given[0], of_one) for of_one in given[1:]):
        return "a row counts as a whole, and the responses have different weights."
    return ""


def _described(part: AbstractLikelihood) -> str:
    return part.family.name + ("" if part.traits.residuals or part is part.family else " with response terms")
