"""Products with a matrix that has few entries in each row and in each column: gathers, whose gradients are gathers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, PerRow

__all__ = ["sparse_product", "sparse_tables"]

ROWS, COLUMNS = "sar_rows", "sar_columns"
MOST_FILLED = 0.1
"""Largest share of the widest row or column for which gathers are faster than a dense product (400 and 2,000 rows)."""


def sparse_tables(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Return places and values of the entries of each row, and of each column, ``(n, width)``; nothing where dense."""
    filled = matrix != 0
    if max(filled.sum(axis=0).max(), filled.sum(axis=1).max()) > MOST_FILLED * len(matrix):
        return {}
    found: dict[str, np.ndarray] = {}
    for name, part in ((ROWS, matrix), (COLUMNS, matrix.T)):
        width = int((part != 0).sum(axis=1).max())
        # the entries that are not 0 come first; a row that has fewer is filled up with zeros
        places = np.argsort(part == 0, axis=1, kind="stable")[:, :width]
        found |= {name: places.astype(np.int32), f"{name}_values": np.take_along_axis(part, places, axis=1)}
    return found


def sparse_product(vector: PerRow, matrix: Any, data: DataArrays) -> PerRow:
    """Return ``M v`` of JAX values ``(..., n)``.

    Args:
        vector: v.
        matrix: M ``(n, n)``.
        data: what ``sparse_tables`` found of it.
    """
    if ROWS not in data:
        return vector @ matrix.T
    tables = tuple(data[name] for name in (ROWS, f"{ROWS}_values", COLUMNS, f"{COLUMNS}_values"))
    return _product()(vector, tables)


@cache
def _product() -> Callable[..., Any]:
    """Return the product; made at its first use, which is JAX's."""
    import jax

    def gathered(vector: Any, places: Any, values: Any) -> Any:
        return (vector.at[..., places].get(mode="promise_in_bounds") * values).sum(axis=-1)

    product = jax.custom_vjp(lambda vector, tables: gathered(vector, *tables[:2]))
    product.defvjp(
        lambda vector, tables: (gathered(vector, *tables[:2]), tables),
        lambda tables, change: (gathered(change, *tables[2:]), None),
    )
    return product
