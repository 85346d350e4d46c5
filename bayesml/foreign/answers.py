"""What happens when a foreign word is used: our word is taken for it, or an error says what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import wraps
from importlib import import_module
from types import CodeType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from bayesml.errors import ArgumentError, UnknownNameError, closest, did_you_mean

if TYPE_CHECKING:
    from bayesml.foreign.word import Word

__all__ = [
    "answers_foreign_arguments",
    "answers_foreign_options",
    "answers_foreign_words",
    "module_attribute",
    "takes_options",
]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)
OPTIONS = "__options__"
"""Attribute of a function under which `takes_options` keeps the names."""
TYPING_ERROR = 0.7  # how close a name must be to be taken for a misspelling: among so many words, 0.6 is chance


def answers_foreign_arguments(table: str, receiver: str = "self") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator: unknown keyword arguments of a function are looked up among the foreign words.

    Args:
        table: name of the table in ``foreign.arguments``; loaded when a word is unknown.
        receiver: the parameter of a method that is no argument.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        by_place, every = _parameters(function)
        names, any_number = frozenset(every), _takes_any_number(function)

        @wraps(function)
        def call(*args: P.args, **given: P.kwargs) -> R:
            if len(args) > len(by_place) and not any_number:
                raise ArgumentError(f"{_name(function)}(): {_too_many(by_place, len(args), receiver)}")
            if names.issuperset(given):
                return function(*args, **given)
            return function(*args, **_translated(function, given, _table("arguments", table), receiver))

        return call

    return decorate


def takes_options(options: type) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for a function with ``**options: Unpack[TypedDict]``: each option is a parameter by name.

    Type checkers read the names from the annotation. Notebooks and the answers to foreign words ask the function: it
    gets the signature in which each option is a keyword argument whose default is None.

    Args:
        options: the ``TypedDict``.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        written = inspect.signature(function)
        named = [p for p in written.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        for name, annotation in options.__annotations__.items():
            text = getattr(annotation, "__forward_arg__", annotation)
            named.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=text))
        setattr(function, "__signature__", written.replace(parameters=named))  # noqa: B010
        setattr(function, OPTIONS, tuple(options.__annotations__))
        return function

    return decorate


def answers_foreign_options(cls: C) -> C:
    """Decorate a dataclass of options: its constructor looks up unknown ones among the arguments of ``fit``."""
    constructor = answers_foreign_arguments("FIT_ARGUMENTS")(cls.__init__)  # type: ignore[misc]
    setattr(cls, "__init__", constructor)  # noqa: B010
    return cls


def answers_foreign_words(table: str) -> Callable[[C], C]:
    """Return a decorator for a class of fits: arguments and methods of other packages are understood.

    Args:
        table: name of the table of attributes in ``foreign.verbs``.
    """

    def decorate(cls: C) -> C:
        for name, attribute in _members(cls).items():
            if inspect.isfunction(attribute) and not name.startswith("_") and not _takes_any(attribute):
                setattr(cls, name, answers_foreign_arguments("METHOD_ARGUMENTS")(attribute))

        def missing(self: object, name: str) -> Any:
            return _missing_attribute(self, name, table)

        missing.__name__ = "__getattr__"
        cls.__getattr__ = missing  # type: ignore[attr-defined]
        return cls

    return decorate


def _members(cls: type) -> dict[str, Any]:
    """Return what a class has by name, of its own or from the classes that it extends."""
    return {name: member for each in reversed(cls.__mro__[:-1]) for name, member in vars(each).items()}


def module_attribute(name: str, public: Iterable[str]) -> str:
    """Return our name for what was sought in the package ``bayesml``.

    Args:
        name: what was sought.
        public: names that there are.

    Raises:
        UnknownNameError: it is none of ours; says how to write it where that is known.
    """
    if name.startswith("_"):
        raise AttributeError(f"module 'bayesml' has no attribute {name!r}")
    word = _find(name, _table("functions", "MODULE"))
    if word is None:
        raise UnknownNameError(f"`bayesml` has no `{name}`{did_you_mean(name, public, TYPING_ERROR)}.")
    if word.alias:
        return word.alias
    raise UnknownNameError(f"`bayesml` has no `{name}` ({word.origin}). {word.here}")


def _missing_attribute(fit: object, name: str, table: str) -> Any:
    cls = type(fit)
    if name.startswith("_") or name in _members(cls) or name in getattr(cls, "__dataclass_fields__", ()):
        # Copying, pickling and display look for names with underscores. A property or field gets here when computing it
        # raised an AttributeError: looking it up again raises that error instead of hiding it.
        return object.__getattribute__(fit, name)
    words = _table("verbs", table)
    word = _find(name, words)
    if word is None:
        known = [each for each in dir(cls) if not each.startswith("_")]
        hint = did_you_mean(name, known, TYPING_ERROR) or _hint_at_word(name, words, known)
        raise UnknownNameError(f"A {cls.__name__} has no `{name}`{hint}.")
    if word.alias:
        return getattr(fit, word.alias)
    raise UnknownNameError(f"A {cls.__name__} has no `{name}` ({word.origin}). {word.here}")


def _translated(
    function: Callable[..., Any], given: Mapping[str, Any], words: tuple[Word, ...], receiver: str
) -> dict[str, Any]:
    """Return the arguments under our names.

    Raises:
        ArgumentError: one has no name of ours, or two have the same.
    """
    names = tuple(name for name in _parameters(function)[1] if name != receiver)
    translated: dict[str, Any] = {}
    problems = []
    for name, value in given.items():
        ours = name if name in names else _alias(name, words, names)
        if not ours:
            problems.append(_refusal(name, words, names))
        elif ours in translated or (ours != name and ours in given):
            problems.append(f"`{name}` and `{ours}` are the same; give one of them.")
        else:
            translated[ours] = value
    if problems:
        raise ArgumentError(f"{_name(function)}(): {' '.join(problems)}")
    return translated


def _name(function: Callable[..., Any]) -> str:
    return function.__qualname__.removesuffix(".__init__").rpartition(".")[2]


def _parameters(function: Callable[..., Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the positional parameters, and all of them; ``inspect.signature`` would slow the import down."""
    code: CodeType = function.__code__  # type: ignore[attr-defined]
    written = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return code.co_varnames[: code.co_argcount], (*written, *getattr(function, OPTIONS, ()))


