"""Compiling the programs of a form, and finding the points where its chains start."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.engines.nuts.driver.background import Background
from bayesml.engines.nuts.forms.base import Form, ValueAndGradient
from bayesml.engines.nuts.programs.kernel import KERNEL_OPTIONS, UNHOISTED, has_kernels, one_kernel
from bayesml.engines.nuts.programs.program import LONGEST_BLOCK, ChainProgram, chain_program, report_program
from bayesml.engines.nuts.sampler.chain_state import state_like
from bayesml.engines.nuts.sampler.random_numbers import random_numbers
from bayesml.engines.precision import double_precision, no_persistent_cache, persistent_cache
from bayesml.engines.programs.compiling import compiled_with
from bayesml.engines.programs.stored import is_stored, load_program, store_program, stored_name
from bayesml.engines.programs.structure import structure_key
from bayesml.engines.progress import Progress
from bayesml.errors import ModelError
from bayesml.garbage_collection import garbage_collection_paused
from bayesml.variables import ReportedVariable

__all__ = ["Compiled", "compile_form", "reads_few_numbers", "starting_point"]

START_ATTEMPTS = 100
QUICKLY = {"xla_cpu_use_fusion_emitters": False}
"""Halves the time that XLA:CPU needs to compile. The program is as fast on small arrays; a gradient over 7,584 rows
takes a fifth longer."""
MOST_NUMBERS = 50_000
"""A density that reads more numbers spends its time on arithmetic: it gains nothing as one kernel, and loses by
``QUICKLY``."""
MOST_PRODUCTS = 30_000
"""Multiplications for products of dense matrices beyond which a density loses as one kernel: within a kernel they are
plain loops. Measured: 20 coefficients of a curve 0.006 ms as one kernel, 0.009 as many; 40 0.040 and 0.029; a table of
200 levels by 20 0.066 and 0.029; exact processes of 60 places 1.1 and 0.3, of 100 places 6.8 and 1.2."""
FEWEST_NUMBERS = 1_000
"""A density of sums that reads no more numbers has next to no intermediate results that depend on the data alone, so
that XLA need not look for them (``UNHOISTED``)."""
AT_ONCE = 2
"""Programs compiled at the same time. More would not help: ``advance`` takes longer than all others together."""
NUMBERS_IN_A_BLOCK = 4_000_000
"""Most numbers in one block of draws, which are 32 MB. Models with very many group effects get shorter blocks."""


@final
@dataclass(frozen=True)
class Compiled:
    """The compiled programs of a form.

    Attributes:
        form: what is sampled.
        data: the arrays of the form, after tuning, on the device.
        program: the functions of a chain before compilation.
        block: number of iterations in one call.
        noise_sizes: how many random numbers the translation of a draw takes, see `report_noise`.
        start: ``(position, data) -> state``.
        advance: advances one chain by a block of iterations, see `ChainProgram`.
        report: translates a block of draws, see `report_program`.
        template: a state with shapes and types in the place of arrays.
        trace: seconds of tracing.
        compile: seconds of compiling and tuning, without those in which programs were traced at the same time.
    """

    form: Form
    data: Any
    program: ChainProgram
    block: int
    noise_sizes: tuple[int, int]
    start: Callable[..., Any]
    advance: Callable[..., Any]
    report: Callable[..., Any]
    template: Any
    trace: float
    compile: float

    @cached_property
    def advance_together(self) -> Callable[..., Any]:
        """Advances several chains by a block; states and random numbers have an axis for chains, the rest is shared."""
        return jax.jit(jax.vmap(self.program.advance, (0, 0, None, None, None, None)), donate_argnums=0)


def compile_form(
    form: Form,
    max_treedepth: int,
    variables: tuple[ReportedVariable, ...],
    stored: Any = None,
    progress: Progress | None = None,
) -> Compiled:
    """Compile the programs of a form that report the given variables, and tune its coordinates.

    While one program is compiled, the next one is traced. A program that an earlier process compiled for the same
    structure is read from its file instead. The coordinates are tuned with ``start``, which evaluates the density.

    Args:
        form: the form.
        max_treedepth: as in ``NUTS``.
        variables: what is reported.
        stored: data of the form that were tuned before; None to tune them now.
        progress: shows that something is compiled; None shows nothing.

    Raises:
        ArithmeticError: the form found no coordinates.
        KeyboardInterrupt: the user interrupted; the compiler is not waited for.
    """
    data = jax.device_put(form.data if stored is None else stored)
    program, names = chain_program(form.density, max_treedepth, form.first_step), frozenset(v.name for v in variables)
    structure = structure_key(form.structure, form.first_step, max_treedepth, names) if form.structure else None
    block, noise_sizes = _block_length(form, variables), _noise_sizes(form, variables)
    position = np.zeros(form.size)
    template = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state_like(position))
    of_block = template, random_numbers((0,), 0, block, form.size), np.zeros(block, np.int32), 0, 0.8, data
    of_draws = np.zeros((block, form.size)), np.zeros((block, sum(noise_sizes))), data
    is_small = _is_small(form, data)
    recipes = (
        # The program that takes longest to compile comes first.
        _Recipe("advance", lambda: program.advance, of_block, QUICKLY if is_small else {}, _has_negative_count, (0,)),
        _Recipe("start", lambda: program.start, (position, data), QUICKLY, _is_not_a_number),
        _Recipe("report", lambda: report_program(form, names), of_draws, QUICKLY, _first_is_not_a_number),
    )
    began, progress = time.perf_counter(), progress or Progress(shown=False)
    with _cache(structure), garbage_collection_paused(), Background(AT_ONCE, progress.refresh) as background:
        kernel_options = _kernel_options(form, data)
        stored_names = [recipe.stored_name(structure, kernel_options) for recipe in recipes]
        if not all(name is not None and is_stored(name) for name in stored_names):
            progress.compiling()
        advance, start, report = (
            _submitted(background, recipe, name, kernel_options)
            for recipe, name in zip(recipes, stored_names, strict=True)
        )
        traced = time.perf_counter()
        if form.tune is not None and stored is None:
            data = jax.device_put(form.tune(_value_and_gradient(background.result(start)), data))
    ended = time.perf_counter()
    programs = start.result(), advance.result(), report.result()
    return Compiled(form, data, program, block, noise_sizes, *programs, template, traced - began, ended - traced)


def _kernel_options(form: Form, data: Any) -> Mapping[str, Any] | None:
    """Return the options with which programs become one kernel each; None where they are to stay many."""
    if not (_is_small(form, data) and has_kernels()):
        return None
    reads_sums_alone = form.rows == 0 and _numbers(data) <= FEWEST_NUMBERS
    return KERNEL_OPTIONS | UNHOISTED if reads_sums_alone else KERNEL_OPTIONS


def _is_small(form: Form, data: Any) -> bool:
    """Whether the time of a density goes into the calls of its kernels rather than into arithmetic."""
    return reads_few_numbers(data) and form.products <= MOST_PRODUCTS


def _has_negative_count(state: Any, random_numbers: Any, stages: Any, count: Any, target: Any, data: Any) -> Any:
    """Never true of the arguments of ``advance``, see `one_kernel`."""
    return count < 0


def _is_not_a_number(position: Any, data: Any) -> Any:
    """Never true of the arguments of ``start``, see `one_kernel`."""
    return jnp.isnan(position[0])


def _first_is_not_a_number(positions: Any, noise: Any, data: Any) -> Any:
    """Never true of the arguments of ``report``, see `one_kernel`."""
    return jnp.isnan(positions[0, 0])


def _noise_sizes(form: Form, variables: tuple[ReportedVariable, ...]) -> tuple[int, int]:
    """Return the sizes of the two parts of the noise; the second is empty where no group effects are reported."""
    first, effects = form.noise_sizes
    return first, effects if any(variable.kind == "r" for variable in variables) else 0


def _cache(structure: str | None) -> AbstractContextManager[None]:
    """Return the setting of JAX's cache: used where programs have no file of their own, else switched off.

    A program that comes out of JAX's cache cannot be stored, see `store_program`.
    """
    return persistent_cache() if structure is None else no_persistent_cache()


@final
@dataclass(frozen=True)
class _Recipe:
    """How one program is made.

    Attributes:
        name: name of the program.
        build: returns the function to compile.
        specs: arguments of the shapes and types that it will be called with.
        options: options of XLA, for a program that does not become one kernel.
        is_never: a condition on the arguments that is never true, see `one_kernel`.
        donate: which arguments, by number, may be overwritten with results.
    """

    name: str
    build: Callable[[], Callable[..., Any]]
    specs: tuple[Any, ...]
    options: Mapping[str, Any]
    is_never: Callable[..., Any]
    donate: tuple[int, ...] = ()

    def stored_name(self, structure: str | None, kernel_options: Mapping[str, Any] | None) -> str | None:
        """Return the name under which the program is stored; None if it is not."""
        return stored_name(structure, self.name, self.specs, self.donate, (self.options, kernel_options))

    def lowered(self, as_kernel: bool) -> jax.stages.Lowered:
        """Trace the program."""
        function = self.build()
        if as_kernel:
            function = one_kernel(function, self.is_never)
        return jax.jit(function, donate_argnums=self.donate).lower(*self.specs)

    def compiled(self, lowered: jax.stages.Lowered, kernel_options: Mapping[str, Any] | None) -> Any:
        """Compile a traced program, as one kernel if there are options for that.

        There are operations that XLA cannot put into a larger kernel. A program with one of them is compiled as many.
        """
        if kernel_options is not None:
            try:
                return lowered.compile(compiler_options=dict(kernel_options))
            except RuntimeError:
                lowered = self.lowered(False)
        return compiled_with(lowered, self.options)


def _submitted(
    background: Background, recipe: _Recipe, name: str | None, kernel_options: Mapping[str, Any] | None
) -> Future[Any]:
    """Return the program in the future: read from its file, or traced now and compiled in a thread.

    Tracing holds Python's lock, so that it is done in this thread. XLA releases the lock while it compiles.
    """
    as_kernel = kernel_options is not None
    lowered = None if name is not None and is_stored(name) else recipe.lowered(as_kernel)

    def made() -> Any:
        with double_precision():
            stored = load_program(name, recipe.specs) if lowered is None and name is not None else None
            if stored is not None:
                return stored
            # The file was there and could not be used: the program is traced in this thread.
            program = recipe.compiled(lowered or recipe.lowered(as_kernel), kernel_options)
            if name is not None and not background.is_abandoned:
                store_program(name, program)
            return program

    return background.submit(made)


def reads_few_numbers(data: Any) -> bool:
    """Whether a form's data are at most ``MOST_NUMBERS`` numbers."""
    return _numbers(data) <= MOST_NUMBERS


