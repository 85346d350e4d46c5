"""The compiled programs of one form of one model, and the points where its chains start."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, final

import jax
import numpy as np

from bayesml.engines.nuts.chain_state import state_like
from bayesml.engines.nuts.exported import exported_jit
from bayesml.engines.nuts.forms.base import Form, ValueAndGradient
from bayesml.engines.nuts.kernel import KERNEL_OPTIONS, has_kernels, one_kernel
from bayesml.engines.nuts.noise import noise
from bayesml.engines.nuts.program import LONGEST_BLOCK, ChainProgram, chain_program, report_program
from bayesml.engines.nuts.structure import structure_key
from bayesml.engines.precision import double_precision, persistent_cache
from bayesml.errors import ModelError
from bayesml.reported import ReportedVariable

__all__ = ["Compiled", "compile_form", "compiled_with", "reads_few_numbers", "starting_point"]

START_ATTEMPTS = 100
QUICKLY = {"xla_cpu_use_fusion_emitters": False}
"""The option of XLA:CPU that halves the time of compiling. What comes out is as fast on small arrays; a gradient over
7,584 rows takes a fifth longer."""
MOST_NUMBERS = 50_000
"""A density that reads more numbers is busy computing: it gains nothing as one kernel, and loses by ``QUICKLY``."""
AT_ONCE = 2
"""Programs compiled at the same time; the two large ones are one chain's block and the translation of draws."""
NUMBERS_IN_A_BLOCK = 4_000_000
"""Most numbers in one block of draws, 32 MB: models with very many group effects get shorter blocks."""


@final
@dataclass(frozen=True)
class Compiled:
    """Compiled functions of one model structure.

    Attributes:
        form: what is sampled.
        data: the arrays of the form, tuned, on the device.
        program: the functions before compilation.
        block: iterations in one call.
        start: ``(position, data) -> state``.
        advance: one chain by a block, see ``ChainProgram``.
        report: see ``report_program``.
        template: shapes and types of a state.
        trace: seconds of tracing.
        compile: seconds of compiling and tuning that tracing did not hide.
    """

    form: Form
    data: Any
    program: ChainProgram
    block: int
    start: Callable[..., Any]
    advance: Callable[..., Any]
    report: Callable[..., Any]
    template: Any
    trace: float
    compile: float

    @cached_property
    def advance_together(self) -> Callable[..., Any]:
        """Advance several chains by a block in one program: states and noise are stacked, the rest is shared."""
        return jax.jit(jax.vmap(self.program.advance, (0, 0, None, None, None, None)), donate_argnums=0)


def compile_form(
    form: Form, max_treedepth: int, variables: tuple[ReportedVariable, ...], stored: Any = None
) -> Compiled:
    """Compile the programs of a form that report the given variables, and tune its coordinates.

    While one program is compiled the next is traced, or read where an earlier process traced the same structure; a form
    is tuned with the first of them.

    Args:
        form: the form.
        max_treedepth: as in ``NUTS``.
        variables: what is reported.
        stored: data of the form that were tuned before; None to tune now.

    Raises:
        ArithmeticError: the form found no coordinates.
    """
    data = jax.device_put(form.data if stored is None else stored)
    program = chain_program(form.density, max_treedepth, form.first_step)
    position, block = np.zeros(form.size), _block_length(form, variables)
    names = frozenset(v.name for v in variables)
    structure = structure_key(form.structure, form.first_step, max_treedepth, names) if form.structure else None
    schedule, key = np.zeros(block, np.int32), jax.eval_shape(jax.random.key, 0)
    template = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state_like(position))
    began = time.perf_counter()
    with persistent_cache(), ThreadPoolExecutor(AT_ONCE) as pool:
        is_small = reads_few_numbers(data)
        compiler = _Compiler(pool, structure, is_small and has_kernels())
        # The program that takes longest to compile comes first.
        of_block = (template, noise((0,), 0, block, form.size), schedule, 0, 0.8, data)
        options = QUICKLY if is_small else {}
        advance = compiler.submit("advance", lambda: program.advance, of_block, options, lambda *of: of[3] < 0, (0,))
        start = compiler.submit("start", lambda: program.start, (position, data), QUICKLY)
        of_draws = (key, np.zeros((block, form.size)), 0, schedule, data)
        build_report = partial(report_program, form, names)
        report = compiler.submit("report", build_report, of_draws, QUICKLY, lambda *of: of[2] < 0)
        traced = time.perf_counter()
        if form.tune is not None and stored is None:
            data = jax.device_put(form.tune(_value_and_gradient(start.result()), data))
        programs = start.result(), advance.result(), report.result()
    ended = time.perf_counter()
    return Compiled(form, data, program, block, *programs, template, traced - began, ended - traced)


