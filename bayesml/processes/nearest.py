"""Nearest-neighbour Gaussian processes: each value given the nearest earlier ones alone.

With unit standard deviation, value u_i at a place is

    u_i = b_i' u_N(i) + sqrt(f_i) z_i,   b_i = R_N^-1 r_i,   f_i = 1 - r_i' b_i,

where N(i) are its nearest earlier places, R_N their correlations, r_i those with it, and z standard normal. With all
earlier places it is the exact process. Gauss-Jordan elimination of R_N in the correlations of N(i) and i together
leaves b_i and f_i in the last column, so that there is no substitution backwards, a chain of small steps that took
longer than a Cholesky factorisation.

Places are treated some at a time, entry by entry, without LAPACK. The coefficients depend on the length-scales alone,
and derivatives in these few are taken forwards, as in ``factor.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from bayesml.processes.factor import NUGGET
from bayesml.processes.kernels import Kernel
from bayesml.processes.neighbours import Neighbours, nearest

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Numbers

    PerPlace = Float[Array, " places"]

__all__ = ["nearest_tables", "process_at_new", "process_values"]

BLOCK = 128
"""Places that are treated together, so that their matrices stay in the cache."""
MOST_NUMBERS = 4_000_000
"""Most numbers of the matrices of a few draws that are held at a time."""


def nearest_tables(points: np.ndarray, found: Neighbours, isotropic: bool) -> dict[str, np.ndarray]:
    """Return what the values are computed from, by the position of each place.

    Args:
        points: ``(n, covariates)``.
        found: the neighbours.
        isotropic: whether there is one length-scale.

    Returns:
        ``apart`` ``(blocks, k, pairs, places)``, distances between the neighbours and the place itself, the pairs by
        rows of the lower triangle; ``known`` ``(blocks, pairs, places)``, which of them there are; ``before``,
        ``starts`` and ``counts``; ``lane``, as long as the largest step.
    """
    around = np.concatenate([found.before, np.arange(len(found.before))[:, None]], axis=1)
    there = np.concatenate([found.there, np.ones((len(found.there), 1), bool)], axis=1)
    rows, columns = np.tril_indices(around.shape[1], -1)
    at = points[found.order][around]  # (n, m + 1, covariates)
    apart = np.abs(at[:, rows] - at[:, columns]).transpose(2, 1, 0)
    if isotropic:
        apart = np.sqrt((apart**2).sum(axis=0))[None]
    known = (there[:, rows] & there[:, columns]).T
    return {
        "apart": _blocks(apart), "known": _blocks(known.astype(float)),
        "before": found.before.astype(np.int32), "starts": found.starts, "counts": found.counts,
        "lane": np.arange(found.counts.max(initial=1)),
    }  # fmt: skip


def _blocks(numbers: np.ndarray) -> np.ndarray:
    """Return numbers of places ``(..., n)`` as blocks, ``(blocks, ..., places)``, filled up with zeros."""
    n = numbers.shape[-1]
    width = min(BLOCK, n)
    padded = np.pad(numbers, [(0, 0)] * (numbers.ndim - 1) + [(0, -n % width)])
    return np.ascontiguousarray(np.moveaxis(padded.reshape(*numbers.shape[:-1], -1, width), -2, 0))


def process_values(kernel: Kernel, sd: Any, lengthscales: Any, z: Any, tables: Any) -> PerPlace:
    """Return the values of the process by position, ``(n,)``, on JAX arrays.

    Args:
        kernel: the covariance function.
        sd: its standard deviation.
        lengthscales: ``(k,)``.
        z: ``(n,)`` standard normal variables.
        tables: see ``nearest_tables``.
    """
    from jax import numpy as jnp

    b, root = _coefficients()(kernel, lengthscales, tables["apart"], tables["known"])
    n = tables["before"].shape[0]
    b, root = jnp.swapaxes(b, 1, 2).reshape(-1, b.shape[1])[:n], root.reshape(-1)[:n]
    before, starts, counts, lane = (jnp.asarray(tables[name]) for name in ("before", "starts", "counts", "lane"))
    u = _recursion()(b, root * z, before, starts, counts, lane)
    return sd * u


@cache
def _coefficients() -> Callable[..., Any]:
    """Return a function that finds b_i ``(n, m)`` and sqrt(f_i) ``(n,)``, with its derivative.

    With a dot for the derivative in a length-scale, R_N b = r gives b. = R_N^-1 (r. - R_N. b) by the same factor, and
    f = 1 - r'b gives f. = -b' (2 r. - R_N. b).
    """
    import jax

    def primal(kernel: Kernel, lengthscales: Any, apart: Any, known: Any) -> Any:
        return jax.lax.map(
            lambda some: _eliminated(kernel.correlation(some[0], lengthscales) * some[1])[:2], (apart, known)
        )

    @partial(jax.custom_jvp, nondiff_argnums=(0,))
    def function(kernel: Kernel, lengthscales: Any, apart: Any, known: Any) -> Any:
        return primal(kernel, lengthscales, apart, known)

    @function.defjvp
    def derivative(kernel: Kernel, values: Any, changes: Any) -> Any:
        """Return the change that belongs to the length-scales: those of several are added up."""
        lengthscales, apart, known = values
        units = np.eye(lengthscales.shape[0])

        def block(some: Any) -> Any:
            def correlations(at: Any) -> Any:
                return kernel.correlation(some[0], at) * some[1]

            b, root, steps = _eliminated(correlations(lengthscales))
            slopes = [jax.jvp(correlations, (lengthscales,), (unit,))[1] for unit in units]
            return (b, root), [_changes(b, root, steps, slope) for slope in slopes]

        found, slopes = jax.lax.map(block, (apart, known))
        b, root = (sum(change * slope[i] for change, slope in zip(changes[0], slopes, strict=True)) for i in (0, 1))
        return found, (b, root)

    return function


def _eliminated(R: Any) -> tuple[Any, Any, list[Any]]:
    """Return b ``(m, places)``, sqrt(f) ``(places,)``, and what each step takes off the rows, ``(m + 1, places)``.

    Step k divides row k by its pivot p and takes it off all other rows, v_i - (a_ik / p) v_k. With 1 - 1 / p in the
    place of a_kk / p that is one formula for all rows.

    Args:
        R: correlations ``(pairs, places)``, by rows of the lower triangle.
    """
    from jax import numpy as jnp

    size = _size(R)
    eye = np.eye(size, dtype=bool)
    left = jnp.where(eye[..., None], 1.0 + NUGGET, R[_square(size)])
    steps = []
    for k in range(size - 1):
        left = _apart(left)
        pivot = jnp.maximum(left[k, 0], 0.5 * NUGGET)
        steps.append(_apart(jnp.where(eye[k][:, None], 1.0 - 1.0 / pivot, left[:, 0] / pivot)))
        left = left[:, 1:] - steps[-1][:, None] * left[k, 1:]
    return left[:-1, 0], jnp.sqrt(jnp.maximum(left[-1, 0], 0.5 * NUGGET)), steps


def _changes(b: Any, root: Any, steps: list[Any], slope: Any) -> tuple[Any, Any]:
    """Return the derivatives of b and sqrt(f) from that of the correlations; where sqrt(f) is held up it has none."""
    from jax import numpy as jnp

    size = len(steps) + 1
    matrix = jnp.where(np.eye(size, dtype=bool)[..., None], 0.0, slope[_square(size)])
    across = matrix[-1, :-1]
    rest = across - (matrix[:-1, :-1] * b).sum(1)
    change = -0.5 * (b * (across + rest)).sum(0) / root
    for k, step in enumerate(steps):
        rest = _apart(rest - step[:-1] * rest[k])
    return rest, jnp.where(root > NUGGET**0.5, change, 0.0)


def _size(pairs: Any) -> int:
    """Return m + 1 from the number of pairs, m (m + 1) / 2."""
    return round(0.5 + (0.25 + 2 * pairs.shape[0]) ** 0.5)


def _square(size: int) -> np.ndarray:
    """Return the number of the pair in each place of the matrix, ``(size, size)``."""
    numbers = np.zeros((size, size), np.int64)
    numbers[np.tril_indices(size, -1)] = np.arange(size * (size - 1) // 2)
    return numbers + numbers.T


def _apart(array: Any) -> Any:
    """Keep XLA from computing an array again wherever it is used."""
    import jax

    return jax.lax.optimization_barrier(array)


@cache
def _recursion() -> Callable[..., Any]:
    """Return a function that solves u_i = b_i' u_N(i) + e_i step by step, with its gradient.

    With B the matrix of all b, u = (I - B)^-1 e. The gradient in e is a = (I - B')^-1 g, by the same steps backwards,
    and that in b_ik is a_i u_k.
    """
    import jax
    from jax import lax
    from jax import numpy as jnp

    def forwards(b: Any, e: Any, before: Any, starts: Any, lane: Any) -> Any:
        width = lane.shape[0]
        b, e, before = (jnp.concatenate([a, jnp.zeros((width, *a.shape[1:]), a.dtype)]) for a in (b, e, before))

        def step(number: Any, u: Any) -> Any:
            # what lies behind the places of this step is not known yet, and is written again when it is
            first = starts[number]
            of_b, of_e, where = (lax.dynamic_slice_in_dim(a, first, width) for a in (b, e, before))
            return lax.dynamic_update_slice_in_dim(u, of_e + (of_b * u[where]).sum(-1), first, 0)

        return lax.fori_loop(0, starts.shape[0], step, jnp.zeros_like(e))[: e.shape[0] - width]

    @jax.custom_vjp
    def solved(b: Any, e: Any, before: Any, starts: Any, counts: Any, lane: Any) -> Any:
        return forwards(b, e, before, starts, lane)

    def kept(b: Any, e: Any, before: Any, starts: Any, counts: Any, lane: Any) -> Any:
        u = forwards(b, e, before, starts, lane)
        return u, (b, u, before, starts, counts, lane)

    def backwards(known: Any, change: Any) -> Any:
        b, u, before, starts, counts, lane = known
        width, n, last = lane.shape[0], u.shape[0], starts.shape[0] - 1
        padded_b, padded = (jnp.concatenate([a, jnp.zeros((width, *a.shape[1:]), a.dtype)]) for a in (b, before))

        def step(number: Any, a: Any) -> Any:
            first, count = starts[last - number], counts[last - number]
            of_b, where, own = (lax.dynamic_slice_in_dim(x, first, width) for x in (padded_b, padded, a))
            own = jnp.where(lane < count, own, 0.0)
            return a.at[where].add(of_b * own[:, None])

        start = jnp.concatenate([change, jnp.zeros(width, change.dtype)])
        a = lax.fori_loop(0, last + 1, step, start)[:n]
        return a[:, None] * u[before], a, None, None, None, None

    solved.defvjp(kept, backwards)
    return solved


def process_at_new(
    kernel: Kernel, points: np.ndarray, new: np.ndarray, isotropic: bool, most: int,
    sd: Numbers, lengthscales: Numbers, values: Numbers,
) -> np.ndarray:  # fmt: skip
    """Return draws of the process at new places given its values at the nearest ones, ``(..., new)``.

    Values at different new places are independent given these. The same draws have the same random numbers.

    Args:
        kernel: the covariance function.
        points: the places of the fit, ``(n, covariates)``.
        new: the others, ``(new, covariates)``.
        isotropic: whether there is one length-scale for all covariates.
        most: number of neighbours.
        sd: ``(...)``.
        lengthscales: ``(..., k)``.
        values: those of the process at the places of the fit, ``(..., n)``.
    """
    near = nearest(points, new, most)
    m = near.shape[1]
    at = np.concatenate([points[near], new[:, None]], axis=1)
    apart = np.abs(at[:, :, None] - at[:, None]).transpose(3, 0, 1, 2)  # (covariates, new, m + 1, m + 1)
    if isotropic:
        apart = np.sqrt((apart**2).sum(axis=0))[None]
    flat = np.reshape(values, (-1, np.shape(values)[-1]))
    flat_sd = np.broadcast_to(np.reshape(sd, -1), len(flat))
    flat_lengthscales = np.reshape(lengthscales, (-1, np.shape(lengthscales)[-1]))
    flat_lengthscales = np.broadcast_to(flat_lengthscales, (len(flat), flat_lengthscales.shape[1]))
    found = np.empty((len(flat), len(new)))
    step = max(1, MOST_NUMBERS // (len(new) * (m + 1) ** 2))
    for start in range(0, len(flat), step):
        some = slice(start, start + step)
        R = kernel.correlation(apart.reshape(len(apart), -1, m + 1), flat_lengthscales[some])
        R = R.reshape(-1, len(new), m + 1, m + 1)
        own, across = R[..., :m, :m] + NUGGET * np.eye(m), R[..., :m, m:]
        b = np.linalg.solve(own, across)[..., 0]
        f = np.maximum(1.0 - (b * across[..., 0]).sum(-1), 0.0)
        rng = np.random.default_rng(crc32(np.ascontiguousarray(flat[some]).tobytes()))
        noise = rng.standard_normal(f.shape)
        found[some] = (b * flat[some][:, near]).sum(-1) + flat_sd[some][:, None] * np.sqrt(f) * noise
    return found.reshape(*np.shape(values)[:-1], len(new))
