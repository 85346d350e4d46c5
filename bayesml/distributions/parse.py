"""Reading distributions from text such as ``student_t(3, 0, 2.5)``; nothing but arithmetic on numbers is evaluated."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import fields
from math import isfinite
from typing import Any

from bayesml.arithmetic import value_of
from bayesml.distributions.base import Distribution
from bayesml.distributions.constant_array import ConstantArray
from bayesml.distributions.degenerate import Constant, Flat
from bayesml.distributions.dirichlet import Dirichlet
from bayesml.distributions.half import HalfCauchy, HalfNormal, HalfStudentT
from bayesml.distributions.interval import Beta, Uniform
from bayesml.distributions.lkj import LKJ
from bayesml.distributions.positive import Exponential, Gamma, InvGamma, LogNormal, Weibull
from bayesml.distributions.real import Cauchy, DoubleExponential, Logistic, Normal, StudentT
from bayesml.errors import PriorError, did_you_mean

__all__ = ["DISTRIBUTIONS", "parse_distribution", "with_values"]

DISTRIBUTIONS: dict[str, type[Distribution]] = {
    kind.name: kind
    for kind in (
        Normal,
        StudentT,
        Cauchy,
        Logistic,
        DoubleExponential,
        Exponential,
        Gamma,
        InvGamma,
        LogNormal,
        Weibull,
        Beta,
        Uniform,
        HalfNormal,
        HalfStudentT,
        HalfCauchy,
        LKJ,
        Dirichlet,
        Flat,
        Constant,
    )
}
ALIASES: dict[str, type[Distribution]] = {
    "laplace": DoubleExponential,
    "lkj_corr": LKJ,
    "lkj_corr_cholesky": LKJ,
    "inverse_gamma": InvGamma,
}
SYNONYMS: dict[str, tuple[str, ...]] = {
    "mean": ("mu",),
    "loc": ("mu",),
    "location": ("mu",),
    "sd": ("sigma",),
    "scale": ("sigma",),
    "nu": ("df",),
    "shape": ("alpha",),
    "rate": ("beta",),
    "alpha": ("a",),
    "beta": ("b",),
    "lower": ("a",),
    "upper": ("b",),
    "min": ("a",),
    "max": ("b",),
}
"""Other names of arguments: ``sd`` is ``sigma``. They count for distributions without an argument of that name."""
NUMPYRO = "numpyro."
LONGEST = 1000  # characters; deeply nested text would exhaust the parser's stack


def parse_distribution(text: str, values: Mapping[str, float] | None = None) -> Distribution:
    """Read a distribution; empty text and ``flat`` are the flat prior.

    Args:
        text: for example ``normal(0, 10)``, ``student_t(3, 0, 2.5)``, ``lkj(2)``, ``std_normal()``, ``constant(1)``.
            Arguments are numbers or arithmetic on numbers such as ``1/3``, in order or by name,
            ``normal(mu=0, sigma=10)``. ``numpyro.SoftLaplace(0, 1)`` is one of NumPyro's.
        values: numbers that names in the text stand for.

    Raises:
        PriorError: the text is no distribution, or its arguments are impossible; says what is possible.

    Example:
        >>> parse_distribution("student_t(3, 0, 2.5)")
        student_t(3, 0, 2.5)
    """
    stripped = text.strip()
    if stripped in ("", "flat", "(flat)"):
        return Flat()
    if stripped.startswith(NUMPYRO):
        return _of_numpyro(text, stripped.removeprefix(NUMPYRO), values or {})
    name, positional, named = _call(stripped)
    with_values(text, (*positional, *named.values()), values or {})
    if name == "std_normal":
        _in_order(text, "std_normal", (), positional, named)
        return Normal(0.0, 1.0)
    kind = DISTRIBUTIONS.get(name) or ALIASES.get(name)
    if kind is None:
        known = [*DISTRIBUTIONS, *ALIASES, "std_normal"]
        raise PriorError(
            f"The prior `{text}`: there is no distribution `{name}`{did_you_mean(name, known)}. "
            f"There are {', '.join(known)}."
        )
    if kind is Dirichlet:
        return _dirichlet(text, positional, named)
    arguments = _in_order(text, name, tuple(f.name for f in fields(kind)), positional, named)
    if kind is Constant and isinstance(arguments[0], (ast.List, ast.Tuple)):
        return ConstantArray.of(_rows(text, arguments[0]))
    numbers = [_number(text, argument) for argument in arguments]
    try:
        return kind(*numbers)
    except PriorError as error:
        raise PriorError(f"The prior `{text}`: {error}") from None


def with_values(text: str, arguments: Iterable[ast.expr], values: Mapping[str, float]) -> None:
    """Put numbers in the place of names in the arguments of a text.

    Raises:
        PriorError: a name stands for no number, or a number for no name.
    """
    used = set()
    for node in (each for argument in arguments for each in ast.walk(argument)):
        if isinstance(node, ast.Name) and node.id in values:
            used.add(node.id)
            node.__class__ = ast.Constant  # type: ignore[assignment]
            node.value, node.kind = values[node.id], None  # type: ignore[attr-defined]
    unused = [name for name in values if name not in used]
    if unused:
        raise PriorError(f"The prior `{text}` has no `{unused[0]}`, for which `values` has a number.")


def _of_numpyro(text: str, call: str, values: Mapping[str, float]) -> Distribution:
    """Read ``numpyro.SoftLaplace(loc=0, scale=1)``."""
    from bayesml.distributions.numpyro_objects import named_distribution

    name, positional, named = _call(call)
    with_values(text, (*positional, *named.values()), values)
    given = {word: _number(text, value) for word, value in named.items()}
    try:
        return named_distribution(name, [_number(text, value) for value in positional], given)
    except PriorError as error:
        raise PriorError(f"The prior `{text}`: {error}") from None


def _rows(text: str, node: ast.List | ast.Tuple) -> list[Any]:
    """Return nested lists of numbers."""
    return [_rows(text, each) if isinstance(each, (ast.List, ast.Tuple)) else _number(text, each) for each in node.elts]


def _call(text: str) -> tuple[str, list[ast.expr], dict[str, ast.expr]]:
    try:
        node = ast.parse(text, mode="eval").body if len(text) <= LONGEST else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        node = None
    if (
        not isinstance(node, ast.Call)
        or not isinstance(node.func, ast.Name)
        or any(k.arg is None for k in node.keywords)
    ):
        raise PriorError(
            f"The prior `{text[:LONGEST]}` cannot be read. Write a distribution with its numbers in order, for example "
            "`normal(0, 10)`; see `parse_distribution` for the vocabulary."
        )
    return node.func.id, node.args, {str(k.arg): k.value for k in node.keywords}


def _in_order(
    text: str, name: str, expected: tuple[str, ...], positional: list[ast.expr], named: dict[str, ast.expr]
) -> list[ast.expr]:
    """Return the arguments in the order of ``expected``, each given once."""
    signature = f"{name}({', '.join(expected)})"
    arguments = dict(zip(expected, positional, strict=False))
    for word, value in named.items():
        argument = next((a for a in (word, *SYNONYMS.get(word, ())) if a in expected), None)
        if argument is None or argument in arguments:
            problem = f"there is no argument `{word}`" if argument is None else f"`{argument}` is given twice"
            raise PriorError(f"The prior `{text}`: {problem}; write `{signature}`.")
        arguments[argument] = value
    number = len(positional) + len(named)
    if len(arguments) != len(expected) or number != len(expected):
        raise PriorError(f"The prior `{text}`: write `{signature}`; {number} argument(s) were given.")
    return [arguments[argument] for argument in expected]


def _dirichlet(text: str, positional: list[ast.expr], named: dict[str, ast.expr]) -> Dirichlet:
    """Read ``dirichlet(2, 1, 1)``, ``dirichlet(c(2, 1, 1))`` or ``dirichlet([2, 1, 1])``."""
    arguments = [*positional, *(value for word, value in named.items() if word == "alpha")]
    if len(arguments) != len(positional) + len(named):
        raise PriorError(f"The prior `{text}`: write `dirichlet(1)`, or one number for each element.")
    if len(arguments) == 1 and isinstance(arguments[0], (ast.List, ast.Tuple)):
        arguments = arguments[0].elts
    elif len(arguments) == 1 and isinstance(arguments[0], ast.Call) and ast.unparse(arguments[0].func) == "c":
        arguments = arguments[0].args
    try:
        return Dirichlet(tuple(_number(text, argument) for argument in arguments))
    except PriorError as error:
        raise PriorError(str(error) if str(error).startswith("The prior") else f"The prior `{text}`: {error}") from None


def _number(text: str, node: ast.expr) -> float:
    value = value_of(node)
    if value is None or not isfinite(value):
        is_name = isinstance(node, ast.Name) and node.id not in ("inf", "nan", "Inf", "NaN", "NA")
        name = f'; what it stands for is given by values={{"{ast.unparse(node)}": 2.5}}' if is_name else ""
        raise PriorError(f"The prior `{text}`: `{ast.unparse(node)}` is not a finite number{name}.")
    return value
