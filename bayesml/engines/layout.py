"""Every sampled parameter in one flat unconstrained vector, and back.

The support of each parameter says how, see ``supports.py``. The engines move q with u = center + scale * q, so that a
step of one is a typical step in every direction before anything has been adapted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, final

import numpy as np
from jax import numpy as jnp

from bayesml.distributions import Constant
from bayesml.spec import ModelSpec, ParameterSpec
from bayesml.supports import AbstractSupport, Interval

__all__ = ["Layout", "Site", "flatten", "layout_of"]

Array = Any


@final
@dataclass(frozen=True)
class Site:
    """One sampled NumPyro site and its place in the flat vector.

    Attributes:
        name: the site.
        shape: shape of its value.
        support: where its values lie.
        center: ``(size,)`` unconstrained values where sampling starts.
        scale: ``(size,)`` typical distances on the unconstrained scale.
    """

    name: str
    shape: tuple[int, ...]
    support: AbstractSupport
    center: np.ndarray
    scale: np.ndarray

    @property
    def size(self) -> int:
        """Number of unconstrained numbers behind it."""
        return len(self.center)

    def constrain(self, u: Array) -> tuple[Array, Array]:
        """Map ``(size,)`` unconstrained numbers to the value and the log Jacobian determinant of the map."""
        return self.support.constrain(u, self.shape)


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
    if parameter.support.is_whole or not parameter.prior_class:
        return (_site(parameter.name, parameter.shape, parameter.support, parameter.centers, parameter.scales),)
    if parameter.coefs and parameter.is_single_site:
        support = Interval(*parameter.priors[0].support)
        return (_site(parameter.name, parameter.shape, support, parameter.centers, parameter.scales),)
    names = [f"{parameter.name}[{coef}]" for coef in parameter.coefs] or [parameter.name]
    cells = zip(names, parameter.priors, parameter.centers, parameter.scales, strict=True)
    return tuple(
        _site(name, (), Interval(*prior.support), (center,), (scale,))
        for name, prior, center, scale in cells
        if not isinstance(prior, Constant)
    )


def _site(
    name: str,
    shape: tuple[int, ...],
    support: AbstractSupport,
    centers: tuple[float, ...],
    scales: tuple[float, ...],
) -> Site:
    center, scale = support.start(shape, np.asarray(centers, float), np.asarray(scales, float))
    return Site(name, shape, support, center, scale)


def flatten(layout: Layout, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Map site values back to the flat unconstrained vector (the inverse of ``constrain``)."""
    return np.concatenate([site.support.unconstrain(np.asarray(values[site.name], float)) for site in layout.sites])
