"""The compiled programs of one form of one model, and the points where its chains start."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import jax
import numpy as np

from bayesml.engines.nuts.chain_state import state_like
from bayesml.engines.nuts.exported import exported_jit
from bayesml.engines.nuts.forms.base import Form, ValueAndGradient
from bayesml.engines.nuts.program import LONGEST_BLOCK, ChainProgram, chain_program, report_program
from bayesml.engines.nuts.structure import structure_key
from bayesml.engines.precision import double_precision, persistent_cache
from bayesml.errors import ModelError
from bayesml.reported import ReportedVariable

__all__ = ["Compiled", "compile_form", "compiled_with", "starting_point"]

START_ATTEMPTS = 100
QUICKLY = {"xla_cpu_use_fusion_emitters": False}
"""The option of XLA:CPU that halves the time of compiling. What comes out is as fast on small arrays; a gradient over
7,584 rows takes a fifth longer."""
MOST_NUMBERS_QUICKLY = 20_000
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
        """Advance several chains by a block in one program: states and keys are stacked, the rest is shared."""
        return jax.jit(jax.vmap(self.program.advance, (0, 0, None, None, None, None, None)), donate_argnums=0)


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
        # The program that takes longest to compile comes first.
        of_block = (template, key, 0, schedule, 0, 0.8, data)
        lowered = exported_jit(structure, "advance", lambda: program.advance, of_block, (0,))
        advance = _compiled(pool, lowered, QUICKLY if _numbers(data) <= MOST_NUMBERS_QUICKLY else {})
        start = _compiled(pool, exported_jit(structure, "start", lambda: program.start, (position, data)), QUICKLY)
        of_draws = (key, np.zeros((block, form.size)), 0, schedule, data)
        lowered = exported_jit(structure, "report", lambda: report_program(form, names), of_draws)
        report = _compiled(pool, lowered, QUICKLY)
        traced = time.perf_counter()
        if form.tune is not None and stored is None:
            data = jax.device_put(form.tune(_value_and_gradient(start.result()), data))
        programs = start.result(), advance.result(), report.result()
    ended = time.perf_counter()
    return Compiled(form, data, program, block, *programs, template, traced - began, ended - traced)


def _compiled(pool: ThreadPoolExecutor, lowered: Any, options: Mapping[str, bool]) -> Future[Any]:
    """XLA lets go of Python's lock while it compiles."""

    def work() -> Any:
        with double_precision():
            return compiled_with(lowered, options if jax.default_backend() == "cpu" else {})

    return pool.submit(work)


def compiled_with(lowered: Any, options: Mapping[str, bool]) -> Any:
    """Options of XLA come and go with its versions; without them a program is the same, only later."""
    try:
        return lowered.compile(compiler_options=dict(options))
    except RuntimeError:
        if not options:
            raise
        return lowered.compile()


def _numbers(data: Any) -> int:
    return sum(np.size(leaf) for leaf in jax.tree.leaves(data))


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
