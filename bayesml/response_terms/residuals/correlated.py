"""Residuals of a series that are jointly normal or Student t: ``ar(time, g, cov=TRUE)``, ``cosy()``, ``unstr()``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import log, pi
from typing import TYPE_CHECKING, Any, final

import numpy as np

from bayesml.errors import DataError, did_you_mean
from bayesml.families import AbstractLikelihood, RawResponse, ResponseData, Traits
from bayesml.families.rising import log_rising
from bayesml.response_terms.residuals.columns import LABEL, SERIES, ranked_tables, without_columns
from bayesml.response_terms.residuals.covariances import AbstractCovariance, Unstructured
from bayesml.response_terms.residuals.dense import dense_innovations, left_out
from bayesml.response_terms.residuals.grid import BY_SERIES, IN_SERIES, grid_tables, present, to_grid, to_rows
from bayesml.response_terms.wrapped import AbstractWrapped, kept_traits
from bayesml.spec import ParameterSpec

if TYPE_CHECKING:
    from bayesml.shapes import DataArrays, Drawn, Expected, Numbers, Observed, PerRow, Values

__all__ = ["Correlated"]

GAPS = "gaps"
"""Marks series that miss a time before their last one; an empty array, which only is there or is not."""


@final
@dataclass(frozen=True)
class Correlated(AbstractWrapped):
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
    def traits(self) -> Traits:
        """Rows of a series depend on each other; there is no distribution function of a row for itself."""
        return replace(kept_traits(self.base.traits), rows_depend=True, has_cdf=False)

    @property
    def without_residual_terms(self) -> AbstractLikelihood:
        """The likelihood of responses that do not depend on each other."""
        return self.base

    def encode(self, response: RawResponse, *, for_fit: bool = True) -> ResponseData:
        """Encode the response, with the tables of the series."""
        found = self.base.encode(response, for_fit=for_fit)
        return replace(found, arrays={**found.arrays, **self._tables(response.additions)})

    def encoded_additions(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the tables of the series in the place of the columns."""
        tables = self._tables(additions) if SERIES in additions else {}
        return {**self.base.encoded_additions(without_columns(additions)), **tables}

    def _tables(self, additions: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
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
        density = self._standard(e, there.cumsum(0), values)
        return to_rows(density - log_scale, data)

    def _standard(self, e: Any, number: Any, values: Values) -> Any:
        """Return the log density of innovations given those before them.

        Of Student t residuals k squares of sum q are known: with f(k, q) the log density of k of them,
        log Gamma((nu + k) / 2) - log Gamma(nu / 2) - k/2 log(nu pi) - (nu + k) / 2 log(1 + q / nu), it is the
        difference of two successive values of f.
        """
        from jax import numpy as jnp

        if self.residuals == "normal":
            return -0.5 * e**2 - 0.5 * log(2 * pi)
        nu = jnp.asarray(values["nu"])
        nu = nu[..., None] if nu.ndim else nu
        before = jnp.maximum(number - 1, 0)
        total = jnp.cumsum(e**2, axis=-2)
        earlier = total - e**2
        # log Gamma(s + 1/2) - log Gamma(s) is log_rising(s, 1/2) + log(s) / 2
        constant = log_rising(0.5 * (nu + before), 0.5) + 0.5 * (jnp.log1p(before / nu) - log(2 * pi))
        of_all, of_earlier = jnp.log1p(total / nu), jnp.log1p(earlier / nu)
        return constant - 0.5 * (nu + before + 1) * of_all + 0.5 * (nu + before) * of_earlier

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
        nu = jnp.asarray(values["nu"])[..., None] if self.residuals == "student_t" else None
        density = left_out(matrix, residuals, there.sum(0)[:, None], nu)
        return to_rows(jnp.swapaxes(density, -1, -2), data)

    def mean(self, parameters: Values, data: DataArrays) -> Expected:
        """Return the mean of a row, whatever the others are."""
        return self.base.mean(parameters, data)

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
            nu = np.broadcast_to(np.asarray(parameters["nu"])[..., :1], (*lead, 1))
            chi = np.broadcast_to((rng.chisquare(nu, (*lead, series)) / nu)[..., None, :], (*lead, size, series))
            residuals = residuals / np.sqrt(to_rows(np.ascontiguousarray(chi), data))
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
