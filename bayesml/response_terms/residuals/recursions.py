"""The recursion of lagged residuals on a grid of series, forwards in time.

With eta what the formula says of the mean, and residuals e_t = y_t - eta_t - sum_j ma_j e_(t-j), the mean of y_t given
what was observed before is eta_t + sum_j ma_j e_(t-j) + sum_k ar_k e_(t-k). Residuals before the first time are 0.
That is brms's definition: residuals of the moving average, taken before the autoregressive part is added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Array, Float

    Grid = Float[Array, "*draws times series"]
    Coefficients = tuple[Float[Array, "*draws 1"], ...]

__all__ = ["lagged_means", "predicted_means"]


def lagged_means(deviations: Grid, ar: Coefficients, ma: Coefficients) -> Grid:
    """Return what residuals before each time add to its mean, on JAX arrays.

    Args:
        deviations: ``y - eta``, ``(..., times, series)``, 0 where there is no row.
        ar: autoregressive coefficients, the one of lag 1 first.
        ma: moving-average coefficients.
    """
    from jax import numpy as jnp

    residuals = _residuals(deviations, ma) if ma else deviations
    total = deviations - residuals
    for lag, coefficient in enumerate(ar, start=1):
        kept = residuals[..., : max(residuals.shape[-2] - lag, 0), :]
        zeros = jnp.zeros((*residuals.shape[:-2], residuals.shape[-2] - kept.shape[-2], residuals.shape[-1]))
        total = total + coefficient[..., None] * jnp.concatenate([zeros, kept], axis=-2)
    return total


def _residuals(deviations: Grid, ma: Coefficients) -> Grid:
    """Return e_t = d_t - sum_j ma_j e_(t-j) by a loop over times that carries the last residuals."""
    from jax import lax
    from jax import numpy as jnp

    def step(last: tuple[Grid, ...], d: Grid) -> tuple[tuple[Grid, ...], Grid]:
        e = d - sum(m * before for m, before in zip(ma, last, strict=True))
        return (e, *last[:-1]), e

    by_time = jnp.moveaxis(deviations, -2, 0)
    zero = jnp.zeros(jnp.broadcast_shapes(by_time.shape[1:], *(jnp.shape(m) for m in ma)))
    _, residuals = lax.scan(step, (zero,) * len(ma), by_time)
    return jnp.moveaxis(residuals, 0, -2)


def predicted_means(
    y: np.ndarray,
    eta: np.ndarray,
    ar: tuple[np.ndarray, ...],
    ma: tuple[np.ndarray, ...],
    unknown: Callable[[int, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return the mean of each response given those before it, ``(draws, times, series)``, on NumPy arrays.

    Args:
        y: ``(times, series)``, NaN where the response is not known.
        eta: ``(draws, times, series)``.
        ar: autoregressive coefficients, ``(draws, 1)`` each.
        ma: moving-average coefficients.
        unknown: takes a time and means ``(draws, series)``, and returns what stands for responses that are not known.
    """
    means = np.array(eta, dtype=float)
    last: list[np.ndarray] = [np.zeros((eta.shape[0], eta.shape[-1]))] * max(len(ar), len(ma))
    for t in range(eta.shape[-2]):
        before_ar = eta[:, t] + sum(m * e for m, e in zip(ma, last, strict=False))
        means[:, t] = before_ar + sum(a * e for a, e in zip(ar, last, strict=False))
        known = np.isfinite(y[t])
        now = np.where(known, y[t], means[:, t]) if known.all() else np.where(known, y[t], unknown(t, means[:, t]))
        last = [now - before_ar, *last[:-1]]
    return means