def _numbers(data: Any) -> int:
    return sum(np.size(leaf) for leaf in jax.tree.leaves(data))


def _value_and_gradient(start: Callable[..., Any]) -> ValueAndGradient:
    """Return log density and gradient as a function, from the program that starts a chain."""

    def evaluate(position: np.ndarray, data: Any) -> tuple[float, np.ndarray]:
        state = start(position, data).position
        return float(state.logdensity), np.asarray(state.logdensity_grad)

    return evaluate


def _block_length(form: Form, variables: tuple[ReportedVariable, ...]) -> int:
    """Return how many iterations a block has: a power of 2, with at most ``NUMBERS_IN_A_BLOCK`` numbers of one kind."""
    reported = sum(int(np.prod([len(labels) for labels in v.coords])) for v in variables)
    longest = max(form.size, reported, sum(_noise_sizes(form, variables)))
    fitting = max(NUMBERS_IN_A_BLOCK // max(longest, 1), 1)
    return min(1 << (fitting.bit_length() - 1), LONGEST_BLOCK)


def starting_point(compiled: Compiled, rng: np.random.Generator) -> Any:
    """Draw starting points, nearer to the centre with each attempt, until density and gradient are finite there.

    Raises:
        ModelError: no attempt had a finite density; the message names the parameter where it can.
    """
    form = compiled.form
    for attempt in range(START_ATTEMPTS):
        state = compiled.start(form.start(rng, attempt), compiled.data)
        gradient = np.asarray(state.position.logdensity_grad)
        if np.isfinite(float(state.position.logdensity)) and np.all(np.isfinite(gradient)):
            return state
    not_finite = np.flatnonzero(~np.isfinite(gradient))
    where = f"; the gradient is not finite in `{form.parameter_of(int(not_finite[0]))}`" if not_finite.size else ""
    raise ModelError(
        f"No starting point with a finite log density was found in {START_ATTEMPTS} attempts{where}. Check the scale "
        "of the data and priors that exclude what the data show."
    )
