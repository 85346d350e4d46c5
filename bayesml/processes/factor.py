"""``C z`` with ``C C' = K``: values of a process at its places, for densities that are sampled, with JAX.

No LAPACK, whose threads stall each other when chains run at the same time. The Cholesky factor is found some columns at
a time; their products are then taken off the rest. The inverse of a block of the factor is not used, since K may be as
good as singular.

Derivatives in the few parameters of the covariance matrix are taken forwards, together with the factor. Going backwards
through ``C^-1`` would multiply rounding errors by the condition number of K, which is some 1e12 for a smooth process at
near places; forwards they are multiplied by its root and then by the small columns of C that belong to it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from bayesml.processes.kernels import Kernel

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    Square = Float[Array, "n n"]

__all__ = ["NUGGET", "correlated", "covariance_root"]

NUGGET = 1e-12
"""What is added to the variances so that K is positive definite in floating point; brms's."""
BLOCK = 16
"""Columns of the factor that are found together; more or fewer take longer (60 to 200 places)."""


def correlated(kernel: Kernel, sd: Any, lengthscales: Any, z: Any, distances: Any) -> Any:
    """Return the values ``(n,)`` of the process.

    Args:
        kernel: the covariance function.
        sd: the standard deviation of the process.
        lengthscales: ``(k,)``.
        z: ``(n,)`` standard normal variables.
        distances: ``(k, n, n)``, see ``Kernel.correlation``.
    """
    return covariance_root(kernel, sd, lengthscales, distances) @ z


def covariance_root(kernel: Kernel, sd: Any, lengthscales: Any, distances: Any) -> Square:
    """Return the lower Cholesky factor C of the covariance matrix; the arguments are those of ``correlated``."""
    return _root()(kernel, sd, lengthscales, distances)


@cache
def _root() -> Callable[..., Any]:
    """Return the factor as a function with its derivative; made at its first use, which is JAX's."""
    import jax
    from jax import numpy as jnp

    def factor(kernel: Kernel, distances: Any, parameters: Any) -> Square:
        correlation = kernel.correlation(distances, parameters[1:])
        return _cholesky(parameters[0] ** 2 * correlation + NUGGET * jnp.eye(distances.shape[-1]))

    @partial(jax.custom_jvp, nondiff_argnums=(0,))
    def function(kernel: Kernel, sd: Any, lengthscales: Any, distances: Any) -> Square:
        return factor(kernel, distances, jnp.append(sd, lengthscales))

    @function.defjvp
    def derivative(kernel: Kernel, values: Any, changes: Any) -> Any:
        """``dC = sum_i dC/dtheta_i dtheta_i``: going backwards, a change of C is multiplied by each of these."""
        sd, lengthscales, distances = values
        parameters = jnp.append(jnp.reshape(sd, (1,)), lengthscales)
        along = jax.vmap(lambda e: jax.jvp(partial(factor, kernel, distances), (parameters,), (e,)), out_axes=(None, 0))
        C, slopes = along(jnp.eye(parameters.shape[0]))
        change = jnp.append(jnp.reshape(changes[0], (1,)), changes[1])
        return C, jnp.tensordot(change, slopes, 1)

    return function


def _cholesky(matrix: Square) -> Square:
    """Return the lower Cholesky factor.

    ``BLOCK`` columns at a time: what earlier columns explain is taken off by one product, and the rest is eliminated
    column by column. Both are loops, so that compiling takes as long for many places as for few.
    """
    import jax
    from jax import numpy as jnp

    n = matrix.shape[0]
    padding = -n % BLOCK
    padded = jnp.pad(matrix, ((0, padding), (0, padding)))
    row, place = jnp.arange(n + padding)[:, None], jnp.arange(BLOCK)

    def eliminate(start: Any, k: Any, columns: Any) -> Any:
        column = jax.lax.dynamic_slice_in_dim(columns, k, 1, 1)
        pivot = jax.lax.dynamic_slice_in_dim(column, start + k, 1, 0)
        # No pivot of K + NUGGET I is smaller than NUGGET: one that is has been computed as a difference of numbers
        # whose rounding errors are larger.
        root = jnp.sqrt(jnp.maximum(pivot, 0.5 * NUGGET))
        done = jnp.where(row > start + k, column / root, jnp.where(row == start + k, root, 0.0))
        across = jax.lax.dynamic_slice_in_dim(done, start, BLOCK, 0)[:, 0]
        return jnp.where(place == k, done, columns - jnp.where(place > k, done * across, 0.0))

    def block(number: Any, factor: Any) -> Any:
        start = number * BLOCK
        columns = jax.lax.dynamic_slice_in_dim(padded, start, BLOCK, 1)
        columns = columns - factor @ jax.lax.dynamic_slice_in_dim(factor, start, BLOCK, 0).T
        columns = jax.lax.fori_loop(0, BLOCK, partial(eliminate, start), columns)
        return jax.lax.dynamic_update_slice_in_dim(factor, columns, start, 1)

    return jax.lax.fori_loop(0, len(padded) // BLOCK, block, jnp.zeros_like(padded))[:n, :n]
