"""Shapes of arrays, for annotations alone.

Type checkers and tests import this module, the package does not when it runs, so that it does not need jaxtyping then.

Numbers are NumPy arrays, JAX arrays or single numbers. Within one signature a name stands for one size: ``rows``
everywhere, ``*elements`` for any number of axes. What broadcasts against the others of a signature is marked by ``#``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Array, ArrayLike, Float, Shaped

__all__ = [
    "Broadcast",
    "DataArrays",
    "Drawn",
    "Elements",
    "Expected",
    "Numbers",
    "Observed",
    "Operand",
    "PerRow",
    "Position",
    "Scalar",
    "Values",
]

Elements = Float[ArrayLike, "*elements"]
"""Numbers of any shape, a NumPy or JAX array or a single number; in one signature all have the same shape."""
Broadcast = Float[ArrayLike, "*#elements"]
"""Numbers of any shape that broadcast against the others of the signature."""
Numbers = Float[ArrayLike, "..."]
"""Numbers of a shape that the documentation says."""
Values = Mapping[str, Numbers]
"""Parameters or variables by name."""
DataArrays = Mapping[str, Shaped[ArrayLike, "..."]]
"""Arrays of the data by name: numbers, whole numbers and truth values."""
Observed = Float[ArrayLike, "rows *columns"]
"""A response, of one column or of several."""
Operand = Shaped[ArrayLike, "*#elements"]
"""Numbers, whole numbers or truth values that a formula computes with; they broadcast against each other."""
PerRow = Float[ArrayLike, "*draws rows"]
"""A number for each row, and for each draw where there are draws."""
Expected = Float[Array | np.ndarray, "..."]
"""Expected responses, ``(..., rows, *event_shape)``."""
Drawn = Float[np.ndarray, "..."]
"""Random responses, ``(..., rows)`` or ``(..., rows, columns)``."""
Position = Float[Array, " size"]
"""What is sampled of a model, unconstrained and as one vector."""
Scalar = Float[ArrayLike, ""]
"""A number."""
