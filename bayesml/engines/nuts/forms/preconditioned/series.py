r"""Posterior-scaled coordinates of latent residuals that reach into later rows of their series.

The residual of a row is ``e_t = s (z_t + sum_l theta_l z_(t-l))`` with z standard normal, or e = s L z with a banded
lower triangular L; that of residuals with a covariance matrix is dense. Near a pilot the likelihood is that of working
responses y* with the precisions W. Given all other parameters, whose predictor is eta, z is then normal with

    K = I + s^2 L' W L = C C',    m = K^-1 s L' W (y* - eta).

K is banded where L is, and so is C. Sampling moves in zeta, z = m + C^-T zeta with log |dz / dzeta| = -log |C|: an
exact change of variables whatever the pilot. A factor is found along the times of all series at once, in as many steps
as there are times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

import jax
import numpy as np
from jax import numpy as jnp

from bayesml.compile import Data, derived_values, summed_predictors
from bayesml.design import Schema
from bayesml.engines.base import Problem
from bayesml.engines.log_prior import parameter_values
from bayesml.engines.nuts.forms.preconditioned.linked import sampled_blocks
from bayesml.engines.nuts.forms.preconditioned.pilot import Pilot, WorkingRows
from bayesml.families import AbstractLikelihood
from bayesml.response_terms.residuals.grid import TABLES, to_grid, to_rows
from bayesml.spec import ModelSpec
from bayesml.terms import SampledBlock
from bayesml.terms.sampled import SeriesShape

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    from bayesml.shapes import Numbers, Scalar, Values

    Grid = Float[Array, "times series"]
    Bands = Sequence[Grid]

__all__ = ["ScaledSeries", "scaled_series", "series_sums", "solve_banded", "solve_dense", "without_series"]


@final
@dataclass(frozen=True)
class ScaledSeries:
    """The change of variables of the latent residuals of one predictor.

    Attributes:
        block: the residuals.
        spec: the parameters.
        schema: the terms.
        likelihood: the distribution of the response.
    """

    block: SampledBlock
    spec: ModelSpec
    schema: Schema
    likelihood: AbstractLikelihood

    @property
    def key(self) -> str:
        """Name of the sums among the data."""
        return f"series of {self.block.site}"

    def transform(self, sites: Values, data: Data) -> tuple[dict[str, Numbers], Scalar]:
        """Return z in the place of zeta, and the log Jacobian determinant.

        Args:
            sites: the values of all sites.
            data: the data of the model, with ``series_sums`` under ``pilot``.
        """
        site, sums = self.block.site, data["pilot"][self.key]
        zeta = jnp.reshape(sites[site], (-1,))
        values = parameter_values(self.spec.parameters, {**sites, site: jnp.zeros_like(sites[site])})
        every, _ = derived_values(self.spec, self.schema, self.likelihood, values, data["arrays"], data["joint"])
        (predictor,) = self.block.predictors
        eta = summed_predictors(self.schema, every, data["arrays"])[predictor]
        tables = {name: sums[name] for name in TABLES}
        ((name, _),) = self.block.standard_deviations
        series = self.block.series
        assert series is not None
        away = to_grid(sums["weights"] * (sums["response"] - eta), tables)
        precisions = to_grid(sums["weights"], tables)
        zeta_grid, sd = to_grid(zeta, tables), values[name]
        if series.root is None:
            taps = _taps(series, values)
            right = sd * sum(tap * _ahead(away, lag) for lag, tap in enumerate(taps))
            z, halves = solve_banded(_precision(precisions, sd, taps), right, zeta_grid)
        else:
            L = series.root(values)
            z, halves = solve_dense(_dense_precision(precisions, sd, L), sd * (L.T @ away), zeta_grid)
        return {site: jnp.reshape(to_rows(z, tables), jnp.shape(sites[site]))}, -halves


def _ahead(grid: Grid, lag: int) -> Grid:
    """Return what stands ``lag`` times later, 0 beyond the end."""
    return jnp.concatenate([grid[lag:], jnp.zeros((min(lag, len(grid)), grid.shape[1]), grid.dtype)])


def _precision(weights: Grid, sd: Scalar, taps: Sequence[Scalar]) -> list[Grid]:
    """Return the diagonal of ``I + s^2 L'WL`` and its bands: entry t of band j is that of t and t - j.

    Row t + m of L has ``taps[m]`` in column t and ``taps[m + j]`` in column t - j.
    """
    later = [sd**2 * tap * _ahead(weights, m) for m, tap in enumerate(taps)]
    bands = [sum(later[m] * taps[m + j] for m in range(len(taps) - j)) for j in range(len(taps))]
    time = np.arange(len(weights))[:, None]
    return [1.0 + bands[0], *(jnp.where(time >= j, band, 0.0) for j, band in enumerate(bands) if j)]


def _taps(series: SeriesShape, values: Values) -> list[Scalar]:
    """Return the numbers on the bands of L, from the diagonal on."""
    taps = [jnp.ones(()), *(jnp.zeros(()) for _ in range(series.reach))]
    for parameter, place, lag in series.lags:
        taps[lag] = taps[lag] + values[parameter][place]
    return taps


def _dense_precision(weights: Grid, sd: Scalar, L: Numbers) -> Numbers:
    """Return the same for a dense L, ``(times, times, series)``: entry t, t' is ``1 + s^2 sum_u w_u L_ut L_ut'``."""
    times = len(weights)
    products = jnp.reshape(L.T[:, None, :] * L.T[None, :, :], (times * times, times))
    return np.eye(times)[:, :, None] + sd**2 * jnp.reshape(products @ weights, (times, times, -1))


def solve_dense(precision: Numbers, right: Grid, zeta: Grid) -> tuple[Grid, Scalar]:
    """Return ``K^-1 b + C^-T zeta`` and ``log |C|`` for K = CC' ``(times, times, series)``.

    C is found column by column; what is left of K and b moves up by one place each time, so that all steps are alike.
    """

    def forward(left: Any, _: None) -> tuple[Any, Any]:
        rest, b = left
        root = jnp.sqrt(rest[0, 0])
        below, half = rest[1:, 0] / root, b[0] / root
        rest = rest[1:, 1:] - below[:, None] * below[None, :]
        return (jnp.pad(rest, ((0, 1), (0, 1), (0, 0))), jnp.pad(b[1:] - below * half, ((0, 1), (0, 0)))), (
            root,
            below,
            half,
        )

    def backward(later: Any, at: Any) -> tuple[Any, Any]:
        root, below, value = at
        z = (value - jnp.sum(below * later, axis=0)) / root
        return jnp.concatenate([z[None], later])[: len(later)], z

    _, (roots, below, half) = jax.lax.scan(forward, (precision, right), None, length=len(right))
    _, z = jax.lax.scan(backward, jnp.zeros_like(right[1:]), (roots, below, half + zeta), reverse=True)
    return z, jnp.sum(jnp.log(roots))


def solve_banded(bands: Bands, right: Grid, zeta: Grid) -> tuple[Grid, Scalar]:
    """Return ``K^-1 b + C^-T zeta`` and ``log |C|`` for the precision matrices K = CC' of several series.

    Args:
        bands: of K, ``(times, series)`` each: entry t of band j is that of the times t and t - j.
        right: b ``(times, series)``.
        zeta: ``(times, series)``.
    """
    width, one = len(bands) - 1, jnp.ones_like(right[0])
    before = (tuple(tuple(0.0 * one for _ in range(width)) for _ in range(width)), (one,) * width, (0.0 * one,) * width)

    def forward(kept: Any, at: Any) -> tuple[Any, Any]:
        """Find row t of C: ``kept`` are the rows, diagonals and solutions before, the last one first."""
        rows, diagonals, solved = kept
        K, b = at
        row: list[Any] = [None] * width  # entry j - 1 is that of t - j
        for j in range(width, 0, -1):
            known = sum(row[i - 1] * rows[j - 1][i - j - 1] for i in range(j + 1, width + 1))
            row[j - 1] = (K[j] - known) / diagonals[j - 1]
        diagonal = jnp.sqrt(K[0] - sum(entry**2 for entry in row))
        half = (b - sum(entry * known for entry, known in zip(row, solved, strict=True))) / diagonal
        kept = (
            (tuple(row), *rows)[:width],
            (diagonal, *diagonals)[:width],
            (half, *solved)[:width],
        )
        return kept, (tuple(row), diagonal, half)

    _, (rows, diagonal, half) = jax.lax.scan(forward, before, (tuple(bands), right))
    later = tuple(_ahead(row, j + 1) for j, row in enumerate(rows))  # entry j of time t: that of C in row t + j + 1

    def backward(after: Any, at: Any) -> tuple[Any, Any]:
        couplings, d, value = at
        z = (value - sum(coupling * known for coupling, known in zip(couplings, after, strict=True))) / d
        return (z, *after)[:width], z

    _, z = jax.lax.scan(backward, (0.0 * one,) * width, (later, diagonal, half + zeta), reverse=True)
    return z, jnp.sum(jnp.log(diagonal))


def scaled_series(problem: Problem) -> tuple[ScaledSeries, ...]:
    """Return the latent residuals of all predictors that reach into later rows."""
    spec, schema = problem.description.spec, problem.design.schema
    blocks = (block for block in sampled_blocks(problem) if block.series is not None)
    return tuple(ScaledSeries(block, spec, schema, problem.likelihood) for block in blocks)


def series_sums(problem: Problem, pilot: Pilot, series: Sequence[ScaledSeries]) -> dict[str, dict[str, np.ndarray]]:
    """Return the working precisions and responses of each predictor with series, and the grid of these."""
    found = {}
    for each in series:
        (key,) = each.block.predictors
        working, own = pilot.predictors[key], each.block.series
        assert own is not None
        response = working.residuals + pilot.etas[key]
        found[each.key] = {"weights": working.weights, "response": response, **own.tables}
    return found


def without_series(problem: Problem, pilot: Pilot, series: Sequence[ScaledSeries]) -> Pilot:
    """Return the pilot as it is for all else: working responses about which the residuals of series are unknown.

    Of the precision w remains ``w / (1 + s^2 w)``, as if the residuals did not reach into other rows.
    """
    predictors: dict[Any, WorkingRows] = dict(pilot.predictors)
    for each in series:
        (key,) = each.block.predictors
        ((name, _),) = each.block.standard_deviations
        working, effects = predictors[key], pilot.effects[each.block.site]
        share = 1.0 / (1.0 + float(pilot.values[name]) ** 2 * working.weights)
        own = each.block.contribution(key, problem.design.arrays, effects)
        predictors[key] = WorkingRows(share * working.weights, working.residuals + own)
    return replace(pilot, predictors=predictors) if series else pilot
