"""Priors without a density in the usual sense: the flat prior, which is improper, and a constant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from bayesml.distributions.base import Distribution
from bayesml.errors import PriorError
from bayesml.namespace import array_namespace

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Elements

__all__ = ["Constant", "Flat"]


@final
@dataclass(frozen=True, repr=False)
class Flat(Distribution):
    """``flat()``: the improper density 1 on the real line; as text it is empty, as in brms."""

    name: ClassVar[str] = "flat"

    def __str__(self) -> str:
        return ""

    @property
    def support(self) -> tuple[float, float]:
        """All real numbers."""
        return -inf, inf

    @property
    def is_proper(self) -> bool:
        """A flat prior does not integrate to one."""
        return False

    @property
    def location(self) -> float:
        """Zero."""
        return 0.0

    @property
    def scale(self) -> float:
        """One."""
        return 1.0

    def log_density(self, x: Elements) -> Elements:
        """Return 0."""
        return 0.0 * array_namespace(x).asarray(x)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return 0."""
        return 0.0 * array_namespace(x).asarray(x)

    def cdf(self, x: Elements) -> Elements:
        """Raise an error, since a flat prior is no distribution."""
        raise _improper()

    def survival(self, x: Elements) -> Elements:
        """Raise an error, since a flat prior is no distribution."""
        raise _improper()

    def quantile(self, p: Elements) -> Elements:
        """Raise an error, since a flat prior is no distribution."""
        raise _improper()

    @staticmethod
    def numpyro_form() -> dist.Distribution:
        """Return ``ImproperUniform``."""
        return _improper_uniform(())

    def batch(self, distributions: Sequence[Distribution]) -> dist.Distribution:
        """Return ``ImproperUniform`` of a vector."""
        return _improper_uniform((len(distributions),))


def _improper() -> PriorError:
    return PriorError("A flat prior is not a distribution, so that nothing can be drawn from it. Set a proper prior.")


def _improper_uniform(shape: tuple[int, ...]) -> dist.Distribution:
    import numpyro.distributions as dist

    return dist.ImproperUniform(dist.constraints.real, shape, ())


@final
@dataclass(frozen=True, repr=False)
class Constant(Distribution):
    """``constant(value)``: fixes the parameter."""

    value: float

    name: ClassVar[str] = "constant"
    numpyro_name: ClassVar[str] = "Delta"

    @property
    def is_constant(self) -> bool:
        """It is."""
        return True

    @property
    def support(self) -> tuple[float, float]:
        """The single value."""
        return self.value, self.value

    @property
    def location(self) -> float:
        """The value."""
        return self.value

    @property
    def scale(self) -> float:
        """Zero."""
        return 0.0

    def log_density(self, x: Elements) -> Elements:
        """Return 0 at the value (a point mass), -inf elsewhere."""
        xp = array_namespace(x)
        return xp.where(xp.asarray(x) == self.value, 0.0, -inf)

    def log_density_derivative(self, x: Elements) -> Elements:
        """Return 0."""
        return 0.0 * array_namespace(x).asarray(x)

    def cdf(self, x: Elements) -> Elements:
        """Return 0 below the value and 1 from there on."""
        return np.where(np.asarray(x) >= self.value, 1.0, 0.0)

    def survival(self, x: Elements) -> Elements:
        """Return 1 below the value and 0 from there on."""
        return 1 - self.cdf(x)

    def quantile(self, p: Elements) -> Elements:
        """Return the value."""
        return np.full(np.shape(p), self.value)
