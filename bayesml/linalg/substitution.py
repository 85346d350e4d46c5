"""Back-substitution: conditional modes of the group effects and what the fixed effects see through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.linalg.cholesky import Factorisation, scale_tail
from bayesml.linalg.coupling import SparseCoupling
from bayesml.linalg.levels import apply, crossed, spread

__all__ = ["Substitution", "substitute"]

lapack = lazy_module("scipy.linalg.lapack")


@dataclass(frozen=True)
class Substitution:
    """The effects regressed on each column of ``[Q y]``, factor by factor, levels last and in stored order.

    Attributes:
        effects: ``Lambda K^-1 Lambda'Z'W [Q y]``, one ``(q, p + 1, J)`` per factor.
        projected: ``Z'V^-1 [Q y]``, one ``(q, p + 1, J)`` per factor; V is relative to the residual variance.
    """

    effects: tuple[np.ndarray, ...]
    projected: tuple[np.ndarray, ...]


def substitute(fact: Factorisation) -> Substitution:
    """Solve for the group effects from the last eliminated factor to the first."""
    products, ends = fact.products, fact.products.p + 1
    effects: list[np.ndarray] = [np.empty(0)] * len(products.bases)
    projected: list[np.ndarray] = [np.empty(0)] * len(products.bases)
    tail = _tail_effects(fact, effects, projected)
    by_lead: list[np.ndarray] = [np.empty(0)] * len(products.leads)
    for place in reversed(range(len(products.leads))):
        lead, lam = products.leads[place], fact.lambdas[products.leads[place].group]
        face = fact.faces[place]
        rest = face[:, -ends:].copy()
        column = lead.q
        for later, ancestors in enumerate(lead.ancestors, start=place + 1):
            width = products.leads[later].q
            rest -= apply(face[:, column : column + width], spread(by_lead[later], ancestors))
            column += width
        if len(tail):
            rest -= _through_tail(face[:, column:-ends], products.coupling if place == 0 else None, tail)
        root = apply(fact.inverses[place], lam.T[:, :, None])
        by_lead[place] = effects[lead.group] = crossed(root, apply(root, rest))
        projected[lead.group] = rest - apply(face[:, : lead.q], by_lead[place])
    return Substitution(tuple(effects), tuple(projected))


def _through_tail(border: np.ndarray, sparse: SparseCoupling | None, tail: np.ndarray) -> np.ndarray:
    if sparse is not None:
        return sparse.right(tail)
    return np.stack([(part.T @ tail).T for part in border])


def _tail_effects(fact: Factorisation, effects: list[np.ndarray], projected: list[np.ndarray]) -> np.ndarray:
    products, m = fact.products, fact.products.tail_size
    if not m:
        return np.zeros((0, products.p + 1))
    solved, _ = lapack.dtrtrs(fact.tail_cholesky, fact.tail_half, lower=1, trans=1)
    tail = scale_tail(products.tail, fact.lambdas, solved, transpose=False)
    rest = fact.corner[:m, m:] - fact.corner[:m, :m] @ tail
    for part in products.tail:
        shape = (len(part.levels), part.q, products.p + 1)
        effects[part.group] = tail[part.rows].reshape(shape).transpose(1, 2, 0)
        projected[part.group] = rest[part.rows].reshape(shape).transpose(1, 2, 0)
    return tail
