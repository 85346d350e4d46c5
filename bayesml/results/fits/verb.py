"""A verb as a method: a function of a fit in a file of its own, named in the class of the fits that have it.

The function alone has the signature and the documentation; the method is the function with the fit as its first
argument. It is imported when it is used for the first time, so that a fit does not wait for its pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, final, overload

from bayesml.foreign import answers_foreign_arguments
from bayesml.results.fits.argument_types import checks_arguments

__all__ = ["Verb"]

F = TypeVar("F")
P = ParamSpec("P")
R = TypeVar("R")


@final
class Verb(Generic[F, P, R]):
    """A function ``(fit, ...)`` as the method ``fit.name(...)``; names of arguments in other packages are understood.

    Args:
        find: returns the function; called at the first use.

    Example:
        >>> class AbstractVerbs:
        ...     anova = Verb(lambda: anova.anova)
    """

    def __init__(self, find: Callable[[], Callable[Concatenate[F, P], R]]) -> None:
        self._find = find

    @cached_property
    def function(self) -> Callable[Concatenate[F, P], R]:
        """The function, answering to the words of other packages for its arguments."""
        return checks_arguments(answers_foreign_arguments("METHOD_ARGUMENTS", receiver="fit")(self._find()))

    @overload
    def __get__(self, fit: None, kind: type) -> Callable[Concatenate[F, P], R]: ...

    @overload
    def __get__(self, fit: F, kind: type) -> Callable[P, R]: ...

    def __get__(self, fit: F | None, kind: type) -> Any:
        return self.function if fit is None else MethodType(self.function, fit)
