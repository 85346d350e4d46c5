"""The values of an exact Gaussian process at the places of the fit, and at new ones given those.

With f the values at the places of the fit, K their covariance matrix and k the covariances with a new place x, the
process at x is normal with mean ``k' K^-1 f`` and variance ``k(x, x) - k' K^-1 k``; several new places have the
covariances that follow likewise. With ``f = C z`` and ``A = C^-1 k`` these are ``A' z`` and ``k(x, x) - A' A``.

Source: Rasmussen and Williams (2006), equations 2.22 to 2.24.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final
from zlib import crc32

import numpy as np

from bayesml.namespace import array_namespace
from bayesml.processes.factor import NUGGET, correlated, covariance_root, standardised
from bayesml.processes.kernels import Kernel
from bayesml.processes.positions import distances

if TYPE_CHECKING:
    from bayesml.shapes import Numbers

__all__ = ["PlaceCovariance", "at_new_points", "at_points"]

MOST_NUMBERS = 4_000_000
"""Most numbers of the matrices of a few draws that are held at a time."""
TOGETHER = 400
"""New places whose values are drawn from their joint distribution; those of two such sets are independent given f."""


@final
@dataclass(frozen=True)
class PlaceCovariance:
    """The covariance matrix of the values at the places, from the standard deviation and the length-scales.

    Attributes:
        kernel: the covariance function.
        points: the places.
        lengthscales: the parameter that holds the length-scales.
        isotropic: whether that is one number, for all covariates.
    """

    kernel: Kernel
    points: tuple[tuple[float, ...], ...]
    lengthscales: str
    isotropic: bool

    beside: ClassVar[tuple[str, ...]] = ()

    def factor(self, sd: Any, values: Mapping[str, Any]) -> Any:
        """Return the lower Cholesky factor of the covariance matrix, ``(places, places)``."""
        lengthscales, points = values[self.lengthscales], np.asarray(self.points)
        xp = array_namespace(sd, lengthscales)
        lengthscales = xp.reshape(xp.asarray(lengthscales), (-1,))
        apart = distances(points, points, self.isotropic)
        if xp is not np:
            return covariance_root(self.kernel, sd, lengthscales, apart, values.get(self.basis))
        return _factor(_covariance(self.kernel, apart, np.reshape(sd, (1,)), lengthscales[None]))[0]

    @property
    def basis(self) -> str:
        """The name under which ``factor`` finds a basis for its root, see ``covariance_root``; it need not be there."""
        return f"basis of {self.lengthscales}"

    def basis_at(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the eigenvectors of the correlations at some length-scales, those of the largest eigenvalues first."""
        points, lengthscales = np.asarray(self.points), np.reshape(values[self.lengthscales], (-1,))
        correlation = np.asarray(self.kernel.correlation(distances(points, points, self.isotropic), lengthscales))
        return np.ascontiguousarray(np.linalg.eigh(correlation)[1][:, ::-1])

    def standardised(self, sd: Any, values: Mapping[str, Any], process: Any) -> Any:
        """Return z of the values of the process, with the factor that no basis enters."""
        points = np.asarray(self.points)
        apart = distances(points, points, self.isotropic)
        return standardised(self.kernel, sd, values[self.lengthscales].reshape(-1), apart, process)


def at_points(kernel: Kernel, points: np.ndarray, isotropic: bool, sd: Any, lengthscales: Any, z: Any) -> Any:
    """Return the process at the places of the fit, ``(..., points)``.

    Args:
        kernel: the covariance function.
        points: ``(points, covariates)``.
        isotropic: whether there is one length-scale for all covariates.
        sd: ``(...)``.
        lengthscales: ``(..., k)``.
        z: ``(..., points)`` standard normal variables.
    """
    xp = array_namespace(sd, lengthscales, z)
    if xp is not np:
        apart = xp.abs(xp.transpose(points)[:, :, None] - xp.transpose(points)[:, None, :])
        if isotropic:
            apart = xp.sqrt(xp.sum(apart * apart, axis=0))[None] if apart.shape[0] > 1 else apart
        return correlated(kernel, sd, lengthscales, z, apart)
    known = distances(points, points, isotropic)
    values = np.empty(np.shape(z))
    for where, of_sd, of_lengthscales, of_z in _parts(sd, lengthscales, z, len(points)):
        factor = _factor(_covariance(kernel, known, of_sd, of_lengthscales))
        values.reshape(-1, len(points))[where] = np.einsum("snm,sm->sn", factor, of_z)
    return values


def at_new_points(
    kernel: Kernel, points: np.ndarray, new: np.ndarray, isotropic: bool, sd: Numbers, lengthscales: Numbers, z: Numbers
) -> np.ndarray:
    """Return draws of the process at new places given the fit, one for each draw of its parameters, ``(..., new)``.

    The same draws have the same random numbers, so that a prediction can be repeated.

    Args:
        kernel: the covariance function.
        points: the places of the fit, ``(points, covariates)``.
        new: the others, ``(new, covariates)``.
        isotropic: whether there is one length-scale for all covariates.
        sd: ``(...)``.
        lengthscales: ``(..., k)``.
        z: ``(..., points)``.
    """
    values = np.empty((*np.shape(z)[:-1], len(new)))
    flat = values.reshape(-1, len(new))
    order = np.lexsort(new.T[::-1])
    known = distances(points, points, isotropic)
    for where, of_sd, of_lengthscales, of_z in _parts(sd, lengthscales, z, max(len(points), min(len(new), TOGETHER))):
        factor = _factor(_covariance(kernel, known, of_sd, of_lengthscales))
        rng = np.random.default_rng(crc32(np.ascontiguousarray(of_z).tobytes()))
        for start in range(0, len(new), TOGETHER):
            some = order[start : start + TOGETHER]
            between = kernel.correlation(distances(points, new[some], isotropic), of_lengthscales)
            A = np.linalg.solve(factor, of_sd[:, None, None] ** 2 * between)
            own = kernel.correlation(distances(new[some], new[some], isotropic), of_lengthscales)
            rest = of_sd[:, None, None] ** 2 * own - np.swapaxes(A, -1, -2) @ A
            noise = rng.standard_normal((len(of_z), len(some)))
            mean = np.einsum("snm,sn->sm", A, of_z)
            flat[where][:, some] = mean + np.einsum("snm,sm->sn", _root(rest), noise)
    return values


def _parts(
    sd: Numbers, lengthscales: Numbers, z: Numbers, size: int
) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield some of the draws at a time: where they stand, and their values."""
    flat_z = np.reshape(z, (-1, np.shape(z)[-1]))
    flat_sd = np.broadcast_to(np.reshape(sd, -1), len(flat_z))
    flat_lengthscales = np.reshape(lengthscales, (-1, np.shape(lengthscales)[-1]))
    step = max(1, MOST_NUMBERS // max(size * size, 1))
    for start in range(0, len(flat_z), step):
        some = slice(start, start + step)
        yield some, flat_sd[some], flat_lengthscales[some], flat_z[some]


def _covariance(kernel: Kernel, apart: np.ndarray, sd: np.ndarray, lengthscales: np.ndarray) -> np.ndarray:
    return np.asarray(sd[:, None, None] ** 2 * kernel.correlation(apart, lengthscales))


def _factor(covariance: np.ndarray) -> np.ndarray:
    """Return Cholesky factors, with as large a nugget as floating point needs."""
    eye, nugget = np.eye(covariance.shape[-1]), NUGGET
    while True:
        try:
            return np.asarray(np.linalg.cholesky(covariance + nugget * eye))
        except np.linalg.LinAlgError:
            if nugget > 1.0 or not np.isfinite(covariance).all():
                return np.full_like(covariance, np.nan)
            if len(covariance) > 1:
                return np.concatenate([_factor(each[None]) for each in covariance])
            nugget *= 10.0


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return factors of covariance matrices that may be singular, by their eigenvalues where Cholesky's fails."""
    scale = np.einsum("snn->s", np.abs(covariance))[:, None, None] / covariance.shape[-1]
    try:
        return np.asarray(np.linalg.cholesky(covariance + 1e-10 * scale * np.eye(covariance.shape[-1])))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :])
