"""A function of the user that a nonlinear formula calls with parameters, on NumPy and JAX arrays alike."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import FormulaError
from bayesml.namespace import array_namespace
from bayesml.user_function import called

if TYPE_CHECKING:
    from bayesml.shapes import Operand

__all__ = ["OwnFunction"]


@final
@dataclass(frozen=True)
class OwnFunction:
    """A function of what parameters and columns are in each row.

    Attributes:
        name: as the formula calls it.
        function: the function. It is called with arrays ``(rows,)``, and numbers where the formula has such, and
            returns one number for each row.
    """

    name: str
    function: Callable[..., Any]

    def __call__(self, *values: Operand) -> Operand:
        """Call it; what it returns is an array of NumPy where all its arguments are.

        Several draws at once, ``(..., rows)``, are taken one by one, so that the function is called with rows alone.

        Raises:
            FormulaError: it fails, cannot be traced by JAX, or returns no number for each row.
        """
        shape = np.broadcast_shapes(*(np.shape(value) for value in values))
        if array_namespace(*values) is not np:
            return self._of_rows(*values) if len(shape) < 2 else self._of_draws(values, shape)
        with _doubles():
            return np.asarray(self._of_rows(*values) if len(shape) < 2 else self._of_draws(values, shape))

    def _of_draws(self, values: Sequence[Operand], shape: tuple[int, ...]) -> Operand:
        import jax

        along = [0 if np.ndim(value) else None for value in values]
        flat = [
            jax.numpy.broadcast_to(value, shape).reshape(-1, shape[-1]) if np.ndim(value) else value for value in values
        ]
        return jax.vmap(self._of_rows, in_axes=along)(*flat).reshape(shape)

    def _of_rows(self, *values: Operand) -> Operand:
        shape = np.broadcast_shapes(*(np.shape(value) for value in values))
        found = called(self.function, values, f"The function `{self.name}`", FormulaError)
        kind = getattr(found, "dtype", None) or np.asarray(found).dtype
        if kind.kind not in "fiub":
            raise FormulaError(f"The function `{self.name}` returned {kind}; it has to return real numbers.")
        try:
            return array_namespace(found, *values).broadcast_to(found, shape)
        except ValueError:
            raise FormulaError(
                f"The function `{self.name}` returned an array of shape {np.shape(found)} for {shape[0]} rows; it has "
                "to return one number for each row."
            ) from None


def _doubles() -> Any:
    """Return the context in which functions of JAX keep double precision, where JAX is loaded."""
    jax = sys.modules.get("jax")
    return nullcontext() if jax is None else jax.enable_x64(True)
