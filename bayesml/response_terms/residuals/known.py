"""``fcor(V)``: residuals with a known correlation matrix of all rows, times sigma^2.

With D = diag(sigma) the residuals are normal, or Student t, with covariance (scale) matrix D V D. The matrix W = L^-1
of V = L L' is formed once, so that a density is a product of it with the standardised residuals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import ModelError
from bayesml.families import RawResponse, ResponseData
from bayesml.frame import Frame
from bayesml.response_terms.residuals.dependent import AbstractDependent, given_earlier, rows_of_matrix, student_scale

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

__all__ = ["MATRIX", "KnownCorrelated", "matrix_of_rows"]

MATRIX, WHITENING = "fcor", "fcor_whitening"


def matrix_of_rows(name: str, frame: Frame, what: str) -> np.ndarray:
    """Return the matrix of the rows of the data.

    Args:
        name: its name in ``data2``.
        frame: the data; rows that were left out are left out of the matrix too.
        what: the call, for messages.

    Raises:
        DataError: it has another number of rows, or is no covariance matrix.
    """
    matrix = frame.matrices[name]
    rows = rows_of_matrix(name, frame, what)
    matrix.check_symmetric(what)
    matrix.check_positive_definite(what)
    return rows


@final
@dataclass(frozen=True)
class KnownCorrelated(AbstractDependent):
    """Responses whose residuals have a known correlation matrix.

    Attributes:
        residuals: ``normal`` or ``student_t``.
    """

    residuals: str

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Encode the response, with W."""
        found = self.base.encode(response, for_fit=for_fit)
        factor = np.linalg.cholesky(response.additions[MATRIX])
        return replace(found, arrays={**found.arrays, WHITENING: np.tril(np.linalg.inv(factor))})

    def encoded_additions(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the arrays of all other terms: rows without a response have no matrix."""
        return self.base.encoded_additions({name: array for name, array in additions.items() if name != MATRIX})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row given those before it, see ``Correlated``."""
        from jax import numpy as jnp

        whitening = data[WHITENING]
        residuals = (y - values["mu"]) / values["sigma"]
        e = residuals @ whitening.T
        log_scale = jnp.log(values["sigma"]) - jnp.log(jnp.diagonal(whitening))
        nu = values["nu"] if self.residuals == "student_t" else None
        return given_earlier(e, np.arange(y.shape[-1]), nu) - log_scale

    def log_predictive(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row given all others."""
        from jax import numpy as jnp

        from bayesml.response_terms.residuals.dense import left_out_of_precision

        whitening = data[WHITENING]
        residuals = (y - values["mu"]) / values["sigma"]
        g = (residuals @ whitening.T) @ whitening
        nu = values["nu"] if self.residuals == "student_t" else None
        total = (residuals * g).sum(-1, keepdims=True)
        density = left_out_of_precision(g, total, (whitening**2).sum(0), y.shape[-1], nu)
        return density - jnp.log(values["sigma"])

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of a row: that of ``base`` with the diagonal of V."""
        diagonal = (self._factor(data) ** 2).sum(1)
        return self.base.variance({**parameters, "sigma": parameters["sigma"] * np.sqrt(diagonal)}, data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw the residuals of all rows together."""
        factor = self._factor(data)
        lead = np.broadcast_shapes(*(np.shape(parameters[p.name])[:-1] for p in self.base.dpars))
        residuals = parameters["sigma"] * (rng.standard_normal((*lead, len(factor))) @ factor.T)
        if self.residuals == "student_t":
            residuals = residuals / student_scale(rng, parameters, (*lead, 1))
        return np.asarray(parameters["mu"] + residuals)

    def _factor(self, data: DataArrays) -> Any:
        if WHITENING not in data:
            raise ModelError(
                "`fcor()` has the covariances of the rows of the fit and none of new rows. Predict these as "
                "independent ones, incl_autocor=False."
            )
        return np.linalg.inv(np.asarray(data[WHITENING]))
