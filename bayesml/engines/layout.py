"""Every sampled parameter in one flat unconstrained vector, and back.

Positive values are exp(u), bounded ones a scaled logistic, Cholesky factors of correlation matrices Stan's
canonical partial correlations tanh(u). The engines move q with u = center + scale * q, so that a step of one is a
typical step in every direction before anything has been adapted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.distributions import Constant
from bayesml.lazy import lazy_module
from bayesml.links.elementary import softplus
from bayesml.spec import Bounds, ModelSpec, ParameterSpec

__all__ = ["Layout", "Site", "flatten", "layout_of"]

transforms = lazy_module("numpyro.distributions.transforms")

Array = Any


@final
@dataclass(frozen=True)
class Site:
    """One sampled NumPyro site and its place in the flat vector.

    Attributes:
        name: the site.
        shape: shape of its value.
        size: number of unconstrained numbers behind it.
        bounds: bounds of its values.
        is_cholesky: Cholesky factor of a correlation matrix.
        center: ``(size,)`` unconstrained values where sampling starts.
        scale: ``(size,)`` typical distances on the unconstrained scale.
    """

    name: str
    shape: tuple[int, ...]
    size: int
    bounds: Bounds
    is_cholesky: bool
    center: np.ndarray
    scale: np.ndarray

    def constrain(self, u: Array) -> tuple[Array, Array]:
        """Map ``(size,)`` unconstrained numbers to the value and the log Jacobian determinant of the map."""
        if self.is_cholesky:
            return _constrain_cholesky(u, self.shape[0])
        value, log_jacobian = _constrain_bounded(u, self.bounds)
        return jnp.reshape(value, self.shape), 0.0 if log_jacobian is None else jnp.sum(log_jacobian)


@final
@dataclass(frozen=True)
class Layout:
    """The flat vector of all sites."""

    sites: tuple[Site, ...]

    @property
    def size(self) -> int:
        """Number of unconstrained dimensions."""
        return sum(site.size for site in self.sites)

    @property
    def center(self) -> np.ndarray:
        """Unconstrained starting centre, ``(size,)``."""
        return np.concatenate([site.center for site in self.sites]) if self.sites else np.zeros(0)

    @property
    def scale(self) -> np.ndarray:
        """Unconstrained typical distances, ``(size,)``."""
        return np.concatenate([site.scale for site in self.sites]) if self.sites else np.zeros(0)

    def slices(self) -> tuple[slice, ...]:
        """Return the place of each site."""
        ends = tuple(accumulate(site.size for site in self.sites))
        return tuple(slice(end - site.size, end) for end, site in zip(ends, self.sites, strict=True))

    def constrain(self, u: Array) -> tuple[dict[str, Array], Array]:
        """Map the flat unconstrained vector to site values and the log Jacobian determinant."""
        values, total = {}, 0.0
        for site, place in zip(self.sites, self.slices(), strict=True):
            values[site.name], log_jacobian = site.constrain(u[place])
            total = log_jacobian + total
        return values, jnp.asarray(total)

    def parameter_of(self, index: int) -> str:
        """Return the name of the site that holds the unconstrained dimension ``index``."""
        return next(s.name for s, place in zip(self.sites, self.slices(), strict=True) if index < place.stop)


def layout_of(spec: ModelSpec) -> Layout:
    """Lay out the parameters of a model; those fixed by ``constant()`` take no room."""
    return Layout(tuple(site for parameter in spec.parameters for site in _sites(parameter)))


def _sites(parameter: ParameterSpec) -> tuple[Site, ...]:
    if parameter.is_cholesky:
        size = parameter.shape[0] * (parameter.shape[0] - 1) // 2
        return (
            Site(parameter.name, parameter.shape, size, parameter.bounds, True, np.zeros(size), np.full(size, 0.5)),
        )
    if not parameter.prior_class:
        size = int(np.prod(parameter.shape))
        return (Site(parameter.name, parameter.shape, size, parameter.bounds, False, np.zeros(size), np.ones(size)),)
    if parameter.coefs and parameter.is_single_site:
        return (
            _bounded_site(
                parameter.name, parameter.shape, parameter.priors[0].support, parameter.centers, parameter.scales
            ),
        )
    names = [f"{parameter.name}[{coef}]" for coef in parameter.coefs] or [parameter.name]
    cells = zip(names, parameter.priors, parameter.centers, parameter.scales, strict=True)
    return tuple(_bounded_site(n, (), d.support, (c,), (s,)) for n, d, c, s in cells if not isinstance(d, Constant))


def _bounded_site(
    name: str, shape: tuple[int, ...], bounds: Bounds, centers: tuple[float, ...], scales: tuple[float, ...]
) -> Site:
    center, scale = np.asarray(centers, float), np.asarray(scales, float)
    lower, upper = bounds
    if np.isfinite(lower) and np.isfinite(upper):
        center, scale = np.zeros_like(center), np.ones_like(scale)
    elif np.isfinite(lower) or np.isfinite(upper):
        distance = np.abs(center - (lower if np.isfinite(lower) else upper))
        center, scale = np.log(np.where(distance > 0, distance, scale)), np.ones_like(scale)
    return Site(name, shape, center.size, bounds, False, center, scale)


def _constrain_bounded(u: Array, bounds: Bounds) -> tuple[Array, Array | None]:
    """Return values and the logarithms of their derivatives, None where these are 0."""
    lower, upper = bounds
    if np.isfinite(lower) and np.isfinite(upper):
        log_jacobian = np.log(upper - lower) - softplus(u) - softplus(-u)
        return lower + (upper - lower) * jax.nn.sigmoid(u), log_jacobian
    if np.isfinite(lower):
        return lower + jnp.exp(u) if lower else jnp.exp(u), u
    if np.isfinite(upper):
        return upper - jnp.exp(u), u
    return u, None


def _constrain_cholesky(u: Array, dimension: int) -> tuple[Array, Array]:
    if dimension > 2:
        transform = transforms.CorrCholeskyTransform()
        value = transform(u)
        return value, transform.log_abs_det_jacobian(u, value)
    t = jnp.tanh(u[0])
    # log(1 - tanh(u)^2), free of cancellation for large |u|
    log_jacobian = 2.0 * (np.log(2.0) - u[0] - softplus(-2.0 * u[0]))
    one, zero = jnp.ones(()), jnp.zeros(())
    return jnp.stack([jnp.stack([one, zero]), jnp.stack([t, jnp.exp(0.5 * log_jacobian)])]), log_jacobian


def flatten(layout: Layout, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Map site values back to the flat unconstrained vector (the inverse of ``constrain``)."""
    return np.concatenate([_unconstrain(site, np.asarray(values[site.name], float)) for site in layout.sites])


def _unconstrain(site: Site, value: np.ndarray) -> np.ndarray:
    if site.is_cholesky:
        return _canonical_partial_correlations(value)
    lower, upper = site.bounds
    flat = value.reshape(-1)
    if np.isfinite(lower) and np.isfinite(upper):
        return np.log(flat - lower) - np.log(upper - flat)
    if np.isfinite(lower):
        return np.log(flat - lower)
    return np.log(upper - flat) if np.isfinite(upper) else flat


def _canonical_partial_correlations(cholesky: np.ndarray) -> np.ndarray:
    """Return atanh of L_ij / sqrt(1 - L_i1^2 - ... - L_i,j-1^2), row by row (Lewandowski, Kurowicka & Joe 2009)."""
    rows, columns = np.tril_indices(len(cholesky), -1)
    before = np.cumsum(cholesky**2, axis=1) - cholesky**2
    partial = cholesky[rows, columns] / np.sqrt(1 - before[rows, columns])
    nearest = np.nextafter(1.0, 0.0)
    return np.arctanh(np.clip(partial, -nearest, nearest))
