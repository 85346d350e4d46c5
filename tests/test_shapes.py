"""The shapes in annotations are those of the arrays: of the sampler, links, families, priors and terms."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
from types import MethodType, ModuleType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

jaxtyping = pytest.importorskip("jaxtyping")

import jax  # noqa: E402
from jax import numpy as jnp  # noqa: E402

from bayesml import shapes as general  # noqa: E402
from bayesml.engines.nuts.forms.collapsed import collapsed_form  # noqa: E402
from bayesml.engines.nuts.forms.gaussian import (  # noqa: E402
    algebra,
    coefficients,
    covariances,
    elimination,
    recover,
    statistics,
    substitution,
)
from bayesml.engines.nuts.forms.gaussian import shapes as gaussian_shapes  # noqa: E402
from bayesml.engines.nuts.forms.plain import plain_form  # noqa: E402
from bayesml.engines.nuts.forms.preconditioned.form import preconditioned_form  # noqa: E402
from bayesml.engines.nuts.sampler import adaptation, chain_state, shapes, splitmix, transition, u_turn  # noqa: E402
from bayesml.engines.nuts.sampler.random_numbers import RandomNumbers, random_numbers, report_noise  # noqa: E402
from bayesml.engines.precision import double_precision  # noqa: E402
from bayesml.fit import describe_problem  # noqa: E402
from bayesml.links import Jet, elementary, probability  # noqa: E402
from bayesml.shapes import Elements  # noqa: E402
from bayesml.terms import AbstractTerm  # noqa: E402
from tests.test_distributions import PROPER  # noqa: E402
from tests.test_family_examples import EXAMPLES, bound, natural, values_of  # noqa: E402

NAMES = {name: getattr(of, name) for of in (shapes, general, gaussian_shapes) for name in of.__all__}
OF_OWN_SIZES = (elimination.Corner, elimination.Face, elimination.Solved, elimination._Gram, statistics.Stage)
"""A call may have several of these, for factors of different sizes."""


def hints_of(value: Any) -> dict[str, Any]:
    types = {name: getattr(jaxtyping, name) for name in ("Array", "ArrayLike", "Float", "Int", "UInt64")}
    return get_type_hints(value, NAMES | types | vars(inspect.getmodule(value)))


def array_types(hint: Any) -> tuple[Any, ...]:
    """The types of which an array may be one; empty where the annotation is none of an array."""
    possible = get_args(hint) or (hint,)
    is_array = any(isinstance(one, type) and issubclass(one, jaxtyping.AbstractArray) for one in possible)
    return possible if is_array and get_origin(hint) in (None, Union, UnionType) else ()


def check(what: str, value: Any, hint: Any) -> None:
    """Compare an array, or the arrays of a tuple or mapping, with its annotation; `jaxtyped` binds dimensions."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is tuple:
        parts = (arguments[0],) * len(value) if Ellipsis in arguments else arguments
        for index, (part, of_part) in enumerate(zip(value, parts, strict=True)):
            check(f"{what}[{index}]", part, of_part)
    elif origin in (dict, Mapping):
        for name, part in value.items():
            check(f"{what}[{name!r}]", part, arguments[1])
    elif origin is list:
        for index, part in enumerate(value):
            check(f"{what}[{index}]", part, arguments[0])
    elif hint in OF_OWN_SIZES:
        with jaxtyping.jaxtyped("context"):
            check_fields(what, value, hint)
    elif isinstance(hint, type) and issubclass(hint, tuple):
        check_fields(what, value, hint)
    elif hint is Jet:
        for part in value:
            check(what, part, Elements)
    elif possible := array_types(hint):
        fits = any(isinstance(value, kind) for kind in possible)
        assert fits, f"{what} is {getattr(value, 'shape', value)}, not {hint}"


def check_fields(what: str, value: Any, record: type) -> None:
    for name, hint in hints_of(record).items():
        check(f"{what}.{name}", getattr(value, name), hint)


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
    return watched(monkeypatch, (adaptation, splitmix, transition, u_turn))


def watched(
    monkeypatch: pytest.MonkeyPatch, modules: tuple[ModuleType, ...], callers: tuple[str, ...] = ()
) -> set[str]:
    """Check every function of some modules where they and ``callers`` call it; return the names of those called."""
    called: set[str] = set()

    def noted(function: Callable[..., Any]) -> Callable[..., Any]:
        inner = checked(function)

        @wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            called.add(function.__name__)
            return inner(*args, **named)

        return call

    replaced = {value: noted(value) for module in modules for _, value in functions(module)}
    for module in (*modules, *map(import_module, callers)):
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
    between = np.linspace(1.1, 1.9, 6).reshape(2, 3) - (function.__name__ in ("logit", "probit", "cloglog", "softit"))
    more = [2.0] if function is elementary.power_jet else []
    checked(function)(between, *more)
    checked(function)(between[0, 0], *more)


