"""A distribution of NumPyro of any kind as a prior, through its ``log_prob``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.distributions.base import Distribution, copy_with, format_number, where_inside
from bayesml.errors import PriorError
from bayesml.lazy import lazy_module
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Broadcast, Elements

__all__ = ["FromNumPyro"]

jax, jnp = map(lazy_module, ("jax", "jax.numpy"))

SAMPLES = 2001
INTERVALS = 20_000
FARTHEST = 30.0  # of the variable of integration; exp(30) scales are beyond all that a tail reaches


@final
@dataclass(frozen=True, repr=False, eq=False)
class FromNumPyro(Distribution):
    """A prior that is no distribution of this package. Its density is NumPyro's.

    Location and scale, where sampling starts, come from draws of it. Where it has no ``cdf``, that is the integral of
    the density.

    Attributes:
        distribution: NumPyro's distribution of one number.
        lower: where its support begins.
        upper: where its support ends.
    """

    distribution: Any
    lower: float
    upper: float

    name: ClassVar[str] = "numpyro"

    def __post_init__(self) -> None:
        density = self.log_density_inside(np.asarray(self.location))
        if not np.isfinite(density):
            raise PriorError(f"{self} has no finite density at {self.location:g}, the middle of its draws.")

    def __str__(self) -> str:
        own = self.distribution
        numbers = [f"{name}={_shown(getattr(own, name, None))}" for name in own.arg_constraints]
        return f"numpyro.{type(own).__name__}({', '.join(numbers) or '...'})"

    @property
    def kind(self) -> tuple[object, ...]:
        """The class of the distribution and what of it is no number."""
        structure = jax.tree.structure(self.distribution)
        return (FromNumPyro, type(self.distribution), str(structure), isfinite(self.lower), isfinite(self.upper))

    @property
    def takes_arrays(self) -> bool:
        """No: the meaning of the arrays of a distribution is in its class alone."""
        return False

    def numbers(self, shape: tuple[int, ...] = ()) -> tuple[Any, ...]:
        """Return the arrays of the distribution."""
        return tuple(np.asarray(leaf, float) for leaf in jax.tree.leaves(self.distribution))

    def at(self, numbers: Sequence[Any]) -> FromNumPyro:
        """Return it with other arrays."""
        structure = jax.tree.structure(self.distribution)
        return copy_with(self, {"distribution": jax.tree.unflatten(structure, numbers)})

    @cached_property
    def _draws(self) -> np.ndarray:
        with jax.enable_x64(True):
            drawn = self.distribution.sample(jax.random.key(0), (SAMPLES,))
        return np.sort(np.asarray(drawn, float))

    @property
    def support(self) -> tuple[float, float]:
        """The interval."""
        return self.lower, self.upper

    @property
    def location(self) -> float:
        """The median of some draws."""
        return float(self._draws[SAMPLES // 2])

    @property
    def scale(self) -> float:
        """Half the distance of the 16% and 84% quantiles of some draws."""
        return float(self._draws[int(0.84 * SAMPLES)] - self._draws[int(0.16 * SAMPLES)]) / 2

    def log_density(self, x: Elements) -> Elements:
        """Return NumPyro's ``log_prob``, -inf outside the support."""
        xp = array_namespace(x)
        x = xp.asarray(x, dtype=float)
        within = xp.where((x > self.lower) & (x < self.upper), x, self.location)
        return where_inside(x, self.support, self.log_density_inside(within), xp)

    def log_density_inside(self, x: Elements) -> Elements:
        """Return NumPyro's ``log_prob``."""
        if array_namespace(x) is not np:
            return self.distribution.log_prob(x)
        with jax.enable_x64(True):
            return np.asarray(self.distribution.log_prob(jnp.asarray(x)), float)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return the derivative of ``log_prob``."""
        flat = np.ravel(np.asarray(x, float))
        with jax.enable_x64(True):
            slope = jax.vmap(jax.grad(self.distribution.log_prob))(jnp.asarray(flat))
        return np.asarray(slope, float).reshape(np.shape(x))

    def cdf(self, x: Elements) -> Elements:
        """Return P(X <= x), by NumPyro or, where that has none, by integration."""
        clipped = np.clip(np.asarray(x, float), self.lower, self.upper)
        try:
            with jax.enable_x64(True):
                return np.asarray(self.distribution.cdf(jnp.asarray(clipped)), float)
        except NotImplementedError:
            points, below = self._integral
            return np.interp(clipped, points, below)

    @cached_property
    def _integral(self) -> tuple[np.ndarray, np.ndarray]:
        """Return points over the support and the integral of the density up to each, by Simpson's rule."""
        t = np.linspace(-FARTHEST, FARTHEST, 2 * INTERVALS + 1)
        x = self._value(t)
        with np.errstate(all="ignore"):
            density = np.nan_to_num(np.exp(self.log_density(x)) * self._slope(t), nan=0.0, posinf=0.0)
        pieces = (t[1] - t[0]) / 3.0 * (density[:-2:2] + 4.0 * density[1::2] + density[2::2])
        below = np.concatenate([[0.0], np.cumsum(pieces)])
        return x[::2], below / below[-1]

    def survival(self, x: Elements) -> Elements:
        """Return P(X > x)."""
        return 1.0 - self.cdf(x)

    def quantile(self, p: Elements) -> Elements:
        """Return the ``p`` quantile."""
        points, below = self._integral
        inside = np.flatnonzero(np.diff(below, prepend=-1.0) > 0)
        return np.interp(np.asarray(p, float), below[inside], points[inside])

    def _value(self, t: np.ndarray) -> np.ndarray:
        """Map numbers onto the support, increasingly; around the location in units of the scale."""
        if isfinite(self.lower) and isfinite(self.upper):
            return self.lower + (self.upper - self.lower) / (1.0 + np.exp(-t))
        if isfinite(self.lower):
            return self.lower + self.scale * np.exp(t)
        return self.upper - self.scale * np.exp(-t) if isfinite(self.upper) else self.location + self.scale * np.sinh(t)

    def _slope(self, t: np.ndarray) -> np.ndarray:
        """Return the derivative of ``_value``."""
        if isfinite(self.lower) and isfinite(self.upper):
            return (self.upper - self.lower) / (2.0 + np.exp(t) + np.exp(-t))
        if isfinite(self.lower):
            return self.scale * np.exp(t)
        return self.scale * (np.exp(-t) if isfinite(self.upper) else np.cosh(t))

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...] = ()) -> np.ndarray:
        """Return independent draws by NumPyro's ``sample``."""
        shape = (size,) if isinstance(size, int) else tuple(size)
        with jax.enable_x64(True):
            key = jax.random.key(int(rng.integers(2**31)))
            return np.asarray(self.distribution.sample(key, shape), float)

    @staticmethod
    def numpyro_form(*arguments: Broadcast) -> dist.Distribution:
        """Raise: there is the distribution itself."""
        raise PriorError("The NumPyro form of a NumPyro distribution is that distribution; use its numpyro().")

    def numpyro(self) -> dist.Distribution:
        """Return the distribution."""
        return self.distribution

    def can_batch(self, distributions: Sequence[Distribution]) -> bool:
        """No: each is a site of its own."""
        return False


def _shown(value: Any) -> str:
    array = np.asarray(value) if value is not None else np.zeros(0)
    if array.ndim or array.dtype.kind not in "iuf":
        return "..."
    return format_number(float(str(array)) if array.dtype == np.float32 else float(array))
