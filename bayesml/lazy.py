"""Modules that are imported when something of theirs is used for the first time, alone or through a registry.

scipy.special alone takes longer to import than a small model to fit, and most fits never call it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, TypeVar, final

__all__ = ["LazyRegistry", "lazy_module"]

T = TypeVar("T")


@final
class LazyModule:
    """Stands for a module; an attribute is kept once it was read, so that it costs a plain attribute after that."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value


def lazy_module(name: str) -> Any:
    """Return what can be used like the module ``name``, which is imported at the first use.

    Example:
        >>> special = lazy_module("scipy.special")
        >>> special.expit(0.0)
        0.5
    """
    return LazyModule(name)


@final
class LazyRegistry(MutableMapping[str, T]):
    """A registry of names, each defined by a module of that package, which is imported when its value is read.

    Args:
        package: name of the package.
        modules: for each name the module in the package that defines it; ``"cens:Censoring"`` where what it defines
            has another name.

    Example:
        >>> parts = LazyRegistry("bayesml.families", {"poisson": "poisson"})
        >>> list(parts), parts["poisson"]().name
        (['poisson'], 'poisson')
    """

    def __init__(self, package: str, modules: Mapping[str, str]) -> None:
        self._package = package
        self._modules = dict(modules)
        self._values: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._values:
            module, _, attribute = self._modules[name].partition(":")
            self._values[name] = getattr(import_module(f"{self._package}.{module}"), attribute or name)
        return self._values[name]

    def __setitem__(self, name: str, value: T) -> None:
        self._modules.setdefault(name, "")
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        del self._modules[name]
        self._values.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules
