"""What tables of the levels of a grouping factor have in common, for draws and for estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesml.names import find_coefficient

__all__ = ["level_columns", "population_spellings", "totals"]


def population_spellings(varying: Sequence[str], population: Sequence[str]) -> tuple[str, ...]:
    """Return varying coefficients under the names of their population-level counterparts, `a:b` for `b:a`."""
    places = [find_coefficient(label, population) for label in varying]
    return tuple(label if place is None else population[place] for label, place in zip(varying, places, strict=True))


def totals(
    names: Sequence[str], population: np.ndarray, varying: Sequence[str], effects: np.ndarray
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the coefficients of every level, population-level plus group-level, and their names.

    A coefficient that does not vary is the same for all levels; one without a population-level counterpart varies
    around zero.

    Args:
        names: the population-level coefficients.
        population: ``(..., coefs)`` their values.
        varying: the coefficients that vary, spelled as their counterparts.
        effects: ``(..., levels, varying)`` deviations.

    Returns:
        Names, and ``(..., levels, names)``.
    """
    coefs = (*names, *(c for c in varying if c not in names))
    total = np.zeros((*effects.shape[:-1], len(coefs)))
    total[..., : len(names)] = population[..., None, :]
    total[..., [coefs.index(c) for c in varying]] += effects
    return coefs, total


def level_columns(levels: Sequence[str], coefs: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the columns level and coef of a table with one row for each coefficient of each level."""
    level, coef = (np.asarray(labels, dtype=object) for labels in (levels, coefs))
    return {"level": np.repeat(level, len(coefs)), "coef": np.tile(coef, len(levels))}
