"""Types and shapes of the sampler's arrays, for annotations alone.

Type checkers and the test of shapes import this module. The package does not when it runs, so that it does not need
jaxtyping then. Every function of the sampler is written for one chain; ``d`` is its number of dimensions.
"""

from __future__ import annotations

from jaxtyping import Array, Bool, Float, Int, UInt64

__all__ = ["Count", "Momenta", "Real", "Seed", "Truth", "Vector"]

Real = Float[Array, ""]
"""A number."""
Vector = Float[Array, " d"]
"""A number for each dimension."""
Momenta = Float[Array, "max_treedepth d"]
"""A vector for each level of a tree."""
Count = Int[Array, ""]
"""A whole number."""
Truth = Bool[Array, ""]
"""A truth value."""
Seed = UInt64[Array, ""]
"""64 random bits."""