def _too_many(by_place: tuple[str, ...], given: int, receiver: str) -> str:
    own = [name for name in by_place if name != receiver]
    listed = ", ".join(f"`{name}`" for name in own) or "none"
    got = given - len(by_place) + len(own)
    return f"Got {got} arguments by position, but takes {len(own)} ({listed}). Name the others, as in `prior=`."


def _alias(name: str, words: tuple[Word, ...], names: tuple[str, ...]) -> str:
    return next((word.alias for word in words if word.word == name and word.alias in names), "")


def _refusal(name: str, words: tuple[Word, ...], names: tuple[str, ...]) -> str:
    word = next((word for word in words if word.word == name and word.here), None)
    if word is not None:
        return f"There is no argument `{name}` ({word.origin}). {word.here}"
    hint = did_you_mean(name, names, TYPING_ERROR) or _hint_at_word(name, words, names)
    listed = ", ".join(f"`{each}`" for each in names) or "none"
    return f"There is no argument `{name}`{hint}; there are {listed}."


def _hint_at_word(name: str, words: tuple[Word, ...], known: Collection[str]) -> str:
    """Return how to write here the foreign word closest to ``name``, of those whose answer is ``known`` here."""
    useful = [word for word in words if word.here or word.alias in known]
    close = closest(name, {word.word for word in useful}, TYPING_ERROR)
    if close is None:
        return ""
    word = next(word for word in useful if word.word == close)
    if word.alias:
        return f" (did you mean `{word.alias}`?)"
    return f" (did you mean `{close}` of {word.origin}? {word.here})"


def _find(name: str, words: tuple[Word, ...]) -> Word | None:
    return next((word for word in words if word.word == name), None)


def _table(module: str, name: str) -> tuple[Word, ...]:
    words: tuple[Word, ...] = getattr(import_module(f"bayesml.foreign.{module}"), name)
    return words


def _takes_any_number(function: Callable[..., Any]) -> bool:
    """Whether a function takes any number of arguments by position."""
    return bool(function.__code__.co_flags & inspect.CO_VARARGS)  # type: ignore[attr-defined]


def _takes_any(function: Callable[..., Any]) -> bool:
    """Whether a function takes arguments of any name or number."""
    flags: int = function.__code__.co_flags  # type: ignore[attr-defined]
    return bool(flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)) and not getattr(function, OPTIONS, ())
