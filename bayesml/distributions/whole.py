"""Distributions of whole arrays whose elements depend on each other, such as matrices and simplexes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from bayesml.distributions.base import Distribution
from bayesml.errors import PriorError

if TYPE_CHECKING:
    import numpyro.distributions as dist

    from bayesml.shapes import Elements, Numbers

__all__ = ["WholeDistribution"]


@dataclass(frozen=True, repr=False)
class WholeDistribution(Distribution):
    """A distribution of an array. The functions of a single number raise an error unless a subclass defines them."""

    @abstractmethod
    def whole_log_density(self, value: Numbers) -> Numbers:
        """Return the log density of arrays, ``(...)``; the value lies in the support."""

    @abstractmethod
    def draw_whole(self, rng: np.random.Generator, shape: tuple[int, ...], size: int) -> np.ndarray:
        """Return ``size`` independent arrays of that shape, ``(size, *shape)``."""

    @abstractmethod
    def numpyro_whole(self, shape: tuple[int, ...]) -> dist.Distribution:
        """Return the NumPyro distribution of an array of that shape."""

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise a PriorError where the arguments do not fit an array of that shape."""
        return

    def log_density(self, x: Elements) -> Elements:
        """Raise: there is no density of one number."""
        self._refuse()

    def log_density_derivative(self, x: Elements) -> Elements:
        """Raise: there is no density of one number."""
        self._refuse()

    def cdf(self, x: Elements) -> Elements:
        """Raise: there is no distribution of one number."""
        self._refuse()

    def survival(self, x: Elements) -> Elements:
        """Raise: there is no distribution of one number."""
        self._refuse()

    def quantile(self, p: Elements) -> Elements:
        """Raise: there is no distribution of one number."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise PriorError(f"{self} is a prior of a whole array, not of one number.")
