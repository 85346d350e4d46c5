"""Where the values of a parameter lie, and the map from unconstrained numbers to them that samplers move in.

Every support maps ``size`` unconstrained numbers u to a value with a known log Jacobian determinant. u = 0 is a typical
value. NumPy takes values back to u.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.links.elementary import softplus

if TYPE_CHECKING:
    from jaxtyping import ArrayLike, Float

    from bayesml.shapes import Numbers

__all__ = [
    "POSITIVE",
    "UNBOUNDED",
    "AbstractSupport",
    "CorrCholesky",
    "Interval",
    "Ordered",
    "Simplex",
    "SumToZero",
    "constrained",
]

jax = lazy_module("jax")
jnp = lazy_module("jax.numpy")
transforms = lazy_module("numpyro.distributions.transforms")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class AbstractSupport(ABC):
    """The set of values of one array of parameters."""

    @property
    def is_whole(self) -> bool:
        """Whether the elements of the array depend on each other, so that it is sampled as one site."""
        return True

    @property
    def bounds(self) -> tuple[float, float]:
        """Bounds of each element."""
        return -np.inf, np.inf

    @abstractmethod
    def size(self, shape: Shape) -> int:
        """Return how many unconstrained numbers stand for an array of that shape."""

    @abstractmethod
    def constrain(self, u: Float[ArrayLike, " size"], shape: Shape) -> tuple[Numbers, Float[ArrayLike, ""]]:
        """Map unconstrained numbers ``(size,)`` to the value and the log Jacobian determinant; JAX arrays.

        Of a value with fewer degrees of freedom than elements, the determinant is that of the map to the elements that
        determine it: all but the last of a simplex, those below the diagonal of a Cholesky factor.
        """

    @abstractmethod
    def unconstrain(self, value: np.ndarray) -> np.ndarray:
        """Map a value back to unconstrained numbers ``(size,)``."""

    def start(self, shape: Shape, centers: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the unconstrained centre and the typical distances from it, ``(size,)`` each.

        Args:
            shape: shape of the array.
            centers: typical values, one for each element or one for all.
            scales: typical distances from them, in the same form.
        """
        size = self.size(shape)
        return np.zeros(size), np.ones(size)


