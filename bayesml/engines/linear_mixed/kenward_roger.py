"""Kenward and Roger's (1997) adjusted covariance matrix and degrees of freedom, without matrices over rows.

Notation of Kenward and Roger, and of Halekoh and Hojsgaard (2014): Sigma is a sum of ``gamma_r G_r`` over the variances
and covariances of all terms and the residual; P, Q, W, Phi as there. All traces go through ``B = Z' Sigma^-1 Z``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesml.engines.linear_mixed.contrasts import (
    AbstractTests,
    FTest,
    basis_rows,
    check_contrast,
    f_p_value,
    standardised_rows,
)
from bayesml.engines.linear_mixed.solution import LinearMixedFit
from bayesml.errors import ModelError
from bayesml.linalg.dense import Component, components

__all__ = ["KenwardRoger", "kenward_roger"]

LARGEST_COMPONENT = 12_000
NEAR_TWO = 1e-2
PROPORTIONAL = 1e-9  # share of A2 that is rounding
SINGULAR = 1e-10  # eigenvalues of the information on the variances, as correlations, below this are zero
LARGEST_RATIO = 1e3  # of a group standard deviation to the residual one


@dataclass(frozen=True)
class KenwardRoger(AbstractTests):
    """What the tests of any contrast need, in the orthogonal basis of the fixed effects.

    The variance parameters are those of the orthonormal columns ``Z T^-1``. Covariance matrices in one basis are linear
    in those in another, so the tests do not depend on it.

    Attributes:
        Phi: ``(p, p)`` before the adjustment.
        sigma: residual standard deviation.
        P: ``(m, p, p)`` derivatives of ``Phi^-1``.
        W: ``(m, m)`` covariance matrix of the variance parameters.
    """

    Phi: np.ndarray
    sigma: float
    P: np.ndarray
    W: np.ndarray

    def df(self, L: np.ndarray) -> np.ndarray:
        """Return the degrees of freedom of each row of ``L`` taken alone."""
        rows = basis_rows(check_contrast(L, len(self.beta)), self.fixed)
        return np.array([self._scale_and_df(row[None])[1] for row in rows])

    def f_test(self, L: np.ndarray) -> FTest:
        """Test all rows of ``L`` ``(rows, p)`` jointly, with the scaled statistic."""
        rows = basis_rows(check_contrast(L, len(self.beta)), self.fixed)
        unit = standardised_rows(rows, self.basis_vcov)
        q = len(unit)
        if not np.isfinite(unit).all():
            return FTest(np.nan, q, np.nan, np.nan, 1.0, np.nan)
        scale, df = self._scale_and_df(unit)
        F = scale * float(np.mean((unit @ (self.fixed.R @ self.beta)) ** 2))
        return FTest(F, q, df, f_p_value(F, q, df), scale, F * self.sigma**2)

    def _scale_and_df(self, rows: np.ndarray) -> tuple[float, float]:
        theta = rows.T @ np.linalg.solve(rows @ self.Phi @ rows.T, rows)
        M = np.einsum("ab,bc,rcd,de->rae", theta, self.Phi, self.P, self.Phi, optimize=True)
        traces = np.einsum("raa->r", M)
        A1 = float(traces @ self.W @ traces)
        A2 = float(np.einsum("rs,rab,sba->", self.W, M, M, optimize=True))
        return _moments(A1, A2, len(rows))


def _moments(A1: float, A2: float, q: int) -> tuple[float, float]:
    """Return lambda and m for which ``lambda F`` is taken for F(q, m): the mean and the variance are matched.

    With s = A2 / q the mean of F is about E = 1 / (1 - s), and its variance V = (2 / q) V0 / (V1^2 V2) with
    V0 = 1 + c1 B, V1 = 1 - c2 B, V2 = 1 - c3 B (Kenward and Roger 1997, section 3). F(q, m) has the mean m / (m - 2),
    its variance is (m + q - 2) / (q (m - 4)) times twice the squared mean; set equal to rho = V / (2 E^2) this gives

        m = 4 + (q + 2) / (q rho - 1),  lambda = m (1 - s) / (m - 2),

    which is written here without division by V1 or V2: one of them is zero where m is 2 or 4.

    Where Phi has the same derivative along all rows but for a factor, always for one row, A1 = q A2. Then g = q - 2,
    c1 B = (q - 2) s / 2, c2 B = s, c3 B = 2 s and q rho - 1 = (q + 2) (s / 2) / (1 - 2 s), so that m = 2 / s and
    lambda = 1: balanced designs get their exact test. In general A1 <= q A2, by Cauchy and Schwarz.

    Near m = 2 numerator and denominator of lambda are both about zero, and it is taken for 1. The expansions are about
    s = 0. Where s is so large that no F distribution matches (m or lambda not positive), the
    mean alone is matched with lambda = 1, m / (m - 2) = E, which is m = 2 / s again.
    """
    if not A2 > 0.0:
        return 1.0, np.inf
    s = A2 / q
    if q == 1 or 1.0 - A1 / (q * A2) < PROPORTIONAL:
        return 1.0, 2.0 / s
    B = (A1 + 6.0 * A2) / (2.0 * q)
    g = ((q + 1) * A1 - (q + 4) * A2) / ((q + 2) * A2)
    c = B / (3 * q + 2 * (1 - g))
    V0, V1, V2 = 1 + g * c, 1 - (q - g) * c, 1 - (q + 2 - g) * c
    above, below = (q + 2) * V1**2 * V2, (1 - s) ** 2 * V0 - V1**2 * V2
    df = 4.0 + above / below if below != 0.0 else np.inf
    if abs(df - 2.0) < NEAR_TWO:
        return (1.0, float(df)) if abs(s - 1.0) < NEAR_TWO else (1.0, 2.0 / s)
    scale = (1.0 - s) / (1.0 - 2.0 / df) if df != 0.0 else 0.0
    return (float(scale), float(df)) if df > 0.0 and scale > 0.0 else (1.0, 2.0 / s)


@dataclass
class _Sums:
    """Sums over components, in the orthogonal basis of the fixed effects; the residual is the last parameter."""

    X1: np.ndarray  # X' Sigma^-1 X and higher powers
    X2: np.ndarray
    X3: np.ndarray
    P: np.ndarray
    Q: np.ndarray
    K: np.ndarray


def kenward_roger(fit: LinearMixedFit) -> KenwardRoger:
    """Return what Kenward and Roger's tests need.

    One factor costs the number of levels, a nested chain the sum of squares of its roots' sizes, crossed factors
    dense matrices of all coefficients.

    Raises:
        ModelError: the fit is not a REML fit, sigma was known, or crossed factors have too many levels.
    """
    if not fit.reml or fit.fixed_sigma is not None:
        raise ModelError("Kenward-Roger degrees of freedom need a REML fit with an estimated residual variance")
    _check_ratio(fit)
    parameters = _parameters(fit)
    sums = _sums(fit, parameters)
    Phi = np.linalg.inv(sums.X1)
    PPhi = sums.P @ Phi
    IE2 = sums.K - 2.0 * np.einsum("ab,rsba->rs", Phi, sums.Q) + np.einsum("rab,sba->rs", PPhi, PPhi)
    W = 2.0 * _inverse(IE2)
    U = np.einsum("rs,rsab->ab", W, sums.Q) - np.einsum("rs,rab,bc,scd->ad", W, sums.P, Phi, sums.P, optimize=True)
    adjusted = Phi + Phi @ (U + U.T) @ Phi
    return KenwardRoger(fit.beta, fit.problem.products.fixed, adjusted, Phi, fit.sigma, sums.P, W)


def _check_ratio(fit: LinearMixedFit) -> None:
    """Refuse where double precision cannot carry the traces."""
    lambdas = fit.problem.layout.matrices(fit.point.x[: fit.problem.layout.size])
    for lam, group in zip(lambdas, fit.problem.groups, strict=True):
        ratio = np.abs(lam).max()
        if ratio > LARGEST_RATIO:
            raise ModelError(
                f"the effects of `{group.name}` vary {ratio:.1g} times as much as the residual: Kenward-Roger degrees "
                'of freedom cannot be computed in double precision; use ddf="Satterthwaite"'
            )


def _inverse(information: np.ndarray) -> np.ndarray:
    """Inverse of an information matrix; of its range only, judged free of units, where it is singular."""
    size = np.sqrt(np.abs(np.diagonal(information)))
    size = np.where(size > 0.0, size, 1.0)
    return np.linalg.pinv(information / np.outer(size, size), rcond=SINGULAR, hermitian=True) / np.outer(size, size)


def _parameters(fit: LinearMixedFit) -> list[tuple[int, int, int]]:
    """The variances and covariances as (factor, row, column); the residual variance is not among them."""
    layout = fit.problem.layout
    return [(int(g), int(r), int(c)) for g, r, c in zip(layout.group, layout.row, layout.column, strict=True)]


def _sums(fit: LinearMixedFit, parameters: list[tuple[int, int, int]]) -> _Sums:
    products, p, m = fit.problem.products, fit.rank, len(parameters) + 1
    variance = fit.sigma**2
    XX = products.matrix.corner[-p - 1 : -1, -p - 1 : -1]
    sums = _Sums(
        XX / variance, XX / variance**2, XX / variance**3, np.zeros((m, p, p)), np.zeros((m, m, p, p)), np.zeros((m, m))
    )
    coefficients, squares = 0, 0.0
    lambdas = fit.problem.layout.matrices(fit.point.x[: fit.problem.layout.size])
    for component in components(products):
        if component.ZZ.shape[1] > LARGEST_COMPONENT:
            raise ModelError(
                f"Kenward-Roger degrees of freedom need dense matrices of all {component.ZZ.shape[1]} crossed group "
                'effects; use ddf="Satterthwaite", which has no such limit'
            )
        coefficients += component.ZZ.shape[0] * component.ZZ.shape[1]
        squares += _add(sums, component, lambdas, parameters, variance, p)
    sums.P[-1] = -sums.X2
    sums.Q[-1, -1] = sums.X3
    sums.K[-1, -1] = (products.n - coefficients + squares) / variance**2
    return sums


def _add(
    sums: _Sums, component: Component, lambdas: tuple[np.ndarray, ...], parameters: list, variance: float, p: int
) -> float:
    """Add one component to the sums; return ``tr K^-2`` of it."""
    ZZ, ZX = component.ZZ, component.ZW[:, :, :p]
    lam = _block_diagonal(component, lambdas)
    K = lam.T @ ZZ @ lam + np.eye(lam.shape[0])
    inverse = np.linalg.inv(K)
    N = lam @ inverse @ lam.T
    T = np.eye(lam.shape[0]) - N @ ZZ
    B = ZZ @ T / variance
    B2 = T.swapaxes(1, 2) @ ZZ @ T / variance**2
    powers, D = [], np.zeros_like(ZX)
    for k in (1, 2, 3):
        D = D - N @ (ZX + ZZ @ D)
        powers.append(((ZX + ZZ @ D) / variance**k, np.einsum("bsp,bsq->pq", ZX, D) / variance**k))
    sums.X1, sums.X2, sums.X3 = (X + power[1] for X, power in zip((sums.X1, sums.X2, sums.X3), powers, strict=True))
    places = component.positions
    moved = [_apply_unit(places[g][a], places[g][b], powers[0][0]) for g, a, b in parameters]
    images = [B @ W for W in moved]
    for r, (g, a, b) in enumerate(parameters):
        sums.P[r] -= _contract(powers[0][0], moved[r])
        cross = _contract(powers[1][0], moved[r])
        sums.Q[-1, r] += cross
        sums.Q[r, -1] += cross.T
        trace = (1.0 if a == b else 2.0) * float(B2[:, places[g][a], places[g][b]].sum())
        sums.K[r, -1] += trace
        sums.K[-1, r] += trace
        for s, (h, c, d) in enumerate(parameters):
            sums.Q[r, s] += _contract(moved[r], images[s])
            if s <= r:
                value = _trace(B, places[g], (a, b), places[h], (c, d))
                sums.K[r, s] += value
                sums.K[s, r] += value if s != r else 0.0
    return float(np.einsum("bst,bst->", inverse, inverse))


def _contract(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.tensordot(left, right, axes=([0, 1], [0, 1]))


def _block_diagonal(component: Component, lambdas: tuple[np.ndarray, ...]) -> np.ndarray:
    size = component.ZZ.shape[1]
    out = np.zeros((size, size))
    for places, lam in zip(component.positions, lambdas, strict=True):
        out[places[:, None, :], places[None, :, :]] = lam[:, :, None]
    return out


def _apply_unit(rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``E values`` for the symmetric unit matrix E of one (co)variance."""
    out = np.zeros_like(values)
    out[:, rows] += values[:, columns]
    if rows is not columns and not np.array_equal(rows, columns):
        out[:, columns] += values[:, rows]
    return out


def _trace(B: np.ndarray, first: np.ndarray, ab: tuple[int, int], second: np.ndarray, cd: tuple[int, int]) -> float:
    """``tr(E_r B E_s B)``."""
    orders_r = {ab, ab[::-1]}
    orders_s = {cd, cd[::-1]}
    total = 0.0
    for a, b in orders_r:
        for c, d in orders_s:
            left = B[:, first[b][:, None], second[c][None, :]]
            total += float(np.einsum("bij,bij->", left, B[:, first[a][:, None], second[d][None, :]]))
    return total
