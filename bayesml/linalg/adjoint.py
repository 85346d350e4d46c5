"""Derivatives of a function of the factorised mixed-model equations: the factorisation run backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.linalg.cholesky import Factorisation, scale_tail
from bayesml.linalg.levels import apply, crossed
from bayesml.linalg.selected_inverse import Reversal, SelectedInverse, inverse_blocks, reverse

__all__ = ["Adjoint", "adjoint", "mixed_model_inverse", "variance_scores"]

lapack = lazy_module("scipy.linalg.lapack")


@final
@dataclass(frozen=True)
class Adjoint:
    """Derivatives of ``f = log |K| + g([X y]'V^-1[X y])``, given ``S = dg``.

    Attributes:
        slopes: for each factor the ``(q, q)`` derivative with respect to Lambda (all entries, also those fixed at 0).
        scores: for each factor the ``(q, q)`` derivative with respect to ``Lambda Lambda'``; empty for one of the tail
            and unless asked for.
    """

    slopes: tuple[np.ndarray, ...]
    scores: tuple[np.ndarray, ...]


def adjoint(fact: Factorisation, S: np.ndarray, want_scores: bool = False) -> Adjoint:
    """Run the elimination backwards.

    For a block with reduced own block A, reduced other columns R, adjoint T of those columns and ``M = R T R'``, the
    derivative with respect to Lambda is ``2 (A Lambda Q - M Lambda K^-1)`` with ``Q = K^-1 + K^-1 Lambda'M Lambda
    K^-1``.

    Args:
        fact: a factorisation.
        S: ``(p + 1, p + 1)`` symmetric.
        want_scores: also form the derivatives with respect to the covariance matrices of the chain.
    """
    found = fact.elimination
    slopes: list[np.ndarray] = [np.empty(0)] * len(fact.lambdas)
    scores: list[np.ndarray] = [np.empty(0)] * len(fact.lambdas)
    corner = _corner(fact, S, slopes)
    for step in reverse(found, corner, [np.empty(0)] * len(found.faces), whole=False):
        stage, pivot = found.matrix.arrow.stages[step.place], found.pivots[step.place]
        own = found.faces[step.place][:, : stage.q]
        half, explained = crossed(pivot.root, pivot.inverse), pivot.explained
        pulled = apply(step.middle, half)
        slopes[stage.block] = 2.0 * (_total(own, half + apply(explained, pulled)) - pulled.sum(axis=2))
        if want_scores:
            scores[stage.block] = _score(own, step, explained)
    return Adjoint(tuple(slopes), tuple(scores))


def mixed_model_inverse(fact: Factorisation, S: np.ndarray) -> SelectedInverse:
    """Return derivatives of f with respect to the cross-products.

    With S = 0 they are the entries of ``Lambda K^-1 Lambda'``: conditional variances of the group effects in units of
    the residual variance. With ``S = diag(M_XX^-1, 0)`` they include the uncertainty of the fixed effects.
    """
    return inverse_blocks(fact.elimination, _corner(fact, S, None))


def _corner(fact: Factorisation, S: np.ndarray, slopes: list[np.ndarray] | None) -> np.ndarray:
    """Return the derivative with respect to the corner; fills in the slopes of the tail."""
    arrow, lambdas = fact.products.matrix.arrow, fact.lambdas
    m = arrow.width
    if not m:
        return S
    inverse, _ = lapack.dpotri(fact.tail_cholesky, lower=1)
    inverse += inverse.T
    inverse[np.arange(m), np.arange(m)] *= 0.5
    solved, _ = lapack.dtrtrs(fact.tail_cholesky, fact.tail_half, lower=1, trans=1)
    weighted = solved @ S
    Q = inverse.T
    Q += weighted @ solved.T
    scaled = np.ascontiguousarray(scale_tail(arrow, lambdas, Q, transpose=False).T)
    if slopes is not None:
        corner = fact.elimination.corner
        for part in arrow.tail:
            # sum over levels of the diagonal blocks of A Lambda Q - E (U S)'; `scaled` is Q Lambda', Q symmetric
            own, ends, q = corner[part.rows, :m], corner[part.rows, m:], len(lambdas[part.block])
            slopes[part.block] = 2.0 * (_traces(own, scaled[part.rows], q) - _traces(ends, weighted[part.rows], q))
    out = np.empty_like(fact.elimination.corner)
    out[:m, :m] = scale_tail(arrow, lambdas, scaled, transpose=False)
    out[:m, m:] = -scale_tail(arrow, lambdas, weighted, transpose=False)
    out[m:, :m] = out[:m, m:].T
    out[m:, m:] = S
    return out


def _traces(left: np.ndarray, right: np.ndarray, q: int) -> np.ndarray:
    """Return ``(q, q)`` sums over levels and columns of the products of rows, which go coefficient by coefficient."""
    return left.reshape(q, -1) @ right.reshape(q, -1).T


def _score(own: np.ndarray, step: Reversal, explained: np.ndarray) -> np.ndarray:
    """``sum_j A T - T' M T`` with ``T = I - N A``: the derivative with respect to ``Lambda Lambda'``."""
    rest = -apply(explained, own)
    rest[np.arange(len(own)), np.arange(len(own))] += 1.0
    return _total(own, rest) - crossed(rest, apply(step.middle, rest)).sum(axis=2)


def _total(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``sum_j left_j right_j``."""
    if len(left) == 1:
        return np.array([[left[0, 0] @ right[0, 0]]])
    return np.tensordot(left, right, axes=([1, 2], [0, 2]))


def variance_scores(fact: Factorisation, S: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return for each factor the ``(q, q)`` derivative of f with respect to ``Lambda Lambda'``, valid at zero too."""
    result = list(adjoint(fact, S, want_scores=True).scores)
    arrow, corner = fact.products.matrix.arrow, fact.elimination.corner
    m = arrow.width
    for part in arrow.tail:
        q = len(fact.lambdas[part.block])
        scaled = scale_tail(arrow, fact.lambdas, corner[:m, part.rows], transpose=True)
        half, _ = lapack.dtrtrs(fact.tail_cholesky, scaled, lower=1)
        rest = corner[part.rows, m:] - half.T @ fact.tail_half
        size = part.q * part.levels // q
        own = np.einsum("ajbj->ab", corner[part.rows, part.rows].reshape(q, size, q, size))
        result[part.block] = own - _traces(half.T, half.T, q) - _traces(rest @ S, rest, q)
    return tuple(result)
