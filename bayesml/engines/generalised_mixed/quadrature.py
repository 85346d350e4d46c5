"""Adaptive Gauss-Hermite quadrature for one grouping factor, with its exact gradient."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import final

import numpy as np

from bayesml.engines.generalised_mixed.blocks import Columns, split
from bayesml.engines.generalised_mixed.criterion import Direct, Value, Weighting, assemble
from bayesml.engines.generalised_mixed.mode import Mode
from bayesml.engines.generalised_mixed.problem import Problem
from bayesml.engines.generalised_mixed.response import RowDerivatives
from bayesml.linalg.levels import apply, contract, crossed

__all__ = ["adaptive_quadrature", "grid"]

BATCH = 4_000_000  # rows times nodes evaluated at once


@lru_cache(maxsize=64)
def grid(points: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes ``(q, N)`` and log weights ``(N,)`` of the product rule for ``int g(z) dz / (2 pi)^(q/2)``."""
    z, w = np.polynomial.hermite_e.hermegauss(points)
    z = 0.5 * (z - z[::-1])
    log_w = np.log(w / w.sum()) + 0.5 * z**2
    nodes = np.array(list(product(z, repeat=q))).T
    return nodes, np.array([sum(part) for part in product(log_w, repeat=q)])


@final
@dataclass(frozen=True)
class _Sums:
    """Sums over the nodes, each node with its weight ``w_k f_k / f_0`` in each level.

    Attributes:
        total: ``(J,)`` of one.
        u: ``(q, J)`` of the gradient in u.
        spread: ``(q, q, J)`` of the gradient in u times the node.
        eta: ``(n,)`` of the derivative in eta.
        lambdas: ``(q, q, J)`` of the level's ``Z's`` times u.
        psi: ``(m, J)`` of the derivatives in psi.
    """

    total: np.ndarray
    u: np.ndarray
    spread: np.ndarray
    eta: np.ndarray
    lambdas: np.ndarray
    psi: np.ndarray


def adaptive_quadrature(problem: Problem, mode: Mode, points: int) -> Value:
    """Return minus twice the log likelihood, each level's integral by a rule centred and scaled at its mode.

    ``-2 log L = sum_j -2 h_j(u_j) + log |K_j| - 2 log sum_k w_k exp(|z_k|^2/2 + h_j(u_j + B_j z_k) - h_j(u_j))`` with
    ``h = sum log f - |u|^2/2``, ``B B' = K^-1`` (Liu and Pierce 1994; Pinheiro and Bates 1995, product rule). One
    point is the Laplace approximation. The gradient follows the nodes as they move with the parameters.
    """
    factor = mode.factor
    assert factor is not None and len(problem.columns) == 1
    part, root = problem.columns[0], factor.elimination.pivots[0].root
    sums = _over_nodes(problem, mode, points)
    value = mode.objective + factor.log_determinant - 2.0 * float(np.log(sums.total).sum())
    spread_bar = sums.spread / sums.total
    in_k = crossed(root, root) - 2.0 * _inverse_root_adjoint(root, spread_bar)
    solutions = (np.einsum("abn,bn->an", in_k[:, :, part.codes], mode.rows[0]),)
    weighting = Weighting(mode.density.information, mode.density.information_slopes, solutions)
    direct = Direct(
        -2.0 * sums.eta / sums.total[part.codes],
        (-2.0 * (sums.lambdas / sums.total).sum(axis=2),),
        -2.0 * (sums.psi / sums.total).sum(axis=1),
        -2.0 * (sums.u / sums.total).ravel(),
    )
    return Value(value, assemble(problem, mode, weighting, direct))


def _inverse_root_adjoint(root: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Carry the adjoint of ``B = C'``, ``C'C = K^-1``, back to K.

    ``dB = -B Phi(B'dK B)'``, Phi the lower triangle with half the diagonal, hence ``B sym(Phi(-spread'B)) B'``.
    """
    B = root.swapaxes(0, 1)
    inner = -crossed(spread, B)
    q = len(B)
    lower = inner * (np.tril(np.ones((q, q))) - 0.5 * np.eye(q))[:, :, None]
    symmetric = 0.5 * (lower + lower.swapaxes(0, 1))
    return apply(B, contract(symmetric, B))


def _over_nodes(problem: Problem, mode: Mode, points: int) -> _Sums:
    nodes, log_weights = grid(points, len(problem.columns[0].Z))
    batch = max(1, BATCH // max(problem.n, 1))
    total: _Sums | None = None
    for start in range(0, len(log_weights), batch):
        chosen = slice(start, start + batch)
        part = _batch(problem, mode, nodes[:, chosen], log_weights[chosen])
        total = part if total is None else _added(total, part)
    assert total is not None
    return total


def _added(one: _Sums, other: _Sums) -> _Sums:
    names = ("total", "u", "spread", "eta", "lambdas", "psi")
    return _Sums(*(getattr(one, name) + getattr(other, name) for name in names))


def _batch(problem: Problem, mode: Mode, nodes: np.ndarray, log_weights: np.ndarray) -> _Sums:
    """Evaluate some nodes; arrays are ``(q, N, J)`` and ``(N, n)``."""
    part, factor = problem.columns[0], mode.factor
    assert factor is not None
    (centre,) = split(problem.columns, mode.u)
    shift = np.einsum("baj,bk->akj", factor.elimination.pivots[0].root, nodes)
    u = centre[:, None] + shift
    eta = mode.eta + np.einsum("qn,qkn->kn", mode.rows[0], shift[:, :, part.codes])
    density = problem.response.derivatives(eta, mode.parameters.psi).weighted(problem.weights)
    assert isinstance(density, RowDerivatives)
    rise = _level_sums(part, density.value - mode.density.value)
    rise -= 0.5 * (np.einsum("qkj,qkj->kj", u, u) - np.einsum("qj,qj->j", centre, centre))
    weight = np.exp(rise + log_weights[:, None])
    d1 = np.where(np.isfinite(density.d1), density.d1, 0.0)  # where the density has underflowed, so has the weight
    scores = np.stack([_level_sums(part, d1 * z) for z in part.Z])
    slope = np.einsum("rq,rkj->qkj", mode.lambdas[0], scores) - u
    psi = [np.einsum("kj,kj->j", weight, _level_sums(part, a.value)) for a in density.auxiliary]
    return _Sums(
        weight.sum(axis=0),
        np.einsum("kj,qkj->qj", weight, slope),
        np.einsum("kj,qkj,rk->qrj", weight, slope, nodes, optimize=True),
        np.einsum("kn,kn->n", weight[:, part.codes], d1),
        np.einsum("kj,qkj,rkj->qrj", weight, scores, u, optimize=True),
        np.array(psi).reshape(len(density.auxiliary), part.n_levels),
    )


def _level_sums(part: Columns, values: np.ndarray) -> np.ndarray:
    """Sum ``(N, n)`` over the rows of each level, ``(N, J)``."""
    nodes, size = len(values), part.n_levels
    index = (np.arange(nodes)[:, None] * size + part.codes).ravel()
    return np.bincount(index, values.ravel(), nodes * size).reshape(nodes, size)
