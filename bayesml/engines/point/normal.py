"""Draws from the normal approximation around a point estimate.

Variance parameters are normal on the unconstrained scale: log sd, atanh of canonical partial correlations, log sigma or
the link scale of another family parameter; their covariance is the inverse Hessian carried there by the delta method.
Coefficients and group effects are jointly normal given the estimated variance parameters.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from bayesml.engines.point.hyper import HyperCovariance
from bayesml.engines.point.several.estimate import SeveralEstimate
from bayesml.engines.point.several.normal import draw_psi_and_coefficients, joint_root, variance_covariance
from bayesml.errors import ModelError
from bayesml.links import get_link
from bayesml.posterior import Draws

if TYPE_CHECKING:
    from bayesml.engines.point.estimate import AbstractEstimate
    from bayesml.terms import AbstractEffects

__all__ = ["normal_draws"]

LARGEST_EXPONENT = 300.0
STEP = 1e-5


def normal_draws(estimate: AbstractEstimate, ndraws: int, seed: int | None, chains: int = 4) -> Draws:
    """Draw every reported variable from the normal approximation.

    Args:
        estimate: the point estimate.
        ndraws: number of draws, a multiple of ``chains``.
        seed: whole number, or None.
        chains: number of pretended chains.

    Raises:
        ModelError: a coefficient has no finite estimate.
    """
    if estimate.unbounded.size:
        raise ModelError(
            "There is no normal approximation: the likelihood rises without end as some coefficients go to infinity "
            '(separation), so that they have no estimate. Fit with priors: method="map" or "nuts".'
        )
    rng = np.random.default_rng(seed)
    if isinstance(estimate, SeveralEstimate):
        return _of_several(estimate, ndraws, rng, chains)
    hyper = estimate.hyper_covariance()
    center, jacobian = _unconstrained(estimate, hyper)
    carried = jacobian @ hyper.covariance @ jacobian.T
    across = jacobian @ hyper.with_beta
    covariance = np.block([[carried, across], [across.T, estimate.vcov]])
    moves = rng.standard_normal((ndraws, len(covariance))) @ _root(covariance).T
    size = len(center)
    values = _variances(estimate, center + moves[:, :size], hyper.auxiliary)
    beta_moves = moves[:, size:]
    full = np.tile(estimate.full_beta, (ndraws, 1))
    full[:, estimate.kept] += beta_moves
    values |= estimate.arrays.by_variable(full)
    held = {name: value for name, value in estimate.auxiliary.items() if name not in values}
    values |= {name: np.full(ndraws, value) for name, value in held.items()}
    effects = estimate.joint.draw_effects(rng, beta_moves)
    for own, mode, moved in zip(estimate.arrays.effects, estimate.effects, effects, strict=True):
        values |= own.coefficients(mode + moved)
    return Draws({name: v.reshape(chains, ndraws // chains, *v.shape[1:]) for name, v in values.items()})


def _of_several(estimate: SeveralEstimate, ndraws: int, rng: np.random.Generator, chains: int) -> Draws:
    hyper = variance_covariance(estimate)
    center, jacobian = _unconstrained(estimate, hyper)
    root, size = joint_root(estimate, jacobian, hyper), len(center)
    moves = rng.standard_normal((ndraws, len(root))) @ root.T
    values = _variances(estimate, center + moves[:, :size], ())
    values |= draw_psi_and_coefficients(estimate, rng, moves[:, size:])
    return Draws({name: v.reshape(chains, ndraws // chains, *v.shape[1:]) for name, v in values.items()})


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _unconstrained(estimate: AbstractEstimate, hyper: HyperCovariance) -> tuple[np.ndarray, np.ndarray]:
    """Return the estimate on the unconstrained scale and its derivatives; rows of what is fixed are zero."""

    def at(x: np.ndarray) -> np.ndarray:
        factors, auxiliary = hyper.natural(x)
        pieces = [_stretched(own, factor) for own, factor in zip(estimate.arrays.effects, factors, strict=True)]
        return np.concatenate([*pieces, auxiliary])

    center = at(hyper.center)
    jacobian = np.zeros((len(center), len(hyper.center)))
    for k in np.flatnonzero(hyper.free):
        step = STEP * max(abs(hyper.center[k]), 1e-3)
        move = np.zeros(len(hyper.center))
        move[k] = step
        with np.errstate(invalid="ignore"):
            jacobian[:, k] = (at(hyper.center + move) - at(hyper.center - move)) / (2.0 * step)
    jacobian[~(np.isfinite(center) & np.isfinite(jacobian).all(axis=1))] = 0.0
    return center, jacobian


def _stretched(effects: AbstractEffects, factor: np.ndarray) -> np.ndarray:
    """Return log sds, then atanh of the partial correlations of each block, row by row."""
    sd = np.sqrt(np.einsum("ij,ij->i", factor, factor))
    pieces = [np.log(np.maximum(sd, np.exp(-LARGEST_EXPONENT)))]
    pieces[0][sd == 0] = -np.inf
    for block in effects.slices:
        unit = factor[block, block] / np.where(sd[block] > 0, sd[block], 1.0)[:, None]
        for i in range(1, len(unit)):
            left = np.sqrt(np.maximum(1.0 - np.append(0.0, np.cumsum(unit[i, : i - 1] ** 2)), 0.0))
            partial = np.divide(unit[i, :i], left, out=np.zeros(i), where=left > 1e-12)
            with np.errstate(divide="ignore"):
                pieces.append(np.arctanh(np.clip(partial, -1.0, 1.0)))
    return np.concatenate(pieces)


def _variances(estimate: AbstractEstimate, drawn: np.ndarray, auxiliary: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return sds, correlations and family parameters from unconstrained draws."""
    values: dict[str, np.ndarray] = {}
    place = 0
    for own in estimate.arrays.effects:
        q = len(own.coefs)
        sd = np.exp(np.clip(drawn[:, place : place + q], -np.inf, LARGEST_EXPONENT))
        place += q
        correlation = np.tile(np.eye(q), (len(drawn), 1, 1))
        for block in own.slices:
            size = block.stop - block.start
            count = size * (size - 1) // 2
            correlation[:, block, block] = _correlations(np.tanh(drawn[:, place : place + count]), size)
            place += count
        values |= own.hyperparameters(sd, correlation)
    links = {p.name: get_link(p.links[0]) for p in estimate.problem.likelihood.dpars}
    for k, name in enumerate(auxiliary):
        values[name] = links[name].inverse(drawn[:, place + k])
    return values


def _correlations(partial: np.ndarray, size: int) -> np.ndarray:
    """Return ``(draws, size, size)`` correlation matrices from canonical partial correlations, row by row."""
    factor = np.zeros((len(partial), size, size))
    factor[:, 0, 0] = 1.0
    starts = np.cumsum(np.arange(size))
    for i, (start, stop) in enumerate(pairwise(starts), start=1):
        rest = np.ones(len(partial))
        for j, p in enumerate(partial[:, start:stop].T):
            factor[:, i, j] = p * np.sqrt(rest)
            rest = rest * (1.0 - p**2)
        factor[:, i, i] = np.sqrt(rest)
    return factor @ factor.transpose(0, 2, 1)
