"""Densities of normal responses with the effects of a group integrated out, exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesml.results.checks.loo_options import Unit
from bayesml.results.predict.drawn import natural_of_rows
from bayesml.results.predict.prepare import Batch
from bayesml.results.predict.rows import Rows

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["normal_densities"]

LOG_2PI = float(np.log(2.0 * np.pi))


def normal_densities(
    fit: AbstractSampledFit, batch: Batch, rows: Rows, loadings: np.ndarray, starts: np.ndarray, unit: Unit
) -> np.ndarray:
    """Return log densities of groups, or of rows given the others of their group.

    The rows of a group are normal with covariance V = D + A A', where D holds residual variances. With
    M = I + A' D^-1 A and b = A' D^-1 r for residuals r,

        V^-1 r = D^-1 (r - A M^-1 b),   log |V| = log |D| + log |M|,   r' V^-1 r = r' D^-1 r - b' M^-1 b,

    and a row given the others has the precision q = (V^-1)_ii and the standardised residual (V^-1 r)_i / sqrt(q).

    Args:
        fit: the fit.
        batch: draws, with linear predictors that lack the effects.
        rows: the rows, group by group.
        loadings: A, ``(draws, rows, J)``.
        starts: where the rows of each group begin, and the number of rows.
        unit: see ``integrated``.
    """
    natural = natural_of_rows(fit, batch, rows)
    y, log_scale = rows.data["y"], fit.likelihood.traits.response_on_log_scale
    residual = (np.log(y) if log_scale else y) - natural["mu"]
    variance = np.broadcast_to(_variance(fit, natural["sigma"], rows), residual.shape)
    jacobian = np.log(y) if log_scale else np.zeros(len(y))
    kept = np.ones(len(y), bool) if "subset" not in rows.data else np.asarray(rows.data["subset"], dtype=bool)
    scaled = np.where(kept, 1.0 / variance, 0.0)
    begin = starts[:-1]
    weighted = loadings * scaled[..., None]
    M = np.add.reduceat(weighted[..., :, None] * loadings[..., None, :], begin, axis=1) + np.eye(loadings.shape[-1])
    b = np.add.reduceat(weighted * residual[..., None], begin, axis=1)
    solved = np.linalg.solve(M, b[..., None])[..., 0]
    if unit == "group":
        of_rows = np.where(kept, -0.5 * (LOG_2PI + np.log(variance) + residual**2 * scaled) - jacobian, 0.0)
        quadratic = (b * solved).sum(axis=-1)
        return np.asarray(np.add.reduceat(of_rows, begin, axis=1) + 0.5 * (quadratic - np.linalg.slogdet(M)[1]))
    of_row = np.repeat(np.arange(len(begin)), np.diff(starts))
    inverse = np.linalg.inv(M)[:, of_row]
    pulled = (residual - (loadings * solved[:, of_row]).sum(axis=-1)) / variance
    precision = (1.0 - np.einsum("dnj,dnjk,dnk->dn", loadings, inverse, loadings) / variance) / variance
    density = 0.5 * (np.log(precision) - LOG_2PI - pulled**2 / precision) - jacobian
    return np.where(kept, density, 0.0)


def _variance(fit: AbstractSampledFit, sigma: np.ndarray, rows: Rows) -> np.ndarray:
    """Return the residual variance of each row; known standard errors add theirs, or stand in its place."""
    known = rows.data.get("se")
    return np.asarray(sigma**2 if known is None else sigma**2 + known**2)
