"""What estimates by Laplace's approximation or quadrature have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesml.delegation import delegated
from bayesml.engines.generalised_mixed import GeneralisedMixedFit
from bayesml.engines.generalised_mixed.stored import stored_fit
from bayesml.engines.point.estimate import AbstractEstimate
from bayesml.engines.point.hyper import HyperCovariance
from bayesml.engines.point.linear import layout_free
from bayesml.linalg import ThetaLayout
from bayesml.posterior import StoredEstimate

__all__ = ["AbstractMixedEstimate"]


@dataclass(frozen=True)
class AbstractMixedEstimate(AbstractEstimate):
    """An estimate that maximises an approximate marginal likelihood, or posterior.

    Attributes:
        fit: what the numerics found.
    """

    fit: GeneralisedMixedFit

    log_likelihood = delegated("fit")

    @property
    def n_parameters(self) -> int:
        """Coefficients, theta and psi."""
        return self.fit.df

    @property
    def factors(self) -> tuple[np.ndarray, ...]:
        """Lambda of each block."""
        return tuple(group.factor for group in self.fit.groups)

    @property
    def effects(self) -> tuple[np.ndarray, ...]:
        """Conditional modes."""
        return tuple(group.effects for group in self.fit.groups)

    @property
    def variances(self) -> tuple[np.ndarray, ...]:
        """Conditional covariances."""
        return tuple(group.variances for group in self.fit.groups)

    @property
    def singular(self) -> tuple[str, ...]:
        """Components without variance."""
        return tuple(text.removeprefix("singular fit: ") for text in self.fit.convergence.singular)

    @property
    def messages(self) -> tuple[str, ...]:
        """Everything else."""
        return tuple(text for text in self.fit.convergence.messages if text not in self.fit.convergence.singular)

    def covariance_of(self, center: np.ndarray, names: tuple[str, ...]) -> HyperCovariance:
        """Return the covariance of theta and the first elements of psi, and of these with the coefficients of X.

        Args:
            center: theta and these elements at the estimate.
            names: the elements of psi.
        """
        fit, count = self.fit, len(center) - len(self.fit.theta)
        layout = ThetaLayout.of([block.blocks for block in self.arrays.blocks])
        k, p = len(fit.theta), len(fit.beta)
        places = np.r_[0:k, k + p : k + p + count]
        covariance = fit.covariance[np.ix_(places, places)]
        with_beta = fit.covariance[np.ix_(places, np.arange(k, k + p))]
        free = np.append(layout_free(layout, fit.theta), np.ones(count, dtype=bool))
        free &= np.isfinite(np.diagonal(covariance))

        def natural(values: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
            return layout.matrices(values[:k]), values[k:]

        return HyperCovariance(center, np.nan_to_num(covariance), np.nan_to_num(with_beta), free, natural, names)

    def stored(self) -> StoredEstimate:
        """Return everything that was found."""
        found = stored_fit(self.fit)
        return StoredEstimate(found.arrays, {**found.facts, "method": self.method})
