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

__all__ = ["NUGGET", "correlated", "covariance_root", "standardised"]

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


def covariance_root(kernel: Kernel, sd: Any, lengthscales: Any, distances: Any, basis: Any = None) -> Square:
    """Return the lower Cholesky factor C of the covariance matrix; the arguments are those of ``correlated``.

    With an orthogonal ``basis`` U it is ``U C`` with ``C C' = U' K U``, another root of K. With the eigenvectors of K
    at near length-scales, the largest first, C is nearly diagonal, and hardly turns when the length-scales move. In
    the basis of the places it turns wildly where K is as good as singular.
    """
    return _root()(kernel, sd, lengthscales, distances, basis)


def standardised(kernel: Kernel, sd: Any, lengthscales: Any, distances: Any, values: Any) -> Any:
    """Return ``z = C^-1 f`` for the values f ``(n,)`` of the process, by substitution."""
    import jax
    from jax import numpy as jnp

    C = covariance_root(kernel, sd, lengthscales, distances)

    def step(i: Any, z: Any) -> Any:
        return z.at[i].set((values[i] - C[i] @ z) / C[i, i])

    return jax.lax.fori_loop(0, C.shape[0], step, jnp.zeros_like(values))


@cache
def _root() -> Callable[..., Any]:
    """Return the factor as a function with its derivative; made at its first use, which is JAX's.

    With K = sd^2 (R + nugget / sd^2 I) it is sd times a factor that depends on the length-scales alone.
    """
    import jax
    from jax import numpy as jnp

    def scaled(kernel: Kernel, sd: Any, lengthscales: Any, distances: Any, basis: Any) -> Square:
        """Return the factor over sd; the nugget in units of the variance, whose derivative is negligible, is fixed."""
        nugget = NUGGET / jax.lax.stop_gradient(sd) ** 2
        R, added = kernel.correlation(distances, lengthscales), nugget * jnp.eye(distances.shape[-1])
        return _cholesky(R + added, nugget) if basis is None else basis @ _cholesky(basis.T @ R @ basis + added, nugget)

    @partial(jax.custom_jvp, nondiff_argnums=(0,))
    def of_lengthscales(kernel: Kernel, sd: Any, lengthscales: Any, distances: Any, basis: Any) -> Square:
        return scaled(kernel, sd, lengthscales, distances, basis)

    @of_lengthscales.defjvp
    def derivative(kernel: Kernel, values: Any, changes: Any) -> Any:
        """``dC = sum_i dC/dl_i dl_i``: going backwards, a change of C is multiplied by each of these."""
        sd, lengthscales, distances, basis = values
        along = jax.vmap(
            lambda e: jax.jvp(lambda at: scaled(kernel, sd, at, distances, basis), (lengthscales,), (e,)),
            out_axes=(None, 0),
        )
        C, slopes = along(jnp.eye(lengthscales.shape[0]))
        return C, jnp.tensordot(changes[1], slopes, 1)

    def factor(kernel: Kernel, sd: Any, lengthscales: Any, distances: Any, basis: Any = None) -> Square:
        return sd * of_lengthscales(kernel, sd, lengthscales, distances, basis)

    return factor


def _cholesky(matrix: Square, nugget: Any = NUGGET) -> Square:
    """Return the lower Cholesky factor; ``nugget`` is what has been added to the diagonal.

    ``BLOCK`` columns at a time: what earlier columns explain is taken off by one product, and the rest is eliminated
    column by column. Both are loops, so that compiling takes as long for many places as for few. Columns are stored as
    rows, whose entries are neighbours in memory.
    """
    import jax
    from jax import numpy as jnp

    n = matrix.shape[0]
    padding = -n % BLOCK
    padded = jnp.pad(matrix, ((0, padding), (0, padding)))
    entry, place = jnp.arange(n + padding), jnp.arange(BLOCK)[:, None]

    def eliminate(start: Any, k: Any, columns: Any) -> Any:
        column = jax.lax.dynamic_slice_in_dim(columns, k, 1, 0)
        across = jax.lax.dynamic_slice_in_dim(column, start, BLOCK, 1)
        # No pivot of K + nugget I is smaller than the nugget: one that is has been computed as a difference of numbers
        # whose rounding errors are larger.
        root = jnp.sqrt(jnp.maximum(jax.lax.dynamic_slice_in_dim(across, k, 1, 1), 0.5 * nugget))
        done = column / root
        return jnp.where(place == k, done, columns - jnp.where(place > k, (across / root).T, 0.0) * done)

    def block(number: Any, factor: Any) -> Any:
        start = number * BLOCK
        columns = jax.lax.dynamic_slice_in_dim(padded, start, BLOCK, 0)
        columns = columns - jax.lax.dynamic_slice_in_dim(factor, start, BLOCK, 1).T @ factor
        columns = jax.lax.fori_loop(0, BLOCK, partial(eliminate, start), columns)
        lower = jnp.where(entry >= start + place, columns, 0.0)
        return jax.lax.dynamic_update_slice_in_dim(factor, lower, start, 0)

    return jax.lax.fori_loop(0, len(padded) // BLOCK, block, jnp.zeros_like(padded)).T[:n, :n]
