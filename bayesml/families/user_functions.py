"""The functions of a user's family: what they are called with, and what is wrong with one that cannot be used."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.namespace import array_namespace
from bayesml.user_function import called

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, PerRow

__all__ = ["UserFunction", "function_name"]


def function_name(function: Callable[..., Any]) -> str:
    """Return the name of a function with that of its module."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or type(function).__module__}.{name}"


@final
@dataclass(frozen=True)
class UserFunction:
    """One function of a family of the user.

    Attributes:
        family: name of the family.
        role: the argument of ``custom_family`` that it was given as.
        function: the function.
    """

    family: str
    role: str
    function: Callable[..., Any]

    @property
    def shown(self) -> str:
        """How messages call it."""
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"the function `{name}`, {self.role} of the family {self.family},"

    def check_arguments(self, names: Sequence[str]) -> None:
        """Compare the arguments of the function with what it will be given, by position.

        An argument may have any name but that of another one: ``f(y, phi, mu)`` for the parameters mu and phi is taken
        for a mistake.

        Raises:
            ModelError: it takes fewer or more, or in another order.
        """
        try:
            parameters = list(inspect.signature(self.function).parameters.values())
        except (TypeError, ValueError):  # not every callable says
            return
        by_position = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        takes_any = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        needed = [p for p in by_position if p.default is p.empty]
        listed = f"f({', '.join(names)})"
        only_by_name = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
        too_few = len(by_position) < len(names) and not takes_any
        if too_few or len(needed) > len(names) or only_by_name:
            own = ", ".join(str(p) for p in parameters)
            raise ModelError(
                f"{_capital(self.shown)} has the arguments ({own}); this model calls it as {listed}: "
                "the parameters in the order of `dpars`, then the columns of vint() and vreal()."
            )
        for place, (parameter, name) in enumerate(zip(by_position, names, strict=False)):
            if parameter.name != name and parameter.name in names:
                raise ModelError(
                    f"{_capital(self.shown)} has `{parameter.name}` as its argument number {place + 1}, where it is "
                    f"given `{name}`: it is called as {listed}."
                )

    def rows(self, values: Sequence[Broadcast]) -> PerRow:
        """Call the function on arrays whose last axis is that of the rows; return one number for each of them.

        Raises:
            ModelError: it fails, or returns something else.
        """
        shape = np.broadcast_shapes(*(np.shape(value) for value in values))
        found = self(values)
        kind = getattr(found, "dtype", None) or np.asarray(found).dtype
        if kind.kind not in "fiu":
            raise ModelError(f"{_capital(self.shown)} returned {_described(found)}; it has to return real numbers.")
        found_shape = np.shape(found)
        if found_shape == shape:
            return found
        if not found_shape or found_shape[-1] != shape[-1] or len(found_shape) > len(shape):
            raise ModelError(
                f"{_capital(self.shown)} returned an array of shape {found_shape} for arguments of the common shape "
                f"{shape}; it has to return one number for each row, without summing over them."
            )
        return array_namespace(found, *values).broadcast_to(found, shape)

    def __call__(self, values: Sequence[Any]) -> Any:
        """Call the function.

        Raises:
            ModelError: it fails; the error of the function stands behind it.
        """
        return called(self.function, values, _capital(self.shown), ModelError)

    def refuse_nan(self, found: np.ndarray, names: Sequence[str], values: Mapping[str, np.ndarray], rows: Any) -> None:
        """Refuse a density that is not a number at typical parameters.

        Args:
            found: ``(rows,)`` what the function returned.
            names: what it was given.
            values: ``(rows,)`` arrays of those names.
            rows: row of each value in the user's data; None where none were dropped.

        Raises:
            ModelError: names the first row.
        """
        bad = np.flatnonzero(np.isnan(found) | (found == np.inf))
        if bad.size:
            first = int(bad[0])
            row = first if rows is None else int(rows[first])
            at = ", ".join(f"{name}={np.asarray(values[name])[first]:g}" for name in names)
            raise ModelError(
                f"{_capital(self.shown)} returned {found[first]:g} at {at} (row {row + 1}, counting from 1), in "
                f"{bad.size} of {found.size} rows. A log density is finite, or -inf where the response is impossible. "
                "Check the function, the bounds `lb` and `ub` of the parameters, and the response."
            )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _described(found: Any) -> str:
    kind = getattr(found, "dtype", None)
    return f"an array of {kind}" if kind is not None else f"{found!r:.60}"
