"""Functions of the user for column expressions."""

from __future__ import annotations

from collections.abc import Mapping

from bayesml.errors import FormulaError
from bayesml.formula import is_simple_name
from bayesml.frozen import FrozenMapping
from bayesml.terms.base import Functions

__all__ = ["checked_functions"]


def checked_functions(functions: Functions | None) -> Functions:
    """Return functions by name, none for None.

    Raises:
        FormulaError: it is no mapping of ordinary names to functions.
    """
    functions = {} if functions is None else functions
    if not isinstance(functions, Mapping):
        raise FormulaError(f'`functions` is a dict of functions by name, {{"f": f}}; got {functions!r}.')
    for name, function in functions.items():
        if not isinstance(name, str) or not is_simple_name(name):
            raise FormulaError(f"A name in `functions` is an ordinary name such as 'f' or 'my.f'; got {name!r}.")
        if not callable(function):
            raise FormulaError(f"`{name}` in `functions` is not a function but {function!r:.60}.")
    return FrozenMapping(functions)
