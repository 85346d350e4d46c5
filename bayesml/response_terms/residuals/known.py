"""``fcor(V)``: residuals with a known correlation matrix of all rows, times sigma^2.

With D = diag(sigma) the residuals are normal, or Student t, with covariance (scale) matrix D V D. The matrix W = L^-1
of V = L L' is formed once, so that a density is a product of it with the standardised residuals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import DataError, ModelError
from bayesml.families import AbstractLikelihood, RawResponse, ResponseData, Traits
from bayesml.families.rising import log_rising
from bayesml.frame import Frame
from bayesml.response_terms.wrapped import AbstractWrapped, kept_traits

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
    matrix, given = frame.matrices[name], frame.n_rows + frame.dropped
    if matrix.size not in (given, frame.n_rows):
        raise DataError(
            f"`{what}` needs a matrix with a row for each of the {given} rows of the data; `{name}` has {matrix.size}."
        )
    matrix.check_symmetric(what)
    matrix.check_positive_definite(what)
    rows = frame.rows if matrix.size == given and frame.dropped else np.arange(frame.n_rows)
    return np.asarray(matrix.dense[np.ix_(rows, rows)], float)


@final
@dataclass(frozen=True)
class KnownCorrelated(AbstractWrapped):
    """Responses whose residuals have a known correlation matrix.

    Attributes:
        residuals: ``normal`` or ``student_t``.
    """

    residuals: str

    @property
    def traits(self) -> Traits:
        """All rows depend on each other."""
        return replace(kept_traits(self.base.traits), rows_depend=True, has_cdf=False)

    @property
    def without_residual_terms(self) -> AbstractLikelihood:
        """The likelihood of responses that do not depend on each other."""
        return self.base

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

        whitening, count = data[WHITENING], y.shape[-1]
        residuals = (y - values["mu"]) / values["sigma"]
        e = residuals @ whitening.T
        log_scale = jnp.log(values["sigma"]) - jnp.log(jnp.diagonal(whitening))
        if self.residuals == "normal":
            return -0.5 * e**2 - 0.5 * log(2 * pi) - log_scale
        nu, before = values["nu"], np.arange(count)
        total = jnp.cumsum(e**2, axis=-1)
        constant = log_rising(0.5 * (nu + before), 0.5) + 0.5 * (jnp.log1p(before / nu) - log(2 * pi))
        earlier = 0.5 * (nu + before) * jnp.log1p((total - e**2) / nu)
        return constant - 0.5 * (nu + before + 1) * jnp.log1p(total / nu) + earlier - log_scale

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
            nu = np.broadcast_to(np.asarray(parameters["nu"])[..., :1], (*lead, 1))
            residuals = residuals / np.sqrt(rng.chisquare(nu) / nu)
        return np.asarray(parameters["mu"] + residuals)

    def _factor(self, data: DataArrays) -> Any:
        if WHITENING not in data:
            raise ModelError(
                "`fcor()` has the covariances of the rows of the fit and none of new rows. Predict these as "
                "independent ones, incl_autocor=False."
            )
        return np.linalg.inv(np.asarray(data[WHITENING]))
