r"""Whitening at the mode by a Hessian in the shape of a block arrow.

Given everything else, the levels of one factor do not interact, so that with its effects first minus the Hessian is

    H = [ D  B' ]     D block-diagonal, one block for each level,
        [ B  C  ]     C of all other parameters.

With the Schur complement S = C - B D^-1 B' the map

    q_t = mode_t + S^(-1/2) x_t,    q_j = mode_j + D_j^(-1/2) x_j - (D^-1 B')_j (q_t - mode_t)

has A A' = H^-1 at a cost of (number of effects) x dim C, where a dense one costs (number of effects)^2. Where the
factor is nested in another, S has that shape again, and so on along the chain of nested factors: a level is coupled
with its parents and with what is left at the end, which is all that costs. Without any factor the map is dense.

One product of the Hessian with a vector gives a column of every block of a factor at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.forms.preconditioned.blocks import Blocks, in_layout
from bayesml.engines.nuts.forms.preconditioned.whitening import Evaluate, climb, clipped_roots, hessian_products
from bayesml.linalg.arrow import Ancestors, ArrowMatrix, BlockArrow, Stage, TailPart
from bayesml.linalg.elimination import Elimination, Pivot, backward, eliminate, forward
from bayesml.linalg.levels import apply
from bayesml.terms.gather import at_rows, level_rows

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Position

__all__ = ["apply_arrow", "arrow_whitening", "unit_arrow"]

Parents = tuple[tuple[np.ndarray, ...], ...]


@final
@dataclass(frozen=True)
class _Curvature:
    """The factored curvature.

    Attributes:
        shapes: levels and effects of each, of every factor of the chain.
        elimination: of the chain.
        root: ``(R, R)`` S^(-1/2) of the rest.
    """

    shapes: tuple[tuple[int, int], ...]
    elimination: Elimination
    root: np.ndarray

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Return H^-1 g."""
        *effects, rest = split(self.shapes, gradient)
        rests, tail = forward(self.elimination, [part.T[:, None] for part in effects], rest[:, None])
        tail = self.root @ (self.root.T @ tail)
        solved, _ = backward(self.elimination, rests, tail)
        return np.concatenate([*(part[:, 0].T.reshape(-1) for part in solved), tail[:, 0]])

    def arrays(self, scale: np.ndarray) -> tuple[dict[str, Any], ...]:
        """Return for each factor ``roots`` ``(J, b, b)``, ``upper`` for each later one, and ``coupling`` ``(J, b, R)``.

        Args:
            scale: ``(R,)`` of the rest, in which the curvature was measured.
        """
        stages, ends = [], np.cumsum([width for _, width in self.shapes])
        for place, (pivot, face) in enumerate(zip(self.elimination.pivots, self.elimination.faces, strict=True)):
            explained = apply(pivot.explained, face[:, self.shapes[place][1] :]).transpose(2, 0, 1)
            *upper, coupling = np.split(explained, ends[place + 1 :] - ends[place], axis=2)
            roots = pivot.root.transpose(2, 1, 0)
            stages.append({"roots": roots, "upper": tuple(upper), "coupling": coupling / scale})
        return tuple({name: _contiguous(part) for name, part in stage.items()} for stage in stages)


def _contiguous(arrays: Any) -> Any:
    return tuple(_contiguous(a) for a in arrays) if isinstance(arrays, tuple) else np.ascontiguousarray(arrays)


def split(shapes: Sequence[tuple[int, int]], flat: np.ndarray) -> list[np.ndarray]:
    """Return the effects ``(levels, width)`` of each factor and the rest."""
    ends = np.cumsum([levels * width for levels, width in shapes]).tolist()
    *effects, rest = np.split(flat, ends)
    return [*(part.reshape(shape) for part, shape in zip(effects, shapes, strict=True)), rest]


def unit_arrow(start: np.ndarray, scale: np.ndarray, chain: tuple[Blocks, ...], parents: Parents) -> dict[str, Any]:
    """Return the map that only moves the origin, scales the rest, and sorts the effects of the blocks in front.

    Args:
        start: ``(d,)`` near the mode, in the layout.
        scale: ``(d,)`` typical distances; 1 for the effects of the blocks.
        chain: the places of these, the innermost factor first.
        parents: for each factor the parents of its levels in each later one.
    """
    inside = np.zeros(len(start), dtype=bool)
    for first, stop in (segment for blocks in chain for segment in blocks.segments):
        inside[first:stop] = True
    rest = np.flatnonzero(~inside)
    widths = [blocks.width for blocks in chain]
    stages = tuple(
        {
            "mode": blocks.taken(start),
            "roots": np.tile(np.eye(blocks.width), (blocks.levels, 1, 1)),
            "upper": tuple(np.zeros((blocks.levels, blocks.width, width)) for width in widths[s + 1 :]),
            "coupling": np.zeros((blocks.levels, blocks.width, len(rest))),
        }
        for s, blocks in enumerate(chain)
    )
    sizes = [blocks.levels for blocks in chain]
    tables = (
        tuple({"index": p.astype(np.int32), **level_rows(p, n)} for p, n in zip(above, sizes[s + 1 :], strict=True))
        for s, above in enumerate(parents)
    )
    return {"stages": stages, "rest": start[rest], "root": np.diag(scale[rest]), "parents": tuple(tables)}


