"""The ML deviance with one standard deviation, correlation or fixed effect held at a value."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesml.engines.linear_mixed.criterion import AbstractObjective, Point, deviance, weights_matrix
from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import CrossProducts, FixedEffects, HeldTheta, adjoint, factorise

__all__ = ["HeldCovariance", "hold_fixed_effect"]


@dataclass(frozen=True)
class HeldCovariance(AbstractObjective):
    """The deviance over the other covariance parameters and log sigma, one sd or correlation held.

    The coordinates are those of the held factors, which are square roots of the covariance matrices themselves (not
    relative to sigma), and log sigma.

    Attributes:
        problem: the model, the held coefficients at the front of their block.
        held: what is held.
    """

    held: HeldTheta

    def evaluate(self, x: np.ndarray) -> Point | None:
        """Return the deviance at ``x``."""
        if abs(x[-1]) > 500:
            return None
        sigma = float(np.exp(x[-1]))
        theta = self.held.theta(x[:-1]) / sigma
        fact = factorise(self.problem.products, self.problem.layout.matrices(theta))
        if fact is None:
            return None
        value = deviance(fact, sigma, reml=False)
        return Point(x, value, fact, sigma) if np.isfinite(value) else None

    def gradient(self, point: Point) -> np.ndarray:
        """Return the gradient at an evaluated point."""
        fact, sigma = point.factorisation, point.sigma
        ratio = fact.residual_sum / sigma**2
        slopes = self.problem.layout.gather(adjoint(fact, weights_matrix(fact, 0.0, ratio)).slopes)
        along = float(slopes @ self.problem.layout.gather(fact.lambdas))
        by_sigma = 2.0 * (self.problem.products.n - ratio) - along
        return np.append(slopes @ self.held.jacobian(point.x[:-1]) / sigma, by_sigma)

    def root(self, point: Point) -> np.ndarray:
        """Return the entries of the square roots of the covariance matrices, internal coordinates."""
        return self.held.theta(point.x[:-1])


def hold_fixed_effect(problem: LinearMixedProblem, place: int, value: float) -> LinearMixedProblem:
    """Return the model in which one estimated fixed effect is held: its column moves into the offset, without rows."""
    products = problem.products
    R, p = products.fixed.R, products.p
    others = np.delete(R, place, axis=1)
    basis = np.linalg.qr(others)[0] if others.size else np.zeros((p, 0))
    rest = products.shift - R[:, place] * value
    change = np.zeros((p + 1, p))
    change[:p, : p - 1] = basis
    change[:p, p - 1] = rest - basis @ (basis.T @ rest)
    change[p, p - 1] = 1.0
    return replace(problem, products=_change_border(products, change, basis.T @ rest))


def _change_border(products: CrossProducts, change: np.ndarray, shift: np.ndarray) -> CrossProducts:
    matrix, ends, m = products.matrix, products.p + 1, products.matrix.arrow.width
    faces = []
    for face in matrix.faces:
        end = np.einsum("qcj,cd->qdj", face[:, -ends:], change)
        faces.append(np.concatenate([face[:, :-ends], end], axis=1))
    full = np.zeros((m + ends, m + change.shape[1]))
    full[:m, :m] = np.eye(m)
    full[m:, m:] = change
    size = len(shift)
    fixed = FixedEffects(np.eye(size), np.arange(size), np.arange(0))
    changed = replace(matrix, faces=tuple(faces), corner=full.T @ matrix.corner @ full)
    return replace(products, matrix=changed, shift=shift, fixed=fixed)
