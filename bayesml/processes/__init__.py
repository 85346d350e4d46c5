"""Gaussian processes: covariance functions, the places where one is known, and its values there."""

from __future__ import annotations

from bayesml.processes.approximation import HilbertBasis, Spectrum, fit_hilbert
from bayesml.processes.exact import PlaceCovariance, at_new_points, at_points
from bayesml.processes.kernels import KERNELS, Kernel, kernel_named
from bayesml.processes.lengthscales import default_prior
from bayesml.processes.positions import Positions, fit_positions

__all__ = [
    "KERNELS",
    "HilbertBasis",
    "Kernel",
    "PlaceCovariance",
    "Positions",
    "Spectrum",
    "at_new_points",
    "at_points",
    "default_prior",
    "fit_hilbert",
    "fit_positions",
    "kernel_named",
]
