"""Adaptive Gauss-Hermite quadrature of many small integrals at once, as functions for JAX to compile.

A density is a function ``(z, given) -> log densities of rows``, ``(draws, groups, rows of a group)``, of standard
normal numbers z, ``(draws, groups, J)``. JAX is imported when a program is made.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

__all__ = ["Function", "integrator", "mode_finder", "rule", "without_each_row"]

MOST_STEPS = 50
TOLERANCE = 1e-3
SMALLEST_CURVATURE = 0.25

Function = Callable[..., Any]


def rule(points: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return nodes ``(k, size)``, log weights of ``int f(z) dz``, and which nodes are outermost.

    Args:
        points: in each direction.
        size: number of directions.
    """
    x, w = np.polynomial.hermite_e.hermegauss(points)
    log_w = np.log(w) + 0.5 * x**2
    nodes = np.array(list(product(x, repeat=size))).reshape(-1, size)
    log_weights = np.array([sum(part) for part in product(log_w, repeat=size)])
    return nodes, log_weights, (np.abs(nodes) >= np.sort(np.abs(x))[-min(2, points)] - 1e-9).any(axis=1)


def mode_finder(density: Function) -> Function:
    """Return ``(z, given) -> mode, inverse root``, for all draws and groups at once, by damped Newton steps."""
    import jax
    from jax import numpy as jnp

    def value(z: Any, given: Any) -> Any:
        found = density(z, given).sum(-1) - 0.5 * (z**2).sum(-1)
        return jnp.where(jnp.isnan(found), -jnp.inf, found)

    def curvature(z: Any, given: Any) -> tuple[Any, Any]:
        """Return gradient and minus the Hessian, from one derivative of the gradient in each direction."""
        gradient = jax.grad(lambda x: value(x, given).sum())
        columns = []
        for j in range(z.shape[2]):
            direction = jnp.zeros_like(z).at[..., j].set(1.0)
            slope, column = jax.jvp(gradient, (z,), (direction,))
            columns.append(-column)
        return slope, jnp.stack(columns, axis=-1)

    def find(z: Any, given: Any) -> tuple[Any, Any]:
        def advance(state: Any) -> Any:
            z, at, damping, steps, _ = state
            slope, H = curvature(z, given)
            step = _solve(_cholesky(H, damping), slope)
            to = z + jnp.where(jnp.isfinite(step), step, 0.0)
            there = value(to, given)
            better = there >= at - 1e-12 * jnp.abs(at)
            moved = jnp.where(better[..., None], to, z)
            damping = jnp.where(better, 0.2 * damping, 4.0 * jnp.maximum(damping, 1.0))
            left = jnp.where(better, jnp.abs(step).max(-1), 1.0).max()
            return moved, jnp.where(better, there, at), damping, steps + 1, left

        def goes_on(state: Any) -> Any:
            return (state[3] < MOST_STEPS) & (state[4] > TOLERANCE)

        start = (z, value(z, given), jnp.zeros(z.shape[:2]), 0, jnp.asarray(1.0))
        mode, *_ = jax.lax.while_loop(goes_on, advance, start)
        return mode, _cholesky(curvature(mode, given)[1], jnp.zeros(z.shape[:2]))

    return find


def integrator(density: Function) -> Function:
    """Return ``(mode, root, given, nodes, log weights) -> log integral``."""
    import jax
    from jax import numpy as jnp

    def integrate(mode: Any, root: Any, given: Any, nodes: Any, log_weights: Any) -> Any:
        def at(z: Any) -> Any:
            return density(z, given).sum(-1) - 0.5 * (z**2).sum(-1)

        top = at(mode)

        def add(total: Any, node: Any) -> tuple[Any, None]:
            x, log_w = node
            return total + jnp.exp(at(mode + _back(root, x)) - top + log_w), None

        total, _ = jax.lax.scan(add, jnp.zeros_like(top), (nodes, log_weights))
        return top + jnp.log(total) - _log_determinant(root) - 0.5 * mode.shape[2] * jnp.log(2.0 * jnp.pi)

    return integrate


def without_each_row(density: Function) -> Function:
    """Return a function of mode, root, given, nodes, log weights and edge.

    It gives the log ratios of the integral to that without each row, and the shares that the edge has in these. Of the
    nodes z_k with weights w_k, the integral without a row is sum_k w_k f(z_k) / p(y_i | z_k).
    """
    import jax
    from jax import numpy as jnp

    def each(mode: Any, root: Any, given: Any, nodes: Any, log_weights: Any, edge: Any) -> tuple[Any, Any]:
        def at(z: Any) -> tuple[Any, Any]:
            rows = density(z, given)
            return rows.sum(-1) - 0.5 * (z**2).sum(-1), rows

        top, own = at(mode)

        def add(sums: Any, node: Any) -> tuple[Any, None]:
            x, log_w, outer = node
            value, rows = at(mode + _back(root, x))
            whole = jnp.exp(value - top + log_w)
            without = jnp.exp((value - top + log_w)[..., None] - (rows - own))
            return (sums[0] + whole, sums[1] + without, sums[2] + outer * without), None

        start = (jnp.zeros_like(top), jnp.zeros_like(own), jnp.zeros_like(own))
        (whole, without, outer), _ = jax.lax.scan(add, start, (nodes, log_weights, edge))
        return jnp.log(whole)[..., None] - jnp.log(without) + own, outer / without

    return each


# Small matrices, one for each draw and group, element by element: LAPACK would be called for each of them -------------


def _cholesky(H: Any, damping: Any) -> list[list[Any]]:
    """Return the rows of the Cholesky factor of ``H + damping``, pivots no smaller than a bound."""
    from jax import numpy as jnp

    size = H.shape[-1]
    L: list[list[Any]] = []
    for i in range(size):
        row: list[Any] = []
        for j in range(i):
            row.append((H[..., i, j] - sum(row[k] * L[j][k] for k in range(j))) / L[j][j])
        pivot = H[..., i, i] + damping - sum(each**2 for each in row)
        row.append(jnp.sqrt(jnp.maximum(jnp.where(jnp.isnan(pivot), 1.0, pivot), SMALLEST_CURVATURE)))
        L.append(row)
    return L


def _solve(L: list[list[Any]], b: Any) -> Any:
    """Return the solution x of ``L L' x = b``."""
    from jax import numpy as jnp

    forward: list[Any] = []
    for i, row in enumerate(L):
        forward.append((b[..., i] - sum(row[k] * forward[k] for k in range(i))) / row[i])
    return _back(L, jnp.stack(forward, axis=-1))


def _back(L: list[list[Any]], b: Any) -> Any:
    """Return the solution x of ``L' x = b``."""
    from jax import numpy as jnp

    size = len(L)
    x: list[Any] = [None] * size
    for i in reversed(range(size)):
        x[i] = (b[..., i] - sum(L[k][i] * x[k] for k in range(i + 1, size))) / L[i][i]
    return jnp.stack(x, axis=-1)


def _log_determinant(L: list[list[Any]]) -> Any:
    from jax import numpy as jnp

    return sum(jnp.log(row[i]) for i, row in enumerate(L))
