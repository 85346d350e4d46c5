"""The entries of the inverse that a gradient needs: the factorisation run backwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesml.lazy import lazy_module
from bayesml.linalg.cholesky import Factorisation, scale_tail
from bayesml.linalg.coupling import SparseCoupling
from bayesml.linalg.crossproducts import CrossProducts
from bayesml.linalg.levels import apply, contract, crossed, spread, transposed

__all__ = ["Adjoint", "adjoint", "variance_scores"]

lapack = lazy_module("scipy.linalg.lapack")


@dataclass(frozen=True)
class Adjoint:
    """Derivatives of ``f = log |K| + g([X y]'V^-1[X y])``, given ``S = dg``.

    With S = 0 the faces are the blocks of ``Lambda K^-1 Lambda'``: conditional variances of the group effects in
    units of the residual variance. With ``S = diag(M_XX^-1, 0)`` they include the uncertainty of the fixed effects.

    Attributes:
        slopes: for each factor the ``(q, q)`` derivative with respect to Lambda (all entries, also those fixed at 0).
        faces: for each lead, ``(q, width, J)`` derivatives with respect to its faces, in the same columns; for the
            first lead empty unless asked for.
        corner: ``(m + p + 1, m + p + 1)`` derivatives with respect to the corner.
        scores: for each lead the ``(q, q)`` derivative with respect to ``Lambda Lambda'``; empty for a tail factor and
            unless asked for.
    """

    slopes: tuple[np.ndarray, ...]
    faces: tuple[np.ndarray, ...]
    corner: np.ndarray
    scores: tuple[np.ndarray, ...]


def adjoint(fact: Factorisation, S: np.ndarray, want_faces: bool = False, want_scores: bool = False) -> Adjoint:
    """Run the elimination backwards.

    For a block with reduced own block A, reduced other columns R, and adjoint T of those columns,
    ``Q = K^-1 + K^-1 Lambda' R T R' Lambda K^-1`` and the derivative with respect to Lambda is
    ``2 (A Lambda Q - R T R' Lambda K^-1)``, the derivatives with respect to the faces ``[Lambda Q Lambda',
    -Lambda K^-1 Lambda' R T]``. Only entries on the pattern of the cross-products are formed.

    Args:
        fact: a factorisation.
        S: ``(p + 1, p + 1)`` symmetric.
        want_faces: also form the faces of the first lead.
        want_scores: also form the derivatives with respect to the covariance matrices of the leads.
    """
    products = fact.products
    slopes: list[np.ndarray] = [np.empty(0)] * len(products.bases)
    scores: list[np.ndarray] = [np.empty(0)] * len(products.bases)
    corner = _tail_adjoint(fact, S, slopes)
    faces: list[np.ndarray] = [np.empty(0)] * len(products.leads)
    for place in reversed(range(len(products.leads))):
        _lead_adjoint(fact, place, corner, faces, slopes, scores, want_faces or place > 0, want_scores)
    return Adjoint(tuple(slopes), tuple(faces), corner, tuple(scores))


def _tail_adjoint(fact: Factorisation, S: np.ndarray, slopes: list[np.ndarray]) -> np.ndarray:
    products, m = fact.products, fact.products.tail_size
    if not m:
        return S
    inverse, _ = lapack.dpotri(fact.tail_cholesky, lower=1)
    inverse += inverse.T
    inverse[np.arange(m), np.arange(m)] *= 0.5
    solved, _ = lapack.dtrtrs(fact.tail_cholesky, fact.tail_half, lower=1, trans=1)
    weighted = solved @ S
    Q = inverse.T
    Q += weighted @ solved.T
    scaled = np.ascontiguousarray(scale_tail(products.tail, fact.lambdas, Q, transpose=False).T)
    for part in products.tail:
        slopes[part.group] = 2.0 * _tail_slope(fact, part.rows, part.q, scaled, weighted)
    out = np.empty_like(fact.corner)
    out[:m, :m] = scale_tail(products.tail, fact.lambdas, scaled, transpose=False)
    out[:m, m:] = -scale_tail(products.tail, fact.lambdas, weighted, transpose=False)
    out[m:, :m] = out[:m, m:].T
    out[m:, m:] = S
    return out


def _tail_slope(fact: Factorisation, rows: slice, q: int, scaled: np.ndarray, weighted: np.ndarray) -> np.ndarray:
    """Sum over levels of the diagonal blocks of ``A Lambda Q - E (U S)'``; ``scaled`` is ``Q Lambda'``, Q symmetric."""
    m = len(scaled)
    own, ends, other, back = fact.corner[rows, :m], fact.corner[rows, m:], scaled[rows], weighted[rows]
    slope = np.empty((q, q))
    for a in range(q):
        for b in range(q):
            explained = np.einsum("im,im->", own[a::q], other[b::q])
            slope[a, b] = explained - np.einsum("im,im->", ends[a::q], back[b::q])
    return slope


def _lead_adjoint(
    fact: Factorisation,
    place: int,
    corner: np.ndarray,
    faces: list[np.ndarray],
    slopes: list[np.ndarray],
    scores: list[np.ndarray],
    want_faces: bool,
    want_scores: bool,
) -> None:
    lead = fact.products.leads[place]
    q, lam, inverse = lead.q, fact.lambdas[lead.group], fact.inverses[place]
    own, others = fact.faces[place][:, :q], fact.faces[place][:, q:]
    sparse = fact.products.coupling if place == 0 else None
    image = _image(fact, place, corner, faces)
    if sparse is None:
        middle = contract(image, others)
    else:
        from_tail = _image_of_tail(fact, sparse, corner, faces)
        cross = contract(from_tail, others)
        image += from_tail
        m = fact.products.tail_size
        middle = contract(image, others) + transposed(cross) + sparse.inner(corner[:m, :m])
    variance = crossed(inverse, inverse)
    half = apply(lam, variance)
    Q = variance + crossed(half, apply(middle, half))
    slopes[lead.group] = 2.0 * (_total(own, apply(lam, Q)) - _total(middle, half))
    if want_scores:
        scores[lead.group] = _score(own, middle, apply(half, lam.T[:, :, None]))
    if want_faces:
        explained = apply(lam, transposed(apply(lam, Q)))
        faces[place] = np.concatenate([explained, -apply(apply(half, lam.T[:, :, None]), image)], axis=1)


def _score(own: np.ndarray, middle: np.ndarray, explained: np.ndarray) -> np.ndarray:
    """``sum_j A T - T' R S R' T`` with ``T = I - N A``: the derivative with respect to ``Lambda Lambda'``."""
    rest = -apply(explained, own)
    rest[np.arange(len(own)), np.arange(len(own))] += 1.0
    return _total(own, rest) - crossed(rest, apply(middle, rest)).sum(axis=2)


def _total(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``sum_j left_j right_j``."""
    if len(left) == 1:
        return np.array([[left[0, 0] @ right[0, 0]]])
    return np.tensordot(left, right, axes=([1, 2], [0, 2]))


def _image(fact: Factorisation, place: int, corner: np.ndarray, faces: Sequence[np.ndarray]) -> np.ndarray:
    """``R T`` for every level, ``(q, c, J)``: a lead's other columns times their own adjoint, sparse tail aside."""
    products, lead = fact.products, fact.products.leads[place]
    others = fact.faces[place][:, lead.q :]
    drop_tail = place == 0 and products.coupling is not None
    ends = others.shape[1] - sum(products.leads[i].q for i in range(place + 1, len(products.leads)))
    border = np.stack([corner[-ends:, -ends:] @ other[-ends:] for other in others])
    if not lead.ancestors:
        return border
    image = np.concatenate([np.zeros((lead.q, others.shape[1] - ends, others.shape[2])), border], axis=1)
    column = 0
    for later, ancestors in enumerate(lead.ancestors, start=place + 1):
        width = products.leads[later].q
        face = faces[later]
        above = spread(_without_tail(face, products) if drop_tail else face, ancestors)
        image[:, column:] += apply(others[:, column : column + width], above)
        image[:, column : column + width] += contract(others[:, column + width :], above[:, width:])
        column += width
    return image


def _image_of_tail(
    fact: Factorisation, sparse: SparseCoupling, corner: np.ndarray, faces: Sequence[np.ndarray]
) -> np.ndarray:
    """What the sparse tail columns add to ``R T``, in the dense columns of the first lead."""
    products, m = fact.products, fact.products.tail_size
    parts = []
    for later, ancestors in enumerate(products.leads[0].ancestors, start=1):
        end = faces[later].shape[1] - products.p - 1
        parts.append(sparse.from_parents(faces[later][:, end - m : end], ancestors))
    return np.concatenate([*parts, sparse.right(corner[:m, m:])], axis=1)


def _without_tail(face: np.ndarray, products: CrossProducts) -> np.ndarray:
    end = face.shape[1] - products.p - 1
    return np.concatenate([face[:, : end - products.tail_size], face[:, end:]], axis=1)


def variance_scores(fact: Factorisation, S: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return for each factor the ``(q, q)`` derivative of f with respect to ``Lambda Lambda'``, valid at zero too."""
    result = list(adjoint(fact, S, want_scores=True).scores)
    for part in fact.products.tail:
        result[part.group] = _tail_score(fact, S, part.rows, part.q)
    return tuple(result)


def _tail_score(fact: Factorisation, S: np.ndarray, rows: slice, q: int) -> np.ndarray:
    m = fact.products.tail_size
    scaled = scale_tail(fact.products.tail, fact.lambdas, fact.corner[:m, rows], transpose=True)
    half, _ = lapack.dtrtrs(fact.tail_cholesky, scaled, lower=1)
    rest = fact.corner[rows, m:] - half.T @ fact.tail_half
    own = fact.corner[rows, rows]
    score = np.empty((q, q))
    for a in range(q):
        for b in range(q):
            explained = np.einsum("mi,mi->", half[:, a::q], half[:, b::q])
            score[a, b] = np.trace(own[a::q, b::q]) - explained - np.vdot(rest[a::q] @ S, rest[b::q])
    return score


def sparse_faces(fact: Factorisation, blocks: Adjoint) -> np.ndarray:
    """Return the columns of the first lead's faces for the sparse tail, ``(q, m, J)``, which `adjoint` leaves out.

    This is dense: levels of the largest factor times the size of the tail.
    """
    products, m = fact.products, fact.products.tail_size
    sparse, lead, lam = products.coupling, products.leads[0], fact.lambdas[products.leads[0].group]
    assert sparse is not None
    image = sparse.right(blocks.corner[:m, :m])
    face = fact.faces[0]
    image += np.stack([blocks.corner[:m, m:] @ row[-(products.p + 1) :] for row in face])
    column = lead.q
    for later, ancestors in enumerate(lead.ancestors, start=1):
        width = products.leads[later].q
        end = blocks.faces[later].shape[1] - products.p - 1
        above = spread(blocks.faces[later][:, end - m : end], ancestors)
        image += apply(face[:, column : column + width], above)
        column += width
    root = apply(fact.inverses[0], lam.T[:, :, None])
    return -crossed(root, apply(root, image))
