"""The ML deviance with one standard deviation, correlation or fixed effect held at a value."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bayesml.engines.linear_mixed.criterion import AbstractObjective, Point, deviance, weights_matrix
from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import CrossProducts, FixedEffects, adjoint, factorise

__all__ = ["HeldCovariance", "hold_fixed_effect"]


@dataclass(frozen=True)
class HeldCovariance(AbstractObjective):
    """The deviance over the other covariance parameters and log sigma, one sd or correlation held.

    The coordinates are a square root of each covariance matrix (in the user's units, not relative to sigma), entry by
    entry, and log sigma.
    A held sd fixes the length of its row; a held correlation fixes the angle between the first two rows of its block,
    which is stored with the two coefficients first. Coordinates along a held row's length have no effect.

    Attributes:
        problem: the model.
        group: factor of the held parameter.
        order: ``(q,)`` order in which the coefficients of that factor are stored.
        row: stored row of the held sd, or of the second coefficient of the held correlation.
        first: stored row of the first coefficient of the held correlation.
        value: what is held: the sd, or the correlation.
        is_correlation: which of the two.
    """

    group: int
    order: np.ndarray
    row: int
    first: int
    value: float
    is_correlation: bool

    def evaluate(self, x: np.ndarray) -> Point | None:
        """Return the deviance at ``x``."""
        if abs(x[-1]) > 500:
            return None
        sigma = float(np.exp(x[-1]))
        roots = self._held(list(self.problem.layout.matrices(x[:-1])))
        pairs = zip(self.problem.products.bases, self._restored(roots), strict=True)
        fact = factorise(self.problem.products, [T @ root / sigma for T, root in pairs])
        if fact is None:
            return None
        value = deviance(fact, sigma, reml=False)
        return Point(x, value, fact, sigma) if np.isfinite(value) else None

    def gradient(self, point: Point) -> np.ndarray:
        """Return the gradient at an evaluated point."""
        fact, sigma = point.factorisation, point.sigma
        ratio = fact.residual_sum / sigma**2
        slopes = adjoint(fact, weights_matrix(fact, 0.0, ratio)).slopes
        along = sum(float(np.vdot(slope, lam)) for slope, lam in zip(slopes, fact.lambdas, strict=True))
        by_sigma = 2.0 * (self.problem.products.n - ratio) - along
        by_root = [T.T @ slope / sigma for T, slope in zip(self.problem.products.bases, slopes, strict=True)]
        by_root[self.group] = by_root[self.group][self.order]
        self._pull_back(by_root[self.group], self.problem.layout.matrices(point.x[:-1])[self.group])
        return np.append(self.problem.layout.gather(by_root), by_sigma)

    def start(self, lambdas: list[np.ndarray], sigma: float) -> np.ndarray:
        """Return the coordinates closest to given relative factors, in the user's units."""
        roots = [lam * sigma for lam in lambdas]
        covariance = roots[self.group][self.order] @ roots[self.group][self.order].T
        roots[self.group] = np.linalg.cholesky(covariance + 1e-10 * np.diag(np.diagonal(covariance)))
        return np.append(self.problem.layout.gather(roots), np.log(sigma))

    def _held(self, roots: list[np.ndarray]) -> list[np.ndarray]:
        root = roots[self.group]
        row = root[self.row]
        length = np.sqrt(row @ row)
        if self.is_correlation:
            root[self.row] = 0.0
            root[self.row, self.first] = length * self.value * np.sign(root[self.first, self.first] or 1.0)
            root[self.row, self.row] = length * np.sqrt(max(1.0 - self.value**2, 0.0))
        else:
            root[self.row] = row * (self.value / length)
        return roots

    def _restored(self, roots: list[np.ndarray]) -> list[np.ndarray]:
        root = np.empty_like(roots[self.group])
        root[self.order] = roots[self.group]
        roots[self.group] = root
        return roots

    def _pull_back(self, slope: np.ndarray, root: np.ndarray) -> None:
        """Turn the derivative by the held row into that by the free one, in place."""
        row = root[self.row].copy()
        length = np.sqrt(row @ row)
        unit = row / length
        if self.is_correlation:
            sign = np.sign(root[self.first, self.first] or 1.0)
            along = slope[self.row, self.first] * self.value * sign
            along += slope[self.row, self.row] * np.sqrt(max(1.0 - self.value**2, 0.0))
            slope[self.row] = along * unit
        else:
            slope[self.row] = (slope[self.row] - (slope[self.row] @ unit) * unit) * (self.value / length)


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
    ends = products.p + 1
    leads = []
    for lead in products.leads:
        end = np.einsum("qcj,cd->qdj", lead.faces[:, -ends:], change)
        leads.append(replace(lead, faces=np.concatenate([lead.faces[:, :-ends], end], axis=1)))
    m = products.tail_size
    full = np.zeros((m + ends, m + change.shape[1]))
    full[:m, :m] = np.eye(m)
    full[m:, m:] = change
    corner = full.T @ products.corner @ full
    size = len(shift)
    fixed = FixedEffects(np.eye(size), np.arange(size), np.arange(0))
    return replace(products, leads=tuple(leads), corner=corner, shift=shift, fixed=fixed)
