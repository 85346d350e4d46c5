"""NumPy or JAX, whichever the argument already is, without importing JAX for an argument that is not."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["array_namespace"]


def array_namespace(*arrays: Any) -> ModuleType:
    """Return ``jax.numpy`` if any of ``arrays`` is a JAX array or tracer, else ``numpy``."""
    # While another thread imports JAX there may be a module without its names, and no array of it yet.
    array_class = getattr(sys.modules.get("jax"), "Array", None)
    if array_class is not None and any(isinstance(array, array_class) for array in arrays):
        return sys.modules["jax.numpy"]
    return np
