"""Have XLA:CPU compile a whole program to one kernel.

XLA:CPU runs a program as a sequence of small kernels, one for each fused operation, at some 0.1 microseconds of
administration each: for a density of a few thousand numbers that is most of the time. A call that bears the attribute
``xla_cpu_small_call`` becomes one kernel instead, loops and conditions included. XLA itself gives it to loops that
touch less than a kilobyte (its pass ``SmallWhileLoopHoisting``). Larger ones gain as much: a leapfrog of a small model
takes a quarter of the time, one of 10,000 numbers half.

Nothing but speed depends on the attributes: a version of XLA that does not know them ignores them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import numpy as jnp
from jax.experimental.xla_metadata import set_xla_metadata

from bayesml.engines.nuts.programs.tested import is_tested_version

__all__ = ["KERNEL_OPTIONS", "UNHOISTED", "has_kernels", "one_kernel"]

Array = Any
KERNEL_OPTIONS: dict[str, bool | int | str] = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_experimental_ynn_fusion_type": "",
    "xla_backend_optimization_level": 1,
}
"""Without the first two there are operations that only kernels of their own can do; the third shortens compiling by a
sixth, and what comes out is as fast."""
UNHOISTED = {"xla_disable_hlo_passes": "while-loop-invariant-code-motion,simplify-while-loops"}
"""Shortens compiling by a third: XLA does not look for what the loops compute again and again from the data alone.

Without the second pass the first takes longer than both, and where there is much of it, as in the coordinates of the
preconditioned form, both are worth a factor of three."""


def has_kernels() -> bool:
    """Say whether the compiler at hand is known to make one kernel of a program."""
    return jax.default_backend() == "cpu" and is_tested_version()


def one_kernel(function: Callable[..., Any], is_never: Callable[..., Array]) -> Callable[..., Any]:
    """Return the function as one that XLA:CPU compiles to one kernel, with ``KERNEL_OPTIONS``.

    A parameter that a kernel does not use ends the process that compiles it: XLA's ``ComputationKernelEmitter`` has no
    address for it (jaxlib 0.10). Which parameters remain in use is decided by XLA's simplifications. So each of them is
    used here, for a number that the result depends on in a way that no compiler sees through.

    Args:
        function: takes nests of arrays and returns one.
        is_never: of the same arguments, a truth value that is False whenever the program is run, but could be True for
            all that a compiler knows.
    """

    def called(*arguments: Any) -> Any:
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        never = is_never(*arguments)
        # A constant would be seen through.
        constants = [jnp.where(never, jnp.zeros_like(constant), constant) for constant in traced.consts]

        def kernel(constants: list[Array], given: list[Array]) -> tuple[list[Array], Array]:
            results = jax.core.eval_jaxpr(traced.jaxpr, constants, *given)
            return results, sum(map(_first_number, [*constants, *given]), jnp.zeros(()))

        inside = jax.jit(kernel)(constants, jax.tree.leaves(arguments))
        (first, *others), number = set_xla_metadata(inside, xla_cpu_small_call="true", inlineable="false")
        first = jnp.where(never, number.astype(first.dtype), first)
        return jax.tree.unflatten(jax.tree.structure(shape), [first, *others])

    return called


def _first_number(array: Array) -> Array:
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    array = jnp.ravel(array)
    return array[0].astype(float) if array.size else jnp.zeros(())
