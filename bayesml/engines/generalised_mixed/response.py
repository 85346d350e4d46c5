"""What the engine needs of a response distribution: the log density of each row and its derivatives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, Self, final

import numpy as np

from bayesml.engines.generalised_mixed.information import AbstractInformation, RowNumbers

__all__ = ["AbstractDerivatives", "AuxiliarySlopes", "ResponseModel", "RowDerivatives"]


@dataclass(frozen=True)
class AbstractDerivatives(ABC):
    """The log density of every row at one point, and its derivatives in the linear predictors and in psi.

    N counts the linear predictors of all n rows, see ``information.py``.

    Attributes:
        value: ``(n,)`` log density with all its constants.
        d1: ``(N,)`` first derivatives in the linear predictors.
    """

    value: np.ndarray
    d1: np.ndarray

    @property
    @abstractmethod
    def information(self) -> AbstractInformation:
        """W, minus the second derivatives in the linear predictors."""

    @property
    @abstractmethod
    def scoring(self) -> AbstractInformation:
        """A nonnegative matrix in the place of W that steers a search: the expected information where it is known."""

    @property
    @abstractmethod
    def psi(self) -> np.ndarray:
        """``(m,)`` derivatives in psi of the sum over rows."""

    @abstractmethod
    def psi_sums(self, values: np.ndarray) -> np.ndarray:
        """Return ``(m,)`` sums of ``(N,)`` values times the derivatives of ``d1`` in psi."""

    @abstractmethod
    def carried(self, change: np.ndarray) -> np.ndarray:
        """Return ``(N,)``: how ``d1`` changes as psi changes by ``(m,)``, to first order."""

    @abstractmethod
    def information_slopes(self, leverages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the derivatives of the sum of all entries of W times those of leverages: ``(N,)`` in eta, ``(m,)``."""

    @abstractmethod
    def weighted(self, weights: np.ndarray | None) -> Self:
        """Return everything times the row weights; the density to the power of the weight."""


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
class RowDerivatives(AbstractDerivatives):
    """The derivatives of rows with one linear predictor eta, each shaped like eta.

    Attributes:
        d2: second derivative.
        d3: third derivative.
        fisher: minus the expectation of the second derivative.
        auxiliary: derivatives with respect to each auxiliary parameter.
    """

    d2: np.ndarray
    d3: np.ndarray
    fisher: np.ndarray
    auxiliary: tuple[AuxiliarySlopes, ...] = ()

    @property
    def information(self) -> RowNumbers:
        """Minus the second derivatives."""
        return RowNumbers(-self.d2)

    @property
    def scoring(self) -> RowNumbers:
        """The expected information where it is usable."""
        usable = np.isfinite(self.fisher) & (self.fisher > 0)
        return RowNumbers(np.where(usable, self.fisher, np.maximum(-self.d2, 0.0)))

    @property
    def psi(self) -> np.ndarray:
        """Sums over the rows."""
        return np.array([float(part.value.sum()) for part in self.auxiliary])

    def psi_sums(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over the rows."""
        return np.array([float(np.sum(values * part.d1)) for part in self.auxiliary])

    def carried(self, change: np.ndarray) -> np.ndarray:
        """Return the sum over the auxiliary parameters."""
        slope = np.zeros_like(self.d1)
        for amount, part in zip(change, self.auxiliary, strict=True):
            slope = slope + amount * part.d1
        return slope

    def information_slopes(self, leverages: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return them from the third derivatives."""
        psi = np.array([-float(leverages @ part.d2) for part in self.auxiliary])
        return -self.d3 * leverages, psi

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

    def derivatives(self, eta: np.ndarray, psi: np.ndarray) -> AbstractDerivatives:
        """Return the log density and its derivatives at ``eta``, ``(..., n)``."""
