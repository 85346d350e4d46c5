"""The pilot's estimates of the covariance matrices of effects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.keys import PredictorKey
from bayesml.spec import ModelSpec
from bayesml.terms import SampledBlock

__all__ = ["BlockRows", "covariance_step", "hyperparameters", "standardised"]

LARGEST_CORRELATION = 0.95


@final
@dataclass(frozen=True)
class BlockRows:
    """What the rows of one predictor multiply the effects of a block with, see ``SampledBlock.design``."""

    block: SampledBlock
    design: np.ndarray
    codes: np.ndarray

    def information(self, weights: np.ndarray) -> np.ndarray:
        """Return ``sum_i w_i x_i x_i'`` over the rows of each level, ``(levels, q, q)``; without levels of all rows."""
        Z, q = self.design, self.block.q
        if not self.block.is_factor:
            return (Z.T @ (weights[:, None] * Z))[None]
        sums_of_levels = np.empty((self.block.vectors, q, q))
        for i in range(q):
            for j in range(i + 1):
                sums = np.bincount(self.codes, weights * Z[:, i] * Z[:, j], self.block.vectors)
                sums_of_levels[:, i, j] = sums_of_levels[:, j, i] = sums
        return sums_of_levels


def covariance_step(
    block: SampledBlock,
    effects: np.ndarray,
    covariance: np.ndarray,
    rows: Mapping[PredictorKey, BlockRows],
    weights: Mapping[PredictorKey, np.ndarray],
) -> np.ndarray:
    """Return the next estimate of a covariance matrix by expectation and maximisation (EM).

    It is the mean over the vectors u_j of ``u_j u_j' + Var(u_j | y)``, everything else held. The estimate before counts
    like one vector, which keeps it off zero.

    Args:
        block: the effects.
        effects: ``(vectors, q)`` their estimates.
        covariance: ``(q, q)`` the estimate before.
        rows: of each predictor that the block enters.
        weights: ``(rows,)`` working precisions of each.
    """
    n = block.vectors
    information = sum((part.information(weights[key]) for key, part in rows.items()), np.zeros(()))
    if block.is_factor:
        spread = np.linalg.inv(information + np.linalg.inv(covariance)).sum(axis=0)
    else:
        # entry by entry, the vectors innermost: precision Q (x) I, and the trace over vectors of each pair of entries
        variance = np.linalg.inv(information[0] + np.kron(np.linalg.inv(covariance), np.eye(n)))
        spread = np.einsum("avbv->ab", variance.reshape(block.q, n, block.q, n))
    moment = effects.T @ effects + spread + covariance
    return _restricted(moment / (block.vectors + 1), block)


def _restricted(covariance: np.ndarray, block: SampledBlock) -> np.ndarray:
    """Keep the correlated sets only, and correlations so small that the factor is well conditioned."""
    kept = np.zeros_like(covariance)
    for entries in block.slices:
        kept[entries, entries] = covariance[entries, entries]
    sd = np.sqrt(np.diag(kept))
    correlation = kept / np.outer(sd, sd)
    off = correlation - np.diag(np.diag(correlation))
    largest = np.abs(off).sum(axis=1).max(initial=0.0)
    return np.outer(sd, sd) * (np.eye(len(sd)) + off * min(1.0, LARGEST_CORRELATION / max(largest, 1e-12)))


def hyperparameters(spec: ModelSpec, covariances: Mapping[SampledBlock, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the parameters of covariance matrices: standard deviations and Cholesky factors of correlations."""
    values: dict[str, np.ndarray] = {}
    for block, covariance in covariances.items():
        sd = np.sqrt(np.diag(covariance))
        for value, (name, place) in zip(sd, block.standard_deviations, strict=True):
            sds = values.setdefault(name, np.zeros(spec.parameter(name).shape))
            sds[() if place is None else place] = value
        for entries, name in zip(block.slices, block.cholesky, strict=True):
            if name:
                correlation = covariance[entries, entries] / np.outer(sd[entries], sd[entries])
                values[name] = np.linalg.cholesky(correlation)
    return values


def standardised(block: SampledBlock, effects: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return z as it is sampled for effects ``(vectors, q)``."""
    z = np.linalg.solve(np.linalg.cholesky(covariance), effects.T)
    return z if block.has_levels else z[0]
