"""The LKJ distribution of correlation matrices, in terms of their Cholesky factors.

Lewandowski, Kurowicka and Joe (2009), Generating random correlation matrices based on vines and extended onion method,
J. Multivariate Analysis 100.

Let R = L L' with K rows. det(R) is the product of L_ii^2, and the Jacobian of R as a function of L is the product of
L_ii^(K - i). So the density det(R)^(eta - 1) of R is prod_i L_ii^(K - i + 2 eta - 2) in L, and the rows of L are
independent. Let w be the m = i - 1 numbers of row i left of the diagonal. The row has length 1, L_ii^2 = 1 - |w|^2, and
relative to w the density is (1 - |w|^2)^((K - i) / 2 + eta - 1) = (1 - |w|^2)^(a - 1) with a = eta + (K - i) / 2. Its
integral over the unit ball is pi^(m/2) Gamma(a) / Gamma(a + m / 2), and |w|^2 ~ beta(m / 2, a).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lgamma, log, pi
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions.base import copy_with
from bayesml.distributions.whole import WholeDistribution
from bayesml.errors import PriorError
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    import numpyro.distributions as dist
    from jaxtyping import ArrayLike, Float

    from bayesml.shapes import Broadcast, Elements, Numbers

__all__ = ["LKJ", "cholesky_diagonal", "cholesky_factor"]


@final
@dataclass(frozen=True, repr=False)
class LKJ(WholeDistribution):
    """``lkj(eta)``: correlation matrices with density proportional to det(R)^(eta - 1); 1 is uniform.

    The functions of one number (``cdf``, ``quantile``, ...) are those of the correlation rho of two columns, for which
    (1 + rho) / 2 ~ beta(eta, eta). For Cholesky factors of K columns there are ``cholesky``, ``draw_cholesky`` and
    ``cholesky_log_density``.
    """

    eta: float

    name: ClassVar[str] = "lkj"
    positive: ClassVar[frozenset[str]] = frozenset({"eta"})

    def cholesky(self, dimension: int) -> dist.Distribution:
        """Return NumPyro's ``LKJCholesky`` of ``(dimension, dimension)`` factors."""
        import numpyro.distributions as dist

        return dist.LKJCholesky(dimension, self.eta)

    def cholesky_log_density(self, cholesky: Float[ArrayLike, "*factors k k"]) -> Float[ArrayLike, "*factors"]:
        """Return the log density of Cholesky factors ``(..., K, K)`` with respect to their lower triangle."""
        return self.cholesky_density_by(cholesky, self.eta, self._cholesky_constant(cholesky.shape[-1]))

    def cholesky_density_by(
        self, cholesky: Float[ArrayLike, "*factors k k"], eta: Any, constant: Any
    ) -> Float[ArrayLike, "*factors"]:
        """Return the log density for another eta, which may be a tracer, with its constant."""
        xp, k = array_namespace(cholesky), cholesky.shape[-1]
        a = [eta + (k - i) / 2 for i in range(2, k + 1)]
        # ``jnp.diagonal`` has a branch for each platform and takes longer to trace than the rest of this function.
        powers = [2 * a_i - 2 for a_i in a]
        logs = [
            power * xp.log(cholesky[..., m, m])
            for m, power in enumerate(powers, start=1)
            if not (isinstance(power, float) and power == 0.0)
        ]
        return constant + sum(logs[1:], start=logs[0]) if logs else constant + xp.zeros(cholesky.shape[:-2])

    def _cholesky_constant(self, k: int) -> float:
        a = [self.eta + (k - i) / 2 for i in range(2, k + 1)]
        return sum(lgamma(a_i + m / 2) - lgamma(a_i) - m / 2 * log(pi) for m, a_i in enumerate(a, start=1))

    @property
    def kind(self) -> tuple[object, ...]:
        """Whether it is uniform, where some terms are left out."""
        return (LKJ, self.eta == 1.0)

    def numbers(self, shape: tuple[int, ...] = ()) -> tuple[Any, ...]:
        """Return eta and the constant for matrices of that shape; none where it is uniform."""
        return () if self.eta == 1.0 else (self.eta, self._cholesky_constant(shape[-1]))

    def at(self, numbers: Sequence[Any]) -> LKJ:
        """Return it with another eta."""
        return copy_with(self, {"eta": numbers[0], "given_constant": numbers[1]}) if numbers else self

    def draw_cholesky(self, rng: np.random.Generator, dimension: int, size: int | tuple[int, ...] = ()) -> np.ndarray:
        """Return independent Cholesky factors, shape ``size + (dimension, dimension)``."""
        shape = (size,) if isinstance(size, int) else tuple(size)
        factor = np.zeros((*shape, dimension, dimension))
        factor[..., 0, 0] = 1.0
        for m in range(1, dimension):
            squared = rng.beta(m / 2, self.eta + (dimension - m - 1) / 2, size=shape)
            direction = rng.standard_normal((*shape, m))
            direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
            factor[..., m, :m] = np.sqrt(squared)[..., None] * direction
            factor[..., m, m] = np.sqrt(1 - squared)
        return factor

    def whole_log_density(self, value: Numbers) -> Numbers:
        """Return ``cholesky_log_density``."""
        given = self.__dict__.get("given_constant")
        return self.cholesky_log_density(value) if given is None else self.cholesky_density_by(value, self.eta, given)

    def draw_whole(self, rng: np.random.Generator, shape: tuple[int, ...], size: int) -> np.ndarray:
        """Return independent factors, ``(size, K, K)``."""
        return self.draw_cholesky(rng, shape[0], size)

    def numpyro_whole(self, shape: tuple[int, ...]) -> dist.Distribution:
        """Return ``cholesky(K)``."""
        return self.cholesky(shape[0])

    @property
    def support(self) -> tuple[float, float]:
        """The range of a correlation."""
        return -1.0, 1.0

    @property
    def location(self) -> float:
        """No correlation."""
        return 0.0

    @property
    def scale(self) -> float:
        """The standard deviation of a correlation between two columns."""
        return (2 * self.eta + 1) ** -0.5

    def log_density(self, x: Elements) -> Elements:
        """Return the log density of a correlation between two columns."""
        xp = array_namespace(x)
        x = xp.asarray(x, dtype=float)
        inside = abs(x) < 1
        constant = lgamma(self.eta + 0.5) - lgamma(self.eta) - 0.5 * log(pi)
        return xp.where(inside, constant + (self.eta - 1) * xp.log1p(-(xp.where(inside, x, 0.0) ** 2)), -np.inf)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return -2 (eta - 1) x / (1 - x^2)."""
        return -2 * (self.eta - 1) * x / (1 - x**2)

    def cdf(self, x: Elements) -> Elements:
        """Return P(rho <= x)."""
        from scipy import special

        return special.betainc(self.eta, self.eta, (1 + np.clip(x, -1.0, 1.0)) / 2)

    def survival(self, x: Elements) -> Elements:
        """Return P(rho > x)."""
        return self.cdf(-np.asarray(x))

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        from scipy import special

        return 2 * special.betaincinv(self.eta, self.eta, p) - 1

    @staticmethod
    def numpyro_form(eta: Broadcast) -> dist.Distribution:
        """Raise: the NumPyro form needs the number of columns."""
        raise PriorError("An LKJ prior needs the number of correlated columns: use its cholesky(dimension).")


def cholesky_factor(correlation: np.ndarray) -> np.ndarray:
    """Return the Cholesky factors of correlation matrices, ``(..., k, k)``, also of draws at the edge of these.

    Where an element of the diagonal is 0, those below it are too.
    """
    factor = np.zeros(correlation.shape)
    for j in range(correlation.shape[-1]):
        rest = correlation[..., :, j] - np.einsum("...ik,...k->...i", factor[..., :, :j], factor[..., j, :j])
        diagonal = np.sqrt(np.maximum(rest[..., j], 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            below = np.where(diagonal[..., None] > 0.0, rest[..., j + 1 :] / diagonal[..., None], 0.0)
        factor[..., j, j], factor[..., j + 1 :, j] = diagonal, below
    return factor


def cholesky_diagonal(correlation: np.ndarray) -> np.ndarray:
    """Return matrices with the diagonal of the Cholesky factor of correlation matrices, 0 elsewhere.

    The square of an element is the ratio of two leading minors. A draw at the edge of the correlation matrices has a
    minor of zero, where a factorisation fails.
    """
    size = correlation.shape[-1]
    minors = [np.ones(correlation.shape[:-2])] + [np.linalg.det(correlation[..., :k, :k]) for k in range(1, size + 1)]
    factor = np.zeros(correlation.shape)
    for k in range(size):
        factor[..., k, k] = np.sqrt(np.maximum(minors[k + 1], 0.0) / np.maximum(minors[k], np.finfo(float).tiny))
    return factor
