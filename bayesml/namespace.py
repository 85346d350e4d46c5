"""NumPy or JAX, whichever the argument already is, without importing JAX for an argument that is not."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["array_namespace"]


def array_namespace(*arrays: Any) -> ModuleType:
    """Return ``jax.numpy`` if any of ``arrays`` is a JAX array or tracer, else ``numpy``."""
    jax = sys.modules.get("jax")
    if jax is not None and any(isinstance(array, jax.Array) for array in arrays):
        return jax.numpy
    return np
