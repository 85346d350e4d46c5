"""Singular fits: found, put in one canonical form, verified to be minima, and named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesml.engines.linear_mixed.criterion import Point, ProfiledCriterion
from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import AbstractBlock, inverse_triangle, variance_scores

__all__ = ["SingularDirection", "canonical", "downhill", "singular_directions", "snap"]

NEGLIGIBLE = 1e-3  # relative standard deviation below which a direction is tried at exactly zero
TOLERATED_RISE = 1e-7
ROUNDING = 1e-9


@dataclass(frozen=True)
class SingularDirection:
    """A combination of coefficients of one correlated block whose variance is estimated as zero.

    Attributes:
        group: label of the factor.
        columns: labels of the coefficients of the block.
        direction: ``(size,)`` unit vector; ``direction @ b`` has no variance over the levels.
        description: the same in words.
    """

    group: str
    columns: tuple[str, ...]
    direction: np.ndarray
    description: str


def blocks_of(group: AbstractBlock) -> list[slice]:
    """Return the places of the correlated blocks of a factor."""
    ends = np.cumsum(group.blocks)
    return [slice(int(end - size), int(end)) for end, size in zip(ends, group.blocks, strict=True)]


def canonical(problem: LinearMixedProblem, theta: np.ndarray, negligible: float = ROUNDING) -> np.ndarray:
    """Return theta with non-negative diagonals, and a zero column where the covariance matrix has no new direction.

    Args:
        problem: the model.
        theta: ``(k,)`` internal coordinates.
        negligible: a conditional standard deviation below this (relative to the marginal one, or to 1) counts as zero.
    """
    out = []
    for group, lam in zip(problem.groups, problem.layout.matrices(theta), strict=True):
        fresh = np.zeros_like(lam)
        for block in blocks_of(group):
            fresh[block, block] = _semidefinite_cholesky(lam[block, block], negligible)
        out.append(fresh)
    return problem.layout.gather(out)


def _semidefinite_cholesky(lam: np.ndarray, negligible: float) -> np.ndarray:
    q = len(lam)
    covariance = lam @ lam.T
    out = np.zeros((q, q))
    for k in range(q):
        column = covariance[k:, k] - out[k:, :k] @ out[k, :k]
        if column[0] > negligible**2 * max(covariance[k, k], 1.0 if negligible > ROUNDING else 0.0):
            out[k:, k] = column / np.sqrt(column[0])
    return out


def snap(criterion: ProfiledCriterion, point: Point) -> Point:
    """Return the canonical form of a point, on the boundary where that costs nothing."""
    exact = canonical(criterion.problem, point.x)
    candidate = canonical(criterion.problem, point.x, NEGLIGIBLE)
    if not np.array_equal(candidate != 0.0, exact != 0.0):
        new = criterion.evaluate(candidate)
        if new is not None and new.value <= point.value + TOLERATED_RISE:
            return new
    new = criterion.evaluate(exact)
    return point if new is None else new


def _null_space(lam: np.ndarray) -> np.ndarray:
    """Orthonormal directions without variance, ``(q, r)``, of a canonical block: as many as it has zero columns.

    A coefficient whose own variance is zero gives a direction of its own; the others are found among the rest.
    """
    deficiency = int((np.diagonal(lam) == 0.0).sum())
    if not deficiency:
        return np.zeros((len(lam), 0))
    sd = np.sqrt(np.einsum("ij,ij->i", lam, lam))
    alone, others = np.flatnonzero(sd == 0.0), np.flatnonzero(sd)
    basis = np.zeros((len(lam), deficiency))
    basis[alone, np.arange(len(alone))] = 1.0
    if deficiency > len(alone):
        _, _, right = np.linalg.svd((lam[others] / sd[others, None]).T)
        null = right[len(others) - (deficiency - len(alone)) :].T / sd[others, None]
        basis[others, len(alone) :] = np.linalg.qr(null)[0]
    return basis


def downhill(criterion: ProfiledCriterion, point: Point) -> np.ndarray | None:
    """Return theta a little inside the boundary where the criterion falls towards there, else None.

    A variance at zero is a stationary point of the criterion whatever its sign, so the derivative with respect to the
    variance is what tells a minimum from a saddle.
    """
    problem = criterion.problem
    lambdas = problem.layout.matrices(point.x)
    if all(np.all(np.diagonal(lam) > 0) for lam in lambdas):
        return None
    scores = variance_scores(point.factorisation, criterion.weights(point))
    moved, any_moved = [lam.copy() for lam in lambdas], False
    for place, (group, lam) in enumerate(zip(problem.groups, lambdas, strict=True)):
        for block in blocks_of(group):
            null = _null_space(lam[block, block])
            if not null.size:
                continue
            values, vectors = np.linalg.eigh(null.T @ scores[place][block, block] @ null)
            if values[0] < -1e-6 * problem.products.n**0.5:
                direction = null @ vectors[:, 0]
                covariance = lam[block, block] @ lam[block, block].T + 0.01 * np.outer(direction, direction)
                moved[place][block, block] = _semidefinite_cholesky(_square_root(covariance), ROUNDING)
                any_moved = True
    return problem.layout.gather(moved) if any_moved else None


def _square_root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def singular_directions(problem: LinearMixedProblem, theta: np.ndarray) -> tuple[SingularDirection, ...]:
    """Name every direction without variance at a canonical theta (internal coordinates)."""
    found = []
    for place, (group, lam) in enumerate(zip(problem.groups, problem.layout.matrices(theta), strict=True)):
        for block in blocks_of(group):
            labels = group.labels()[block]
            T = problem.products.bases[place][block, block]
            relative = inverse_triangle(T) @ lam[block, block]
            for direction in _null_space(lam[block, block]).T @ T:
                unit = direction / np.sqrt(direction @ direction)
                found.append(SingularDirection(group.name, labels, unit, _describe(group.name, labels, relative, unit)))
    return tuple(found)


def _describe(group: str, labels: tuple[str, ...], lam: np.ndarray, direction: np.ndarray) -> str:
    involved = np.flatnonzero(np.abs(direction) > 1e-8)
    names = [f"`{labels[i]}`" for i in involved]
    if len(involved) == 1:
        return f"the variance of {names[0]} in `{group}` is 0"
    if len(involved) == 2:
        i, j = involved
        sign = "1" if lam[i] @ lam[j] > 0 else "-1"
        return f"the correlation of {names[0]} and {names[1]} in `{group}` is {sign}"
    return f"the coefficients {', '.join(names)} in `{group}` are linearly dependent"
