"""The cross-products written out as matrices: for small problems, for independent components, and for checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bayesml.linalg.crossproducts import CrossProducts

__all__ = ["Component", "components", "dense_cross_products"]


@dataclass(frozen=True)
class Component:
    """Coefficients that share no row with any other: one diagonal block of the mixed-model equations, or a batch.

    Attributes:
        ZZ: ``(batch, s, s)`` products of the columns of Z.
        ZW: ``(batch, s, p + 1)`` with the basis of the fixed effects and the response.
        positions: for each factor ``(q, levels)`` the places of its coefficients among the s.
    """

    ZZ: np.ndarray
    ZW: np.ndarray
    positions: tuple[np.ndarray, ...]


def components(products: CrossProducts) -> Iterator[Component]:
    """Yield the independent components: all levels of a single factor at once, else one per root of the chain."""
    stages = products.matrix.arrow.stages
    if products.matrix.arrow.tail:
        yield _split(products, *dense_cross_products(products))
        return
    if len(stages) == 1:
        face, q = products.matrix.faces[0].transpose(2, 0, 1), stages[0].q
        yield Component(face[:, :, :q], face[:, :, q:], (np.arange(q)[:, None],))
        return
    roots = stages[-1].levels
    bounds = [np.searchsorted(stage.above[-1].index, np.arange(roots + 1)) for stage in stages[:-1]]
    bounds.append(np.arange(roots + 1))
    for root in range(roots):
        yield _split(products, *_assemble(products, [bound[root : root + 2] for bound in bounds]))


def _split(products: CrossProducts, matrix: np.ndarray, positions: tuple[np.ndarray, ...]) -> Component:
    size = len(matrix) - products.p - 1
    return Component(matrix[None, :size, :size], matrix[None, :size, size:], positions)


def dense_cross_products(products: CrossProducts) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return ``[Z Q y]'W[Z Q y]`` as one symmetric matrix, and for each factor ``(q, J)`` its coefficients' places."""
    return _assemble(products, [np.array([0, stage.levels]) for stage in products.matrix.arrow.stages])


def _assemble(products: CrossProducts, ranges: list[np.ndarray]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The matrix of the levels of each stage in the given ranges, with the whole tail."""
    matrix, stages = products.matrix, products.matrix.arrow.stages
    places = _places(products, ranges)
    size = sum(places[stage.block].size for stage in stages)
    out = np.zeros((size + len(matrix.corner),) * 2)
    out[size:, size:] = matrix.corner
    for place, (stage, face) in enumerate(zip(stages, matrix.faces, strict=True)):
        own, levels = places[stage.block], slice(*ranges[place])
        _put(out, own, own, face[:, : stage.q, levels])
        column = stage.q
        for i, ancestors in enumerate(stage.above, start=place + 1):
            above = places[stages[i].block][:, ancestors.index[levels] - ranges[i][0]]
            _put(out, own, above, face[:, column : column + stages[i].q, levels])
            column += stages[i].q
        rest, sparse = face[:, column:, levels], matrix.coupling_of(place)
        if sparse is not None:
            rest = np.concatenate([sparse.dense(), rest], axis=1)
        _put(out, own, np.tile(size + np.arange(rest.shape[1])[:, None], own.shape[1]), rest)
    return out, places


def _put(out: np.ndarray, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
    out[rows[:, None, :], columns[None, :, :]] = values
    out[columns[None, :, :], rows[:, None, :]] = values


def _places(products: CrossProducts, ranges: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    arrow = products.matrix.arrow
    out: list[np.ndarray] = [np.empty(0)] * arrow.count
    offset = 0
    for stage, (first, last) in zip(arrow.stages, ranges, strict=True):
        size = int(last - first)
        out[stage.block] = offset + np.arange(stage.q)[:, None] + stage.q * np.arange(size)[None, :]
        offset += stage.q * size
    for part in arrow.tail:
        rows = offset + part.offset + np.arange(part.q * part.levels)
        out[part.block] = rows.reshape(len(products.bases[part.block]), -1)
    return tuple(out)
