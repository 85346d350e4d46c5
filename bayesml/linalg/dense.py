"""The cross-products written out as one matrix: for small problems and for checking the blocks."""

from __future__ import annotations

import numpy as np

from bayesml.linalg.crossproducts import CrossProducts

__all__ = ["coefficient_positions", "dense_cross_products"]


def coefficient_positions(products: CrossProducts) -> tuple[np.ndarray, ...]:
    """Return for each factor ``(q, J)`` the place of each coefficient in the dense ordering, tail last."""
    out: list[np.ndarray] = [np.empty(0)] * len(products.scales)
    offset = 0
    for lead in products.leads:
        size = lead.faces.shape[2]
        out[lead.group] = offset + np.arange(lead.q)[:, None] + lead.q * np.arange(size)[None, :]
        offset += lead.q * size
    for part in products.tail:
        size = len(part.levels)
        out[part.group] = offset + part.offset + np.arange(part.q)[:, None] + part.q * np.arange(size)[None, :]
    return tuple(out)


def dense_cross_products(products: CrossProducts) -> np.ndarray:
    """Return ``[Z Q y]'W[Z Q y]`` as one symmetric matrix, group coefficients in the order of `coefficient_positions`."""
    places = coefficient_positions(products)
    total = sum(place.size for place in places)
    ends = products.p + 1
    out = np.zeros((total + ends, total + ends))
    border = total - products.tail_size
    out[border:, border:] = products.corner
    for place, lead in enumerate(products.leads):
        own = places[lead.group]
        blocks = [(own, lead.faces[:, : lead.q])]
        column = lead.q
        for later, ancestors in zip(products.leads[place + 1 :], lead.ancestors, strict=True):
            blocks.append((places[later.group][:, ancestors], lead.faces[:, column : column + later.q]))
            column += later.q
        for columns, values in blocks:
            out[own[:, None, :], columns[None, :, :]] = values
            out[columns[None, :, :], own[:, None, :]] = values
        rest = lead.faces[:, column:]
        if place == 0 and products.coupling is not None:
            rest = np.concatenate([products.coupling.dense(), rest], axis=1)
        columns = border + np.arange(rest.shape[1])
        out[own[:, None, :], columns[None, :, None]] = rest
        out[columns[None, :, None], own[:, None, :]] = rest
    return out
