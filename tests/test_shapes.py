"""The shapes in the annotations of the sampler are those of its arrays, in every call that one iteration makes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest

jaxtyping = pytest.importorskip("jaxtyping")

import jax  # noqa: E402
from jax import numpy as jnp  # noqa: E402

from bayesml.engines.nuts.sampler import adaptation, chain_state, shapes, splitmix, transition, u_turn  # noqa: E402
from bayesml.engines.nuts.sampler.random_numbers import RandomNumbers, random_numbers, report_noise  # noqa: E402
from bayesml.engines.precision import double_precision  # noqa: E402
from bayesml.links import Jet, elementary, probability  # noqa: E402
from bayesml.shapes import Elements  # noqa: E402

NAMES = {name: getattr(shapes, name) for name in shapes.__all__}


def hints_of(value: Any) -> dict[str, Any]:
    of_module = {"Elements": Elements, "Float": jaxtyping.Float, "UInt64": jaxtyping.UInt64}
    names = vars(inspect.getmodule(value)) | NAMES | of_module
    return get_type_hints(value, names)


def check(what: str, value: Any, hint: Any) -> None:
    """Compare an array, or the arrays of a tuple, with its annotation; dimensions are bound by `jaxtyped`."""
    if get_origin(hint) is tuple and Ellipsis not in get_args(hint):
        for index, (part, of_part) in enumerate(zip(value, get_args(hint), strict=True)):
            check(f"{what}[{index}]", part, of_part)
    elif isinstance(hint, type) and issubclass(hint, tuple):
        for name, of_field in hints_of(hint).items():
            check(f"{what}.{name}", getattr(value, name), of_field)
    elif hint is Jet:
        for part in value:
            check(what, part, Elements)
    elif hint == Elements or (isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray)):
        possible = get_args(hint) or (hint,)
        fits = any(isinstance(value, kind) for kind in possible)
        assert fits, f"{what} is {getattr(value, 'shape', value)}, not {hint}"


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    signature, hints = inspect.signature(function), hints_of(function)

    @jaxtyping.jaxtyped(typechecker=None)
    @wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        for name, value in signature.bind(*args, **named).arguments.items():
            check(f"{function.__name__}({name})", value, hints.get(name))
        result = function(*args, **named)
        check(f"{function.__name__}()", result, hints.get("return"))
        return result

    return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Check every function of the sampler wherever it is called; return the names of those that were."""
    called: set[str] = set()

    def noted(function: Callable[..., Any]) -> Callable[..., Any]:
        inner = checked(function)

        @wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            called.add(function.__name__)
            return inner(*args, **named)

        return call

    modules = (adaptation, splitmix, transition, u_turn)
    replaced = {value: noted(value) for module in modules for _, value in functions(module)}
    for module in modules:
        for name, value in list(vars(module).items()):
            if inspect.isfunction(value) and value in replaced:
                monkeypatch.setattr(module, name, replaced[value])
    return called


def functions(module: ModuleType) -> list[tuple[str, Any]]:
    return [(name, f) for name, f in inspect.getmembers(module, inspect.isfunction) if f.__module__ == module.__name__]


def normal(q: Any) -> Any:
    return -jnp.sum(q**2) / 2


def test_one_iteration_keeps_the_annotated_shapes(calls: set[str]) -> None:
    with double_precision():
        state = adaptation.initial_state(jnp.zeros(3), normal, 0.3)
        step = adaptation.make_step(jnp.asarray(0.8), 5)
        one = RandomNumbers(*(jnp.asarray(numbers[0]) for numbers in random_numbers((1,), 0, 4, 3)))
        stage = jnp.asarray(int(chain_state.Stage.SLOW))
        moved, statistics = jax.jit(step, static_argnums=3)(one, state, stage, normal)
        check("state", moved, chain_state.ChainState)
        check("statistics", statistics, chain_state.Statistics)
    everything = {name for module in (adaptation, splitmix, transition, u_turn) for name, _ in functions(module)}
    assert calls == everything


def test_other_shapes_are_noticed(calls: set[str]) -> None:
    with double_precision():
        with pytest.raises(AssertionError, match=r"uniform\(number\) is \(2,\)"):
            splitmix.uniform(jnp.uint64(1), jnp.arange(2))
        with pytest.raises(AssertionError, match=r"is_turning\(last\) is \(2,\)"):
            u_turn.is_turning(jnp.zeros(3), jnp.zeros(2), jnp.zeros(3))


def test_random_numbers_have_the_annotated_shapes() -> None:
    assert isinstance(checked(random_numbers)((1,), 3, 4, 2), RandomNumbers)
    assert checked(report_noise)((1,), 0, 4, (2, 3)).shape == (4, 5)
    assert np.shape(random_numbers((1,), 0, 4, 2).momenta) == (4, 2)


@pytest.mark.parametrize(
    "function", [f for module in (elementary, probability) for name, f in functions(module) if name[0] != "_"]
)
def test_links_work_element_by_element(function: Callable[..., Any]) -> None:
    between = np.linspace(1.1, 1.9, 6).reshape(2, 3) - (function.__name__ in ("logit", "probit", "cloglog"))
    more = [2.0] if function is elementary.power_jet else []
    checked(function)(between, *more)
    checked(function)(between[0, 0], *more)
