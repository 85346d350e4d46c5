"""The group-level terms of smaller models, and what a comparison of likelihoods needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bayesml.errors import ModelError
from bayesml.linalg import AbstractBlock

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractPointFit

__all__ = ["require_likelihood", "require_one_predictor", "with_columns", "without_columns"]


def require_likelihood(fit: AbstractPointFit, what: str) -> None:
    """Raise a ModelError for a fit with priors, whose criterion is not a likelihood."""
    if fit.method == "map":
        raise ModelError(f'{what} compares likelihoods; this fit is a posterior mode. Use method="ml" or "laplace".')


def require_one_predictor(fit: AbstractPointFit, what: str) -> None:
    """Raise a ModelError for a fit in which more than mu has a formula, or a parameter is more than a number."""
    if not fit.estimate.has_one_predictor:
        raise ModelError(
            f"{what} is for models in which `mu` alone has a formula and terms are linear. Here fixef(), contrast(), "
            "confint() and predictions have standard errors, anova(smaller, larger) compares likelihoods, and "
            "fit.to_normal_draws() answers what draws can answer."
        )


def without_columns(blocks: Sequence[AbstractBlock], term: int, dropped: Sequence[int]) -> list[AbstractBlock]:
    """Return the group-level terms without some columns of one of them; a term without columns is left out."""
    block = blocks[term]
    keep = [c for c in range(block.q) if c not in dropped]
    ends = np.cumsum(block.blocks)
    owner = np.searchsorted(ends, keep, side="right")
    sizes = tuple(int(n) for n in np.bincount(owner, minlength=len(ends)) if n)
    labels = tuple(block.labels()[c] for c in keep)
    smaller = replace(block, Z=np.ascontiguousarray(block.Z[:, keep]), blocks=sizes, columns=labels)
    return [*blocks[:term], *([smaller] if keep else []), *blocks[term + 1 :]]


def with_columns(
    blocks: Sequence[AbstractBlock], term: int, columns: range, Z: np.ndarray, labels: Sequence[str]
) -> list[AbstractBlock]:
    """Return the group-level terms with correlated columns of one of them replaced by others, ``(rows, columns)``."""
    block = blocks[term]
    first = int(np.searchsorted(np.cumsum(block.blocks), columns.start, side="right"))
    changed = replace(
        block,
        Z=np.ascontiguousarray(np.hstack([block.Z[:, : columns.start], Z, block.Z[:, columns.stop :]])),
        blocks=(*block.blocks[:first], Z.shape[1], *block.blocks[first + 1 :]),
        columns=(*block.labels()[: columns.start], *labels, *block.labels()[columns.stop :]),
    )
    return [*blocks[:term], changed, *blocks[term + 1 :]]
