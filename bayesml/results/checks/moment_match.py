"""Moment matching: draws are moved to where the posterior without a row is.

Paananen, Piironen, Bürkner & Vehtari (2021), Implicitly adaptive importance sampling, Statistics and Computing 31. An
affine map of the unconstrained draws gives them the weighted mean, then the weighted variances, then the weighted
covariance matrix, as long as that lowers the Pareto k of the importance weights. Of the map T that was found, half of
the draws are moved and half are not; together they are draws from the mixture with the density

    g(x) = (p(x) + p(T^-1 x) / |T|) / 2,

whose weights p(x) / p(y_i | x) / g(x) serve the posterior without the row, and the density of the row, alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

import numpy as np

from bayesml.engines.dispatch import sample_coordinates
from bayesml.engines.unconstrained import UnconstrainedModel, unconstrained_draws
from bayesml.errors import ModelError
from bayesml.posterior import Draws
from bayesml.results.checks.log_lik import compiled_density, log_lik_of_rows
from bayesml.results.checks.psis import smoothed_weights

if TYPE_CHECKING:
    from bayesml.results.record.fit import AbstractSampledFit

__all__ = ["Moved", "matched_rows"]

MOST_STEPS = 30
GOAL = 0.3
"""The draws are moved as long as that lowers the Pareto k: where they are far off it is estimated too low."""
MOST_DIMENSIONS = 300
"""With more of them the covariance matrix is not matched."""


@final
@dataclass(frozen=True)
class Moved:
    """What moment matching found of some rows.

    Attributes:
        elpd: log p(y_i | y without y_i).
        pareto_k: of the importance weights of the moved draws.
    """

    elpd: np.ndarray
    pareto_k: np.ndarray


@final
@dataclass(frozen=True)
class _Affine:
    """The map x -> center + matrix (x - center) + shift; a vector of factors stands for a diagonal matrix."""

    matrix: np.ndarray
    shift: np.ndarray
    center: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        centered = x - self.center
        moved = centered * self.matrix if self.matrix.ndim == 1 else centered @ self.matrix.T
        return np.asarray(moved + self.center + self.shift)

    def inverse(self, x: np.ndarray) -> np.ndarray:
        centered = x - self.center - self.shift
        if self.matrix.ndim == 1:
            return np.asarray(centered / self.matrix + self.center)
        return np.asarray(np.linalg.solve(self.matrix, centered.T).T + self.center)

    @property
    def log_determinant(self) -> float:
        if self.matrix.ndim == 1:
            return float(np.log(self.matrix).sum())
        return float(np.linalg.slogdet(self.matrix)[1])


@final
@dataclass(frozen=True)
class _Row:
    """A row that is left out.

    Attributes:
        points: unconstrained draws, ``(draws, d)``.
        log_posterior: their log density, up to a constant.
        evaluate: from points to their log posterior density and the log density of the row.
        efficiency: effective sample size of the draws over their number.
    """

    points: np.ndarray
    log_posterior: np.ndarray
    evaluate: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    efficiency: float

    def weights(self, log_ratios: np.ndarray) -> tuple[np.ndarray, float]:
        """Return log importance weights and their Pareto k; infinite where a ratio is no number."""
        if not np.isfinite(log_ratios.max()):
            return np.full(len(log_ratios), -np.log(len(log_ratios))), np.inf
        low = np.where(np.isfinite(log_ratios), log_ratios, log_ratios[np.isfinite(log_ratios)].min() - 700.0)
        log_weights, k = smoothed_weights(low[None], self.efficiency)
        return log_weights[0], float(k[0])


def matched_rows(fit: AbstractSampledFit, rows: np.ndarray, efficiency: float) -> Moved:
    """Return the leave-one-out densities of some rows by moment matching.

    Args:
        fit: the fit.
        rows: positions of the rows.
        efficiency: effective sample size of the draws over their number.

    Raises:
        ModelError: the draws do not come from chains, as those around a point estimate.
    """
    if fit.engine.sampling is None:
        raise ModelError(
            "Moment matching moves draws of a posterior, and these are drawn around an estimate "
            f'(method="{fit.engine.method}"). Use reloo=True.'
        )
    model = UnconstrainedModel.of(fit.problem)
    points = None if fit.draws_record.reduced else unconstrained_draws(fit.problem, model, fit.draws_record.values)
    if points is None:
        # The sampled values do not follow from the reported ones: the model is sampled anew in coordinates that are.
        drawn = sample_coordinates(fit.engine, fit.problem, fit.draws_record.n_draws, fit.seed).values
        points = drawn.reshape(-1, drawn.shape[2]) * model.layout.scale + model.layout.center
    log_posterior = model.log_density(points)
    elpd, k = np.empty(len(rows)), np.empty(len(rows))
    for place, row in enumerate(rows):
        one = _Row(points, log_posterior, _evaluation(fit, model, int(row)), efficiency)
        elpd[place], k[place] = _matched(one)
    return Moved(elpd, k)


def _evaluation(
    fit: AbstractSampledFit, model: UnconstrainedModel, row: int
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return the log posterior density of points, and the log density of a row there.

    The density of a row is the difference that its weight makes to the posterior, where a row has one weight and does
    not depend on others.
    """
    response = fit.problem.design.responses[0]
    simple = len(fit.problem.design.responses) == 1 and response.data.unobserved is None
    if simple and not fit.likelihood.traits.rows_depend:

        def by_weight(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            whole, without = model.log_density(points), model.log_density(points, row)
            with np.errstate(invalid="ignore"):
                return whole, whole - without

        return by_weight
    density = compiled_density(fit)

    def by_row(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = {name: value[None] for name, value in model.reported(points).items()}
        there = replace(fit, outcome=replace(fit.outcome, posterior=Draws(values)))
        return model.log_density(points), log_lik_of_rows(there, np.array([row]), density)[:, 0]

    return by_row


def _matched(one: _Row) -> tuple[float, float]:
    """Return log density and Pareto k of a row."""
    d = one.points.shape[1]
    total = _Affine(np.ones(d), np.zeros(d), np.zeros(d))
    points = one.points
    whole, of_row = one.evaluate(points)
    log_weights, k = one.weights(-of_row)
    first = float(_log_sum(log_weights + of_row)), k
    kinds = ["mean", "variance", *(["covariance"] if 10 * d <= len(points) and d <= MOST_DIMENSIONS else [])]
    for _ in range(MOST_STEPS):
        if k <= GOAL:
            break
        for kind in kinds:
            step = _step(points, np.exp(log_weights), kind)
            if step is None:
                continue
            moved = step(points)
            whole, there = one.evaluate(moved)
            with np.errstate(invalid="ignore"):
                new_weights, new_k = one.weights(whole - there - one.log_posterior)
            if new_k < k:
                points, log_weights, k, total = moved, new_weights, new_k, _after(step, total)
                break
        else:
            break
    if points is one.points:
        return first
    found = _split(one, total)
    return found if found[1] < first[1] else first


def _step(points: np.ndarray, weights: np.ndarray, kind: str) -> _Affine | None:
    """Return the map that gives the draws the weighted mean, variances or covariance matrix; None if there is none."""
    center = points.mean(axis=0)
    mean = weights @ points
    if kind == "mean":
        return _Affine(np.ones(len(center)), mean - center, center)
    if kind == "variance":
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.sqrt((weights @ (points - mean) ** 2) / points.var(axis=0))
        return _Affine(factor, mean - center, center) if np.isfinite(factor).all() and (factor > 0).all() else None
    weighted = (points - mean) * np.sqrt(weights)[:, None]
    try:
        to = np.linalg.cholesky(weighted.T @ weighted)
        start = np.linalg.cholesky(np.cov(points.T, ddof=0).reshape(len(center), -1))
    except np.linalg.LinAlgError:
        return None
    return _Affine(np.linalg.solve(start.T, to.T).T, mean - center, center)


def _after(step: _Affine, before: _Affine) -> _Affine:
    """Return the map that does ``before``, then ``step``: x -> M (x - c) + t with both written about the center c."""
    c = before.center
    if step.matrix.ndim == 1 and before.matrix.ndim == 1:
        matrix = step.matrix * before.matrix
    else:
        first, second = (m if m.ndim == 2 else np.diag(m) for m in (before.matrix, step.matrix))
        matrix = second @ first
    # where the center goes
    to = step(before(c[None]))[0]
    return _Affine(matrix, to - c, c)


def _split(one: _Row, total: _Affine) -> tuple[float, float]:
    """Return log density and Pareto k from draws of which every other one is moved."""
    moved = np.arange(len(one.points)) % 2 == 0
    points = np.where(moved[:, None], total(one.points), one.points)
    back = np.where(moved[:, None], one.points, total.inverse(one.points))
    whole, of_row = one.evaluate(points)
    behind, _ = one.evaluate(back)
    with np.errstate(invalid="ignore"):
        log_ratios = whole - of_row - np.logaddexp(whole, behind - total.log_determinant)
    log_weights, k = one.weights(log_ratios)
    return float(_log_sum(log_weights + np.where(np.isfinite(of_row), of_row, -np.inf))), k


def _log_sum(values: np.ndarray) -> float:
    top = values.max()
    return float(np.log(np.exp(values - top).sum()) + top)
