"""Every sampled parameter in one flat unconstrained vector, and back.

The support of each parameter says how, see ``supports.py``. The engines move q with u = center + scale * q, so that a
step of one is a typical step in every direction before anything has been adapted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, final

import numpy as np
from jax import numpy as jnp

from bayesml.links.elementary import softplus
from bayesml.spec import ModelSpec, ParameterSpec, moved_bounds
from bayesml.supports import AbstractSupport, Interval, constrained

if TYPE_CHECKING:
    from bayesml.shapes import Broadcast, Numbers, Position, Scalar

__all__ = ["Layout", "Site", "flatten", "layout_of", "near_linear"]


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
        moved: whether the lower and the upper bound are numbers of a prior rather than the parameter's own.
    """

    name: str
    shape: tuple[int, ...]
    support: AbstractSupport
    center: np.ndarray
    scale: np.ndarray
    moved: tuple[bool, bool] = (False, False)

    @property
    def size(self) -> int:
        """Number of unconstrained numbers behind it."""
        return len(self.center)

    def is_of(self, parameters: Iterable[str]) -> bool:
        """Whether it is the site of one of some parameters, or of one of its coefficients."""
        return any(self.name == name or self.name.startswith(f"{name}[") for name in parameters)

    def constrain(self, u: Position) -> tuple[Numbers, Scalar]:
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

    @property
    def bounds(self) -> dict[str, np.ndarray]:
        """The bounds that are numbers of priors, by site, which programs take as data."""
        return {site.name: np.array(site.support.bounds) for site in self.sites if any(site.moved)}

    def constrain(
        self,
        u: Position,
        scales: Mapping[str, tuple[Broadcast, Broadcast]] | None = None,
        bounds: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Numbers], Scalar]:
        """Map the flat unconstrained vector to site values and the log Jacobian determinant.

        Args:
            u: ``(size,)``.
            scales: ``middle`` and ``width`` of positive sites that ``near_linear`` maps in place of the exponential.
            bounds: in the place of those in ``bounds``.
        """
        values, total = {}, 0.0
        for site, part in zip(self.sites, self._parts(u, bool(scales)), strict=True):
            if scales and site.name in scales:
                value, each = near_linear(part, *scales[site.name])
                values[site.name], log_jacobian = jnp.reshape(value, site.shape), jnp.sum(each)
            elif bounds and site.name in bounds:
                assert isinstance(site.support, Interval)
                own = tuple(bounds[site.name][k] if site.moved[k] else site.support.bounds[k] for k in (0, 1))
                values[site.name], log_jacobian = constrained(part, site.shape, site.support.bounds, *own)
            else:
                values[site.name], log_jacobian = site.constrain(part)
            total = log_jacobian + total
        return values, jnp.asarray(total)

    def _parts(self, u: Position, at_once: bool) -> Sequence[Position]:
        """Return the numbers behind each site.

        The gradient of a split is one concatenation. That of a slice is a vector padded with zeros, for each entry of
        which XLA computes anew the scalar that stands in the slice: dear where that takes more than an exponential,
        and else the better choice (measured).
        """
        if at_once:
            return jnp.split(u, [place.stop for place in self.slices()][:-1])
        return [u[place] for place in self.slices()]

    def parameter_of(self, index: int) -> str:
        """Return the name of the site that holds the unconstrained dimension ``index``."""
        return next(s.name for s, place in zip(self.sites, self.slices(), strict=True) if index < place.stop)


def near_linear(y: Broadcast, middle: Broadcast, width: Broadcast) -> tuple[Broadcast, Broadcast]:
    """Map real numbers to positive ones, linearly around ``middle``, and return the logarithms of the derivatives too.

    A standard deviation s that the data hardly tell from 0 has a nearly normal likelihood in s, of some width, cut off
    at 0. Its logarithm has a long tail on the left, in which a trajectory makes no way. Here

        s = width softplus(g(t / width)),    t = middle (1 - g(-y)),    g(x) = x - (r^2 - 1/4) / 2,

    with r = (sqrt(1 + x^2) - x) / 2, a smooth negative part of x: g(x) is nearly x on the right, and -x^2 / 2 on the
    left. So s is linear in y around the middle, falls to 0 as exp(-x^2 / 2) does, x in units of the width, and grows
    with y^2, which shortens heavy tails on the right. The constant log(middle) is left out of the derivatives.
    """
    turned, log_outer = _bent(-y)
    inner, log_inner = _bent(middle * (1.0 - turned) / width)
    return width * softplus(inner), log_outer + log_inner - softplus(-inner)


def _bent(x: Broadcast) -> tuple[Broadcast, Broadcast]:
    """Return g of ``near_linear`` and ``log g'``, where g' = 1 + r^2 / sqrt(1 + x^2)."""
    root = jnp.sqrt(1.0 + x * x)
    square = 0.25 * (root - x) ** 2
    return x - 0.5 * (square - 0.25), jnp.log1p(square / root)


def layout_of(spec: ModelSpec) -> Layout:
    """Lay out the parameters of a model; those fixed by ``constant()`` take no room."""
    return Layout(tuple(site for parameter in spec.parameters for site in _sites(parameter)))


def _sites(parameter: ParameterSpec) -> tuple[Site, ...]:
    if parameter.is_constant:
        return ()
    if parameter.support.is_whole or not parameter.prior_class:
        return (_site(parameter.name, parameter.shape, parameter.support, parameter.centers, parameter.scales),)
    if parameter.coefs and parameter.is_single_site:
        support, moved = Interval(*parameter.priors[0].support), moved_bounds(parameter.priors[0], parameter.bounds)
        return (_site(parameter.name, parameter.shape, support, parameter.centers, parameter.scales, moved),)
    names = [f"{parameter.name}[{coef}]" for coef in parameter.coefs] or [parameter.name]
    cells = zip(names, parameter.priors, parameter.centers, parameter.scales, strict=True)
    return tuple(
        _site(name, (), Interval(*prior.support), (center,), (scale,), moved_bounds(prior, parameter.bounds))
        for name, prior, center, scale in cells
        if not prior.is_constant
    )


def _site(
    name: str,
    shape: tuple[int, ...],
    support: AbstractSupport,
    centers: tuple[float, ...],
    scales: tuple[float, ...],
    moved: tuple[bool, bool] = (False, False),
) -> Site:
    center, scale = support.start(shape, np.asarray(centers, float), np.asarray(scales, float))
    return Site(name, shape, support, center, scale, moved)


def flatten(layout: Layout, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Map site values back to the flat unconstrained vector (the inverse of ``constrain``)."""
    return np.concatenate([site.support.unconstrain(np.asarray(values[site.name], float)) for site in layout.sites])
