"""A function of the linear predictor with its first three derivatives, and the chain rule for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace

__all__ = ["Array", "Jet", "log_at", "negated", "special_functions"]

special = lazy_module("scipy.special")

Array = Any


def special_functions(*arrays: Any) -> Any:
    """Return ``jax.scipy.special`` if any of ``arrays`` is a JAX array, else ``scipy.special``."""
    if array_namespace(*arrays).__name__ == "numpy":
        return special
    import jax.scipy.special

    return jax.scipy.special


@final
@dataclass(frozen=True)
class Jet:
    """A function of eta at some points: its value and its first three derivatives.

    Attributes:
        value: f(eta).
        d1: f'(eta).
        d2: f''(eta).
        d3: f'''(eta).
    """

    value: Array
    d1: Array
    d2: Array
    d3: Array

    def of(self, inner: Jet) -> Jet:
        """Return the jet of f(g(eta)), where ``self`` is f at g(eta) and ``inner`` is g (Faa di Bruno)."""
        return Jet(
            self.value,
            self.d1 * inner.d1,
            self.d2 * inner.d1**2 + self.d1 * inner.d2,
            self.d3 * inner.d1**3 + 3 * self.d2 * inner.d1 * inner.d2 + self.d1 * inner.d3,
        )

    def scaled(self, factor: Array) -> Jet:
        """Return the jet of ``factor * f``; where ``factor`` is 0 the result is 0, even if f is infinite there."""
        xp = array_namespace(factor, self.value)
        return Jet(*(xp.where(factor == 0, 0.0, factor * part) for part in self))

    def __iter__(self) -> Iterator[Array]:
        return iter((self.value, self.d1, self.d2, self.d3))

    def __add__(self, other: Jet) -> Jet:
        return Jet(*(a + b for a, b in zip(self, other, strict=True)))


def log_at(x: Array) -> Jet:
    """Return the jet of log at x, in x."""
    xp = array_namespace(x)
    return Jet(xp.log(x), 1 / x, -1 / x**2, 2 / x**3)


def negated(jet: Jet) -> Jet:
    """Return the jet of -f."""
    return Jet(*(-part for part in jet))
