"""NumPy or JAX, whichever the argument already is, without importing JAX for an argument that is not."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["array_namespace", "reason_of_jax"]

_JAX_REASONS = {
    "TracerBoolConversionError": "it asks `if`, `while`, `and` or `or` about an array; write jnp.where(condition, a, "
    "b), `&` and `|`",
    "NonConcreteBooleanIndexError": "it selects elements by truth values, `y[y > 0]`; write jnp.where(condition, a, b)",
    "TracerArrayConversionError": "it gives an array to a function of NumPy or SciPy; use the one of jax.numpy or "
    "jax.scipy",
    "TracerIntegerConversionError": "it uses an array where Python needs a whole number; use jax.numpy functions",
    "ConcretizationTypeError": "it turns an array into one number, as float(x) and the functions of `math` do; use "
    "jax.numpy functions",
}
"""What JAX's errors mean for the text of a function, by the class of the error; the special ones come first."""


def reason_of_jax(error: Exception) -> str | None:
    """Return why JAX cannot trace a function of the user that raised this error; None for errors of another kind."""
    return next((_JAX_REASONS[k.__name__] for k in type(error).__mro__ if k.__name__ in _JAX_REASONS), None)


def array_namespace(*arrays: Any) -> ModuleType:
    """Return ``jax.numpy`` if any of ``arrays`` is a JAX array or tracer, else ``numpy``."""
    # While another thread imports JAX there may be a module without its names, and no array of it yet.
    array_class = getattr(sys.modules.get("jax"), "Array", None)
    if array_class is not None and any(isinstance(array, array_class) for array in arrays):
        return sys.modules["jax.numpy"]
    return np