@pytest.mark.parametrize("name", EXAMPLES)
def test_families_answer_for_every_draw_and_row(name: str) -> None:
    """Three draws of the parameters and the rows of the example."""
    example = EXAMPLES[name]
    likelihood, data = bound(example, np.array(example.y))
    parameters = natural(example, (3, 1))
    with double_precision():
        values = {key: jnp.asarray(value) for key, value in values_of(example, likelihood, (3, 1)).items()}
        densities = [likelihood.log_prob]
        densities += [likelihood.log_cdf, likelihood.log_survival] if likelihood.traits.has_cdf else []
        for density in densities:
            assert jax.eval_shape(checked(density), jnp.asarray(data["y"]), values, data).shape == (3, len(example.y))
    if not likelihood.traits.has_moments:
        return
    for moment in (likelihood.mean, likelihood.variance):
        wide = (3, len(example.y), *likelihood.event_shape)
        assert np.broadcast_shapes(np.shape(checked(moment)(parameters, data)), wide) == wide
    checked(likelihood.draw)(np.random.default_rng(1), parameters, data)


@pytest.mark.parametrize("prior", PROPER, ids=str)
@pytest.mark.parametrize("x", [np.full((2, 3), 0.3), 0.3], ids=["array", "number"])
def test_distributions_work_element_by_element(prior: Any, x: Any) -> None:
    for name in ("log_density", "log_density_derivative", "cdf", "survival", "quantile"):
        checked(getattr(prior, name))(x)


def test_terms_give_an_addend_for_each_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    n = 40
    data = {name: rng.normal(size=n) for name in ("x", "z", "w")}
    data |= {"y": rng.poisson(3.0, n), "k": np.arange(n) % 4, "g": np.arange(n) % 5}
    formula = "y ~ x + mo(k) + s(z, k=5) + offset(w) + (1 + x | g)"
    problem = describe_problem(formula, data, "poisson")
    kinds = {type(term) for predictor in problem.design.schema.predictors for term in predictor.terms}
    called = set()

    def noted(kind: type, method: str) -> Callable[..., Any]:
        function = getattr(kind, method)

        def call(term: AbstractTerm, *arguments: Any) -> Any:
            called.add((kind, method))
            return checked(MethodType(function, term))(*arguments)

        return call

    for kind in kinds:
        for method in ("derive", "contribution"):
            monkeypatch.setattr(kind, method, noted(kind, method))
    with double_precision():
        form = plain_form(problem)
        jax.eval_shape(form.density, jnp.zeros(form.size), form.data)
    assert {kind.__name__ for kind in kinds} == {"Population", "SpecialEffects", "Smooth", "Offset", "Group"}
    assert called == {(kind, method) for kind in kinds for method in ("derive", "contribution")}


GAUSSIAN = (algebra, coefficients, covariances, elimination, recover, substitution)
FORMS = "bayesml.engines.nuts.forms"
HELD = {"_dense_backward", "_dense_point_backward", "_half_lower"}
"""JAX has held these derivatives, and what they call, since the import of their module."""
CALLERS = (f"{FORMS}.collapsed.form", f"{FORMS}.preconditioned.scaled", f"{FORMS}.preconditioned.form")


def test_elimination_keeps_the_annotated_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain of two nested factors, a factor that crosses them, a smooth and slopes; with few levels and with many."""
    rng = np.random.default_rng(4)
    n = 120
    data = {name: rng.normal(size=n) for name in ("x", "z", "y")}
    data |= {"h": np.arange(n) % 5, "g": np.arange(n) % 30, "c": np.arange(n) // 8, "k": rng.poisson(3.0, n)}
    called = watched(monkeypatch, GAUSSIAN, CALLERS)
    formula = "~ x + s(z, k=5) + (1 + x | h/g) + (1 + x | c)"
    with double_precision():
        for form in (
            collapsed_form(describe_problem(f"y {formula}", data, "gaussian")),
            collapsed_form(describe_problem("y ~ x + (1 + x | g)", data, "gaussian")),
            collapsed_form(
                describe_problem("y ~ 1 + (1 + x + z + I(x**2) + I(z**2) | g)", data, "gaussian"), scaled=False
            ),
            preconditioned_form(describe_problem(f"k {formula}", data, "poisson")),
        ):
            jax.eval_shape(form.density, jnp.zeros(form.size), form.data)
            noise = jnp.zeros(sum(form.noise_sizes))
            jax.eval_shape(form.report, jnp.zeros(form.size), noise, form.data)
    everything = {name for module in GAUSSIAN for name, _ in functions(module)}
    assert everything - called == HELD | {"is_unbounded"}  # the last has no arrays
