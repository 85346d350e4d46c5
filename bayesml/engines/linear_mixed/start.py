"""Where a fit starts: one step of expectation-maximisation, and the expected curvature there."""

from __future__ import annotations

import numpy as np

from bayesml.engines.linear_mixed.criterion import Point, ProfiledCriterion
from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import CrossProducts

__all__ = ["expected_inverse_hessian", "starting_point"]


def starting_point(criterion: ProfiledCriterion, theta: np.ndarray | None = None) -> Point | None:
    """Return an evaluated start: ``theta`` (internal coordinates) if given, else one EM step from unit variances."""
    if theta is not None:
        return criterion.evaluate(theta)
    first = criterion.evaluate(criterion.problem.layout.is_diagonal.astype(float))
    if first is None:
        return None
    moved = _expectation_maximisation(criterion, first)
    second = None if moved is None else criterion.evaluate(moved)
    return first if second is None or second.value > first.value else second


def _expectation_maximisation(criterion: ProfiledCriterion, point: Point) -> np.ndarray | None:
    """The covariance matrices after one EM step.

    The derivative G of the criterion with respect to Lambda holds the second moments of the spherical effects u:
    ``Lambda'G = 2 (J I - sum_j E[u_j u_j'])``.
    """
    problem = criterion.problem
    levels = problem.products.counts
    slopes = criterion.adjoint(point).slopes
    updated = []
    for group, lam in enumerate(problem.layout.matrices(point.x)):
        excess = lam.T @ slopes[group] / (2.0 * levels[group])
        covariance = lam @ (np.eye(len(lam)) - (excess + excess.T) / 2.0) @ lam.T
        try:
            updated.append(np.linalg.cholesky(covariance * _within(problem.groups[group].blocks)))
        except np.linalg.LinAlgError:
            return None
    return problem.layout.gather(updated)


def _within(blocks: tuple[int, ...]) -> np.ndarray:
    """1 where two columns belong to the same correlated block, else 0."""
    block = np.repeat(np.arange(len(blocks)), blocks)
    return (block[:, None] == block[None, :]).astype(float)


def _own_diagonals(products: CrossProducts) -> dict[int, np.ndarray]:
    """Return for each factor ``(q, J)`` the sums of squares of its columns within each level."""
    matrix, arrow = products.matrix, products.matrix.arrow
    pairs = zip(arrow.stages, matrix.faces, strict=True)
    out = {stage.block: np.stack([face[a, a] for a in range(stage.q)]) for stage, face in pairs}
    corner = np.diagonal(matrix.corner)
    return out | {part.block: corner[part.rows].reshape(len(products.bases[part.block]), -1) for part in arrow.tail}


def expected_inverse_hessian(problem: LinearMixedProblem, theta: np.ndarray) -> np.ndarray:
    """Return an expected inverse Hessian for theta (internal coordinates), a diagonal matrix.

    With J well-determined levels the criterion behaves like ``J log |Lambda Lambda'| + tr(S (Lambda Lambda')^-1)``: the
    curvature is ``4 J / l_ii^2`` along a diagonal entry and ``2 J / l_ii^2`` along another entry of its row. A level
    counts with the square of its reliability, ``l^2 a / (1 + l^2 a)``.
    """
    layout, own = problem.layout, _own_diagonals(problem.products)
    lambdas = layout.matrices(theta)
    inverse = np.empty(layout.size)
    for k, (group, row, column) in enumerate(zip(layout.group, layout.row, layout.column, strict=True)):
        variance = max(lambdas[group][row, row] ** 2, 1e-4)
        reliability = variance * own[group][row] / (1.0 + variance * own[group][row])
        curvature = (4.0 if row == column else 2.0) * float(reliability @ reliability) / variance
        inverse[k] = 1.0 / max(curvature, 1e-3)
    return np.diag(inverse)
