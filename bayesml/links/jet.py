"""A function of the linear predictor together with its first three derivatives, and the chain rule for such functions.

All arithmetic is element by element, on NumPy and JAX arrays alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    from bayesml.shapes import Elements

__all__ = ["Jet", "log_at", "negated", "special_functions"]

special = lazy_module("scipy.special")


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

    value: Elements
    d1: Elements
    d2: Elements
    d3: Elements

    def of(self, inner: Jet) -> Jet:
        """Return the jet of ``f(g(eta))``, where ``self`` is the jet of f at ``g(eta)`` and ``inner`` that of g at eta.

        Faa di Bruno's formulas for the derivatives D1, D2, D3 of the composition, where f1, f2, f3 are those of f
        and g1, g2, g3 those of g::

            D1 = f1 g1
            D2 = f2 g1^2 + f1 g2
            D3 = f3 g1^3 + 3 f2 g1 g2 + f1 g3
        """
        return Jet(
            self.value,
            self.d1 * inner.d1,
            self.d2 * inner.d1**2 + self.d1 * inner.d2,
            self.d3 * inner.d1**3 + 3 * self.d2 * inner.d1 * inner.d2 + self.d1 * inner.d3,
        )

    def scaled(self, factor: Elements) -> Jet:
        """Return the jet of ``factor * f``; where ``factor`` is 0 the result is 0, even if f is infinite there."""
        xp = array_namespace(factor, self.value)
        return Jet(*(xp.where(factor == 0, 0.0, factor * part) for part in self))

    def __iter__(self) -> Iterator[Elements]:
        return iter((self.value, self.d1, self.d2, self.d3))

    def __add__(self, other: Jet) -> Jet:
        return Jet(*(a + b for a, b in zip(self, other, strict=True)))


def log_at(x: Elements) -> Jet:
    """Return the jet of log at x, in x."""
    xp = array_namespace(x)
    return Jet(xp.log(x), 1 / x, -1 / x**2, 2 / x**3)


def negated(jet: Jet) -> Jet:
    """Return the jet of -f."""
    return Jet(*(-part for part in jet))
