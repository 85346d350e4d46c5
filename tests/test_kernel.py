"""Whole programs as one kernel: the same results, no parameter that could be lost, and a way back."""

from __future__ import annotations

import subprocess
import sys

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from bayesml.engines.nuts.forms.plan import build_form, plan_for
from bayesml.engines.nuts.programs import compiled as module
from bayesml.engines.nuts.programs.compiled import MOST_NUMBERS, compile_form, reads_few_numbers
from bayesml.engines.nuts.programs.kernel import KERNEL_OPTIONS, one_kernel
from bayesml.engines.nuts.sampler.chain_state import state_like
from bayesml.engines.nuts.sampler.random_numbers import random_numbers
from bayesml.engines.precision import double_precision
from bayesml.fit import describe_problem
from bayesml.reported import reported_variables

WEIGHTS = np.linspace(0.1, 1.0, 300)


@pytest.fixture(autouse=True)
def x64():
    with double_precision():
        yield


def compiled(function, is_never, *arguments):
    return jax.jit(one_kernel(function, is_never)).lower(*arguments).compile(compiler_options=KERNEL_OPTIONS)


def is_one_kernel(program) -> bool:
    """Say whether the entry of a program calls a kernel."""
    entry = program.as_text().split("ENTRY")[1]
    return "xla_cpu_small_call" in entry


def walk(state, key, count, data):
    """A loop with a loop, a branch, a draw, constants, and a part of the data that it does not need."""

    def step(i, state):
        at, total, flags = state
        moved = at * 0.5 + WEIGHTS[:3] @ jax.random.normal(jax.random.fold_in(key, i), (3,))
        moved = jax.lax.cond(moved.sum() > 0, lambda: moved, lambda: -moved)
        inner = jax.lax.while_loop(lambda x: x > 1.0, lambda x: x / 2 - data["x"].min(), moved.sum())
        return moved, total + inner + 0.0 * data["unused"][0].astype(int), flags.at[i].set(inner > 0)

    return jax.lax.fori_loop(0, count, step, state)


def arguments():
    state = (jnp.ones(300), 0.0, jnp.zeros(7, bool))
    data = {"x": np.linspace(0.0, 1.0, 5), "unused": np.ones(4), "not at all": np.arange(3), "empty": np.zeros(0)}
    return state, jax.random.key(3), 5, data


def test_the_results_are_the_functions():
    program = compiled(walk, lambda *of: of[2] < 0, *arguments())
    found, expected = program(*arguments()), jax.jit(walk)(*arguments())
    assert is_one_kernel(program)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, rtol=1e-12)


UNUSED = """
import jax, numpy as np
from jax import numpy as jnp
from bayesml.engines.nuts.programs.kernel import KERNEL_OPTIONS, one_kernel

jax.config.update("jax_enable_x64", True)
key, table = jax.random.key(0), jnp.arange(4.0)


def function(x, count, lost):
    kept = jax.lax.fori_loop(0, count, lambda i, x: x * 0.9 + x[i] + table[i], x)
    return kept + 0 * lost.astype(int)[0] + jax.random.bits(key, (3,))[0] * 0 + table[1] * 0


call = one_kernel(function, lambda *of: of[1] < 0)
given = np.ones(400), 3, np.ones(5)
program = jax.jit(call).lower(*given).compile(compiler_options=KERNEL_OPTIONS)
print(np.allclose(program(*given), function(*given)), "small_call" in program.as_text())
"""


def test_a_parameter_that_simplifies_away_does_not_end_the_process():
    """Without its use in `one_kernel` XLA aborts here: its emitter has no address for the parameter."""
    done = subprocess.run([sys.executable, "-c", UNUSED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["True", "True"]


@pytest.mark.parametrize(("numbers", "few"), [(MOST_NUMBERS, True), (MOST_NUMBERS + 1, False)])
def test_much_data_is_left_to_many_kernels(numbers, few):
    assert reads_few_numbers({"a": np.zeros(numbers - 5), "b": np.zeros(5)}) == few


MODELS = {
    "collapsed": ("y ~ x + (x | g)", "gaussian"),
    "preconditioned": ("k ~ x + (x | g)", "poisson"),
    "preconditioned, crossed": ("k ~ x + (1 | g) + (1 | h)", "negbinomial"),
    "no groups": ("b ~ x", "bernoulli"),
}


def compiled_form(name):
    rng = np.random.default_rng(4)
    data = {"x": rng.normal(size=60), "g": np.arange(60) % 10, "h": np.arange(60) // 6, "y": rng.normal(size=60)}
    data |= {"k": rng.poisson(2.0, 60), "b": (rng.random(60) < 0.5).astype(int)}
    formula, family = MODELS[name]
    problem = describe_problem(formula, data, family)
    variables = reported_variables(problem.description.spec, problem.design.schema)
    return compile_form(build_form(problem, plan_for(problem)), 10, variables)


@pytest.mark.parametrize("name", MODELS)
def test_both_programs_of_a_model_are_kernels_and_draw_what_many_kernels_draw(name):
    found = compiled_form(name)
    assert is_one_kernel(found.advance) and is_one_kernel(found.report)
    state = module.starting_point(found, np.random.default_rng(1))
    stages, chance = np.ones(found.block, np.int32), random_numbers((5,), 0, found.block, found.form.size)
    plain = jax.jit(found.program.advance)(state, chance, stages, 3, 0.8, found.data)
    kernel = found.advance(state, chance, stages, 3, 0.8, found.data)
    # after three transitions the two ways of rounding are not far apart
    np.testing.assert_allclose(kernel[1], plain[1], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(kernel[2].n_steps, plain[2].n_steps)


def test_what_no_kernel_can_hold_is_compiled_as_it_is(monkeypatch):
    """A sort cannot be part of a larger kernel."""
    build_program = module.chain_program

    def with_sort(density, max_treedepth, step_size):
        def sorting(q, data):
            return density(q, data) + 0.0 * jnp.sort(jnp.sin(q[0] * jnp.arange(200.0)))[3]

        return build_program(sorting, max_treedepth, step_size)

    monkeypatch.setattr(module, "chain_program", with_sort)
    monkeypatch.setattr(module, "structure_key", lambda *parts: None)  # it is not the model's own program
    found = compiled_form("no groups")
    assert not is_one_kernel(found.advance) and is_one_kernel(found.report)
    state = module.starting_point(found, np.random.default_rng(1))
    assert jax.tree.structure(state) == jax.tree.structure(state_like(np.zeros(found.form.size)))
    chance = random_numbers((5,), 0, found.block, found.form.size)
    assert np.all(np.isfinite(found.advance(state, chance, np.ones(found.block, np.int32), 3, 0.8, found.data)[1]))
