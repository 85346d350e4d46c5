"""Draws from the normal approximation around the estimates of a model with several linear predictors.

Standard deviations and correlations are drawn as ``engines/point/normal.py`` says; coefficients and psi jointly with
them, and group effects given these.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesml.engines.point.hyper import HyperCovariance
from bayesml.engines.point.linear import layout_free
from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.engines.point.several.joint import square_root
from bayesml.linalg import ThetaLayout
from bayesml.reported import reported_names

__all__ = ["draw_psi_and_coefficients", "joint_root", "variance_covariance"]


def variance_covariance(estimate: SeveralEstimate) -> HyperCovariance:
    """Return what is known about theta alone; ``with_beta`` are its covariances with coefficients and psi."""
    fit = estimate.fit
    layout, k = ThetaLayout.of([block.blocks for block in estimate.arrays.blocks]), len(fit.theta)
    covariance = np.nan_to_num(fit.covariance)
    free = layout_free(layout, fit.theta) & np.isfinite(np.diagonal(fit.covariance)[:k])

    def natural(values: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        return layout.matrices(values), np.zeros(0)

    return HyperCovariance(fit.theta, covariance[:k, :k], covariance[:k, k:], free, natural, ())


def draw_psi_and_coefficients(
    estimate: SeveralEstimate, rng: np.random.Generator, moves: np.ndarray
) -> dict[str, np.ndarray]:
    """Return draws of all reported variables but those of variances, ``(draws, ...)``.

    Args:
        estimate: the estimates.
        rng: source of randomness.
        moves: ``(draws, p + m)`` deviations of the coefficients of X and psi from their estimates.
    """
    import jax

    fit, singles = estimate.fit, estimate.model.response.singles
    p = len(fit.beta)
    columns = estimate.column_coefficients(fit.beta + moves[:, :p])
    with jax.enable_x64(True):
        u = singles.center + singles.scale * (fit.psi + moves[:, p:])
        drawn = {k: np.asarray(v) for k, v in jax.vmap(singles.coordinates.natural)(jax.numpy.asarray(u)).items()}
    held = {name: np.asarray(value) for name, value in singles.held.items()}
    names = set(reported_names(estimate.problem.description.spec, estimate.problem.design.schema))
    found: list[Mapping[str, np.ndarray]] = [
        estimate.reported(columns[i], {**{name: value[i] for name, value in drawn.items()}, **held})
        for i in range(len(moves))
    ]
    values = {name: np.stack([each[name] for each in found]) for name in found[0] if name in names}
    effects = estimate.several_joint.draw_effects(rng, moves)
    for own, mode, moved in zip(estimate.arrays.effects, estimate.effects, effects, strict=True):
        values |= own.coefficients(mode + moved)
    return values


def joint_root(estimate: SeveralEstimate, jacobian: np.ndarray, hyper: HyperCovariance) -> np.ndarray:
    """Return a square root of the covariance of stretched variances, coefficients and psi."""
    across = jacobian @ hyper.with_beta
    carried = jacobian @ hyper.covariance @ jacobian.T
    return square_root(np.block([[carried, across], [across.T, estimate.parameter_covariance]]))
