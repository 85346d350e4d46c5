"""``sar(W)``: responses, or residuals, that depend on those of their neighbours.

With B = I - rho W, where W says how much each row weighs in the mean of another, independent e = B y - mu is the model
of responses (``lagsar``) and e = B (y - mu) that of residuals (``errorsar``). The log density of y is that of e plus
log |det B| = sum_i log |1 - rho lambda_i|, where the eigenvalues lambda of W are computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, final

import numpy as np

from bayesml.errors import DataError, ModelError
from bayesml.families import RawResponse, ResponseData
from bayesml.frame import Frame
from bayesml.response_terms.residuals.covariances import bounded_parameter
from bayesml.response_terms.residuals.dependent import AbstractDependent, given_earlier, rows_of_matrix, student_scale
from bayesml.response_terms.residuals.sparse_rows import sparse_product, sparse_tables
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Observed, PerRow, Values

    SarKind = Literal["lag", "error"]

__all__ = ["EIGENVALUES", "WEIGHTS", "Spatial", "bounds_of", "neighbours_of_rows"]

WEIGHTS, EIGENVALUES, LAGGED = "sar", "sar_eigenvalues", "sar_lagged"
REAL = 1e-7
"""Largest imaginary part, as a share of the largest eigenvalue, of an eigenvalue that counts as a real number."""
DIGITS = 13
"""Digits of the bounds: the largest eigenvalue of rows that add up to 1 is 1, but for its last digits."""
NARROW = 1e-6
"""Bounds that are closer than this leave no room for a parameter; all eigenvalues of a triangular matrix are equal."""


def neighbours_of_rows(name: str, frame: Frame, what: str) -> dict[str, np.ndarray]:
    """Return the matrix of the rows of the data and its eigenvalues, ``(rows, 2)``: real and imaginary parts.

    Args:
        name: its name in ``data2``.
        frame: the data; rows that were left out are left out of the matrix too.
        what: the call, for messages.

    Raises:
        DataError: it has another number of rows.
    """
    cure = " New data need the rows of the fit, all of them; incl_autocor=False predicts other ones."
    weights = rows_of_matrix(name, frame, what, cure)
    symmetric = np.array_equal(weights, weights.T)
    found = np.asarray(np.linalg.eigvalsh(weights) if symmetric else np.linalg.eigvals(weights), complex)
    return {WEIGHTS: weights, EIGENVALUES: np.stack([found.real, found.imag], axis=-1)}


def bounds_of(eigenvalues: np.ndarray, what: str) -> tuple[float, float]:
    """Return the bounds of the parameter: the least and the largest eigenvalue, as in brms.

    The determinant of I - rho W is 0 where rho is the inverse of a real eigenvalue, which lies within these bounds
    where rows of W add up to more than 1. brms rejects every value beyond it; here it is the bound. Of complex
    eigenvalues, which brms does not take, the real parts count.

    Args:
        eigenvalues: ``(rows, 2)`` real and imaginary parts.
        what: the call, for messages.

    Raises:
        DataError: no value is left.
    """
    real, imaginary = eigenvalues.T
    lower, upper = float(real.min()), float(real.max())
    largest = float(np.hypot(real, imaginary).max())
    simple = real[np.abs(imaginary) <= REAL * largest]
    if (simple < 0).any():
        lower = max(lower, 1 / float(simple.min()))
    if (simple > 0).any():
        upper = min(upper, 1 / float(simple.max()))
    if not upper - lower > NARROW:
        raise DataError(
            f"`{what}` has no room for its parameter, whose bounds are the eigenvalues of the matrix, as in brms: they "
            f"are between {real.min():.6g} and {real.max():.6g}. A matrix of neighbours has positive entries for pairs "
            "of them, in both directions, zeros on the diagonal, and rows that add up to 1."
        )
    return float(f"{lower:.{DIGITS}g}"), float(f"{upper:.{DIGITS}g}")


@final
@dataclass(frozen=True)
class Spatial(AbstractDependent):
    """A likelihood whose responses or residuals depend on those of neighbours.

    Attributes:
        kind: ``lag`` for responses, ``error`` for residuals.
        lower: lower bound of the parameter.
        upper: its upper bound.
        residuals: ``normal`` or ``student_t``; nu is that of all rows.
    """

    kind: SarKind
    lower: float
    upper: float
    residuals: str

    @property
    def parameter(self) -> str:
        """``lagsar`` or ``errorsar``."""
        return f"{self.kind}sar"

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Those of ``base``, and the weight of the neighbours."""
        middle = 0.5 * (self.lower + self.upper)
        center = 0.0 if self.lower < 0 < self.upper else middle
        return (*self.base.parameters, bounded_parameter(self.parameter, self.lower, self.upper, center))

    @property
    def flat_in_brms(self) -> frozenset[str]:  # type: ignore[override]
        """The weight has a flat prior in brms."""
        return self.base.flat_in_brms | {self.parameter}

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Encode the response, with W, its eigenvalues and W y."""
        found = self.base.encode(response, for_fit=for_fit)
        own = {name: response.additions[name] for name in (WEIGHTS, EIGENVALUES)}
        own |= sparse_tables(own[WEIGHTS])
        lagged = {LAGGED: own[WEIGHTS] @ found.arrays["y"]} if self.kind == "lag" else {}
        return replace(found, arrays={**found.arrays, **own, **lagged})

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of all responses in as many parts as there are rows; their sum alone has a meaning."""
        from jax import numpy as jnp

        rho = values[self.parameter]
        e = self._independent(y, values, data)
        real, imaginary = data[EIGENVALUES][:, 0], data[EIGENVALUES][:, 1]
        log_determinant = 0.5 * jnp.log((1 - rho * real) ** 2 + (rho * imaginary) ** 2)
        log_scale = jnp.log(values["sigma"]) - log_determinant
        nu = values["nu"] if self.residuals == "student_t" else None
        return given_earlier(e, np.arange(y.shape[-1]), nu) - log_scale

    def _independent(self, y: Observed, values: Values, data: DataArrays) -> Any:
        """Return e / sigma; y are the responses of the data, whose W y is known."""
        rho = values[self.parameter]
        if self.kind == "lag":
            return (y - rho * data[LAGGED] - values["mu"]) / values["sigma"]
        residuals = y - values["mu"]
        return (residuals - rho * sparse_product(residuals, data[WEIGHTS], data)) / values["sigma"]

    def log_predictive(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row given all others.

        With the precision Q = B'B / sigma^2 and r = y - E(y) it needs Q r = B' e / sigma alone, since B r = e is
        sigma times independent residuals in both models, and r' Q r = e'e / sigma^2.
        """
        from jax import numpy as jnp

        from bayesml.response_terms.residuals.dense import left_out_of_precision

        rho, weights = values[self.parameter], data[WEIGHTS]
        e = self._independent(y, values, data)
        g = e - rho * (e @ weights)
        precision = 1 - 2 * rho * jnp.diagonal(weights) + rho**2 * (weights**2).sum(0)
        nu = values["nu"] if self.residuals == "student_t" else None
        total = (e**2).sum(-1, keepdims=True)
        return left_out_of_precision(g, total, precision, y.shape[-1], nu) - jnp.log(values["sigma"])

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the mean of each row, B^-1 mu of the lagged model."""
        return self.base.mean({**parameters, "mu": self._located(parameters, data)}, data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of a row: that of ``base`` with the diagonal of (B'B)^-1."""
        lead, count = self._shape(parameters, data)
        factor = np.empty((*lead, count))
        for place, matrix in self._matrices(parameters, data):
            factor[place] = np.sqrt((np.linalg.inv(matrix) ** 2).sum(1))
        located = {**parameters, "mu": self._located(parameters, data)}
        return self.base.variance({**located, "sigma": parameters["sigma"] * factor}, data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw the responses of all rows together."""
        lead, count = self._shape(parameters, data)
        e = parameters["sigma"] * rng.standard_normal((*lead, count))
        if self.residuals == "student_t":
            e = e / student_scale(rng, parameters, (*lead, 1))
        if self.kind == "lag":
            return self._solved(parameters["mu"] + e, parameters, data)
        return np.asarray(parameters["mu"] + self._solved(e, parameters, data))

    def _located(self, parameters: Values, data: DataArrays) -> Any:
        mu = np.asarray(parameters["mu"], float)
        return self._solved(mu, parameters, data) if self.kind == "lag" else mu

    def _shape(self, parameters: Values, data: DataArrays) -> tuple[tuple[int, ...], int]:
        """Return the shape of the draws, and the number of rows."""
        if WEIGHTS not in data:
            raise ModelError(
                "`sar()` has the neighbours of the rows of the fit and none of new rows. Predict these as independent "
                "ones, incl_autocor=False."
            )
        names = [self.parameter, *(p.name for p in self.base.dpars)]
        return np.broadcast_shapes(*(np.shape(parameters[name])[:-1] for name in names)), len(data[WEIGHTS])

    def _matrices(self, parameters: Values, data: DataArrays) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """Yield B of each draw, with the place of the draw."""
        lead, count = self._shape(parameters, data)
        rho = np.broadcast_to(np.asarray(parameters[self.parameter], float), (*lead, 1))[..., 0]
        weights, identity = np.asarray(data[WEIGHTS], float), np.eye(count)
        for place in np.ndindex(*lead):
            yield place, identity - rho[place] * weights

    def _solved(self, right: Any, parameters: Values, data: DataArrays) -> np.ndarray:
        """Return B^-1 times a vector for each draw."""
        lead, count = self._shape(parameters, data)
        right, found = np.broadcast_to(right, (*lead, count)), np.empty((*lead, count))
        for place, matrix in self._matrices(parameters, data):
            found[place] = np.linalg.solve(matrix, right[place])
        return found
