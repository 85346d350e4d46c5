r"""Whitening by a block-arrow Hessian: for models too large for a dense one.

Given everything else, the levels of one factor do not interact, so that with its effects first minus the Hessian is

    H = [ D  B' ]     D block-diagonal, one block for each level,
        [ B  C  ]     T = dim C all other parameters.

One product of the Hessian with a vector gives a column of every block of D at once, T more give B and C. With the
Schur complement S = C - B D^-1 B' the map

    q_t = mode_t + S^(-1/2) x_t,    q_j = mode_j + D_j^(-1/2) x_j - (D^-1 B')_j (q_t - mode_t)

has A A' = H^-1 at a cost of (number of effects) x T.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.forms.preconditioned.whitening import climb, clipped_roots

__all__ = ["apply_arrow", "arrow_whitening"]

Array = Any
AT_ONCE = 8
"""Hessian products computed together: their temporaries are that many times the rows."""


@final
@dataclass(frozen=True)
class _Arrow:
    """The factored curvature; arrays as in the module's formulas.

    Attributes:
        blocks: ``(levels, b)`` places of each level's effects in the flat vector.
        tail: ``(T,)`` places of all else.
        roots: ``(levels, b, b)`` D_j^(-1/2).
        coupling: ``(levels, b, T)`` (D^-1 B')_j.
        tail_root: ``(T, T)`` S^(-1/2).
    """

    blocks: np.ndarray
    tail: np.ndarray
    roots: np.ndarray
    coupling: np.ndarray
    tail_root: np.ndarray

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        own, rest = gradient[self.blocks], gradient[self.tail]
        tail = self.tail_root @ (self.tail_root.T @ (rest - np.einsum("jbt,jb->t", self.coupling, own)))
        inverse = np.einsum("jbk,jck,jc->jb", self.roots, self.roots, own)
        step = np.empty_like(gradient)
        step[self.tail] = tail
        step[self.blocks] = inverse - self.coupling @ tail
        return step


def arrow_whitening(
    density: Callable[[Any, Any], Any], start: np.ndarray, data: Any, blocks: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the mode and the pieces of the map.

    Args:
        density: ``(q, data) -> log density``.
        start: ``(d,)`` near the mode.
        data: the second argument of ``density``.
        blocks: ``(levels, b)`` places of the effects of each level of the largest factor.

    Raises:
        ArithmeticError: the density has no usable mode near ``start``.
    """
    size = len(start)
    tail = np.setdiff1d(np.arange(size), blocks.reshape(-1))
    multiply = _hessian_products(density, data)
    mode, arrow = climb(density, lambda q: _factor(multiply, q, blocks, tail), start, data)
    order = np.empty(size, dtype=np.int64)
    order[np.concatenate([blocks.reshape(-1), tail])] = np.arange(size)
    return {
        "mode": mode,
        "roots": arrow.roots,
        "coupling": arrow.coupling,
        "tail_root": arrow.tail_root,
        "order": order,
    }


def _hessian_products(density: Callable[[Any, Any], Any], data: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    gradient = jax.grad(density)

    def product(q: Array, v: Array, data: Any) -> Array:
        return -jax.jvp(lambda at: gradient(at, data), (q,), (v,))[1]

    compiled = jax.jit(jax.vmap(product, (None, 0, None)))

    def multiply(q: np.ndarray, vectors: np.ndarray) -> np.ndarray:
        padded = np.concatenate([vectors, np.zeros((-len(vectors) % AT_ONCE, len(q)))])
        parts = [np.asarray(compiled(q, padded[i : i + AT_ONCE], data)) for i in range(0, len(padded), AT_ONCE)]
        return np.concatenate(parts)[: len(vectors)]

    return multiply


def _factor(multiply: Callable[..., np.ndarray], q: np.ndarray, blocks: np.ndarray, tail: np.ndarray) -> _Arrow:
    width = blocks.shape[1]
    probes = np.zeros((width, len(q)))
    for k in range(width):
        probes[k, blocks[:, k]] = 1.0
    columns = multiply(q, probes)
    diagonal = np.stack([column[blocks] for column in columns], axis=-1)
    units = np.zeros((len(tail), len(q)))
    units[np.arange(len(tail)), tail] = 1.0
    rows = multiply(q, units)
    roots, _ = clipped_roots(diagonal)
    cross = np.moveaxis(rows[:, blocks], 0, -1)
    coupling = np.einsum("jbk,jck,jct->jbt", roots, roots, cross, optimize=True)
    schur = rows[:, tail] - np.einsum("jbt,jbs->ts", cross, coupling, optimize=True)
    return _Arrow(blocks, tail, roots, coupling, clipped_roots(schur)[0])


def apply_arrow(x: Array, white: Mapping[str, Array]) -> Array:
    """Map whitened coordinates, effects of the largest factor first, to the layout's."""
    levels, width = white["roots"].shape[:2]
    own, rest = x[: levels * width].reshape(levels, width), x[levels * width :]
    tail = white["tail_root"] @ rest
    effects = jnp.einsum("jbk,jk->jb", white["roots"], own) - white["coupling"] @ tail
    return white["mode"] + jnp.concatenate([effects.reshape(-1), tail])[white["order"]]
