"""Shapes of arrays, for annotations alone.

Type checkers and tests import this module, the package does not when it runs, so that it does not need jaxtyping then.
"""

from __future__ import annotations

from jaxtyping import ArrayLike, Bool, Float

__all__ = ["Elements", "Truths"]

Elements = Float[ArrayLike, "*elements"]
"""Numbers of any shape, a NumPy or JAX array or a single number; in one signature all have the same shape."""
Truths = Bool[ArrayLike, "*elements"]
"""Truth values of that shape."""
