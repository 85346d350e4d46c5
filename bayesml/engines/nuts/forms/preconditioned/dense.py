"""Whitening by a dense Hessian: q = mode + A x with A A' = H^-1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np

from bayesml.engines.nuts.forms.preconditioned.whitening import climb, clipped_roots

__all__ = ["apply_dense", "dense_whitening"]

Array = Any


@final
@dataclass(frozen=True)
class _Dense:
    root: np.ndarray

    def solve(self, gradient: np.ndarray) -> np.ndarray:
        return self.root @ (self.root.T @ gradient)


def dense_whitening(density: Callable[[Any, Any], Any], start: np.ndarray, data: Any) -> dict[str, np.ndarray]:
    """Return the mode and the factor A.

    Raises:
        ArithmeticError: the density has no usable mode near ``start``.
    """
    hessian = jax.jit(jax.hessian(density))
    mode, curvature = climb(density, lambda q: _Dense(clipped_roots(-np.asarray(hessian(q, data)))[0]), start, data)
    return {"mode": mode, "factor": curvature.root}


def apply_dense(x: Array, white: Mapping[str, Array]) -> Array:
    """Map whitened coordinates to the layout's."""
    return white["mode"] + white["factor"] @ x
