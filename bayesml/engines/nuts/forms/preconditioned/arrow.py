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
from typing import Any, final

import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.forms.preconditioned.blocks import Blocks, in_layout
from bayesml.engines.nuts.forms.preconditioned.whitening import Evaluate, climb, clipped_roots, hessian_products
from bayesml.terms.gather import at_rows, level_rows

__all__ = ["apply_arrow", "arrow_whitening", "unit_arrow"]

Array = Any
Parents = tuple[tuple[np.ndarray, ...], ...]


@final
@dataclass(frozen=True)
class _Stage:
    """One factor of the chain with J levels of b effects, as the elimination leaves it.

    Attributes:
        roots: ``(J, b, b)`` D_j^(-1/2).
        upper: for each later factor ``(J, b, b')``, D_j^-1 times the coupling with the parent there.
        coupling: ``(J, b, R)``, D_j^-1 times the coupling with the rest.
        parents: for each later factor ``(J,)``.
    """

    roots: np.ndarray
    upper: tuple[np.ndarray, ...]
    coupling: np.ndarray
    parents: tuple[np.ndarray, ...]


@final
@dataclass(frozen=True)
class _Arrow:
    """The factored curvature; ``root`` ``(R, R)`` is S^(-1/2) of the rest."""

    stages: tuple[_Stage, ...]
    root: np.ndarray

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        """Return H^-1 g."""
        *own, rest = self._split(gradient)
        for s, stage in enumerate(self.stages):
            for t, upper, parent in zip(range(s + 1, len(own)), stage.upper, stage.parents, strict=True):
                own[t] = own[t] - _summed(np.einsum("jbc,jb->jc", upper, own[s]), parent, len(own[t]))
            rest = rest - np.einsum("jbr,jb->r", stage.coupling, own[s])
        rest = self.root @ (self.root.T @ rest)
        for s in reversed(range(len(own))):
            stage = self.stages[s]
            own[s] = np.einsum("jbk,jck,jc->jb", stage.roots, stage.roots, own[s]) - stage.coupling @ rest
            for upper, parent, later in zip(stage.upper, stage.parents, own[s + 1 :], strict=True):
                own[s] -= np.einsum("jbc,jc->jb", upper, later[parent])
        return np.concatenate([*(part.reshape(-1) for part in own), rest])

    def _split(self, flat: np.ndarray) -> list[np.ndarray]:
        return split([stage.roots.shape[:2] for stage in self.stages], flat)


def split(shapes: Sequence[tuple[int, int]], flat: np.ndarray) -> list[np.ndarray]:
    """Return the effects ``(levels, width)`` of each factor and the rest."""
    ends = np.cumsum([levels * width for levels, width in shapes]).tolist()
    *own, rest = np.split(flat, ends)
    return [*(part.reshape(shape) for part, shape in zip(own, shapes, strict=True)), rest]


def _summed(values: np.ndarray, parent: np.ndarray, count: int) -> np.ndarray:
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, parent, values)
    return total


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
        _Stage(
            np.tile(np.eye(blocks.width), (blocks.levels, 1, 1)),
            tuple(np.zeros((blocks.levels, blocks.width, width)) for width in widths[s + 1 :]),
            np.zeros((blocks.levels, blocks.width, len(rest))),
            parents[s],
        )
        for s, blocks in enumerate(chain)
    )
    found = _arrays(_Arrow(stages, np.diag(scale[rest])), [blocks.taken(start) for blocks in chain], start[rest])
    sizes = [blocks.levels for blocks in chain]
    tables = (
        tuple({"index": p.astype(np.int32), **level_rows(p, n)} for p, n in zip(own, sizes[s + 1 :], strict=True))
        for s, own in enumerate(parents)
    )
    return found | {"parents": tuple(tables)}


