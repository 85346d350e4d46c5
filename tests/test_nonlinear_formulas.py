"""Nonlinear formulas as functions: NumPy and JAX agree with R, data parts are computed once, nothing else is called."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayesml.columns import evaluate_nonlinear, nonlinear_function
from bayesml.columns.nonlinear_functions import NONLINEAR
from bayesml.errors import DataError, FormulaError
from bayesml.formula import Expression, Formula, Nonlinear, bf, parse
from bayesml.frame import Frame, read_frame


@pytest.fixture(autouse=True)
def x64() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def expression(text: str) -> Expression:
    return Expression(text, text, 0)


def value(text: str, **values: Any) -> Any:
    return evaluate_nonlinear(expression(text), values)


A, B, X = np.array([0.3, 1.7, 2.0]), np.array([-0.5, 0.4, 1.2]), np.array([0.0, 1.0, 3.0])

# text: the same in Python, with R's precedence spelled out
ARITHMETIC: dict[str, Callable[[Any, Any, Any], Any]] = {
    "a * exp(-b * x)": lambda a, b, x: a * np.exp(-b * x),
    "-a^2": lambda a, b, x: -(a**2),
    "a + b^2": lambda a, b, x: a + b * b,
    "2^-a": lambda a, b, x: 0.5**a,
    "a^b^2": lambda a, b, x: a ** (b**2),
    "a %% 2 + x %/% 2": lambda a, b, x: a % 2 + x // 2,
    "a / 4 - 1/4": lambda a, b, x: a / 4 - 0.25,
    "(x > 0) * a + (!(x > 0))": lambda a, b, x: np.where(x > 0, a, 1.0),
    "ifelse(x > 0 & a < 1.9 | b < 0, a, -b)": lambda a, b, x: np.where((x > 0) & (a < 1.9) | (b < 0), a, -b),
    "a * x / (b^2 + x)": lambda a, b, x: a * x / (b * b + x),
    "plogis(a) + pnorm(b)": lambda a, b, x: 1 / (1 + np.exp(-a)) + [0.5 * math.erfc(-v / math.sqrt(2)) for v in b],
    "pmax(a, b, x) - fmin(a, b)": lambda a, b, x: np.maximum(np.maximum(a, b), x) - np.minimum(a, b),
    "I(a + b) * TRUE": lambda a, b, x: a + b,
    "log1m_exp(-a) + log1p_exp(b)": lambda a, b, x: np.log(1 - np.exp(-a)) + np.log(1 + np.exp(b)),
    "step(b) + sqrt(a) + abs(b)": lambda a, b, x: (b >= 0) + np.sqrt(a) + np.abs(b),
    "np.exp(a) + lgamma(a)": lambda a, b, x: np.exp(a) + [math.lgamma(v) for v in a],
}


@pytest.mark.parametrize("text", ARITHMETIC)
def test_numpy_and_jax_compute_the_same(text: str) -> None:
    expected = ARITHMETIC[text](A, B, X)
    np.testing.assert_allclose(value(text, a=A, b=B, x=X), expected, rtol=1e-13)
    traced = jax.jit(lambda a, b, x: value(text, a=a, b=b, x=x))(*map(jnp.asarray, (A, B, X)))
    np.testing.assert_allclose(traced, expected, rtol=1e-13)
    draws = value(text, a=np.stack([A, A + 1]), b=B, x=X)
    np.testing.assert_allclose(draws[1], ARITHMETIC[text](A + 1, B, X), rtol=1e-13)


@pytest.mark.parametrize("name", NONLINEAR)
def test_every_function_is_the_same_on_numpy_and_jax(name: str) -> None:
    call = NONLINEAR[name]
    inside = {"log1m_exp": -A, "acosh": 1 + A, "sign": B, "step": B}.get(name, np.array([0.2, 0.5, 0.8]))
    arguments = [inside, *(np.array([0.7, 0.3, 0.9]) for _ in range(call.counts[0] - 1))]
    result = call.compute(*arguments)
    assert np.isfinite(result).all()
    np.testing.assert_allclose(jax.jit(call.compute)(*map(jnp.asarray, arguments)), result, rtol=1e-12)


def test_whole_powers_have_a_gradient_everywhere() -> None:
    slope = jax.vmap(jax.grad(lambda a: value("a^2 + a^3 - 2 * a^0", a=a)))
    a = np.array([-1.5, 0.0, 2.0])
    np.testing.assert_allclose(slope(jnp.asarray(a)), 2 * a + 3 * a**2, rtol=1e-14)


def formula(main: str, **parameters: str) -> Nonlinear:
    written: Formula = bf(f"y ~ {main}", nonlinear=True, **parameters)
    nonlinear = parse(written).predictors[0].nonlinear
    assert nonlinear is not None
    return nonlinear


FRAME: Frame = read_frame(
    {"y": [1.0, 2.0, 3.0], "x": [1, 2, 4], "f": ["u", "v", "u"], "t": [True, False, True]}, ["y", "x", "f", "t"]
)


def test_what_names_columns_alone_is_computed_once() -> None:
    nonlinear = formula("ifelse(f == 'u', a, b) * log(x)^k + k * log(x) + a * t", a="~ 1", b="~ 1", k="~ 1")
    function = nonlinear_function(nonlinear)
    arrays = function.arrays(FRAME)
    assert [values.tolist() for values in arrays.values()] == [
        *([1.0, 0.0, 1.0], np.log([1.0, 2.0, 4.0]).tolist(), [1.0, 0.0, 1.0])
    ]
    parameters = {"a": np.full(3, 2.0), "b": np.full((5, 3), 3.0), "k": np.full(3, 2.0)}
    log = np.log([1.0, 2.0, 4.0])
    expected = np.where([True, False, True], 2.0, 3.0) * log**2 + 2 * log + 2.0 * np.array([1, 0, 1])
    np.testing.assert_allclose(function.value(parameters, arrays), np.tile(expected, (5, 1)), rtol=1e-14)
    traced = jax.jit(function.value)(parameters, arrays)
    np.testing.assert_allclose(traced, np.tile(expected, (5, 1)), rtol=1e-14)


def test_own_functions_compute_with_columns() -> None:
    twice: dict[str, Callable[..., Any]] = {"twice": lambda v: 2 * v}
    function = nonlinear_function(formula("a * twice(x) + inv_logit(x)", a="~ 1"), twice)
    arrays = function.arrays(FRAME)
    expected = 2.0 * np.array([1.0, 2.0, 4.0]) * 3 + 1 / (1 + np.exp(-np.array([1.0, 2.0, 4.0])))
    np.testing.assert_allclose(function.value({"a": np.full(3, 3.0)}, arrays), expected)
    with pytest.raises(FormulaError, match="categories"):
        nonlinear_function(formula("a * f", a="~ 1")).arrays(FRAME)
    with pytest.raises(DataError, match=r"`a \* log\(x - 1\)`|inf"):
        nonlinear_function(formula("a * log(x - 1)", a="~ 1")).arrays(FRAME)


def test_own_functions_compute_with_parameters() -> None:
    """With what NumPy and JAX arrays share, or with jax.numpy; they stand before ours of the same name."""
    functions: dict[str, Callable[..., Any]] = {
        "decay": lambda t, half: jnp.exp2(-t / half),
        "log": lambda v: v**2 + 1,
        "order": lambda v, t: v + t.cumsum() - v.sum(),  # of all rows of a draw
    }
    function = nonlinear_function(formula("log(a) * decay(x, b) + order(a, x)", a="~ 1", b="~ 1"), functions)
    assert function.own_functions == ("decay", "log", "order")
    arrays = function.arrays(FRAME)
    a, b, x = np.full((5, 3), 2.0), np.array([1.0, 2.0, 0.3]), np.array([1.0, 2.0, 4.0])
    expected = (a**2 + 1) * 2.0 ** (-x / b) + a + np.cumsum(x) - 3 * a
    found = function.value({"a": a, "b": b}, arrays)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_allclose(jax.jit(function.value)({"a": a, "b": b}, arrays), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda v: np.exp(v), "cannot be traced by JAX: it gives an array to a function of NumPy"),
        (lambda v: v if (v > 0).all() else -v, "cannot be traced by JAX: it asks `if`"),
        (lambda v, w: v, "failed: TypeError"),
        (lambda v: v[:2], r"array of shape \(2,\) for 3 rows"),
        (lambda v: v * 1j, "real numbers"),
    ],
)
def test_own_functions_that_cannot_be_used(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(FormulaError, match=message):
        nonlinear_function(formula("f(a)", a="~ 1"), {"f": function})


# text: what the carets are under, a part of the message
REFUSED = {
    "frob(a)": ("frob", "not a function"),
    "inv_logti(a)": ("inv_logti", "did you mean `inv_logit`"),
    "poly(a, 2)": ("poly", "cannot be computed with parameters"),
    "exp(a, x)": ("exp", "1 argument"),
    "pow(a, exponent=2)": ("pow", "2 arguments without names"),
    "a * q": ("q", "has no value"),
    "a %in% c(1, 2)": ("a %in% c(1, 2)", "list"),
    "a + 'b'": ("a + 'b'", "text"),
    "a + NA": ("a + NA", "missing value"),
    "a:x": (":", "cannot be computed"),
    "a[1]": ("a[1]", "[ ]"),
    "a +": ("a +", "cannot be read"),
    "(a": ("(", "never closed"),
    "a; x": (";", "no meaning"),
    "exp.__class__(a)": ("exp.__class__", "not a function"),
    "(exp)(a)": ("(exp)(a)", "result of a call"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_computed_is_pointed_at(text: str) -> None:
    culprit, message = REFUSED[text]
    with pytest.raises(FormulaError) as caught:
        value(text, a=A, x=X)
    assert message in str(caught.value)
    shown, carets = str(caught.value).splitlines()[-2:]
    assert shown[carets.index("^") : carets.rindex("^") + 1] == culprit


@pytest.mark.parametrize("text", ["9^9^9^9^9", "a" + "+a" * 20_000, "-" * 1000 + "a", "(" * 39 + "a" + ")" * 39])
def test_large_expressions_are_computed_or_refused(text: str) -> None:
    try:
        assert not np.isnan(value(text, a=1.0))
    except FormulaError as error:
        assert len(str(error)) < 2000
