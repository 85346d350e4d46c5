"""The estimates of a linear mixed model and everything that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesml.engines.linear_mixed.boundary import SingularDirection
from bayesml.engines.linear_mixed.criterion import Penalty, Point, weights_matrix
from bayesml.engines.linear_mixed.leverage import row_shares
from bayesml.engines.linear_mixed.problem import LinearMixedProblem
from bayesml.linalg import Substitution, inverse_triangle, mixed_model_inverse, substitute

__all__ = ["Convergence", "GroupEstimate", "LinearMixedFit"]


@dataclass(frozen=True)
class Convergence:
    """How the minimisation ended.

    Attributes:
        evaluations: values of the criterion computed.
        gradients: gradients computed.
        decrement: Newton decrement ``sqrt(g' H^-1 g)``: the criterion is about half its square above its minimum.
        converged: whether the decrement is below 1e-3.
        restarts: times the search was taken off a boundary that was not a minimum.
        singular: the directions without variance; empty for a regular fit.
    """

    evaluations: int
    gradients: int
    decrement: float
    converged: bool
    restarts: int
    singular: tuple[SingularDirection, ...]


@dataclass(frozen=True)
class GroupEstimate:
    """The covariance matrix of the effects of one grouping factor.

    Attributes:
        name: label of the factor.
        relative_factor: ``(q, q)`` lower-triangular Lambda; the covariance is ``sigma^2 Lambda Lambda'``.
        covariance: ``(q, q)``.
        sd: ``(q,)`` standard deviations.
        correlation: ``(q, q)``; NaN where a standard deviation is zero, except on the diagonal.
    """

    name: str
    relative_factor: np.ndarray
    covariance: np.ndarray
    sd: np.ndarray
    correlation: np.ndarray


@dataclass(frozen=True)
class LinearMixedFit:
    """Estimates of a linear mixed model.

    Attributes:
        problem: the model and its arrays.
        reml: whether the REML criterion was minimised.
        fixed_sigma: the known residual standard deviation, or None where it was estimated.
        penalty: what was added to the criterion, or None.
        point: the minimum, with its factorisation.
        theta: ``(k,)`` entries of the relative covariance factors, diagonals non-negative.
        sigma: residual standard deviation.
        objective: the minimised value, with the penalty.
        criterion: the REML criterion or ML deviance, without the penalty.
        convergence: how the minimisation ended.
    """

    problem: LinearMixedProblem
    reml: bool
    fixed_sigma: float | None
    penalty: Penalty | None
    point: Point
    theta: np.ndarray
    sigma: float
    objective: float
    criterion: float
    convergence: Convergence

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.problem.products.n

    @property
    def rank(self) -> int:
        """Number of estimated fixed effects."""
        return self.problem.products.p

    @property
    def kept(self) -> np.ndarray:
        """Columns of X that are in the model."""
        return self.problem.products.fixed.kept

    @property
    def dropped(self) -> np.ndarray:
        """Columns of X that are linear combinations of earlier ones."""
        return self.problem.products.fixed.dropped

    @property
    def parameters(self) -> int:
        """Number of parameters: fixed effects, theta, and sigma where it was estimated."""
        return self.rank + self.problem.layout.size + (self.fixed_sigma is None)

    @property
    def log_likelihood(self) -> float:
        """Minus half the criterion: the REML or the ordinary log-likelihood."""
        return -self.criterion / 2.0

    @property
    def aic(self) -> float:
        """Akaike's criterion, ``criterion + 2 parameters``."""
        return self.criterion + 2.0 * self.parameters

    @property
    def bic(self) -> float:
        """Schwarz's criterion, ``criterion + log(n) parameters``, n the number of rows for ML and REML alike."""
        return self.criterion + float(np.log(self.n)) * self.parameters

    @property
    def is_singular(self) -> bool:
        """Whether some direction of a group covariance matrix has no variance."""
        return bool(self.convergence.singular)

    @cached_property
    def _gamma(self) -> np.ndarray:
        """Coefficients of the orthogonal basis, relative to the ordinary least-squares ones."""
        reduced = self.point.factorisation.reduced
        return np.linalg.solve(reduced[:-1, :-1], reduced[:-1, -1])

    @cached_property
    def beta(self) -> np.ndarray:
        """``(rank,)`` fixed effects of the kept columns of X."""
        return self.problem.products.fixed.coefficients(self._gamma + self.problem.products.shift)

    @cached_property
    def vcov(self) -> np.ndarray:
        """``(rank, rank)`` covariance matrix of ``beta``, ``sigma^2 (X'V^-1X)^-1``."""
        inverse = np.linalg.inv(self.point.factorisation.reduced[:-1, :-1])
        return self.sigma**2 * self.problem.products.fixed.covariance((inverse + inverse.T) / 2.0)

    @cached_property
    def vcov_root(self) -> np.ndarray:
        """``(rank, rank)`` B with ``B B' = vcov``: a combination c has variance ``|c B|^2``, without cancellation."""
        inverse = np.linalg.inv(self.point.factorisation.reduced[:-1, :-1])
        half = np.linalg.cholesky((inverse + inverse.T) / 2.0)
        return self.sigma * self.problem.products.fixed.coefficients(half)

    @property
    def standard_errors(self) -> np.ndarray:
        """``(rank,)`` standard errors of ``beta``."""
        return np.sqrt(np.diagonal(self.vcov))

    @cached_property
    def groups(self) -> tuple[GroupEstimate, ...]:
        """The covariance matrices, one per grouping factor."""
        lambdas = self.problem.layout.matrices(self.theta)
        return tuple(_estimate(g.name, lam, self.sigma) for g, lam in zip(self.problem.groups, lambdas, strict=True))

    @cached_property
    def substitution(self) -> Substitution:
        """Group effects and ``Z'V^-1`` of the columns of the orthogonal basis and of the response."""
        return substitute(self.point.factorisation)

    @cached_property
    def conditional_modes(self) -> tuple[np.ndarray, ...]:
        """``(levels, q)`` for each factor: the predicted group effects b; zero for a level without rows."""
        out = []
        for place, group in enumerate(self.problem.groups):
            effects = self.substitution.effects[place]
            b = effects[:, -1] - np.einsum("qpj,p->qj", effects[:, :-1], self._gamma)
            modes = np.zeros((group.n_levels, group.q))
            back = inverse_triangle(self.problem.products.bases[place])
            modes[self.problem.rows.orders[place].levels] = (back @ b).T
            out.append(modes)
        return tuple(out)

    @cached_property
    def conditional_variances(self) -> tuple[np.ndarray, ...]:
        """``(levels, q, q)`` for each factor: variances of the group effects given the data, beta and theta."""
        fact = self.point.factorisation
        zero = np.zeros_like(fact.reduced)
        inverse, arrow = mixed_model_inverse(fact, zero), fact.products.matrix.arrow
        blocks: dict[int, np.ndarray] = {}
        for stage, face in zip(arrow.stages, inverse.faces, strict=True):
            blocks[stage.block] = face[:, : stage.q].transpose(2, 0, 1)
        for part in arrow.tail:
            shape = (len(fact.lambdas[part.block]), fact.products.counts[part.block])
            rows = inverse.corner[part.rows, part.rows].reshape(*shape, *shape)
            blocks[part.block] = np.einsum("ajbj->jab", rows)
        return tuple(self._expand(place, blocks[place]) for place in range(len(self.problem.groups)))

    def _expand(self, place: int, blocks: np.ndarray) -> np.ndarray:
        group, back = self.problem.groups[place], inverse_triangle(self.problem.products.bases[place])
        out = np.tile(self.groups[place].covariance, (group.n_levels, 1, 1))
        out[self.problem.rows.orders[place].levels] = self.sigma**2 * back @ blocks @ back.T
        return out

    @cached_property
    def population_fitted(self) -> np.ndarray:
        """``(n,)`` fixed part of the mean, with the offset."""
        fitted = self.problem.X[:, self.kept] @ self.beta
        return fitted if self.problem.offset is None else fitted + self.problem.offset

    @cached_property
    def fitted(self) -> np.ndarray:
        """``(n,)`` conditional mean of each row, with the offset and the group effects."""
        out = self.population_fitted.copy()
        for group, modes in zip(self.problem.groups, self.conditional_modes, strict=True):
            out += group.contribution(modes)
        return out

    @property
    def residuals(self) -> np.ndarray:
        """``(n,)`` response minus conditional mean."""
        return self.problem.y - self.fitted

    @cached_property
    def _row_shares(self) -> tuple[np.ndarray, ...]:
        return row_shares(self.problem, self.point.factorisation, weights_matrix(self.point.factorisation, 1.0, 0.0))

    @cached_property
    def leverages(self) -> np.ndarray:
        """``(n,)`` diagonal of the matrix that maps the response to the fitted values."""
        return np.sum(self._row_shares, axis=0)

    @cached_property
    def effective_degrees(self) -> np.ndarray:
        """``(blocks,)`` effective degrees of freedom of each block of random effects, 0 to its number of coefficients.

        Each fixed effect has one; their sum with these is that of the leverages.
        """
        return np.array([share.sum() for share in self._row_shares[1:]])


def _estimate(name: str, lam: np.ndarray, sigma: float) -> GroupEstimate:
    covariance = sigma**2 * lam @ lam.T
    sd = np.sqrt(np.diagonal(covariance))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = covariance / np.outer(sd, sd)
    np.fill_diagonal(correlation, 1.0)
    return GroupEstimate(name, lam, covariance, sd, correlation)
