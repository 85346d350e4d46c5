"""Immutable mappings that, unlike Python's own, can be copied and pickled together with the fits that hold them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from typing import Any, TypeVar, final

from bayesml.errors import ModelError

__all__ = ["FrozenMapping", "fields_alone"]

K = TypeVar("K")
V = TypeVar("V")


@final
class FrozenMapping(Mapping[K, V]):
    """A mapping that cannot be changed. Unlike Python's own, ``MappingProxyType``, it can be pickled and copied.

    A function that pickle cannot find by its name, such as a lambda, is pickled by value where cloudpickle (or joblib,
    which brings it) is installed.

    Example:
        >>> levels = FrozenMapping({"a": 1})
        >>> levels["a"]
        1
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[K, V]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: K) -> V:
        return self._values[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __repr__(self) -> str:
        return repr(self._values)

    def __copy__(self) -> FrozenMapping[K, V]:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenMapping[K, V]:
        return FrozenMapping(copy.deepcopy(self._values, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMapping, ({key: _portable(key, value) for key, value in self._values.items()},)


def fields_alone(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as its state for pickling; cached properties are left out and computed again."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


@final
class _ByValue:
    """A function as cloudpickle writes it; what is read back is the function itself."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self._content,)


def _portable(name: object, value: Any) -> Any:
    """Return the value, or what is pickled in its place.

    Raises:
        ModelError: it is a function that cannot be pickled.
    """
    if not callable(value) or _is_found_by_name(value):
        return value
    dumps = _cloudpickle()
    if dumps is not None:
        return _ByValue(dumps(value))
    raise ModelError(
        f"The function `{name}` cannot be pickled: pickle finds functions by name, and {value!r} is a lambda or was "
        "defined within another function. Define it with `def` at the top level of a module and pass that one as "
        "`functions=`, or install cloudpickle."
    )


def _is_found_by_name(value: Callable[..., Any]) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # what is raised differs with the kind of callable and with Python's version
        return False
    return True


def _cloudpickle() -> Callable[[Any], bytes] | None:
    for module in ("cloudpickle", "joblib.externals.cloudpickle"):
        with suppress(ImportError):
            return import_module(module).dumps
    return None
