r"""Whitening at the mode by a Hessian in the shape of a block arrow.

Given everything else, the levels of one factor do not interact, so that with its effects first minus the Hessian is

    H = [ D  B' ]     D block-diagonal, one block for each level,
        [ B  C  ]     T = dim C all other parameters.

One product of the Hessian with a vector gives a column of every block of D at once, T more give B and C. With the
Schur complement S = C - B D^-1 B' the map

    q_t = mode_t + S^(-1/2) x_t,    q_j = mode_j + D_j^(-1/2) x_j - (D^-1 B')_j (q_t - mode_t)

has A A' = H^-1 at a cost of (number of effects) x T, where a dense one costs (number of effects)^2. Without such a
factor D is empty and the map the dense one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.forms.preconditioned.whitening import Evaluate, climb, clipped_roots, hessian_products

__all__ = ["Blocks", "apply_arrow", "arrow_whitening", "unit_arrow"]

Array = Any


@final
@dataclass(frozen=True)
class Blocks:
    """Where the effects of the factor that makes the blocks lie in the layout's flat vector.

    Attributes:
        levels: number of levels; 0 where there is no such factor.
        segments: start and stop of each table of effects ``(columns, levels)``, in order.
    """

    levels: int = 0
    segments: tuple[tuple[int, int], ...] = ()

    @property
    def width(self) -> int:
        """Effects of each level."""
        return sum(stop - start for start, stop in self.segments) // max(self.levels, 1)

    @property
    def size(self) -> int:
        """Number of effects."""
        return self.levels * self.width

    def in_layout(self, effects: Array, tail: Array) -> Array:
        """Return the layout's flat vector of effects ``(levels, width)`` and all else, by slices alone.

        A gather by a permutation would do the same, but its gradient is a scatter.
        """
        parts, at, used, column = [], 0, 0, 0
        for start, stop in self.segments:
            columns = (stop - start) // self.levels
            parts += [tail[used : used + start - at], effects[:, column : column + columns].T.reshape(-1)]
            at, used, column = stop, used + start - at, column + columns
        return jnp.concatenate([*parts, tail[used:]])


@final
@dataclass(frozen=True)
class _Arrow:
    """The factored curvature, effects of the largest factor first, level by level; arrays as in the module's formulas.

    Attributes:
        roots: ``(levels, b, b)`` D_j^(-1/2).
        coupling: ``(levels, b, T)`` (D^-1 B')_j.
        tail_root: ``(T, T)`` S^(-1/2).
    """

    roots: np.ndarray
    coupling: np.ndarray
    tail_root: np.ndarray

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Return H^-1 g."""
        levels, width, _ = self.coupling.shape
        own, rest = np.split(gradient, [levels * width])
        own = own.reshape(levels, width)
        tail = self.tail_root @ (self.tail_root.T @ (rest - np.einsum("jbt,jb->t", self.coupling, own)))
        effects = np.einsum("jbk,jck,jc->jb", self.roots, self.roots, own) - self.coupling @ tail
        return np.concatenate([effects.reshape(-1), tail])

    def around(self, effects: np.ndarray, tail: np.ndarray) -> dict[str, np.ndarray]:
        """Return the map that whitens around a point."""
        return {
            "effects": effects,
            "tail": tail,
            "roots": self.roots,
            "coupling": self.coupling,
            "tail_root": self.tail_root,
        }


def unit_arrow(start: np.ndarray, scale: np.ndarray, blocks: Blocks) -> dict[str, np.ndarray]:
    """Return the map that only moves the origin, scales, and sorts the effects of the blocks in front.

    Args:
        start: ``(d,)`` near the mode, in the layout.
        scale: ``(d,)`` typical distances; 1 for the effects of the blocks.
        blocks: the places of these.
    """
    tables, ends = [], [0]
    for first, stop in blocks.segments:
        tables.append(start[first:stop].reshape(-1, blocks.levels).T)
        ends += [first, stop]
    effects = np.concatenate(tables, axis=1) if tables else np.zeros((0, 0))
    places = np.concatenate([np.arange(a, b) for a, b in zip(ends[::2], [*ends[1::2], len(start)], strict=True)])
    coupling = np.zeros((*effects.shape, len(places)))
    unit = _Arrow(np.tile(np.eye(blocks.width), (blocks.levels, 1, 1)), coupling, np.diag(scale[places]))
    return unit.around(effects, start[places])


def arrow_whitening(evaluate: Evaluate, unit: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the map that whitens at the mode.

    Args:
        evaluate: the log density and its gradient in the coordinates of ``unit``.
        unit: see ``unit_arrow``.

    Raises:
        ArithmeticError: the density has no usable mode near the origin.
    """
    effects, tail, scale = (np.asarray(unit[name]) for name in ("effects", "tail", "tail_root"))
    mode, arrow = climb(evaluate, lambda x: _factor(evaluate, x, *effects.shape), np.zeros(effects.size + len(tail)))
    arrow = _Arrow(arrow.roots, arrow.coupling / np.diag(scale), scale @ arrow.tail_root)
    return arrow.around(effects + mode[: effects.size].reshape(effects.shape), tail + scale @ mode[effects.size :])


def _factor(evaluate: Evaluate, x: np.ndarray, levels: int, width: int) -> _Arrow:
    effects = levels * width
    probes = np.zeros((width + len(x) - effects, len(x)))
    for k in range(width):
        probes[k, k:effects:width] = 1.0
    probes[np.arange(width, len(probes)), np.arange(effects, len(x))] = 1.0
    columns = hessian_products(evaluate, x, probes)
    diagonal = np.moveaxis(columns[:width, :effects].reshape(width, levels, width), 0, -1)
    roots, _ = clipped_roots(diagonal)
    cross = np.moveaxis(columns[width:, :effects].reshape(len(x) - effects, levels, width), 0, -1)
    coupling = np.einsum("jbk,jck,jct->jbt", roots, roots, cross, optimize=True)
    schur = columns[width:, effects:] - np.einsum("jbt,jbs->ts", cross, coupling, optimize=True)
    return _Arrow(roots, coupling, clipped_roots(schur)[0])


def apply_arrow(x: Array, white: Mapping[str, Array], blocks: Blocks) -> Array:
    """Map whitened coordinates, effects of the blocks first, to the layout's."""
    tail = white["tail_root"] @ x[blocks.size :]
    if not blocks.levels:
        return white["tail"] + tail
    own = x[: blocks.size].reshape(blocks.levels, blocks.width)
    scaled = white["roots"][:, 0] * own if blocks.width == 1 else jnp.einsum("jbk,jk->jb", white["roots"], own)
    effects = white["effects"] + scaled - white["coupling"] @ tail
    return blocks.in_layout(effects, white["tail"] + tail)
