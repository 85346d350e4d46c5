"""Attributes of an object that are those of another one, which it holds in a field."""

from __future__ import annotations

from typing import Any, final

__all__ = ["delegated"]


@final
class _Delegated:
    """An attribute or a method that is the one of the same name of a field."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else getattr(getattr(instance, self.field), self.name)


def delegated(field: str) -> Any:
    """Return what stands in a class for an attribute or a method of one of its fields.

    ``mean = delegated("base")`` in a class with the field ``base`` makes ``x.mean(y)`` the same as ``x.base.mean(y)``,
    and ``size = delegated("base")`` does so for the property ``x.size``.

    Args:
        field: name of the field, or of a property.
    """
    return _Delegated(field)
