"""First-passage times of a Wiener process between two boundaries: density, moments and draws.

The process starts at w a between boundaries at 0 and a, 0 < w < 1, with drift v and unit variance. In u = t / a^2 the
density of reaching 0 at time t is exp(-v a w - v^2 t / 2) / a^2 times that without drift between boundaries at 0 and 1,
which has two series (Feller 1968): over images of the start, with terms (w + 2 k) exp(-(w + 2 k)^2 / (2 u)) and the
factor 1 / sqrt(2 pi u^3), and over eigenvalues, with terms pi k sin(k pi w) exp(-k^2 pi^2 u / 2). Seven terms of the
first for u < 1/2 and five of the second above are exact to rounding: the terms left out are below exp(-49) and exp(-86)
(Navarro and Fuss 2009, Journal of Mathematical Psychology 53, 222-230).
"""

from __future__ import annotations

from functools import lru_cache
from math import pi
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from bayesml.shapes import Broadcast

__all__ = ["draw_passages", "log_first_passage", "time_moments"]

BORDER = 0.5
IMAGES = 3
EIGENVALUES = 5


def log_first_passage(time: Broadcast, drift: Broadcast, separation: Broadcast, start: Broadcast) -> Broadcast:
    """Return the log density of the time at which the lower boundary is reached.

    Args:
        time: larger than 0.
        drift: the drift v, towards the upper boundary.
        separation: the distance a of the boundaries.
        start: the relative start w.
    """
    from jax import numpy as jnp

    u = time / separation**2
    early = u < BORDER
    density = jnp.where(
        early,
        _log_by_images(jnp.where(early, u, BORDER), start),
        _log_by_eigenvalues(jnp.where(early, BORDER, u), start),
    )
    return density - drift * separation * start - 0.5 * drift**2 * time - 2.0 * jnp.log(separation)


def _log_by_images(u: Broadcast, w: Broadcast) -> Broadcast:
    """Take exp(-w^2 / (2 u)) out of all terms: (w + 2 k)^2 - w^2 is 4 k (w + k), which is 0 or larger."""
    from jax import numpy as jnp

    total = w + 0.0 * u
    for k in range(1, IMAGES + 1):
        above = (w + 2.0 * k) * jnp.exp(-2.0 * k * (k + w) / u)
        total = total + above + (w - 2.0 * k) * jnp.exp(-2.0 * k * (k - w) / u)
    return jnp.log(jnp.maximum(total, 1e-300)) - 0.5 * w**2 / u - 0.5 * jnp.log(2.0 * pi) - 1.5 * jnp.log(u)


def _log_by_eigenvalues(u: Broadcast, w: Broadcast) -> Broadcast:
    """Take exp(-pi^2 u / 2) out of all terms."""
    from jax import numpy as jnp

    total = jnp.sin(pi * w) + 0.0 * u
    for k in range(2, EIGENVALUES + 1):
        total = total + k * jnp.sin(k * pi * w) * jnp.exp(-0.5 * (k**2 - 1.0) * pi**2 * u)
    return jnp.log(pi) + jnp.log(jnp.maximum(total, 1e-300)) - 0.5 * pi**2 * u


