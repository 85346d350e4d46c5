"""Make XLA:CPU compile a whole program to one kernel.

XLA:CPU runs a program as a sequence of small kernels, one for each fused operation. Calling a kernel costs about 0.1
microseconds, which for a density of a few thousand numbers is most of the time. A call with the attribute
``xla_cpu_small_call`` becomes one kernel instead, loops and conditions included. XLA itself sets the attribute for
loops that touch less than a kilobyte (in its pass ``SmallWhileLoopHoisting``). Larger programs gain too: a leapfrog
step of a small model takes a quarter of the time, one that reads 10,000 numbers half of it.

The attribute changes speed alone. Versions of XLA without that attribute ignore it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
from jax import numpy as jnp
from jax.experimental.xla_metadata import set_xla_metadata

from bayesml.engines.programs.tested import is_tested_version

if TYPE_CHECKING:
    from jaxtyping import Array, Bool, Float, Shaped

    Operand = Shaped[Array, "..."]

__all__ = ["KERNEL_OPTIONS", "UNHOISTED", "has_kernels", "one_kernel"]

KERNEL_OPTIONS: dict[str, bool | int | str] = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_cpu_experimental_ynn_fusion_type": "",
    "xla_backend_optimization_level": 1,
}
"""With other values of the first two, some operations could not be part of a larger kernel. The third shortens
compiling by a sixth; the program is as fast."""
UNHOISTED = {"xla_disable_hlo_passes": "while-loop-invariant-code-motion,simplify-while-loops"}
"""Shortens compiling by a third: XLA does not move computations out of loops that give the same in each repetition.

Switching off the second pass alone would not help: the first then takes longer than both. Programs with many such
computations, as in the coordinates of the preconditioned form, run three times as fast with the passes."""


def has_kernels() -> bool:
    """Whether this compiler is known to make one kernel of a program."""
    return jax.default_backend() == "cpu" and is_tested_version()


def one_kernel(function: Callable[..., Any], is_never: Callable[..., Bool[Array, ""]]) -> Callable[..., Any]:
    """Return the function in a form that XLA:CPU compiles to one kernel, with ``KERNEL_OPTIONS``.

    XLA crashes on a kernel with a parameter that the kernel does not use: ``ComputationKernelEmitter`` has no address
    for it (jaxlib 0.10). Which parameters are unused is known only after XLA's simplifications. Therefore every
    parameter is used here. The first numbers of all parameters are added up, and the sum replaces the result if
    ``is_never`` is true. The compiler cannot know that it never is, and so cannot remove the sum.

    Args:
        function: takes and returns pytrees of arrays.
        is_never: a condition on the same arguments. It is False whenever the program runs, which the compiler must not
            be able to find out.
    """

    def called(*arguments: Any) -> Any:
        traced, shape = jax.make_jaxpr(function, return_shape=True)(*arguments)
        never = is_never(*arguments)
        # Constants depend on the condition too, since XLA would simplify with their values.
        constants = [jnp.where(never, jnp.zeros_like(constant), constant) for constant in traced.consts]

        def kernel(constants: list[Operand], given: list[Operand]) -> tuple[list[Operand], Float[Array, ""]]:
            results = jax.core.eval_jaxpr(traced.jaxpr, constants, *given)
            return results, sum(map(_first_number, [*constants, *given]), jnp.zeros(()))

        inside = jax.jit(kernel)(constants, jax.tree.leaves(arguments))
        (first, *others), number = set_xla_metadata(inside, xla_cpu_small_call="true", inlineable="false")
        first = jnp.where(never, number.astype(first.dtype), first)
        return jax.tree.unflatten(jax.tree.structure(shape), [first, *others])

    return called


def _first_number(array: Operand) -> Float[Array, ""]:
    """Return the first number of an array, that of the data of a random key; 0 where there is none."""
    if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    array = jnp.ravel(array)
    return array[0].astype(float) if array.size else jnp.zeros(())
