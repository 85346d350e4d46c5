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
    if products.tail:
        yield _split(products, *_assemble(products, [np.array([0, lead.faces.shape[2]]) for lead in products.leads]))
        return
    if len(products.leads) == 1:
        face = products.leads[0].faces.transpose(2, 0, 1)
        q = products.leads[0].q
        yield Component(face[:, :, :q], face[:, :, q:], (np.arange(q)[:, None],))
        return
    roots = products.leads[-1].faces.shape[2]
    bounds = [np.append(lead.starts[-1], lead.faces.shape[2]) for lead in products.leads[:-1]]
    bounds.append(np.arange(roots + 1))
    for root in range(roots):
        yield _split(products, *_assemble(products, [bound[root : root + 2] for bound in bounds]))


def _split(products: CrossProducts, matrix: np.ndarray, positions: tuple[np.ndarray, ...]) -> Component:
    size = len(matrix) - products.p - 1
    return Component(matrix[None, :size, :size], matrix[None, :size, size:], positions)


def dense_cross_products(products: CrossProducts) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Return ``[Z Q y]'W[Z Q y]`` as one symmetric matrix, and for each factor ``(q, J)`` its coefficients' places."""
    return _assemble(products, [np.array([0, lead.faces.shape[2]]) for lead in products.leads])


def _assemble(products: CrossProducts, ranges: list[np.ndarray]) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """The matrix of the levels of each lead in the given ranges, with the whole tail."""
    places = _places(products, ranges)
    leads_size = sum(places[lead.group].size for lead in products.leads)
    out = np.zeros((leads_size + len(products.corner),) * 2)
    out[leads_size:, leads_size:] = products.corner
    for place, lead in enumerate(products.leads):
        own, levels = places[lead.group], slice(*ranges[place])
        _put(out, own, own, lead.faces[:, : lead.q, levels])
        column = lead.q
        for i, ancestors in enumerate(lead.ancestors, start=place + 1):
            later = products.leads[i]
            above = places[later.group][:, ancestors[levels] - ranges[i][0]]
            _put(out, own, above, lead.faces[:, column : column + later.q, levels])
            column += later.q
        rest = lead.faces[:, column:, levels]
        if place == 0 and products.coupling is not None:
            rest = np.concatenate([products.coupling.dense(), rest], axis=1)
        _put(out, own, np.tile(leads_size + np.arange(rest.shape[1])[:, None], own.shape[1]), rest)
    return out, places


def _put(out: np.ndarray, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
    out[rows[:, None, :], columns[None, :, :]] = values
    out[columns[None, :, :], rows[:, None, :]] = values


def _places(products: CrossProducts, ranges: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    out: list[np.ndarray] = [np.empty(0)] * len(products.bases)
    offset = 0
    for lead, (first, last) in zip(products.leads, ranges, strict=True):
        size = int(last - first)
        out[lead.group] = offset + np.arange(lead.q)[:, None] + lead.q * np.arange(size)[None, :]
        offset += lead.q * size
    for part in products.tail:
        size = len(part.levels)
        out[part.group] = offset + part.offset + np.arange(part.q)[:, None] + part.q * np.arange(size)[None, :]
    return tuple(out)