def _arrays(arrow: _Arrow, effects: Sequence[np.ndarray], rest: np.ndarray) -> dict[str, Any]:
    """Return the map that whitens around a point."""
    stages = tuple(
        {"mode": mode, "roots": stage.roots, "upper": stage.upper, "coupling": stage.coupling}
        for stage, mode in zip(arrow.stages, effects, strict=True)
    )
    return {"stages": stages, "rest": rest, "root": arrow.root}


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
    parents = tuple(tuple(np.asarray(p["index"]) for p in own) for own in unit["parents"])
    shapes = [mode.shape for mode in modes]
    size = sum(mode.size for mode in modes) + len(rest)
    found, arrow = climb(evaluate, lambda x: _factor(evaluate, x, shapes, parents), np.zeros(size))
    *moved, ahead = split(shapes, found)
    stages = tuple(
        _Stage(stage.roots, stage.upper, stage.coupling / np.diag(scale), stage.parents) for stage in arrow.stages
    )
    arrow = _Arrow(stages, scale @ arrow.root)
    effects = [mode + step for mode, step in zip(modes, moved, strict=True)]
    return _arrays(arrow, effects, rest + scale @ ahead) | {"parents": unit["parents"]}


def _factor(evaluate: Evaluate, x: np.ndarray, shapes: Sequence[tuple[int, int]], parents: Parents) -> _Arrow:
    """Measure the blocks of the Hessian and eliminate one factor after the other."""
    columns = hessian_products(evaluate, x, _probes(len(x), shapes))
    at = np.cumsum([0, *(width for _, width in shapes)])
    parts = [split(shapes, column) for column in columns]
    own: list[list[np.ndarray]] = [
        [np.stack([parts[k][s] for k in range(at[t], at[t + 1])], axis=-1) for t in range(s, len(shapes))]
        for s in range(len(shapes))
    ]
    beside = [_stacked([part[s] for part in parts[at[-1] :]], shape) for s, shape in enumerate(shapes)]
    corner = _stacked([part[-1] for part in parts[at[-1] :]], (len(x) - sum(a * b for a, b in shapes),))
    stages = []
    for s in range(len(shapes)):
        roots, _ = clipped_roots(own[s][0])
        inverse = np.einsum("jbk,jck->jbc", roots, roots)
        upper = [inverse @ block for block in own[s][1:]]
        coupling = inverse @ beside[s]
        for i, (block, parent) in enumerate(zip(own[s][1:], parents[s], strict=True)):
            t, turned = s + 1 + i, np.swapaxes(block, 1, 2)
            own[t] = [
                old - _summed(turned @ other, parent, len(old)) for old, other in zip(own[t], upper[i:], strict=True)
            ]
            beside[t] = beside[t] - _summed(turned @ coupling, parent, len(beside[t]))
        corner = corner - np.einsum("jbr,jbs->rs", beside[s], coupling, optimize=True)
        stages.append(_Stage(roots, tuple(upper), coupling, parents[s]))
    return _Arrow(tuple(stages), clipped_roots(corner)[0])


def _stacked(columns: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(columns, axis=-1) if columns else np.zeros((*shape, 0))


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


def apply_arrow(x: Array, white: Mapping[str, Any], chain: tuple[Blocks, ...]) -> Array:
    """Map whitened coordinates, effects of the blocks first, to the layout's."""
    ends = np.cumsum([0, *(blocks.size for blocks in chain)]).tolist()
    rest = white["root"] @ x[ends[-1] :]
    away: list[Array] = []  # distances from the mode of later factors, the next one first
    for s in reversed(range(len(chain))):
        stage, blocks = white["stages"][s], chain[s]
        own = x[ends[s] : ends[s + 1]].reshape(blocks.levels, blocks.width)
        scaled = stage["roots"][:, 0] * own if blocks.width == 1 else jnp.einsum("jbk,jk->jb", stage["roots"], own)
        scaled = scaled - stage["coupling"] @ rest
        for upper, parents, later in zip(stage["upper"], white["parents"][s], away, strict=True):
            scaled = scaled - jnp.einsum("jbc,cj->jb", upper, at_rows(later.T, parents))
        away.insert(0, scaled)
    effects = [stage["mode"] + step for stage, step in zip(white["stages"], away, strict=True)]
    return in_layout(chain, effects, white["rest"] + rest)