@final
@dataclass(frozen=True)
class Interval(AbstractSupport):
    """Each element lies between two bounds, on its own: exp(u) from a bound, a scaled logistic between two."""

    lower: float = -np.inf
    upper: float = np.inf

    @property
    def is_whole(self) -> bool:
        """Elements are free of each other."""
        return False

    @property
    def bounds(self) -> tuple[float, float]:
        """The bounds."""
        return self.lower, self.upper

    def size(self, shape: Shape) -> int:
        """Return the number of elements."""
        return int(np.prod(shape, dtype=int))

    def constrain(self, u: Float[ArrayLike, " size"], shape: Shape) -> tuple[Numbers, Float[ArrayLike, ""]]:
        """Map each number on its own."""
        return constrained(u, shape, self.bounds, *self.bounds)

    def unconstrain(self, value: np.ndarray) -> np.ndarray:
        """Return the logarithm of the distance from the bound, or the logit."""
        lower, upper = self.bounds
        flat = value.reshape(-1)
        if np.isfinite(lower) and np.isfinite(upper):
            return np.log(flat - lower) - np.log(upper - flat)
        if np.isfinite(lower):
            return np.log(flat - lower)
        return np.log(upper - flat) if np.isfinite(upper) else flat

    def start(self, shape: Shape, centers: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return centres and scales, on the log scale at one bound; between two the middle."""
        size = self.size(shape)
        center = np.broadcast_to(np.asarray(centers, float), (size,)).copy()
        scale = np.broadcast_to(np.asarray(scales, float), (size,)).copy()
        lower, upper = self.bounds
        if np.isfinite(lower) and np.isfinite(upper):
            return np.zeros(size), np.ones(size)
        if np.isfinite(lower) or np.isfinite(upper):
            distance = np.abs(center - (lower if np.isfinite(lower) else upper))
            return np.log(np.where(distance > 0, distance, scale)), np.ones(size)
        return center, scale


def constrained(
    u: Float[ArrayLike, " size"], shape: Shape, bounds: tuple[float, float], lower: Any, upper: Any
) -> tuple[Numbers, Float[ArrayLike, ""]]:
    """Map unconstrained numbers to those in an interval, and return the log Jacobian determinant.

    Args:
        u: ``(size,)``.
        shape: shape of the value.
        bounds: these say which bounds are finite.
        lower: the lower bound, which may be a tracer.
        upper: the upper bound.
    """
    if np.isfinite(bounds[0]) and np.isfinite(bounds[1]):
        width = upper - lower
        log_width = np.log(width) if isinstance(width, float) else jnp.log(width)
        value = lower + width * jax.nn.sigmoid(u)
        return jnp.reshape(value, shape), jnp.sum(log_width - softplus(u) - softplus(-u))
    if np.isfinite(bounds[0]):
        is_zero = isinstance(lower, float) and lower == 0.0
        return jnp.reshape(jnp.exp(u) if is_zero else lower + jnp.exp(u), shape), jnp.sum(u)
    if np.isfinite(bounds[1]):
        return jnp.reshape(upper - jnp.exp(u), shape), jnp.sum(u)
    return jnp.reshape(u, shape), 0.0


UNBOUNDED = Interval()
POSITIVE = Interval(0.0, np.inf)


@final
@dataclass(frozen=True)
class CorrCholesky(AbstractSupport):
    """Cholesky factors of correlation matrices, by Stan's canonical partial correlations tanh(u)."""

    def size(self, shape: Shape) -> int:
        """Return the number of correlations."""
        return shape[0] * (shape[0] - 1) // 2

    def constrain(self, u: Float[ArrayLike, " size"], shape: Shape) -> tuple[Numbers, Float[ArrayLike, ""]]:
        """Return the factor; two columns are written out, more go through NumPyro's transform."""
        if shape[0] > 2:
            transform = transforms.CorrCholeskyTransform()
            value = transform(u)
            return value, transform.log_abs_det_jacobian(u, value)
        t = jnp.tanh(u[0])
        # log(1 - tanh(u)^2), free of cancellation for large |u|
        log_jacobian = 2.0 * (np.log(2.0) - u[0] - softplus(-2.0 * u[0]))
        one, zero = jnp.ones(()), jnp.zeros(())
        return jnp.stack([jnp.stack([one, zero]), jnp.stack([t, jnp.exp(0.5 * log_jacobian)])]), log_jacobian

    def unconstrain(self, value: np.ndarray) -> np.ndarray:
        """Return atanh of L_ij / sqrt(1 - L_i1^2 - ... - L_i,j-1^2), row by row (Lewandowski, Kurowicka & Joe 2009)."""
        rows, columns = np.tril_indices(len(value), -1)
        before = np.cumsum(value**2, axis=1) - value**2
        partial = value[rows, columns] / np.sqrt(1 - before[rows, columns])
        nearest = np.nextafter(1.0, 0.0)
        return np.arctanh(np.clip(partial, -nearest, nearest))

    def start(self, shape: Shape, centers: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return no correlation."""
        size = self.size(shape)
        return np.zeros(size), np.full(size, 0.5)


@final
@dataclass(frozen=True)
class Ordered(AbstractSupport):
    """Increasing vectors ``(k,)``: the first element is u_1, each further one exp(u_i) above the one before."""

    def size(self, shape: Shape) -> int:
        """Return the number of elements."""
        return shape[0]

    def constrain(self, u: Float[ArrayLike, " size"], shape: Shape) -> tuple[Numbers, Float[ArrayLike, ""]]:
        """Return the sums of u_1 and the steps; the Jacobian is triangular with the steps on its diagonal."""
        if shape[0] == 1:
            return u, 0.0
        return jnp.cumsum(jnp.concatenate([u[:1], jnp.exp(u[1:])])), jnp.sum(u[1:])

    def unconstrain(self, value: np.ndarray) -> np.ndarray:
        """Return the first element and the logarithms of the steps."""
        return np.concatenate([value[:1], np.log(np.diff(value))])

    def start(self, shape: Shape, centers: np.ndarray, scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the centres where they increase, else elements evenly spread about the first of them."""
        k = shape[0]
        center = np.broadcast_to(np.asarray(centers, float), (k,))
        scale = np.broadcast_to(np.asarray(scales, float), (k,))
        if np.any(np.diff(center) <= 0):
            center = center[0] + scale[0] * (np.arange(1, k + 1) / (k + 1) - 0.5)
        return self.unconstrain(np.array(center)), np.concatenate([scale[:1], np.ones(k - 1)])


@final
@dataclass(frozen=True)
class Simplex(AbstractSupport):
    """Positive vectors ``(k,)`` that sum to 1, by breaking a stick: z_i is the share of what is left.

    z_i = 1 / (1 + exp(-u_i) (k - i)), so that u = 0 gives equal shares (Stan Reference Manual, unit simplex).
    """

    def size(self, shape: Shape) -> int:
        """Return one less than the number of elements."""
        return shape[0] - 1

    def constrain(self, u: Float[ArrayLike, " size"], shape: Shape) -> tuple[Numbers, Float[ArrayLike, ""]]:
        """Return the pieces; log |dx_i / du_i| = log z_i + log(1 - z_i) + log of what was left."""
        k = shape[0]
        shifted = u - np.log(np.arange(k - 1, 0, -1.0))
        log_share, log_rest = -softplus(-shifted), -softplus(shifted)
        log_left = jnp.concatenate([jnp.zeros(1), jnp.cumsum(log_rest)])
        value = jnp.exp(jnp.concatenate([log_share + log_left[:-1], log_left[-1:]]))
        return value, jnp.sum(log_share + log_rest + log_left[:-1])

    def unconstrain(self, value: np.ndarray) -> np.ndarray:
        """Return the shares of what is left, on the shifted logit scale."""
        k = len(value)
        left = np.cumsum(value[::-1])[::-1]  # summed from the end: 1 - cumsum loses small rests
        return np.log(value[:-1]) - np.log(left[1:]) + np.log(np.arange(k - 1, 0, -1.0))


@final
@dataclass(frozen=True)
class SumToZero(AbstractSupport):
    """Vectors ``(k,)`` that sum to 0: an orthonormal basis of them times ``k - 1`` numbers; the determinant is 1."""

    def size(self, shape: Shape) -> int:
        """Return one less than the number of elements."""
        return shape[0] - 1

    def constrain(self, u: Float[ArrayLike, " size"], shape: Shape) -> tuple[Numbers, Float[ArrayLike, ""]]:
        """Return the basis times u."""
        return _zero_sum_basis(shape[0]) @ u, 0.0

    def unconstrain(self, value: np.ndarray) -> np.ndarray:
        """Return the coordinates in the basis."""
        return _zero_sum_basis(len(value)).T @ value


def _zero_sum_basis(k: int) -> np.ndarray:
    """Return Helmert's contrasts, ``(k, k - 1)``, with columns of length 1."""
    basis = np.tril(np.ones((k, k - 1)), -1) * 0.0
    for j in range(k - 1):
        basis[: j + 1, j] = 1.0
        basis[j + 1, j] = -(j + 1.0)
        basis[:, j] /= np.sqrt((j + 1.0) * (j + 2.0))
    return basis
