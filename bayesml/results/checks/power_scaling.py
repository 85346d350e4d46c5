"""How far marginal posteriors move when the prior or the likelihood is raised to a power near 1.

The posterior with p(theta)^alpha in the place of the prior, or with the likelihood to the power alpha, is that of draws
with the importance ratios p(theta)^(alpha - 1), or p(y | theta)^(alpha - 1) (Kallioinen, Paananen, Buerkner and Vehtari
2024, Statistics and Computing 34, 57). The ratios are Pareto smoothed.
"""

from __future__ import annotations

import numpy as np

from bayesml.results.checks.psis import smoothed_weights

__all__ = ["distances", "scaled_weights", "sensitivities"]


def sensitivities(
    values: np.ndarray, log_density: np.ndarray, alphas: tuple[float, float], relative_efficiency: float
) -> tuple[np.ndarray, float]:
    """Return the gradient of the distance of each parameter in log2(alpha), and the largest Pareto k.

    The distance grows in proportion to |log2(alpha)| near alpha = 1; the gradient is the mean of those on both sides.

    Args:
        values: ``(draws, parameters)``.
        log_density: ``(draws,)`` the log density that is scaled.
        alphas: a power below 1 and one above.
        relative_efficiency: effective sample size of the draws over their number.
    """
    found = [scaled_weights(log_density, alpha, relative_efficiency) for alpha in alphas]
    order = np.argsort(values, axis=0)
    slopes = [
        distances(values, weights, order) / abs(np.log2(alpha))
        for (weights, _), alpha in zip(found, alphas, strict=True)
    ]
    return np.mean(slopes, axis=0), max(k for _, k in found)


def scaled_weights(log_density: np.ndarray, alpha: float, relative_efficiency: float = 1.0) -> tuple[np.ndarray, float]:
    """Return weights of the draws that sum to 1, and the Pareto k of the ratios behind them."""
    log_weights, k = smoothed_weights((alpha - 1.0) * log_density[None], relative_efficiency)
    return np.exp(log_weights[0]), float(k[0])


def distances(values: np.ndarray, weights: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the cumulative Jensen-Shannon distance between draws and weighted draws of each parameter.

    It depends on the direction in which the distribution functions accumulate; the larger of the two is taken, as in
    the paper. Parameters that do not vary have none, NaN.

    Args:
        values: ``(draws, parameters)``.
        weights: ``(draws,)``, with sum 1.
        order: positions that sort each column of ``values``.
    """
    ordered, own = np.take_along_axis(values, order, axis=0), weights[order]
    return np.maximum(_distance(ordered, own), _distance(-ordered[::-1], own[::-1]))


def _distance(ordered: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the distance of sorted ``(draws, parameters)``.

    With distribution functions P and Q, CJS(P, Q) = integral of P log2(2 P / (P + Q)) + (Q - P) / (2 log 2). The sum
    CJS(P, Q) + CJS(Q, P), in which the last terms cancel, is at most the integral of P + Q; the distance is the root of
    their ratio (Nguyen and Vreeken 2015). P rises by 1 / draws at each draw.
    """
    draws = len(ordered)
    widths = np.diff(ordered, axis=0)
    p = np.linspace(1.0 / draws, 1.0 - 1.0 / draws, draws - 1)[:, None]
    q = np.clip(np.cumsum(weights, axis=0)[:-1], np.finfo(float).tiny, 1.0)
    middle = np.log2(0.5 * (p + q))
    divergence = (widths * (p * (np.log2(p) - middle) + q * (np.log2(q) - middle))).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(np.maximum(divergence, 0.0) / (widths * (p + q)).sum(axis=0))
