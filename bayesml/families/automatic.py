"""Derivatives of a log density in the main linear predictor by automatic differentiation. JAX is loaded only here.

Rows do not share an entry of the linear predictor, so the derivative of all rows along a vector of ones holds each
row's own derivative; three of them nested give the third.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bayesml.families.curvature import AuxiliaryDerivatives, Curvature
from bayesml.families.records import DistributionalParameter
from bayesml.links import get_link

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Numbers, Observed, PerRow, Values

    Rows = Callable[[PerRow, Values, DataArrays], PerRow]

__all__ = ["automatic_auxiliary", "automatic_curvature"]

DIFFERENCE = 3e-5
"""Relative distance of points whose difference is a derivative: the errors of both kinds are then about 1e-10."""


class Density(Hashable, Protocol):
    """What is needed of a likelihood; it is hashable, and equal ones share what was compiled."""

    @property
    def dpars(self) -> tuple[DistributionalParameter, ...]:
        """The parameters that may have a predictor; the first has the main formula."""

    def values(self, predictors: Values, single: Values) -> dict[str, Numbers]:
        """Return the parameters as ``log_prob`` takes them."""

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row on JAX arrays."""

    @property
    def has_costly_derivatives(self) -> bool:
        """Whether third derivatives are differences of second ones."""


def automatic_curvature(
    likelihood: Density,
    eta: np.ndarray,
    data: Mapping[str, np.ndarray],
    auxiliary: Mapping[str, Any],
    order: int,
) -> Curvature:
    """Return what ``AbstractLikelihood.curvature`` promises; ``fisher`` is the size of the observed information.

    The expected information needs the sum over all responses; where it only steers a search, the observed one does.
    """
    if order == 3 and likelihood.has_costly_derivatives:
        derivatives = _with_differences(likelihood, eta, data, auxiliary)
    else:
        derivatives = _called(_derivatives(likelihood, order), eta, auxiliary, data)
    density = np.where(np.isnan(derivatives[0]), -np.inf, derivatives[0])
    d1, d2, d3 = (derivatives[k] if k <= order else None for k in (1, 2, 3))
    return Curvature(density, d1, d2, d3, None if d2 is None else np.abs(d2))


def automatic_auxiliary(
    likelihood: Density, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, Any]
) -> dict[str, AuxiliaryDerivatives]:
    """Return what ``AbstractLikelihood.auxiliary_derivatives`` promises."""
    if likelihood.has_costly_derivatives:
        derivatives = _differences_along(likelihood, eta, data, auxiliary)
    else:
        derivatives = _called(_auxiliary(likelihood), eta, auxiliary, data)
    return {
        name: AuxiliaryDerivatives(value, d1, d2, -np.sign(curve) * d2)
        for name, (value, d1, d2, curve) in derivatives.items()
    }


def _with_differences(
    likelihood: Density, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, Any]
) -> tuple[np.ndarray, ...]:
    """Return the derivatives up to the third, which is the central difference of second ones."""
    own, moved = _derivatives(likelihood, 2), DIFFERENCE * np.maximum(np.abs(eta), 1.0)
    above, below = (_called(own, eta + step, auxiliary, data)[2] for step in (moved, -moved))
    return (*_called(own, eta, auxiliary, data), (above - below) / (2.0 * moved))


def _differences_along(
    likelihood: Density, eta: np.ndarray, data: Mapping[str, np.ndarray], auxiliary: Mapping[str, Any]
) -> dict[str, tuple[np.ndarray, ...]]:
    """Return for each single parameter what ``_auxiliary`` does, by central differences along its unbounded scale."""
    own, found = _derivatives(likelihood, 2), {}
    curve = _called(own, eta, auxiliary, data)[2]
    for dpar in likelihood.dpars[1:]:
        if dpar.name in auxiliary:
            link = get_link(dpar.links[0])
            psi = float(link.forward(float(auxiliary[dpar.name])))
            step = DIFFERENCE * max(abs(psi), 1.0)
            ends = [
                _called(own, eta, {**auxiliary, dpar.name: float(link.inverse(psi + sign * step))}, data)
                for sign in (1.0, -1.0)
            ]
            slopes = ((above - below) / (2.0 * step) for above, below in zip(*ends, strict=True))
            found[dpar.name] = (*slopes, curve)
    return found


def _called(function: Callable[..., Any], eta: Any, auxiliary: Mapping[str, Any], data: Mapping[str, Any]) -> Any:
    import jax

    with jax.enable_x64(True):
        numbers = {name: np.asarray(value, dtype=float) for name, value in auxiliary.items()}
        return jax.tree.map(np.asarray, function(np.asarray(eta, dtype=float), numbers, dict(data)))


def _log_density(likelihood: Density) -> Rows:
    main = likelihood.dpars[0].name

    def rows(eta: PerRow, auxiliary: Values, data: DataArrays) -> PerRow:
        return likelihood.log_prob(data["y"], likelihood.values({main: eta}, auxiliary), data)

    return rows


@lru_cache(maxsize=64)
def _derivatives(likelihood: Density, order: int) -> Callable[..., tuple[PerRow, ...]]:
    import jax

    def derivatives(eta: PerRow, auxiliary: Values, data: DataArrays) -> tuple[PerRow, ...]:
        return _tower(lambda e: _log_density(likelihood)(e, auxiliary, data), order)(eta)

    return jax.jit(derivatives)


def _tower(function: Callable[[PerRow], PerRow], order: int) -> Callable[[PerRow], tuple[PerRow, ...]]:
    """Return the function that gives row by row the value and the derivatives up to ``order``."""
    import jax
    from jax import numpy as jnp

    def with_one_more(eta: PerRow) -> tuple[PerRow, ...]:
        lower, slopes = jax.jvp(_tower(function, order - 1), (eta,), (jnp.ones_like(eta),))
        return (*lower, slopes[-1])

    return with_one_more if order else lambda eta: (function(eta),)


@lru_cache(maxsize=64)
def _auxiliary(likelihood: Density) -> Callable[..., dict[str, tuple[PerRow, ...]]]:
    """Return the derivatives along the unbounded scale of each single parameter, by its first link."""
    import jax
    from jax import numpy as jnp

    def derivatives(eta: PerRow, auxiliary: Values, data: DataArrays) -> dict[str, Any]:
        by_parameter = {}
        for dpar in likelihood.dpars[1:]:
            if dpar.name in auxiliary:
                link = get_link(dpar.links[0])

                def along(psi: PerRow, name: str = dpar.name, link: Any = link) -> tuple[PerRow, ...]:
                    at = {**auxiliary, name: link.inverse(psi)}
                    return _tower(lambda e: _log_density(likelihood)(e, at, data), 2)(eta)

                psi = jnp.asarray(link.forward(auxiliary[dpar.name]))
                values, slopes = jax.jvp(along, (psi,), (jnp.ones_like(psi),))
                by_parameter[dpar.name] = (*slopes, values[2])
        return by_parameter

    return jax.jit(derivatives)
