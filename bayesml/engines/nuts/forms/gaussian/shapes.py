"""Shapes of the arrays of a Gaussian model whose effects are integrated out, for annotations alone.

Type checkers and the test of shapes import this module, the package does not when it runs. A factor has ``q`` effects
for each of its ``levels``; the dense tail and the slopes have ``width`` columns.
"""

from __future__ import annotations

from jaxtyping import Array, ArrayLike, Float

from bayesml.shapes import Broadcast

__all__ = [
    "Coefficients",
    "Column",
    "Effects",
    "EffectsByFactor",
    "Kept",
    "Matrix",
    "Noise",
    "Rows",
    "Slopes",
    "Square",
    "Standardised",
    "Tail",
    "TailRows",
]

Rows = list[Broadcast]
"""The rows of a matrix: each an array over the levels, ``(levels,)`` or ``(columns, levels)``, or a number."""
Matrix = list[list[Broadcast]]
"""A matrix for each level, or one matrix: the rows of its entries, each ``(levels,)`` or a number."""
Square = Float[Array, "d d"]
"""One square matrix."""
Column = Float[ArrayLike, " d"]
"""A vector that such a matrix multiplies."""
Effects = Float[ArrayLike, "q levels"]
"""A number for each effect of one factor."""
EffectsByFactor = dict[int, Float[ArrayLike, "_ _"]]
"""The same for several factors, by their numbers."""
Coefficients = Float[ArrayLike, " coefs"]
"""Population-level coefficients of several parameters, one after the other."""
Kept = Float[ArrayLike, " kept"]
"""A number for each coefficient that is not integrated out."""
Slopes = Float[ArrayLike, " slopes"]
"""A number for each coefficient that is."""
Standardised = Float[ArrayLike, " standardised"]
"""A number for each of the last of the slopes, which stay sampled, standardised by what the other parameters say."""
Tail = Float[ArrayLike, " width"]
"""A number for each effect of the tail and each slope."""
TailRows = Float[ArrayLike, "width *columns"]
"""A row for each effect of the tail and each slope."""
Noise = Float[ArrayLike, " noise"]
"""Standard normal numbers."""