@final
@dataclass(frozen=True)
class _Compiler:
    """Compiles programs of one structure, on threads: XLA lets go of Python's lock while it compiles.

    Attributes:
        pool: the threads.
        structure: what the programs hold as constants, see ``exported_jit``.
        in_kernels: whether programs are to become one kernel each.
    """

    pool: ThreadPoolExecutor
    structure: str | None
    in_kernels: bool

    def submit(
        self,
        name: str,
        build: Callable[[], Callable[..., Any]],
        specs: tuple[Any, ...],
        options: Mapping[str, Any],
        is_never: Callable[..., Any] | None = None,
        donate: tuple[int, ...] = (),
    ) -> Future[Any]:
        """Trace a program, or read it, and have it compiled.

        Args:
            name: of the program.
            build: returns its function.
            specs: what it is called with.
            options: of XLA, where it does not become one kernel.
            is_never: see `one_kernel`; None to leave it a program of many kernels.
            donate: numbers of the arguments whose memory may be used again.
        """

        def lowered() -> jax.stages.Lowered:
            return exported_jit(self.structure, name, build, specs, donate)

        if is_never is None or not self.in_kernels:
            return self._run(compiled_with, lowered(), options)

        def build_kernel() -> Callable[..., Any]:
            return one_kernel(build(), is_never)

        kernel = exported_jit(self.structure, f"{name}, one kernel", build_kernel, specs, donate)
        return self._run(_kernel_or_program, kernel, lowered, options)

    def _run(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        def in_double_precision() -> Any:
            with double_precision():
                return work(*arguments)

        return self.pool.submit(in_double_precision)


def _kernel_or_program(
    kernel: jax.stages.Lowered, lowered: Callable[[], jax.stages.Lowered], options: Mapping[str, Any]
) -> Any:
    """There are operations that XLA cannot put into a larger kernel, and versions of XLA without some option."""
    try:
        return kernel.compile(compiler_options=dict(KERNEL_OPTIONS))
    except RuntimeError:
        return compiled_with(lowered(), options)


def compiled_with(lowered: Any, options: Mapping[str, Any]) -> Any:
    """Options of XLA come and go with its versions; without them a program is the same, only later."""
    options = options if jax.default_backend() == "cpu" else {}
    try:
        return lowered.compile(compiler_options=dict(options))
    except RuntimeError:
        if not options:
            raise
        return lowered.compile()


def reads_few_numbers(data: Any) -> bool:
    """Say whether a form's data are at most ``MOST_NUMBERS``."""
    return sum(np.size(leaf) for leaf in jax.tree.leaves(data)) <= MOST_NUMBERS


def _value_and_gradient(start: Callable[..., Any]) -> ValueAndGradient:
    """Return the density that a chain's start evaluates."""

    def evaluate(position: np.ndarray, data: Any) -> tuple[float, np.ndarray]:
        state = start(position, data).position
        return float(state.logdensity), np.asarray(state.logdensity_grad)

    return evaluate


def _block_length(form: Form, variables: tuple[ReportedVariable, ...]) -> int:
    """Return the largest power of two of draws that ``NUMBERS_IN_A_BLOCK`` has room for."""
    reported = sum(int(np.prod([len(labels) for labels in v.coords])) for v in variables)
    fitting = max(NUMBERS_IN_A_BLOCK // max(form.size, reported, 1), 1)
    return min(1 << (fitting.bit_length() - 1), LONGEST_BLOCK)


def starting_point(compiled: Compiled, rng: np.random.Generator) -> Any:
    """Draw starts until density and gradient are finite, nearer to the centre with each attempt.

    Raises:
        ModelError: no attempt had a finite density; the message names the parameter where it can.
    """
    form = compiled.form
    for attempt in range(START_ATTEMPTS):
        state = compiled.start(form.start(rng, attempt), compiled.data)
        gradient = np.asarray(state.position.logdensity_grad)
        if np.isfinite(float(state.position.logdensity)) and np.all(np.isfinite(gradient)):
            return state
    bad = np.flatnonzero(~np.isfinite(gradient))
    where = f"; the gradient is not finite in `{form.parameter_of(int(bad[0]))}`" if bad.size else ""
    raise ModelError(
        f"No starting point with a finite log density was found in {START_ATTEMPTS} attempts{where}. Check the scale "
        "of the data and priors that exclude what the data show."
    )
