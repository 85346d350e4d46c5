"""What a point estimate does not have: verbs that need draws say where to find them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from bayesml.errors import ModelError

__all__ = ["needs_draws"]


def needs_draws(verb: str, why: str = "A point estimate has no draws") -> Callable[..., NoReturn]:
    """Return a method that raises a ModelError: ``verb`` needs draws, which ``to_normal_draws()`` makes."""

    def method(self: object, *_: Any, **__: Any) -> NoReturn:
        raise ModelError(f"A point estimate has no draws, which `{verb}` needs. Write fit.to_normal_draws().{verb}.")

    method.__name__ = method.__qualname__ = verb.removesuffix("()")
    method.__doc__ = f"{why}; see ``to_normal_draws``."
    return method
