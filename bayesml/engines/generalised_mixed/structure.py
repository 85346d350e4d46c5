"""Which structure of K the grouping factors have."""

from __future__ import annotations

from collections.abc import Sequence

from bayesml.engines.generalised_mixed.blocks import AbstractBlocks, Columns
from bayesml.engines.generalised_mixed.chain import Chain, nested_order
from bayesml.engines.generalised_mixed.tail import Tail

__all__ = ["build_blocks"]


def build_blocks(columns: Sequence[Columns]) -> AbstractBlocks:
    """Return a chain where every factor is nested in the next (also one factor, or none), else a dense tail."""
    order = nested_order(columns)
    return Tail.of(columns) if order is None else Chain.of(columns, order)
