"""A Gaussian process as a sum of sines with normal coefficients: the Hilbert space approximation.

On the interval [-L, L] the functions ``phi_j(x) = sin(pi j (x + L) / (2 L)) / sqrt(L)`` are the eigenfunctions of
Laplace's operator that vanish at both ends, with the frequencies ``w_j = pi j / (2 L)``. A process with the spectral
density S is nearly ``f(x) = sum_j phi_j(x) sqrt(S(w_j)) z_j`` with z_j standard normal, as long as x stays away from
the ends and k frequencies reach as far as S does. Of several covariates the functions are products of these.

Source: Solin and Särkkä (2020), Hilbert space methods for reduced-rank Gaussian process regression, Statistics and
Computing 30, 419-446; Riutort-Mayol et al. (2023), Statistics and Computing 33, 17.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import pi
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.namespace import array_namespace
from bayesml.processes.kernels import Kernel
from bayesml.processes.positions import Positions

if TYPE_CHECKING:
    from bayesml.shapes import Numbers

__all__ = ["HilbertBasis", "Spectrum", "fit_hilbert"]


@final
@dataclass(frozen=True)
class HilbertBasis:
    """The functions, found on the places of the fit and the same on any other rows.

    Attributes:
        centre: what is subtracted from each covariate, in units of the places.
        half_width: L.
        numbers: the number j of each function along each covariate.
    """

    centre: tuple[float, ...]
    half_width: float
    numbers: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """Number of functions."""
        return len(self.numbers)

    @property
    def frequencies(self) -> tuple[tuple[float, ...], ...]:
        """The frequency of each function along each covariate."""
        return tuple(tuple(pi * j / (2.0 * self.half_width) for j in each) for each in self.numbers)

    def evaluate(self, scaled: np.ndarray) -> np.ndarray:
        """Return the functions ``(rows, size)`` at covariates ``(rows, covariates)`` in units of the places."""
        from_left = scaled - np.asarray(self.centre) + self.half_width
        functions = np.ones((len(scaled), self.size))
        for column, w in zip(from_left.T, np.asarray(self.frequencies).T, strict=True):
            functions *= np.sin(column[:, None] * w) / np.sqrt(self.half_width)
        return functions

    def outside(self, scaled: np.ndarray) -> np.ndarray:
        """Return which rows lie beyond the ends, where the functions begin again with the other sign."""
        beyond: np.ndarray = np.any(np.abs(scaled - np.asarray(self.centre)) > self.half_width, axis=1)
        return beyond


def fit_hilbert(positions: Positions, k: int, c: float) -> HilbertBasis:
    """Place the functions as brms does: L is ``c`` times the extent of the data, and that at least 1.

    Args:
        positions: the places of the fit.
        k: functions along each covariate.
        c: how much wider the interval is than the data.
    """
    points = positions.points
    centre = points.mean(axis=0)
    away = points - centre
    extent = max(1.0, float(away.max() - away.min()))
    # the number along the first covariate runs fastest, as in brms
    numbers = tuple(each[::-1] for each in product(range(1, k + 1), repeat=points.shape[1]))
    return HilbertBasis(tuple(float(x) for x in centre), c * extent, numbers)


@final
@dataclass(frozen=True)
class Spectrum:
    """The standard deviations of the coefficients, from that of the process and its length-scales.

    Attributes:
        kernel: the covariance function.
        frequencies: of each function along each covariate.
        lengthscales: the parameter that holds the length-scales.
        isotropic: whether that is one number, for all covariates.
    """

    kernel: Kernel
    frequencies: tuple[tuple[float, ...], ...]
    lengthscales: str
    isotropic: bool

    beside: ClassVar[tuple[str, ...]] = ()

    def factor(self, sd: Numbers, values: Mapping[str, Any]) -> Numbers:
        """Return the standard deviations, ``(functions,)``."""
        return sd * self.profile(values)

    def profile(self, values: Mapping[str, Any]) -> Numbers:
        """Return the roots of the spectral density at the length-scales among ``values``, ``(..., functions)``."""
        lengthscales = values[self.lengthscales]
        if self.isotropic:
            lengthscales = array_namespace(lengthscales).asarray(lengthscales)[..., None]
        return self.kernel.root_spectral_density(np.asarray(self.frequencies), lengthscales)
