"""Residuals of a series that are jointly normal or Student t: ``ar(time, g, cov=TRUE)``, ``cosy()``, ``unstr()``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import DataError, did_you_mean
from bayesml.response_terms.residuals.columns import LABEL, SERIES, SERIES_COLUMNS, ranked_tables
from bayesml.response_terms.residuals.covariances import AbstractCovariance, Unstructured
from bayesml.response_terms.residuals.dense import dense_innovations, left_out
from bayesml.response_terms.residuals.dependent import AbstractOnGrid, given_earlier, student_scale
from bayesml.response_terms.residuals.grid import BY_SERIES, IN_SERIES, grid_tables, present, to_grid, to_rows
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Numbers, Observed, PerRow, Values

__all__ = ["Correlated"]

GAPS = "gaps"
"""Marks series that miss a time before their last one; an empty array, which only is there or is not."""


@final
@dataclass(frozen=True)
class Correlated(AbstractOnGrid):
    """Responses whose residuals within a series have the covariance matrix D R D + S.

    D holds sigma of each row, R is that of the structure, and S holds the squares of known standard errors. For Student
    t residuals it is the scale matrix, and nu is that of the whole series.

    Attributes:
        covariance: the structure.
        residuals: ``normal`` or ``student_t``.
    """

    covariance: AbstractCovariance
    residuals: str

    @property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """Those of ``base``, and of the correlations."""
        return (*self.base.parameters, *self.covariance.parameters)

    @property
    def flat_in_brms(self) -> frozenset[str]:  # type: ignore[override]
        """Parameters whose default prior in brms is flat."""
        return self.base.flat_in_brms | self.covariance.flat_in_brms

    @property
    def columns(self) -> frozenset[str]:
        """Those of the series and their times."""
        return SERIES_COLUMNS

    def tables(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tables of the series."""
        if not isinstance(self.covariance, Unstructured):
            ranked, most = ranked_tables(additions), self.covariance.most_times
            if most is not None and len(ranked[BY_SERIES]) > most:
                raise DataError(
                    f"A series has {len(ranked[BY_SERIES])} times here, and the longest of the fit had {most}: there "
                    "are no correlations of longer distances."
                )
            return ranked
        times = self.covariance.times
        place = {time: i for i, time in enumerate(times)}
        unknown = [label for label in additions[LABEL].tolist() if label not in place]
        if unknown:
            raise DataError(
                f"`unstr()` knows no correlations with the time {unknown[0]}{did_you_mean(unknown[0], times)}; the "
                f"data of the fit had the times {', '.join(times)}."
            )
        step = np.array([place[label] for label in additions[LABEL].tolist()], np.int64)
        tables = grid_tables(additions[SERIES], step, len(times))
        there = tables[BY_SERIES] < len(step)
        has_gaps = (there[1:] & ~there[:-1]).any()
        return {**tables, GAPS: np.empty(0)} if has_gaps else tables

    def log_prob(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row given those before it in its series."""
        from jax import numpy as jnp

        there = present(data)
        if "se" in data or GAPS in data:
            matrix, residuals = self._dense(y, values, data)
            e, log_scale = dense_innovations(matrix, residuals)
        else:
            sigma = values["sigma"]
            e, log_scale = self.covariance.innovations(to_grid((y - values["mu"]) / sigma, data), values)
            log_scale = log_scale + _on_grid(jnp.log(sigma), data)
        e = jnp.where(there, e, 0.0)
        nu = self._nu(values)
        nu = nu[..., None] if nu is not None and nu.ndim else nu
        before = jnp.maximum(there.cumsum(0) - 1, 0)
        return to_rows(given_earlier(e, before, nu, axis=-2) - log_scale, data)

    def _nu(self, values: Values) -> Any:
        """Return the degrees of freedom; None of normal residuals."""
        from jax import numpy as jnp

        return jnp.asarray(values["nu"]) if self.residuals == "student_t" else None

    def _dense(self, y: Observed, values: Values, data: DataArrays) -> tuple[Any, Any]:
        """Return the covariance matrix of each series, ``(..., series, times, times)``, and its residuals.

        Places without a row get a variance of 1 and no correlation.
        """
        from jax import numpy as jnp

        there = present(data)
        sigma = jnp.swapaxes(jnp.where(there, to_grid(values["sigma"], data), 0.0), -1, -2)
        matrix = self.covariance.matrix(values, there.shape[0])
        matrix = matrix[..., None, :, :] * sigma[..., :, None] * sigma[..., None, :]
        own = jnp.where(there, 0.0, 1.0)
        if "se" in data:
            own = own + to_grid(data["se"], data) ** 2
        matrix = matrix + own.T[..., None] * np.eye(there.shape[0])
        return matrix, jnp.swapaxes(to_grid(y - values["mu"], data), -1, -2)

    def log_predictive(self, y: Observed, values: Values, data: DataArrays) -> PerRow:
        """Return the log density of each row given all others of its series."""
        from jax import numpy as jnp

        matrix, residuals = self._dense(y, values, data)
        there = present(data)
        nu = self._nu(values)
        nu = None if nu is None else nu[..., None]
        density = left_out(matrix, residuals, there.sum(0)[:, None], nu)
        return to_rows(jnp.swapaxes(density, -1, -2), data)

    def variance(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the variance of a row: that of ``base`` with the diagonal of R."""
        size = data[BY_SERIES].shape[0]
        diagonal = np.diagonal(np.asarray(self.covariance.matrix(parameters, size)), axis1=-2, axis2=-1)
        count = len(data[IN_SERIES])
        on_grid = np.broadcast_to(diagonal[..., None], (*diagonal.shape, data[BY_SERIES].shape[1]))
        factor = np.sqrt(to_rows(np.ascontiguousarray(on_grid), data))
        return self.base.variance({**parameters, "sigma": parameters["sigma"] * factor + np.zeros(count)}, data)

    def draw(self, rng: np.random.Generator, parameters: Values, data: DataArrays) -> Drawn:
        """Draw the residuals of each series together."""
        size, series = data[BY_SERIES].shape
        factor = np.asarray(self.covariance.factor(parameters, size))
        names = [p.name for p in self.base.dpars]
        lead = np.broadcast_shapes(factor.shape[:-2], *(np.shape(parameters[name])[:-1] for name in names))
        z = factor @ rng.standard_normal((*lead, size, series))
        residuals = parameters["sigma"] * to_rows(z, data)
        if "se" in data:
            residuals = residuals + data["se"] * rng.standard_normal(residuals.shape)
        if self.residuals == "student_t":
            scale = np.broadcast_to(student_scale(rng, parameters, (*lead, series))[..., None, :], z.shape)
            residuals = residuals / to_rows(np.ascontiguousarray(scale), data)
        return np.asarray(parameters["mu"] + residuals)

    def derive(self, values: Values) -> dict[str, Numbers]:
        """Return the reported variables of ``base`` and of the structure."""
        return {**self.base.derive(values), **self.covariance.derive(values)}

    def sampled(self, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the sampled parameters behind reported variables."""
        return {**self.base.sampled(values), **self.covariance.sampled(values)}


def _on_grid(rows: Any, data: DataArrays) -> Any:
    """Return numbers of rows on the grid; one number of all rows as it is."""
    if np.ndim(rows) and np.shape(rows)[-1] > 1:
        return to_grid(rows, data)
    return rows[..., None] if np.ndim(rows) else rows
