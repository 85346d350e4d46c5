"""Codings of a factor: a row of numbers for each level, the same as R's ``contr.*`` functions return."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bayesml.errors import DataError, did_you_mean
from bayesml.formula.names import CONTRAST_NAMES

__all__ = ["CONTRASTS", "Contrast", "full_coding", "reduced_coding"]


MAX_POLYNOMIAL = 95  # as in R


@dataclass(frozen=True)
class Contrast:
    """Which coding a factor has.

    Attributes:
        kind: ``treatment``, ``sum``, ``helmert``, ``poly``, ``diff`` or ``sas``.
        base: reference level of ``treatment``; None is the first.
    """

    kind: str = "treatment"
    base: str | None = None


CONTRASTS: dict[str, str] = {
    **{f"contr.{name}": name.lower() for name in CONTRAST_NAMES},
    **{name.capitalize(): name for name in CONTRAST_NAMES if name.islower()},
}
"""The names of codings in a formula: R's and patsy's."""


def full_coding(levels: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return one indicator column for each level."""
    return np.eye(len(levels)), tuple(levels)


def reduced_coding(name: str, contrast: Contrast, levels: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the coding of a factor in a model with an intercept, and the names of its columns.

    Returns:
        The coding, ``(levels, levels - 1)``, and a name for each of its columns.

    Raises:
        DataError: the factor has a single level, lacks the reference level, or has too many levels for polynomials.
    """
    if len(levels) < 2:
        message = f"The factor `{name}` has the single level {levels[0]!r} in the data, so its effect cannot be told "
        raise DataError(f"{message}from the intercept; leave it out.")
    if contrast.base is not None and contrast.base not in levels:
        hint = did_you_mean(contrast.base, levels)
        raise DataError(f"`{name}` has no level {contrast.base!r} to be the reference{hint}.")
    if contrast.kind == "poly" and len(levels) > MAX_POLYNOMIAL:
        message = f"`{name}` has {len(levels)} ordered levels; polynomial contrasts are exact up to {MAX_POLYNOMIAL}"
        raise DataError(f"{message}. Write C({name}, contr.treatment) instead.")
    return _CODINGS[contrast.kind](tuple(levels), contrast.base)


def _treatment(levels: tuple[str, ...], base: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    reference = 0 if base is None else levels.index(base)
    kept = [i for i in range(len(levels)) if i != reference]
    return np.eye(len(levels))[:, kept], tuple(levels[i] for i in kept)


def _sas(levels: tuple[str, ...], base: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    return _treatment(levels, levels[-1] if base is None else base)


def _sum(levels: tuple[str, ...], base: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    coding = np.eye(len(levels), len(levels) - 1)
    coding[-1] = -1.0
    return coding, levels[:-1]


def _helmert(levels: tuple[str, ...], base: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    count = len(levels)
    coding = np.where(np.arange(count)[:, None] <= np.arange(count - 1), -1.0, 0.0)
    coding[np.arange(1, count), np.arange(count - 1)] = np.arange(1, count)
    return coding, levels[1:]


def _diff(levels: tuple[str, ...], base: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    count = len(levels)
    coding = np.tile(np.arange(1, count) / count, (count, 1))
    return coding - (np.arange(count)[:, None] <= np.arange(count - 1)), levels[1:]


def _poly(levels: tuple[str, ...], base: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return orthonormal polynomials on equally spaced scores, R's ``contr.poly``.

    The next polynomial is the scores times the one before, made orthogonal to all before (Gram-Schmidt). This is done
    twice, since once leaves errors of rounding.
    """
    count = len(levels)
    scores = np.arange(count) - (count - 1) / 2
    columns = [np.full(count, count**-0.5)]
    for _ in range(count - 1):
        column = scores * columns[-1]
        for _ in range(2):
            basis = np.column_stack(columns)
            column = column - basis @ (basis.T @ column)
        columns.append(column / np.linalg.norm(column))
    names = [".L", ".Q", ".C", *(f"^{degree}" for degree in range(4, count))]
    return np.column_stack(columns[1:]), tuple(names[: count - 1])


_CODINGS: dict[str, Callable[[tuple[str, ...], str | None], tuple[np.ndarray, tuple[str, ...]]]] = {
    "treatment": _treatment,
    "sas": _sas,
    "sum": _sum,
    "helmert": _helmert,
    "diff": _diff,
    "poly": _poly,
}
