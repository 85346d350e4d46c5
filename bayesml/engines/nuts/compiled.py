"""The compiled programs of one form of one model, and the points where its chains start."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import jax
import numpy as np

from bayesml.engines.nuts.forms.base import Form
from bayesml.engines.nuts.program import LONGEST_BLOCK, ChainProgram, chain_program, report_program
from bayesml.engines.precision import persistent_cache
from bayesml.errors import ModelError
from bayesml.reported import ReportedVariable

__all__ = ["Compiled", "compile_form", "starting_point"]

START_ATTEMPTS = 100
NUMBERS_IN_A_BLOCK = 4_000_000
"""Most numbers in one block of draws, 32 MB: models with very many group effects get shorter blocks."""


@final
@dataclass(frozen=True)
class Compiled:
    """Compiled functions of one model structure.

    Attributes:
        form: what is sampled.
        data: the arrays of the form, on the device.
        program: the functions before compilation.
        block: iterations in one call.
        start: ``(position, data) -> state``.
        advance: one chain by a block, see ``ChainProgram``.
        report: see ``report_program``.
        template: shapes and types of a state.
        trace: seconds of tracing.
        compile: seconds of compiling.
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


def compile_form(form: Form, max_treedepth: int, variables: tuple[ReportedVariable, ...]) -> Compiled:
    """Compile the programs of a form that report the given variables."""
    data = jax.tree.map(jax.numpy.asarray, form.data)
    program = chain_program(form.density, max_treedepth, form.first_step)
    position, block = np.zeros(form.size), _block_length(form, variables)
    stages, key = np.zeros(block, np.int32), jax.random.key(0)
    began = time.perf_counter()
    template = jax.eval_shape(program.start, position, data)
    report = jax.jit(report_program(form, frozenset(v.name for v in variables)))
    advance = jax.jit(program.advance, donate_argnums=0)
    lowered = (
        jax.jit(program.start).lower(position, data),
        advance.lower(template, key, 0, stages, 0, 0.8, data),
        report.lower(key, np.zeros((block, form.size)), 0, stages, data),
    )
    traced = time.perf_counter()
    with persistent_cache():
        start, step, translate = (each.compile() for each in lowered)
    ended = time.perf_counter()
    return Compiled(form, data, program, block, start, step, translate, template, traced - began, ended - traced)


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
