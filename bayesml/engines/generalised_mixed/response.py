"""What the engine asks of a response distribution: the log density of each row and its derivatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, final

import numpy as np

__all__ = ["AuxiliarySlopes", "ResponseModel", "RowDerivatives"]


@final
@dataclass(frozen=True)
class AuxiliarySlopes:
    """Derivatives with respect to one auxiliary parameter psi (its unbounded scale), each shaped like eta.

    Attributes:
        value: of the log density.
        d1: of its first derivative in eta.
        d2: of its second derivative in eta.
    """

    value: np.ndarray
    d1: np.ndarray
    d2: np.ndarray


@final
@dataclass(frozen=True)
class RowDerivatives:
    """The log density of every row and its derivatives in eta, each shaped like eta.

    Attributes:
        value: log density with all its constants.
        d1: first derivative.
        d2: second derivative.
        d3: third derivative.
        fisher: minus the expectation of the second derivative.
        auxiliary: derivatives with respect to each auxiliary parameter.
    """

    value: np.ndarray
    d1: np.ndarray
    d2: np.ndarray
    d3: np.ndarray
    fisher: np.ndarray
    auxiliary: tuple[AuxiliarySlopes, ...] = ()

    def weighted(self, weights: np.ndarray | None) -> RowDerivatives:
        """Return everything times the row weights; the density to the power of the weight."""
        if weights is None:
            return self

        def times(part: np.ndarray) -> np.ndarray:
            return np.where(weights > 0, part, 0.0) * weights  # a row without weight may have any density

        slopes = tuple(AuxiliarySlopes(times(a.value), times(a.d1), times(a.d2)) for a in self.auxiliary)
        fisher = times(self.fisher)
        return RowDerivatives(times(self.value), times(self.d1), times(self.d2), times(self.d3), fisher, slopes)


class ResponseModel(Protocol):
    """A response distribution with its data; ``n`` rows, ``m`` free auxiliary parameters."""

    @property
    def auxiliary(self) -> tuple[str, ...]:
        """Names of the free auxiliary parameters; psi holds them on an unbounded scale (mostly the logarithm)."""

    def start_eta(self) -> np.ndarray:
        """Return ``(n,)`` a rough linear predictor: the link of the response, pulled inside its support."""

    def start_psi(self) -> np.ndarray:
        """Return ``(m,)`` rough auxiliary parameters on the scale of psi."""

    def derivatives(self, eta: np.ndarray, psi: np.ndarray) -> RowDerivatives:
        """Return the log density and its derivatives at ``eta``, ``(..., n)``."""
