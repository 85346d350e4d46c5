"""Calls of functions that a user wrote, and what is said where one fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bayesml.errors import BayesmlError, described

__all__ = ["called"]

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


def called(function: Callable[..., Any], values: Sequence[Any], shown: str, kind: type[BayesmlError]) -> Any:
    """Call a function of the user.

    Args:
        function: the function.
        values: what it is called with.
        shown: how messages call it.
        kind: class of the error that is raised where it fails.
    """
    try:
        return function(*values)
    except BayesmlError:
        raise
    except Exception as error:
        reasons = (_JAX_REASONS[k.__name__] for k in type(error).__mro__ if k.__name__ in _JAX_REASONS)
        reason = next(reasons, None)
        why = f"failed: {described(error)}" if reason is None else f"cannot be traced by JAX: {reason}."
        raise kind(f"{shown} {why}") from error