def time_moments(drift: Broadcast, separation: Broadcast, start: Broadcast) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and variance of the time at which either boundary is reached.

    Between boundaries at 0 and 1 with drift s = v a, the moments m1 and m2 of a start at x solve m1'' / 2 + s m1' = -1
    and m2'' / 2 + s m2' = -2 m1 and vanish at both boundaries. Near s = 0 the solutions are differences of nearly equal
    numbers; there, polynomials through them at four points around 0 serve.
    """
    drift, separation, start = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (drift, separation, start)))
    s = drift * separation
    near = np.abs(s) < NEAR
    first, second = _moments(np.where(near, 1.0, s), start)
    for k, node in enumerate(NODES):
        weight = np.ones_like(s)
        for other in NODES[:k] + NODES[k + 1 :]:
            weight = weight * (s - other) / (node - other)
        there = _moments(np.full_like(s, node), start)
        first = np.where(near, (0.0 if k == 0 else first) + weight * there[0], first)
        second = np.where(near, (0.0 if k == 0 else second) + weight * there[1], second)
    return separation**2 * first, separation**4 * (second - first**2)


NEAR = 0.05
NODES = (-0.1, -0.05, 0.05, 0.1)


def _moments(s: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return m1 and m2; a negative drift is the same seen from the other boundary.

    With e(x) = exp(-2 s x) and q = 1 / (1 - e(1)), m1 = (q (1 - e(x)) - x) / s, and
    m2 = A x^2 + B x + C x e(x) + D (1 - e(x)) with A = 1 / s^2, B = -2 q / s^2 - 1 / s^3, C = -2 q / s^2 and
    D = -q (A + B + C e(1)).
    """
    x, s = np.where(s < 0, 1.0 - x, x), np.abs(s)
    e, last = np.exp(-2.0 * s * x), np.exp(-2.0 * s)
    q = -1.0 / np.expm1(-2.0 * s)
    first = (q * -np.expm1(-2.0 * s * x) - x) / s
    a, b, c = 1.0 / s**2, -2.0 * q / s**2 - 1.0 / s**3, -2.0 * q / s**2
    d = -q * (a + b + c * last)
    return first, a * x**2 + b * x + c * x * e - d * np.expm1(-2.0 * s * x)


@lru_cache(maxsize=1)
def _exit_times() -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Return a table of the distribution of the time at which a process without drift leaves (-1, 1).

    P(T > t) = 4 / pi sum_k (-1)^k / (2 k + 1) exp(-(2 k + 1)^2 pi^2 t / 8), for small t its other form,
    P(T <= t) = 2 sum_k (-1)^k erfc((2 k + 1) / sqrt(2 t)).
    """
    from scipy import special

    t = np.exp(np.linspace(np.log(0.01), np.log(40.0), 40_001))
    k = np.arange(6)[:, None]
    signs = (-1.0) ** k
    late = 1.0 - 4.0 / pi * (signs / (2 * k + 1) * np.exp(-((2 * k + 1) ** 2) * pi**2 * t / 8.0)).sum(axis=0)
    early = 2.0 * (signs * special.erfc((2 * k + 1) / np.sqrt(2.0 * t))).sum(axis=0)
    return np.where(t < 1.0, early, late), t


def draw_passages(
    rng: np.random.Generator, drift: Broadcast, separation: Broadcast, start: Broadcast
) -> tuple[Float[np.ndarray, ...], Bool[np.ndarray, ...]]:
    """Draw times at which a boundary is reached, and whether it is the upper one, for each of the broadcast parameters.

    The process goes from sphere to sphere: it leaves the interval of radius r around its place, which ends at the
    nearer boundary, at either end, after a time that is r^2 times one from the table. With drift v the ends have odds
    exp(2 v r), whatever the time, whose density is that without drift times exp(-v^2 t / 2) and a constant: it is drawn
    by rejection, for which r is at most 1.5 / |v|.
    """
    drift, separation, start = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (drift, separation, start)))
    shape, drift, separation = drift.shape, drift.ravel(), separation.ravel()
    place, total, active = start.ravel() * separation, np.zeros(drift.size), np.arange(drift.size)
    upper = np.zeros(drift.size, dtype=bool)
    probabilities, times = _exit_times()
    while active.size:
        v, x, a = drift[active], place[active], separation[active]
        nearer = np.minimum(x, a - x)
        radius = np.minimum(nearer, 1.5 / np.maximum(np.abs(v), 1e-300))
        time = radius**2 * np.interp(rng.random(active.size), probabilities, times)
        kept = rng.random(active.size) < np.exp(-0.5 * v**2 * time)
        up = rng.random(active.size) < 1.0 / (1.0 + np.exp(-2.0 * v * radius))
        moved = active[kept]
        total[moved] += time[kept]
        place[moved] = (x + np.where(up, radius, -radius))[kept]
        upper[moved] = up[kept]
        ends = np.where(up, a - x, x) <= radius * (1.0 + 1e-12)
        active = active[~(kept & ends)]
    return total.reshape(shape), upper.reshape(shape)
