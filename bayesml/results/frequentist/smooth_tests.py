"""Approximate significance of smooths: whether a curve is 0, as mgcv's ``summary.gam`` tests it.

With f the values of a curve at the rows of the fit and V their covariance matrix given the smoothing parameters, the
statistic is ``f' V^- f``, where V^- is a pseudo-inverse whose rank is the number of degrees of freedom of the curve,
``2 tr(F) - tr(F F)``, which need not be whole (F maps the coefficients without a penalty to those with one). A curve
whose columns all have a penalty is compared with its distribution around 0 without them.

Source: Wood (2013), On p-values for smooth components of an extended generalized additive model, Biometrika 100,
221-228; Wood (2013), A simple test for random effects in regression models, Biometrika 100, 1005-1010.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.lazy import lazy_module

if TYPE_CHECKING:
    from bayesml.engines.point.estimate import AbstractEstimate, SmoothEstimate

__all__ = ["SmoothTest", "smooth_tests", "weighted_chi_squares"]

integrate, stats = map(lazy_module, ("scipy.integrate", "scipy.stats"))

MOST_COEFFICIENTS = 1000
"""Most effects whose covariance matrix is formed."""
SMALL = 1e-6
"""Below this a probability is that of an F distribution: numerical integration has errors of some 1e-9."""


@final
@dataclass(frozen=True)
class SmoothTest:
    """One curve.

    Attributes:
        name: its label.
        edf: effective degrees of freedom, ``tr(F)``.
        reference: rank of the pseudo-inverse; NaN where nothing was tested.
        statistic: over its rank where the residual variance is estimated, an F statistic, else chi-squared.
        p: the probability of a larger one.
    """

    name: str
    edf: float
    reference: float
    statistic: float
    p: float


def smooth_tests(estimate: AbstractEstimate, scale_estimated: bool) -> tuple[SmoothTest, ...]:
    """Test each curve of a model with one linear predictor.

    Args:
        estimate: the estimate.
        scale_estimated: whether there is a residual variance that is estimated.
    """
    first, joint = len(estimate.arrays.terms), estimate.joint
    numbered = list(enumerate(estimate.smooths, start=first))
    curves = [list(pairs) for _, pairs in groupby(numbered, key=lambda pair: pair[1].effects.name)]
    size = sum(place.stop - place.start for place in joint.slices)
    if size > MOST_COEFFICIENTS:
        return tuple(_untested([smooth for _, smooth in curve]) for curve in curves)
    model = _Model.of(estimate)
    freedom = len(estimate.arrays.X) - model.edf if scale_estimated else 0.0
    return tuple(model.test(curve, freedom) for curve in curves)


def _untested(curve: list[SmoothEstimate]) -> SmoothTest:
    degrees = sum(smooth.degrees for smooth in curve)
    return SmoothTest(curve[0].effects.name, degrees, float("nan"), float("nan"), float("nan"))


@final
@dataclass(frozen=True)
class _Model:
    """All coefficients of a model given its variance parameters.

    Attributes:
        estimate: the estimate.
        inner: covariance matrix of the effects in units of their standard deviations.
        smoother: F of these, ``I - inner``.
        edf: effective degrees of freedom of the whole model.
    """

    estimate: AbstractEstimate
    inner: np.ndarray
    smoother: np.ndarray
    edf: float

    @classmethod
    def of(cls, estimate: AbstractEstimate) -> _Model:
        joint = estimate.joint
        size = sum(place.stop - place.start for place in joint.slices)
        V, T = joint.conditional_vcov, joint.shift
        inner = joint.solve(np.eye(size)) + T @ V @ T.T
        smoother = np.eye(size) - inner
        return cls(estimate, inner, smoother, len(joint.kept) + float(np.trace(smoother)))

    def test(self, curve: list[tuple[int, SmoothEstimate]], freedom: float) -> SmoothTest:
        """Test one curve, which may have several blocks of coefficients.

        Args:
            curve: number and estimate of each of its blocks.
            freedom: residual degrees of freedom; 0 where the residual variance is known.
        """
        arrays, joint = self.estimate.arrays, self.estimate.joint
        texts = [text for _, smooth in curve for text in smooth.effects.unpenalised]
        free = np.array([i for i, j in enumerate(joint.kept) if arrays.texts[j] in texts], dtype=np.intp)
        own = np.concatenate([np.arange(joint.slices[n].start, joint.slices[n].stop) for n, _ in curve])
        sds = np.concatenate([np.full(joint.slices[n].stop - joint.slices[n].start, smooth.sd) for n, smooth in curve])
        F = self.smoother
        edf = len(free) + float(F[own, own].sum())
        reference = len(free) + float(2.0 * F[own, own].sum() - np.sum(F[own] * F[:, own].T))
        columns = np.concatenate([arrays.X[:, joint.kept[free]], *(arrays.blocks[n].Z for n, _ in curve)], axis=1)
        effects = np.concatenate([np.ravel(self.estimate.effects[n]) for n, _ in curve])
        beta = np.concatenate([self.estimate.beta[free], effects])
        T, V = joint.shift[own], joint.conditional_vcov
        across = -sds[:, None] * (T @ V)[:, free]
        covariance = np.block(
            [[V[np.ix_(free, free)], across.T], [across, np.outer(sds, sds) * self.inner[np.ix_(own, own)]]]
        )
        weighted = columns * np.sqrt(np.maximum(joint.information, 0.0))[:, None]
        name = curve[0][1].effects.name
        if not sds.any() and not len(free):
            return SmoothTest(name, edf, 0.0, 0.0, 1.0)
        if len(free):
            R = np.asarray(np.linalg.qr(weighted, mode="r"))
            statistic, rank, p = _wald(R @ beta, R @ covariance @ R.T, min(reference, len(beta)), freedom)
        else:
            statistic, rank, p = self._of_effects(weighted, beta, own, sds, freedom)
            reference = rank
        return SmoothTest(name, edf, reference, statistic / rank if freedom else statistic, p)

    def _of_effects(
        self, weighted: np.ndarray, beta: np.ndarray, own: np.ndarray, sds: np.ndarray, freedom: float
    ) -> tuple[float, float, float]:
        """Test effects that all have a penalty by how far they lie from 0 beside the columns without one.

        Their estimates are ``F M' W y`` with the covariance matrix ``F C`` where there are no effects.
        """
        joint = self.estimate.joint
        X = self.estimate.arrays.X[:, joint.kept] * np.sqrt(np.maximum(joint.information, 0.0))[:, None]
        beside = weighted - X @ np.linalg.lstsq(X, weighted, rcond=None)[0] if X.shape[1] else weighted
        R = np.asarray(np.linalg.qr(beside, mode="r"))
        frequentist = (self.smoother[own] @ self.inner[:, own]) * np.outer(sds, sds)
        statistic = float(np.sum((R @ beta) ** 2))
        spread = R @ ((frequentist + frequentist.T) / 2.0) @ R.T
        weights = np.maximum(np.linalg.eigvalsh(spread), 0.0)
        weights = weights[weights > weights.max(initial=0.0) * 1e-12]
        if not weights.size:
            return statistic, 1.0, 1.0
        return statistic, float(len(weights)), _beyond(statistic, weights, freedom)


def _wald(values: np.ndarray, covariance: np.ndarray, rank: float, freedom: float) -> tuple[float, float, float]:
    """Return the statistic with a pseudo-inverse of fractional rank, the rank, and the probability of a larger one.

    With ``rank = k + nu`` the eigenvectors before the k-th are weighted by their inverse eigenvalues, and the k-th and
    the next by ``L [[1, r], [r, nu]] L``, L their inverse roots and ``r = (nu (1 - nu) / 2)^(1/2)``. Eigenvectors have
    no sign, so that the mean of both signs of r is taken for the probability.
    """
    eigenvalues, vectors = np.linalg.eigh((covariance + covariance.T) / 2.0)
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    k, nu = int(rank), rank - int(rank)
    if k + 1 > len(eigenvalues) or nu < 1e-8 or k == 0:
        k, nu = max(round(rank), 1), 0.0
    units = (vectors.T @ values)[: k + 1] / np.sqrt(np.maximum(eigenvalues[: k + 1], 1e-300))
    if not nu:
        statistic = float(np.sum(units[:k] ** 2))
        return statistic, float(k), _f_tail(statistic, k, freedom)
    before = float(np.sum(units[: k - 1] ** 2))
    both = units[k - 1] ** 2 + nu * units[k] ** 2
    product = 2.0 * np.sqrt(0.5 * nu * (1.0 - nu)) * units[k - 1] * units[k]
    half = np.sqrt((nu + 1.0) * (1.0 - nu))
    weights = np.append(np.ones(k - 1), [(nu + 1.0 + half) / 2.0, (nu + 1.0 - half) / 2.0])
    found = [float(before + both + sign * product) for sign in (1.0, -1.0)]
    return found[0], rank, float(np.mean([_beyond(each, weights, freedom) for each in found]))


def _f_tail(statistic: float, rank: float, freedom: float) -> float:
    if not freedom:
        return float(stats.chi2.sf(statistic, rank))
    return float(stats.f.sf(statistic / rank, rank, freedom))


def _beyond(statistic: float, weights: np.ndarray, freedom: float) -> float:
    """Return the probability of a larger statistic, a sum of weighted chi-squared variables over a variance."""
    if not freedom:
        p = weighted_chi_squares(statistic, weights, np.ones(len(weights)))
    else:
        k = max(1, round(freedom))
        p = weighted_chi_squares(0.0, np.append(weights, -statistic / k), np.append(np.ones(len(weights)), k))
    mean, spread = weights.sum(), np.sum(weights**2)
    small = _f_tail(statistic * mean / spread, mean**2 / spread, freedom)
    return p if p > SMALL else small


def weighted_chi_squares(x: float, weights: np.ndarray, freedom: np.ndarray) -> float:
    """Return ``P(sum_j w_j Q_j > x)`` for independent chi-squared Q_j with ``freedom`` degrees of freedom.

    Source: Imhof (1961), Computing the distribution of quadratic forms in normal variables, Biometrika 48, 419-426.

    Example:
        >>> import numpy as np
        >>> round(weighted_chi_squares(3.841459, np.ones(1), np.ones(1)), 6)
        0.05
    """

    def integrand(u: float) -> float:
        angle = 0.5 * np.sum(freedom * np.arctan(weights * u)) - 0.5 * x * u
        log_size = 0.25 * np.sum(freedom * np.log1p((weights * u) ** 2))
        return float(np.sin(angle) / u * np.exp(-log_size))

    def finite(v: float) -> float:  # u = v / (1 - v), so that the range is finite
        return integrand(v / (1.0 - v)) / (1.0 - v) ** 2 if 0.0 < v < 1.0 else 0.0

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", integrate.IntegrationWarning)
        total = integrate.quad(finite, 0.0, 1.0, limit=500)[0]
    return float(min(max(0.5 + total / np.pi, 0.0), 1.0))
