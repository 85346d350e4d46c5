"""A likelihood with its data, as the engine takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.response import AuxiliarySlopes, RowDerivatives
from bayesml.engines.weighting import log_density_of_precision
from bayesml.families import AbstractLikelihood, DistributionalParameter
from bayesml.links import get_link

__all__ = ["FamilyResponse"]

HALF = 0.5  # pulls 0 and n successes, and a count of 0, inside the support


@final
@dataclass(frozen=True)
class FamilyResponse:
    """``ResponseModel`` of a likelihood.

    Attributes:
        likelihood: the distribution, with its links.
        data: ``ResponseData.arrays`` of the encoded response.
        fixed: auxiliary parameters held at a value, on their natural scale.
        precisions: ``(rows,)`` of a normal response, or the logarithm of one: the variance is ``sigma^2 / precision``;
            None is 1.
    """

    likelihood: AbstractLikelihood
    data: Mapping[str, np.ndarray]
    fixed: Mapping[str, float] = field(default_factory=dict)
    precisions: np.ndarray | None = None

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """Names of the auxiliary parameters that are estimated."""
        return tuple(dpar.name for dpar in self.likelihood.dpars[1:] if dpar.name not in self.fixed)

    def natural(self, psi: np.ndarray) -> dict[str, float]:
        """Return all auxiliary parameters on their natural scale."""
        links = {dpar.name: get_link(dpar.links[0]) for dpar in self.likelihood.dpars[1:]}
        free = {name: float(links[name].inverse(value)) for name, value in zip(self.auxiliary, psi, strict=True)}
        return {**free, **self.fixed}

    def start_eta(self) -> np.ndarray:
        """Return the link of the response, pulled inside the support of mu."""
        y, link = np.asarray(self.data["y"], dtype=float), self.likelihood.link(self.likelihood.dpars[0].name)
        low, high = self.likelihood.dpars[0].bounds
        if "trials" in self.data:
            y = (y + HALF) / (self.data["trials"] + 2 * HALF)
        elif (low, high) == (0.0, 1.0):
            y = (np.clip(y, 0.0, 1.0) + HALF) / (1.0 + 2 * HALF) if self.likelihood.traits.discrete else y
        elif low == 0.0 or link.support[0] == 0.0:
            y = np.maximum(y, HALF if self.likelihood.traits.discrete else 0.1 * float(np.mean(np.abs(y))))
        if self.likelihood.traits.response_on_log_scale:
            y = np.log(y)
        lower, upper = link.support
        return link.forward(y if np.isinf(lower) and np.isinf(upper) else np.clip(y, _inside(lower), _inside(upper)))

    def start_psi(self) -> np.ndarray:
        """Return auxiliary parameters of the right order of magnitude."""
        y = np.asarray(self.data["y"], dtype=float)
        y = np.log(y) if self.likelihood.traits.response_on_log_scale else y
        links = {dpar.name: get_link(dpar.links[0]) for dpar in self.likelihood.dpars[1:]}
        return np.array([float(links[name].forward(_rough(self.likelihood.dpar(name), y))) for name in self.auxiliary])

    def derivatives(self, eta: np.ndarray, psi: np.ndarray) -> RowDerivatives:
        """Return the log density and its derivatives."""
        auxiliary = self.natural(psi)
        curve = self.likelihood.curvature(eta, self.data, auxiliary, order=3)
        slopes: tuple[AuxiliarySlopes, ...] = ()
        if self.auxiliary:
            by_name = self.likelihood.auxiliary_derivatives(eta, self.data, auxiliary)
            found = (by_name[name] for name in self.auxiliary)
            slopes = tuple(AuxiliarySlopes(part.log_density, part.d1, part.d2) for part in found)
        assert curve.d1 is not None and curve.d2 is not None and curve.d3 is not None and curve.fisher is not None
        rows = RowDerivatives(curve.log_density, curve.d1, curve.d2, curve.d3, curve.fisher, slopes)
        return rows if self.precisions is None else self._with_precisions(rows, float(auxiliary["sigma"]))

    def _with_precisions(self, found: RowDerivatives, sigma: float) -> RowDerivatives:
        """Return the density with variance sigma^2 / w from that with sigma^2; all but the value are powers."""
        w = self.precisions
        assert w is not None
        powers, y = found.weighted(w), np.asarray(self.data["y"], dtype=float)
        log_y = np.log(y) if self.likelihood.traits.response_on_log_scale else 0.0
        value = log_density_of_precision(found.value, w, sigma, log_y)
        slopes = powers.auxiliary
        if "sigma" in self.auxiliary:
            place = self.auxiliary.index("sigma")
            own = replace(slopes[place], value=slopes[place].value + (w - 1.0))
            slopes = (*slopes[:place], own, *slopes[place + 1 :])
        return replace(powers, value=value, auxiliary=slopes)


def _inside(bound: float) -> float:
    """Return a bound of a link's support, moved a little inwards."""
    return {0.0: 1e-3, 1.0: 1.0 - 1e-3}.get(bound, bound)


def _rough(dpar: DistributionalParameter, y: np.ndarray) -> float:
    """Return a value of an auxiliary parameter to start from."""
    name = dpar.kind
    spread = float(np.std(y))
    variance, mean = spread**2, float(np.mean(y))
    if name == "sigma":
        return spread if spread > 0 else 1.0
    if name == "nu":
        return 10.0
    if name == "phi" and 0 < mean < 1:  # of proportions
        return float(np.clip(mean * (1 - mean) / max(variance, 1e-10) - 1, 1.0, 1e6))
    if name == "shape" and float(np.max(np.abs(y - np.round(y)), initial=0.0)) == 0.0 and variance > mean > 0:
        return float(np.clip(mean**2 / (variance - mean), 0.1, 100.0))
    return float(np.clip(mean**2 / max(variance, 1e-10), 0.1, 1e6)) if name == "shape" else dpar.typical
