"""Stored programs: the same numbers without tracing, and no harm from files that are damaged or cannot be written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from jax import numpy as jnp

from bayesml.engines.nuts.driver.background import Background
from bayesml.engines.nuts.forms.plan import build_form, plan_for
from bayesml.engines.nuts.programs import compiled as module
from bayesml.engines.nuts.programs.program import chain_program, report_program
from bayesml.engines.nuts.sampler.chain_state import state_like
from bayesml.engines.precision import double_precision, no_persistent_cache, persistent_cache
from bayesml.engines.programs import stored
from bayesml.engines.programs.compiling import compiled_with
from bayesml.engines.programs.stored import is_stored, load_program, store_program, stored_name
from bayesml.engines.programs.structure import structure_key
from bayesml.fit import describe_problem
from bayesml.reported import reported_variables


class State(NamedTuple):
    """A named tuple, known to no registry."""

    position: Any
    inner: Any


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    """Give the folder of programs, which is not there yet; all is computed in double precision."""
    monkeypatch.setenv("BAYESML_CACHE_DIR", str(tmp_path / "cache"))
    with double_precision():
        yield tmp_path / "cache" / "programs"


def step(state: State, unused: Any, data: dict[str, Any], count: Any) -> tuple[State, dict[str, Any]]:
    def once(i, q):
        return jnp.linalg.cholesky(data["a"] @ data["a"].T + 3 * jnp.eye(3)) @ q + jnp.sin(i)

    position = jax.lax.fori_loop(0, count, once, state.position)
    return State(position, (state.inner[0] + 1, None)), {"lp": -jnp.sum(position**2), "all": [position, position > 0]}


class Counted:
    """Builds a function and counts how often."""

    def __init__(self, function: Callable[..., Any] = step) -> None:
        self.function, self.calls = function, 0

    def __call__(self) -> Callable[..., Any]:
        self.calls += 1
        return self.function


def arguments() -> tuple[Any, ...]:
    data = {"a": jnp.arange(9.0).reshape(3, 3)}
    return State(jnp.arange(3.0), (jnp.zeros((), int), None)), jnp.zeros(2), data, 4


def made(key: str | None, build: Counted, specs: tuple[Any, ...], donate: tuple[int, ...] = (), name: str = "f") -> Any:
    """Read a program, or compile it and store it, as the sampler does."""
    with Background(1, lambda: None) as background, double_precision():
        recipe = module._Recipe(name, build, specs, {}, lambda *of: False, donate)
        return background.result(module._submitted(background, recipe, recipe.stored_name(key, None), None))


def called(key: str | None, build: Counted) -> Any:
    """Make ``step`` and call it, its state donated."""
    program, given = made(key, build, arguments(), (0,)), arguments()
    result = program(*given)
    assert given[0].position.is_deleted()
    return result


def same(one: Any, other: Any) -> None:
    assert jax.tree.structure(one) == jax.tree.structure(other)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def test_a_stored_program_gives_the_same_numbers_and_builds_nothing(folder):
    build = Counted()
    traced = called(None, build)
    assert not folder.exists()
    missed = called("key", build)
    assert build.calls == 2 and len(list(folder.iterdir())) == 1
    found = called("key", build)
    assert build.calls == 2
    same(missed, traced)
    same(found, traced)
    assert type(found[0]) is State


def test_structure_shapes_types_and_donation_have_programs_of_their_own(folder):
    build = Counted(lambda x: jax.tree.map(lambda leaf: leaf + 1, x))
    given = [np.zeros(3), np.zeros(4), np.zeros(3, int), 0.0, (np.zeros(3),), [np.zeros(3)]]
    for key in ("a", "b"):
        for value in given:
            made(key, build, (value,))
    made("a", build, (given[0],), name="g")
    made("a", build, (given[0],), (0,))
    assert build.calls == len(list(folder.iterdir())) == 2 * len(given) + 2


def test_what_the_machine_code_depends_on_is_in_the_name(monkeypatch):
    def name(options: Any = None) -> str | None:
        return stored_name("key", "f", (np.zeros(3),), (), options)

    names = [name(), name("other options")]
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    names.append(name())
    monkeypatch.setattr(stored, "_processor", lambda: ("another", "processor"))
    names.append(name())
    assert None not in names and len(set(names)) == 4
    assert stored_name(None, "f", (np.zeros(3),), (), None) is None


def program_of(function: Callable[..., Any], *arguments: Any) -> Any:
    return jax.jit(function).lower(*arguments).compile()


def doubled(x: Any) -> State:
    return State(2 * x, (x, None))


SPECS = (np.zeros(3, np.float32),)


def spoilt(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    return {
        "empty": b"",
        "truncated": content[:middle],
        "longer": content + b"a",
        "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "other": b"something else",
        "of another version": content.replace(b"program 3", b"program 0", 1),
        "whole, but no machine code": stored._packed("p", ["tuple", 0], b"nothing that XLA knows"),
        "whole, but of an unknown class": stored._packed("p", ["no.such.module:State", 0], b""),
        "whole, but no named tuple": stored._packed("p", ["builtins:exit", 0], b""),
        "whole, but of another program": content.replace(b'["p"', b'["q"', 1),
    }


@pytest.mark.parametrize("damage", spoilt(b"ab"))
def test_a_file_that_is_damaged_or_cannot_be_taken_is_removed(damage, folder):
    store_program("p", program_of(doubled, *SPECS))
    same(load_program("p", SPECS)(*SPECS), doubled(*SPECS))
    (path,) = folder.iterdir()
    path.write_bytes(spoilt(path.read_bytes())[damage])
    assert is_stored("p")
    assert load_program("p", SPECS) is None
    assert not path.exists() and not is_stored("p")


def test_what_cannot_be_read_is_compiled_anew(folder):
    build = Counted(lambda x: State(x + 1, (2 * x, None)))
    expected = made("key", build, (np.ones(3),))(np.ones(3))
    (path,) = folder.iterdir()
    path.write_bytes(b"spoilt")
    same(made("key", build, (np.ones(3),))(np.ones(3)), expected)
    same(made("key", build, (np.ones(3),))(np.ones(3)), expected)
    assert build.calls == 2


def test_a_folder_that_cannot_be_written_is_no_error(folder):
    folder.parent.write_text("a file where the folder should be")
    build = Counted(lambda x: x + 1)
    for calls in (1, 2):
        np.testing.assert_array_equal(made("key", build, (np.ones(3),))(np.ones(3)), 2 * np.ones(3))
        assert build.calls == calls
    assert load_program("p", SPECS) is None


def test_what_cannot_be_stored_is_compiled_as_ever(folder):
    def calls_back(x):
        return jax.pure_callback(lambda v: np.asarray(v) + 1, jax.ShapeDtypeStruct((3,), x.dtype), x)

    build = Counted(calls_back)
    for calls in (1, 2):
        np.testing.assert_array_equal(made("key", build, (jnp.zeros(3),))(jnp.zeros(3)), np.ones(3))
        assert build.calls == calls


def test_an_error_of_the_function_is_its_own():
    def wrong(x):
        raise ArithmeticError("no coordinates")

    with pytest.raises(ArithmeticError, match="no coordinates"):
        made("key", Counted(wrong), (jnp.zeros(3),))


@pytest.mark.parametrize("limit", ["MOST_FILES", "MOST_BYTES"])
def test_what_was_not_used_for_the_longest_time_goes(limit, folder, monkeypatch):
    program = program_of(doubled, *SPECS)
    for number in range(3):
        store_program(str(number), program)
    paths = sorted(folder.iterdir())
    for age, path in zip((300, 200, 100), paths, strict=True):
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    assert load_program("0", SPECS) is not None
    largest = max(path.stat().st_size for path in paths)
    monkeypatch.setattr(stored, limit, 3 if limit == "MOST_FILES" else 3 * largest + largest // 2)
    store_program("3", program)
    assert sorted(path.stem for path in folder.iterdir()) == ["0", "2", "3"]


def test_many_at_once_see_whole_files_only(folder):
    programs = [program_of(lambda x, i=i: x + i, *SPECS) for i in range(4)]

    def work(program: Any) -> bool:
        store_program("p", program)
        return float(load_program("p", SPECS)(*SPECS)[0]) in range(4)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, programs * 6))
    assert [path.name for path in folder.iterdir()] == ["p.program"]


# Models ------------------------------------------------------------------------------------------------------------


def programs(family: str, seed: int) -> tuple[str | None, list[str]]:
    """Return the key and two programs of a model of 60 rows, whose response has another order for every seed."""
    rng = np.random.default_rng(0)
    data = {"x": rng.normal(size=60), "g": np.arange(60).astype("U1"), "y": rng.permutation(np.arange(60) % 7 + 1)}
    data["y"] = np.random.default_rng(seed).permutation(data["y"])
    problem = describe_problem("y ~ x + (1 | g)", data, family)
    form = build_form(problem, plan_for(problem, None, False))
    names = frozenset(v.name for v in reported_variables(problem.description.spec, problem.design.schema))
    start, report = chain_program(form.density, 10, form.first_step).start, report_program(form, names)
    block = np.zeros((2, form.size)), np.zeros((2, sum(form.noise_sizes))), form.data
    calls = (start, (np.zeros(form.size), form.data)), (report, block)
    return structure_key(form.structure), [jax.jit(f).lower(*arguments).as_text() for f, arguments in calls]


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_programs_of_one_key_hold_nothing_of_the_data(family):
    (key, one), (same_key, other) = [programs(family, seed) for seed in (1, 2)]
    assert key is not None and key == same_key
    assert one == other


@pytest.mark.parametrize("family", ["gaussian", "poisson"])
def test_a_state_has_the_shapes_that_a_start_has(family):
    """The chain's program is built for states like these before any program has run."""
    rng = np.random.default_rng(2)
    columns = {"y": rng.poisson(2.0, 40) * 1.0, "x": rng.normal(size=40), "g": np.arange(40) % 8}
    problem = describe_problem("y ~ x + (x | g)", columns, family)
    form = build_form(problem, plan_for(problem))
    position = np.zeros(form.size)
    start = chain_program(form.density, 10, form.first_step).start
    found = jax.eval_shape(start, position, jax.tree.map(jnp.asarray, form.data))
    expected = state_like(position)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    shapes = [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(found)]
    assert shapes == [(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(expected)]


SECOND_RUN = """
import sys, numpy as np, bayesml
rng = np.random.default_rng(0)
data = {"y": rng.poisson(3.0, size=60), "x": rng.normal(size=60), "g": np.arange(60) % 10}
fit = bayesml.fit("y ~ x + (1 | g)", data, "FAMILY", seed=1, draws=1000, progress=False)
print(float(fit["b"].mean()), *sorted({"numpyro"} & set(sys.modules)))
"""


def test_numpyro_is_imported_only_where_a_likelihood_is_traced(folder):
    """Not for a collapsed model, and not by a second process, whose draws are the same."""
    collapsed, first, second = (
        subprocess.run(
            [sys.executable, "-c", SECOND_RUN.replace("FAMILY", family)], capture_output=True, text=True, check=True
        ).stdout.split()
        for family in ("gaussian", "poisson", "poisson")
    )
    assert len(collapsed) == 1
    assert first[1:] == ["numpyro"]
    assert second == first[:1]


def test_a_compilation_cache_of_the_users_own_does_no_harm(tmp_path):
    """What comes from it could not be stored; and it is in use again afterwards."""
    code = SECOND_RUN.replace("FAMILY", "gaussian") + "import jax; print(jax.config.jax_compilation_cache_dir)"
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "jax")}
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
        for _ in range(2)
    )
    assert first == second and first.split()[1] == str(tmp_path / "jax")


def test_threads_that_compile_take_turns():
    """Else one could find the cache of the other in use, and store what came from it."""
    entered, leave, seen = Event(), Event(), []

    def first() -> None:
        with persistent_cache():
            entered.set()
            leave.wait(60)
            seen.append(jax.config.jax_compilation_cache_dir is not None)

    def second() -> None:
        entered.wait(60)
        with no_persistent_cache():
            seen.append(jax.config.jax_compilation_cache_dir is not None)

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(first), pool.submit(second)]
        entered.wait(60)
        with pytest.raises(TimeoutError):
            futures[1].result(0.2)
        leave.set()
    assert seen == [True, False]
    assert all(future.result() is None for future in futures)


def test_options_that_xla_does_not_know_are_left_out():
    lowered = jax.jit(lambda x: x + 1).lower(1.0)
    assert compiled_with(lowered, {"xla_no_such_option": False})(1.0) == 2.0
