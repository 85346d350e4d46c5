"""Fewer rows for the leaf of a chain: levels that look alike are rotated into as many as they have dimensions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesml.engines.nuts.forms.gaussian.statistics import Stage, Statistics

__all__ = ["compressed"]

ALIKE = 1e-12


def compressed(statistics: Statistics) -> Statistics:
    """Return statistics with the same density and fewer rows where levels share their triangle R.

    The q rows of every such level have one covariance matrix, so that any rotation across these levels leaves the
    density as it is: a QR decomposition turns n of them, each with q rows and c columns, into at most q c. A balanced
    design so costs nothing for its number of levels. Only for a leaf without factors above it.
    """
    if len(statistics.stages) != 1:
        return statistics
    stage = statistics.stages[0]
    width = stage.diagonal.shape[0] * (stage.design.shape[1] + stage.kept.shape[1] + 1)
    groups = _alike(stage.diagonal)
    if sum(min(len(group), width) for group in groups) > 0.5 * stage.diagonal.shape[-1]:
        return statistics
    return statistics._replace(stages=(_rotated(stage, groups, width),))


def _alike(factors: np.ndarray) -> list[np.ndarray]:
    """Return the indices of the levels of each pattern of R, equal up to rounding."""
    size = np.sqrt((factors**2).sum(axis=1, keepdims=True).max(axis=2, keepdims=True))
    keys = np.round(factors / (ALIKE * np.where(size > 0, size, 1.0))).reshape(-1, factors.shape[-1]).T
    _, pattern = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(pattern.reshape(-1), kind="stable")
    return np.split(order, np.cumsum(np.bincount(pattern.reshape(-1)))[:-1])


def _rotated(stage: Stage, groups: Sequence[np.ndarray], width: int) -> Stage:
    values = np.concatenate([stage.design, stage.kept, stage.response[:, None]], axis=1)
    flat = values.reshape(width, -1)
    first, blocks, counts = [], [], []
    for group in groups:
        rows = flat[:, group].T
        block = rows if len(group) <= width else np.linalg.qr(rows)[1]
        blocks.append(block.T)
        first.append(np.repeat(group[:1], len(block)))
        counts.append(np.full(len(block), len(group) / len(block)))
    levels = np.concatenate(first)
    rotated = np.concatenate(blocks, axis=1).reshape(*values.shape[:2], -1)
    design, k = stage.design.shape[1], stage.kept.shape[1]
    return Stage(
        stage.diagonal[:, :, levels],
        (),
        rotated[:, :design],
        rotated[:, design : design + k],
        rotated[:, -1],
        (),
        levels,
        np.concatenate(counts),
    )
