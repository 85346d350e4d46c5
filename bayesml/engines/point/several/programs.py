"""Compiled functions of rows, kept in the process and in the cache folder of compiled programs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, final

import jax
import numpy as np

from bayesml.engines.precision import no_persistent_cache
from bayesml.engines.programs.compiling import compiled_with
from bayesml.engines.programs.stored import load_program, store_program, stored_name

__all__ = ["RowProgram"]

QUICKLY = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 1}
"""Options with which XLA compiles in half of the time; these functions are called a hundred times, not more."""


@final
class RowProgram:
    """A function that is compiled once for each shape of its arguments, or read from its file.

    Args:
        function: the function, on JAX arrays in double precision.
        name: distinguishes the functions of one key.
        key: hash of everything that the function holds as a constant; None where it must not be stored.
    """

    def __init__(self, function: Callable[..., Any], name: str, key: str | None) -> None:
        self.function, self.name, self.key = function, name, key
        self.compiled: dict[Any, Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Return the results as JAX arrays; to be called in double precision."""
        leaves, nesting = jax.tree.flatten(arguments)
        shapes = (nesting, tuple((np.shape(leaf), str(leaf.dtype)) for leaf in leaves))
        if shapes not in self.compiled:
            self.compiled[shapes] = self._program(arguments)
        return self.compiled[shapes](*arguments)

    def _program(self, arguments: tuple[Any, ...]) -> Any:
        specs = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype), arguments)
        name = stored_name(self.key, f"rows {self.name}", specs, (), QUICKLY)
        stored = None if name is None else load_program(name, specs)
        if stored is not None:
            return stored
        with nullcontext() if name is None else no_persistent_cache():
            program = compiled_with(jax.jit(self.function).lower(*specs), QUICKLY)
        if name is not None:
            store_program(name, program)
        return program
