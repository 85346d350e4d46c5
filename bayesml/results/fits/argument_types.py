"""What every verb checks of its arguments before it begins: truth values, whole numbers and seeds."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from numbers import Integral
from typing import Any, ParamSpec, TypeVar

import numpy as np

from bayesml.errors import ModelError

__all__ = ["checks_arguments"]

P = ParamSpec("P")
R = TypeVar("R")
TRUTH = (bool, np.bool_)


def checks_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function with a look at its arguments first.

    An argument that is annotated as ``bool`` is True or False; one annotated as ``int`` a whole number, and a seed at
    least 0; with ``| None`` it may be None. What else an argument must be, such as a probability, the function checks.

    Raises:
        ModelError: when it is called with another value.
    """
    signature = inspect.signature(function)
    watched = {p.name: p for p in signature.parameters.values() if _kind(p) in ("bool", "int")}
    by_place = [p.name for p in signature.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if not watched:
        return function

    @wraps(function)
    def call(*args: P.args, **given: P.kwargs) -> R:
        for name, value in (*zip(by_place, args, strict=False), *given.items()):
            if name in watched:
                _check(watched[name], value)
        return function(*args, **given)

    return call


def _kind(parameter: inspect.Parameter) -> str:
    return str(parameter.annotation).removesuffix(" | None")


def _check(parameter: inspect.Parameter, value: Any) -> None:
    """Refuse a value of another type."""
    or_none = str(parameter.annotation).endswith(" | None")
    if or_none and value is None:
        return
    is_flag, is_whole = isinstance(value, TRUTH), isinstance(value, Integral) and not isinstance(value, TRUTH)
    if _kind(parameter) == "bool":
        if not is_flag:
            raise ModelError(f"`{parameter.name}` is True or False{', or None' if or_none else ''}; got {value!r}.")
    elif not is_whole or (parameter.name == "seed" and value < 0):
        least = " of at least 0" if parameter.name == "seed" else ""
        raise ModelError(f"`{parameter.name}` is a whole number{least}{', or None' if or_none else ''}; got {value!r}.")
