"""Directions and signs for eigenvectors and singular vectors that have none of their own."""

from __future__ import annotations

import numpy as np

__all__ = ["turned_ties"]

LARGE = 0.4  # of the largest value; not 1/2, which cosines take exactly


def turned_ties(
    values: np.ndarray, vectors: np.ndarray, functions: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Turn vectors of equal eigenvalues or singular values, so that rounding errors do not decide on their directions.

    A single vector gets a sign. Functions of covariates that are symmetric, such as the months of a year or a square
    grid, have equal values in pairs; any rotation of such a pair solves the same equations.

    Args:
        values: sorted, ``(count,)``.
        vectors: one column for each, ``(n, count)``.
        functions: what each vector stands for at some places, ``(places, count)``; the places come in an order that
            does not depend on that of the rows.
        tolerance: neighbours that differ by less count as equal.

    Returns:
        The values, equal ones made exactly so, and the vectors.
    """
    starts = np.flatnonzero(np.append(True, np.abs(np.diff(values)) > tolerance))[1:]
    ties = zip(np.split(vectors, starts, axis=1), np.split(functions, starts, axis=1), strict=True)
    means = [np.full(len(tie), tie.mean()) for tie in np.split(values, starts)]
    return np.concatenate(means), np.column_stack([_turned(*tie) for tie in ties])


def _turned(vectors: np.ndarray, functions: np.ndarray) -> np.ndarray:
    """Turn vectors by where their functions are large.

    At the first place where they are, only the first of them is not 0, and it is positive; likewise the second among
    the others, and so on.
    """
    directions: list[np.ndarray] = []
    for _ in range(vectors.shape[1]):
        sizes = np.linalg.norm(functions, axis=1)
        place = np.argmax(sizes >= LARGE * sizes.max())
        directions.append(functions[place] / sizes[place])
        functions = functions - np.outer(functions @ directions[-1], directions[-1])
    turned: np.ndarray = vectors @ np.column_stack(directions)
    return turned