def arrow_whitening(evaluate: Evaluate, unit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the map that whitens at the mode.

    Args:
        evaluate: the log density and its gradient in the coordinates of ``unit``.
        unit: see ``unit_arrow``.

    Raises:
        ArithmeticError: the density has no usable mode near the origin.
    """
    modes = [np.asarray(stage["mode"]) for stage in unit["stages"]]
    rest, scale = np.asarray(unit["rest"]), np.asarray(unit["root"])
    parents = tuple(tuple(np.asarray(p["index"]) for p in above) for above in unit["parents"])
    shapes = tuple(mode.shape for mode in modes)
    arrow = _arrow(shapes, parents, len(rest))
    size = sum(mode.size for mode in modes) + len(rest)
    climbed, curvature = climb(evaluate, lambda x: _factor(evaluate, x, shapes, arrow), np.zeros(size))
    *moved, ahead = split(shapes, climbed)
    stages = tuple(
        {"mode": mode + step, **arrays}
        for mode, step, arrays in zip(modes, moved, curvature.arrays(np.diag(scale)), strict=True)
    )
    root = scale @ curvature.root
    return {"stages": stages, "rest": rest + scale @ ahead, "root": root, "parents": unit["parents"]}


def _arrow(shapes: Sequence[tuple[int, int]], parents: Parents, rest: int) -> BlockArrow:
    levels = [count for count, _ in shapes]
    stages = (
        Stage(s, width, count, tuple(Ancestors(*pair) for pair in zip(parents[s], levels[s + 1 :], strict=True)))
        for s, (count, width) in enumerate(shapes)
    )
    return BlockArrow(tuple(stages), (TailPart(len(shapes), rest, 1, 0),))


def _factor(evaluate: Evaluate, x: np.ndarray, shapes: tuple[tuple[int, int], ...], arrow: BlockArrow) -> _Curvature:
    """Measure the blocks of the Hessian and eliminate one factor after the other."""
    columns = [split(shapes, column) for column in hessian_products(evaluate, x, _probes(len(x), shapes))]
    firsts = np.cumsum([0, *(width for _, width in shapes)])
    faces = tuple(
        np.stack([column[s].T for column in columns[first:]], axis=1)
        for s, first in zip(range(len(shapes)), firsts, strict=False)
    )
    corner = np.array([column[-1] for column in columns[firsts[-1] :]]).reshape(2 * (arrow.width,))
    elimination = eliminate(ArrowMatrix(arrow, faces, None, corner), _clipped_pivot)
    return _Curvature(shapes, elimination, clipped_roots(elimination.corner)[0])


def _clipped_pivot(place: int, blocks: np.ndarray) -> Pivot:
    root = clipped_roots(blocks.transpose(2, 0, 1))[0].transpose(2, 1, 0)
    return Pivot(root, root, 0.0)


def _probes(size: int, shapes: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return for each column of each factor the sum of the unit vectors of all levels, then the units of the rest."""
    probes, first = [], 0
    for levels, width in shapes:
        for k in range(width):
            probe = np.zeros(size)
            probe[first + k : first + levels * width : width] = 1.0
            probes.append(probe)
        first += levels * width
    return np.concatenate([np.reshape(probes, (len(probes), size)), np.eye(size)[first:]])


def apply_arrow(x: Position, white: Mapping[str, Any], chain: tuple[Blocks, ...]) -> Position:
    """Map whitened coordinates, effects of the blocks first, to the layout's."""
    ends = np.cumsum([0, *(blocks.size for blocks in chain)]).tolist()
    rest = white["root"] @ x[ends[-1] :]
    away: list[Float[Array, "_ _"]] = []  # distances from the mode of later factors, the next one first
    for s in reversed(range(len(chain))):
        stage, blocks = white["stages"][s], chain[s]
        whitened, roots = x[ends[s] : ends[s + 1]].reshape(blocks.levels, blocks.width), stage["roots"]
        scaled = roots[:, 0] * whitened if blocks.width == 1 else jnp.einsum("jbk,jk->jb", roots, whitened)
        scaled = scaled - stage["coupling"] @ rest
        for upper, parents, later in zip(stage["upper"], white["parents"][s], away, strict=True):
            scaled = scaled - jnp.einsum("jbc,cj->jb", upper, at_rows(later.T, parents))
        away.insert(0, scaled)
    effects = [stage["mode"] + step for stage, step in zip(white["stages"], away, strict=True)]
    return in_layout(chain, effects, white["rest"] + rest)
