"""``toep(time, gr)``: a correlation for every distance in time, by way of partial autocorrelations.

The partial autocorrelation of lag k is the correlation of two residuals k times apart given those between them; that of
lag 1 is the autocorrelation itself. Any values between -1 and 1 give a positive definite matrix (Barndorff-Nielsen and
Schou 1973), which is why they are the parameters. With phi_(k,j) the coefficients of the best prediction of a residual
from the k before it, and v_k the variance of its error, the recursion of Durbin and Levinson is

    phi_(k,k) = p_k,   phi_(k,j) = phi_(k-1,j) - p_k phi_(k-1,k-j),   v_k = v_(k-1) (1 - p_k^2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np

from bayesml.namespace import array_namespace
from bayesml.response_terms.residuals.covariances import AbstractCovariance, bounded_parameter
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.response_terms.residuals.covariances import Grid, Innovations, Matrices
    from bayesml.shapes import Values

__all__ = ["Toeplitz"]


@final
@dataclass(frozen=True)
class Toeplitz(AbstractCovariance):
    """A stationary process without further structure.

    Attributes:
        lags: number of partial autocorrelations, one less than the times of the longest series.
    """

    lags: int

    flat_in_brms: ClassVar[frozenset[str]] = frozenset()

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """``toep``, the partial autocorrelation of each lag, between -1 and 1."""
        return (bounded_parameter("toep", -1.0, 1.0, 0.0, (self.lags,)),)

    @property
    def most_times(self) -> int:
        """Most times of a series."""
        return self.lags + 1

    def _predictions(self, values: Values, size: int) -> list[tuple[Any, Any]]:
        """Return for each time the coefficients of those before it, the latest first, and the error variance."""
        partial = values["toep"][..., 0, :]
        xp = array_namespace(partial)
        found: list[tuple[Any, Any]] = [(partial[..., :0], xp.ones(partial.shape[:-1]))]
        for k in range(1, size):
            phi, variance = found[-1]
            p = partial[..., k - 1, None]
            longer = xp.concatenate([phi - p * phi[..., ::-1], p], axis=-1)
            found.append((longer, variance * (1 - p[..., 0] ** 2)))
        return found

    def matrix(self, values: Values, size: int) -> Matrices:
        """Return the correlations: r_k = p_k v_(k-1) + sum_j phi_(k-1,j) r_(k-j)."""
        partial = values["toep"][..., 0, :]
        xp = array_namespace(partial)
        r = [xp.ones(partial.shape[:-1])]
        for k, (phi, variance) in enumerate(self._predictions(values, size)[:-1], start=1):
            before = sum((phi[..., j] * r[k - 1 - j] for j in range(k - 1)), start=xp.zeros(partial.shape[:-1]))
            r.append(partial[..., k - 1] * variance + before)
        lag = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
        return xp.stack(r, axis=-1)[..., lag]

    def innovations(self, residuals: Grid, values: Values) -> Innovations:
        """Return the errors of the best predictions, divided by their standard deviations."""
        from jax import numpy as jnp

        found, logs = [], []
        for t, (phi, variance) in enumerate(self._predictions(values, residuals.shape[-2])):
            earlier = residuals[..., :t, :][..., ::-1, :]
            error = residuals[..., t, :] - (phi[..., :, None] * earlier).sum(-2)
            found.append(error / jnp.sqrt(variance)[..., None])
            logs.append(0.5 * jnp.log(variance)[..., None])
        return jnp.stack(found, axis=-2), jnp.stack(logs, axis=-2)
