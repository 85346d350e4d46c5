"""Residuals of series that each have a covariance matrix of their own: known errors beside correlations, or gaps."""

from __future__ import annotations

from math import log, pi
from typing import TYPE_CHECKING, Any

from bayesml.families.rising import log_rising
from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    Matrices = Float[Array, "*draws series times times"]
    Residuals = Float[Array, "*draws series times"]

__all__ = ["dense_factor", "dense_innovations", "left_out", "left_out_of_precision"]

jax, lax, jnp = map(lazy_module, ("jax", "jax.lax", "jax.numpy"))


def dense_innovations(matrix: Matrices, residuals: Residuals) -> tuple[Any, Any]:
    """Return innovations and the logarithms of their standard deviations, ``(..., times, series)`` each.

    The Cholesky factorisation of all matrices at once, a column a step, in operations that XLA fuses. The first
    variable of what is left is eliminated, and what is left is shifted by one place, so that the next one stands first.
    """
    size = matrix.shape[-1]
    shape = jnp.broadcast_shapes(matrix.shape[:-1], residuals.shape)
    matrix = jnp.broadcast_to(matrix, (*shape, size))
    residuals = jnp.broadcast_to(residuals, shape)

    def step(left: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        a, r = left
        root = jnp.sqrt(a[..., 0, 0])
        column, e = a[..., :, 0] / root[..., None], r[..., 0] / root
        a = a - column[..., :, None] * column[..., None, :]
        r = r - column * e[..., None]
        return (_shifted(_shifted(a, -1), -2), _shifted(r, -1)), (e, jnp.log(root))

    _, (e, log_scale) = lax.scan(jax.checkpoint(step), (matrix, residuals), None, length=size)
    return jnp.moveaxis(e, 0, -2), jnp.moveaxis(log_scale, 0, -2)


def dense_factor(matrix: Float[Array, "*draws times times"]) -> Float[Array, "*draws times times"]:
    """Return the lower Cholesky factor, by operations that XLA fuses."""
    size = matrix.shape[-1]
    places = jnp.arange(size)

    def step(left: Any, j: Any) -> tuple[Any, Any]:
        """Eliminate the first variable of what is left, which is variable j; its column begins at row j."""
        column = left[..., :, 0] / jnp.sqrt(left[..., 0, 0])[..., None]
        rest = _shifted(_shifted(left - column[..., :, None] * column[..., None, :], -1), -2)
        return rest, jnp.where(places >= j, jnp.roll(column, j, axis=-1), 0.0)

    _, columns = lax.scan(step, matrix, places)
    return jnp.moveaxis(columns, 0, -1)


def _shifted(array: Any, axis: int) -> Any:
    """Return the array without its first place along an axis, and ones behind, which no step reaches."""
    rest = lax.slice_in_dim(array, 1, array.shape[axis], axis=axis)
    return jnp.concatenate([rest, jnp.ones_like(lax.slice_in_dim(array, 0, 1, axis=axis))], axis=axis)


def left_out(matrix: Matrices, residuals: Residuals, number: Any, nu: Any) -> Residuals:
    """Return the log density of each residual given all others of its series.

    With Q the inverse matrix and g = Q r, residual i is normal around r_i - g_i / Q_ii with variance 1 / Q_ii given the
    others (Vehtari, Buerkner and Gabry 2020). Student t residuals have nu + n - 1 degrees of freedom given the others,
    whose squared distance is d = r'Qr - g_i^2 / Q_ii, and the squared scale (nu + d) / (nu + n - 1) / Q_ii.

    Args:
        matrix: covariance matrix of each series.
        residuals: their residuals.
        number: number of rows of each series, ``(series, 1)``.
        nu: degrees of freedom, which broadcast against the residuals; None for normal ones.
    """
    inverse = jnp.linalg.inv(matrix)  # not in a sampled density
    g = (inverse @ residuals[..., None])[..., 0]
    total = (residuals * g).sum(-1, keepdims=True)
    return left_out_of_precision(g, total, jnp.diagonal(inverse, axis1=-2, axis2=-1), number, nu)


def left_out_of_precision(g: Residuals, total: Any, precision: Any, number: Any, nu: Any) -> Residuals:
    """Return the same from Q r, r'Qr and the diagonal of Q."""
    square = g**2 / precision
    if nu is None:
        return 0.5 * (jnp.log(precision) - log(2 * pi) - square)
    distance = total - square
    df = nu + number - 1
    # (y - location)^2 / scale^2 / df = (square / (nu + d)), and log scale = log((nu + d) / df / Q_ii) / 2
    log_scale = 0.5 * (jnp.log(nu + distance) - jnp.log(df) - jnp.log(precision))
    constant = log_rising(0.5 * df, 0.5) - 0.5 * log(2 * pi)
    return constant - log_scale - 0.5 * (df + 1) * jnp.log1p(square / (nu + distance))
