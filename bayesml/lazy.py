"""Modules that are imported when something of theirs is used for the first time.

scipy.special alone takes longer to import than a small model to fit, and most fits never call it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, final

__all__ = ["lazy_module"]


@final
class LazyModule:
    """Stands for a module; what was asked for once is kept, so that it costs a plain attribute after that."""

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
